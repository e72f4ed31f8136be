package expr_test

import (
	"errors"
	"testing"

	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/expr"
)

func newCompiler(t testing.TB) *expr.Compiler {
	t.Helper()
	c, err := expr.NewCompiler(100)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func compile(t testing.TB, kind expr.Kind, source string) *expr.Program {
	t.Helper()
	p, err := newCompiler(t).Compile(kind, source)
	if err != nil {
		t.Fatalf("%s: %v", source, err)
	}
	return p
}

// rule is an issuer's rule about a payload.
func rule(t testing.TB, source string, claims exchange.Claims) (bool, error) {
	t.Helper()
	return compile(t, expr.IssuerRule, source).True(expr.ForToken(claims, pageTime))
}

// value is what a claim of the page's subject comes to.
func value(t testing.TB, source string) (any, bool, error) {
	t.Helper()
	return compile(t, expr.ClaimValue, source).Value(pageActivation(t, expr.ClaimValue))
}

func wantErr(t testing.TB, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

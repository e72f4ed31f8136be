package expr_test

import (
	"encoding/json"
	"errors"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/expr"
)

// drawValue is any value that a token's payload can have.
func drawValue(depth int) *rapid.Generator[any] {
	scalars := []*rapid.Generator[any]{
		rapid.Just[any](nil), rapid.Bool().AsAny(), rapid.String().AsAny(), rapid.SampledFrom([]string{"staff", "sales", "acme"}).AsAny(),
		rapid.Map(rapid.Int64(), func(i int64) any { return json.Number(strconv.FormatInt(i, 10)) }),
		rapid.Map(rapid.StringMatching(`-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?([eE][-+]?[0-9]{1,4})?`), func(s string) any { return json.Number(s) }),
	}
	if depth == 0 {
		return rapid.OneOf(scalars...)
	}
	return rapid.OneOf(append(scalars,
		rapid.Map(rapid.SliceOfN(rapid.Deferred(func() *rapid.Generator[any] { return drawValue(depth - 1) }), 0, 4), func(l []any) any { return l }),
		rapid.Map(drawClaims(depth-1), func(c exchange.Claims) any { return map[string]any(c) }))...)
}

// drawClaims is a payload with some of the claims that the examples read.
func drawClaims(depth int) *rapid.Generator[exchange.Claims] {
	names := rapid.OneOf(rapid.SampledFrom([]string{"sub", "groups", "department", "level", "address", "country", "admin", "exp", "none"}), rapid.String())
	return rapid.Map(rapid.MapOfN(names, rapid.Deferred(func() *rapid.Generator[any] { return drawValue(depth) }), 0, 6),
		func(m map[string]any) exchange.Claims { return m })
}

// programs are all examples of the page.
func programs(t testing.TB) []*expr.Program {
	t.Helper()
	var all []*expr.Program
	for name, kind := range kinds {
		for _, line := range blocks(t, "cel "+name) {
			source, _, _ := strings.Cut(line, "// → ")
			all = append(all, compile(t, kind, source))
		}
	}
	return all
}

// TestNoTokenBreaksAnExpression holds, for any payload: no panic, an error
// denies, and the same payload comes to the same twice.
func TestNoTokenBreaksAnExpression(t *testing.T) {
	t.Parallel()
	all := programs(t)
	rapid.Check(t, func(rt *rapid.T) {
		claims := drawClaims(3).Draw(rt, "claims")
		p := rapid.SampledFrom(all).Draw(rt, "program")
		activation := func() *expr.Activation {
			if v := p.Kind().Variables(); v[0] == "claims" {
				return expr.ForToken(claims, pageTime)
			}
			token := &exchange.Token{Claims: claims}
			return expr.ForExchange(expr.Exchange{Now: pageTime, Subject: token, Actor: token}).WithIssue(expr.Issue{}, &exchange.Policy{})
		}
		first, second := outcome(t, p, activation()), outcome(t, p, activation())
		if first != second {
			rt.Fatalf("%s: %s, then %s", p.Source(), first, second)
		}
	})
}

// TestErrorNeverQuotesAToken puts one word into every text of a payload and
// looks for it in what fails.
func TestErrorNeverQuotesAToken(t *testing.T) {
	t.Parallel()
	const secret = "hush"
	claims := exchange.Claims{"a": secret, "l": []any{secret}, "m": map[string]any{secret: secret}}
	compiler := newCompiler(t)
	operands := []string{`claims.a`, `claims.l`, `claims.m`, `claims.l[0]`, `claims.m.map(k, k)[0]`}
	forms := []string{`int(X) > 1`, `double(X) > 1.0`, `timestamp(X) > now`, `duration(X) > duration("1s")`, `bool(X)`, `X`, `X > 1`, `X in 5`, `claims[X] == 1`,
		`{X: 1, X: 2}.x == 1`, `X.size() > 99 || X.gone`, `X.substring(40) == ""`, `-X == 1`, `X[X] == 1`, `X.join(",").gone`, `X.charAt(99) == ""`, `uint(X) == 1u`,
		`claims.m[X + X] == 1`, `dyn(X).y.z == 1`, `size(int(X)) == 1`, `"".matches("a") || X && X`}
	failed := 0
	for _, form := range forms {
		for _, operand := range operands {
			p, err := compiler.Compile(expr.IssuerRule, strings.ReplaceAll(form, "X", operand))
			if err != nil {
				continue
			}
			if _, err = p.True(expr.ForToken(claims, pageTime)); err == nil {
				continue
			}
			failed++
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%s: %v", p.Source(), err)
			}
		}
	}
	if failed < 50 {
		t.Errorf("only %d expressions failed", failed)
	}
}

// TestNumberIsItselfOrAnError: what a claim's number comes to, written again,
// is the number of the token.
func TestNumberIsItselfOrAnError(t *testing.T) {
	t.Parallel()
	p := compile(t, expr.ClaimValue, `subject.claims.n`)
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.StringMatching(`-?(0|[1-9][0-9]{0,21})(\.[0-9]{1,20})?([eE][-+]?[0-9]{1,3})?`).Draw(rt, "number")
		got, present, err := p.Value(expr.ForExchange(expr.Exchange{Subject: &exchange.Token{Claims: exchange.Claims{"n": json.Number(text)}}}))
		if err != nil {
			if !errors.Is(err, expr.ErrNumber) {
				rt.Fatalf("%s: %v", text, err)
			}
			return
		}
		number, ok := got.(json.Number)
		if !ok || !present || rational(rt, text).Cmp(rational(rt, string(number))) != 0 {
			rt.Fatalf("%s became %v", text, got)
		}
	})
}

func rational(rt *rapid.T, text string) *big.Rat {
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		rt.Fatalf("%q is no number", text)
	}
	return r
}

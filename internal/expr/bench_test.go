package expr_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/expr"
)

// benchToken is a token as a workforce provider issues it: twenty groups.
func benchToken() *exchange.Token {
	groups := []any{}
	for i := range 19 {
		groups = append(groups, fmt.Sprintf("group-%02d", i))
	}
	return &exchange.Token{
		Issuer: "okta-prod", Subject: "okta:alice", Scopes: []string{"orders:read", "orders:write"},
		Claims: exchange.Claims{"sub": "alice", "groups": append(groups, "staff"), "department": "sales", "level": json.Number("7")},
	}
}

var benchClient = &exchange.Client{ID: "edge", Name: "edge", Labels: map[string]string{"env": "prod"}}

// BenchmarkCondition is one condition of several of one exchange.
func BenchmarkCondition(b *testing.B) {
	compiler := newCompiler(b)
	for _, source := range []string{
		`subject.issuer == "okta-prod"`,
		`"staff" in subject.claims.groups`,
		`subject.claims.department == "sales" && subject.claims.level >= 5`,
		`subject.claims.groups.exists(g, g.startsWith("staff"))`,
		`subject.sub.matches("^okta:[a-z]+$")`,
		`subject.claims.?department.orValue("") == "sales"`,
	} {
		b.Run(source, func(b *testing.B) {
			program, err := compiler.Compile(expr.Condition, source)
			if err != nil {
				b.Fatal(err)
			}
			a := expr.ForExchange(expr.Exchange{Now: time.Unix(1_800_000_000, 0), Client: benchClient, Subject: benchToken()})
			b.ReportAllocs()
			for b.Loop() {
				if ok, err := program.True(a); !ok || err != nil {
					b.Fatal(ok, err)
				}
			}
		})
	}
}

// BenchmarkFirstCondition is an activation and the one condition read with it,
// the conversion of its claim included.
func BenchmarkFirstCondition(b *testing.B) {
	program, err := newCompiler(b).Compile(expr.Condition, `"staff" in subject.claims.groups`)
	if err != nil {
		b.Fatal(err)
	}
	token := benchToken()
	b.ReportAllocs()
	for b.Loop() {
		a := expr.ForExchange(expr.Exchange{Now: time.Unix(1_800_000_000, 0), Client: benchClient, Subject: token})
		if ok, err := program.True(a); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}

// BenchmarkCompile is what a write costs for each expression, and a start for
// ten thousand of them.
func BenchmarkCompile(b *testing.B) {
	compiler := newCompiler(b)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := compiler.Compile(expr.Condition, fmt.Sprintf(`"staff" in subject.claims.groups && subject.claims.level >= %d`, i)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLimit is the longest that an evaluation can take.
func BenchmarkLimit(b *testing.B) {
	program, err := newCompiler(b).Compile(expr.Condition, `subject.claims.n.all(x, subject.claims.n.all(y, x + y < 10))`)
	if err != nil {
		b.Fatal(err)
	}
	token := benchToken()
	many := make([]any, 4000)
	for i := range many {
		many[i] = json.Number("1")
	}
	token.Claims["n"] = many
	a := expr.ForExchange(expr.Exchange{Subject: token})
	for b.Loop() {
		if _, err := program.True(a); err == nil {
			b.Fatal("sixteen million steps cost nothing")
		}
	}
}

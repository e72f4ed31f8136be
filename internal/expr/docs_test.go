package expr_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/expr"
)

// page is docs/cel.md.
func page(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "cel.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// blocks are the lines of the page's fenced blocks with an info string.
func blocks(t testing.TB, info string) []string {
	t.Helper()
	var lines []string
	_, rest, found := strings.Cut(page(t), "\n```"+info+"\n")
	for ; found; _, rest, found = strings.Cut(rest, "\n```"+info+"\n") {
		block, _, _ := strings.Cut(rest, "\n```")
		lines = append(lines, strings.Split(block, "\n")...)
	}
	if len(lines) == 0 {
		t.Fatalf("docs/cel.md has no block %q", info)
	}
	return lines
}

func jsonValue(t testing.TB, text string) any {
	t.Helper()
	var value any
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	if err := d.Decode(&value); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return value
}

// pageClaims is the payload that the page's examples speak of.
func pageClaims(t testing.TB) exchange.Claims {
	t.Helper()
	return jsonValue(t, strings.Join(blocks(t, "json"), "\n")).(map[string]any)
}

var pageTime = time.Date(2027, 1, 15, 8, 0, 0, 0, time.UTC)

// pageActivation is the exchange that the examples of a kind are about.
func pageActivation(t testing.TB, kind expr.Kind) *expr.Activation {
	t.Helper()
	claims := pageClaims(t)
	if slices.Contains(kind.Variables(), "claims") {
		return expr.ForToken(claims, pageTime)
	}
	a := expr.ForExchange(expr.Exchange{
		Now:     pageTime,
		Client:  &exchange.Client{Name: "edge-gateway", ID: "edge-gateway", Labels: map[string]string{"env": "prod"}},
		Subject: &exchange.Token{Issuer: "okta-prod", Subject: "okta:alice", Scopes: []string{"orders:read", "orders:write"}, Claims: claims},
		Targets: []string{"orders-api"}, Scopes: []string{"orders:read"},
	})
	if kind != expr.GuardrailRule {
		return a
	}
	issue := expr.Issue{Lifetime: 5 * time.Minute, Scopes: []string{"orders:read"}, Targets: []string{"orders-api"}}
	return a.WithIssue(issue, &exchange.Policy{Name: "staff-orders", Flow: exchange.FlowDownscope})
}

var kinds = map[string]expr.Kind{
	"IssuerRule": expr.IssuerRule, "SubjectMapping": expr.SubjectMapping, "AdminCondition": expr.AdminCondition,
	"Condition": expr.Condition, "ClaimValue": expr.ClaimValue, "GuardrailRule": expr.GuardrailRule,
}

// outcome is what an expression comes to, as the page writes it.
func outcome(t testing.TB, p *expr.Program, a *expr.Activation) string {
	t.Helper()
	var value any
	present := true
	var err error
	switch p.Kind() {
	case expr.ClaimValue:
		value, present, err = p.Value(a)
	case expr.SubjectMapping:
		value, err = p.Text(a)
	default:
		value, err = p.True(a)
	}
	if err != nil {
		return "error"
	}
	if !present {
		return "left out"
	}
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestDocumentedExamplesHold(t *testing.T) {
	t.Parallel()
	compiler := newCompiler(t)
	for name, kind := range kinds {
		for _, line := range blocks(t, "cel "+name) {
			source, want, _ := strings.Cut(line, "// → ")
			program, err := compiler.Compile(kind, source)
			if err != nil {
				t.Errorf("%s: %s: %v", name, line, err)
				continue
			}
			if want != "error" && want != "left out" {
				compact, _ := json.Marshal(jsonValue(t, want))
				want = string(compact)
			}
			if got := outcome(t, program, pageActivation(t, kind)); got != want {
				t.Errorf("%s: %s: got %s", name, line, got)
			}
		}
	}
}

func TestDocumentedRefusalsHold(t *testing.T) {
	t.Parallel()
	compiler := newCompiler(t)
	for _, line := range blocks(t, "cel refused") {
		source, want, _ := strings.Cut(line, "// → ")
		if _, err := compiler.Compile(expr.Condition, source); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: got %v", line, err)
		}
	}
}

// TestDocumentedFunctionsAreAll compares the page's list with the compiler's.
func TestDocumentedFunctionsAreAll(t *testing.T) {
	t.Parallel()
	_, section, _ := strings.Cut(page(t), "no others:\n")
	section, _, _ = strings.Cut(section, "\n\nMonths")
	var listed []string
	for _, found := range regexp.MustCompile("`([A-Za-z.]+)`").FindAllStringSubmatch(section, -1) {
		listed = append(listed, found[1])
	}
	if !slices.Equal(listed, expr.Functions()) {
		t.Errorf("docs/cel.md lists %v, the compiler %v", listed, expr.Functions())
	}
}

// TestDocumentedVariablesAreTyped compiles each field of the page's table.
func TestDocumentedVariablesAreTyped(t *testing.T) {
	t.Parallel()
	compiler := newCompiler(t)
	_, section, _ := strings.Cut(page(t), "## Variables\n")
	section, _, _ = strings.Cut(section, "\n\nWithout an actor")
	fields := regexp.MustCompile("`((?:subject|actor|client|request|issue|policy)\\.[A-Za-z]+)`").FindAllStringSubmatch(section, -1)
	if len(fields) != 21 {
		t.Errorf("the table has %d fields", len(fields))
	}
	for _, found := range fields {
		if _, err := compiler.Compile(expr.GuardrailRule, "has("+found[1]+")"); err != nil {
			t.Errorf("%s: %v", found[1], err)
		}
	}
}

package expr_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/expr"
)

func TestResultTypeIsTheKinds(t *testing.T) {
	t.Parallel()
	compiler := newCompiler(t)
	for _, c := range []struct {
		kind   expr.Kind
		source string
		want   string // of the refusal; "" for none
	}{
		{expr.IssuerRule, `claims.x == "a"`, ""},
		{expr.IssuerRule, `claims.x`, ""}, // known only once there is a token
		{expr.IssuerRule, `"true"`, "an issuer's rule must be a bool, this is a string"},
		{expr.AdminCondition, `size(claims)`, "an admin condition must be a bool, this is an int"},
		{expr.Condition, `subject.claims.?x`, "a condition must be a bool, this is an optional: end it with .orValue(…)"},
		{expr.GuardrailRule, `issue.lifetime`, "a guardrail's rule must be a bool, this is a duration"},
		{expr.SubjectMapping, `claims.email`, ""},
		{expr.SubjectMapping, `size(claims.email)`, "a subject mapping must be a string, this is an int"},
		{expr.ClaimValue, `[1, 2u, 3.0]`, ""},
		{expr.ClaimValue, `subject.act`, ""},
		{expr.ClaimValue, `subject.act[?0]`, ""},
		{expr.ClaimValue, `{"a": [subject.sub], "b": null}`, ""},
		{expr.ClaimValue, `[]`, ""},
		{expr.ClaimValue, `now`, "a claim's value must be JSON, this is a timestamp: convert it with string(…) or int(…)"},
		{expr.ClaimValue, `[duration("1m")]`, "a claim's value must be JSON, this is a duration: convert it with string(…) or int(…)"},
		{expr.ClaimValue, `{"k": b"x"}`, "a claim's value must be JSON, this is a bytes: convert it with string(…) or int(…)"},
		{expr.ClaimValue, `[subject.claims.?x]`, "a claim's value must be JSON, this is an optional: convert it with string(…) or int(…)"},
		{expr.ClaimValue, `type(1)`, "a claim's value must be JSON, this is a type(int): convert it with string(…) or int(…)"},
	} {
		_, err := compiler.Compile(c.kind, c.source)
		if got := fmt.Sprint(err); (c.want == "" && err != nil) || (c.want != "" && got != c.want) {
			t.Errorf("%s: got %v", c.source, err)
		}
	}
}

func TestEachKindHasItsVariablesAlone(t *testing.T) {
	t.Parallel()
	compiler := newCompiler(t)
	of := map[string]string{
		"claims": `claims.x == 1`, "now": `now == now`, "subject": `subject.sub == ""`, "actor": `actor.sub == ""`,
		"client": `client.name == ""`, "request": `request.targets == []`, "issue": `issue.actDepth == 0`, "policy": `policy.name == ""`,
	}
	for _, kind := range []expr.Kind{expr.IssuerRule, expr.AdminCondition, expr.Condition, expr.GuardrailRule} {
		has := strings.Join(kind.Variables(), " ")
		for name, source := range of {
			_, err := compiler.Compile(kind, source)
			if want := strings.Contains(has, name); want != (err == nil) {
				t.Errorf("%s: %s: %v", kind, source, err)
			}
		}
	}
	if _, err := compiler.Compile(expr.Kind(99), "true"); err == nil {
		t.Error("an unknown kind has an environment")
	}
}

func TestMisspeltFieldIsRefusedWithItsPlace(t *testing.T) {
	t.Parallel()
	_, err := newCompiler(t).Compile(expr.Condition, "subject.sub != \"\" &&\n  actor.subj == \"x\"")
	var refused *expr.CompileError
	if !errors.As(err, &refused) || refused.Line != 2 || refused.Column != 8 || refused.Message != "undefined field 'subj'" {
		t.Errorf("got %#v", err)
	}
}

func TestUnknownVariableNamesThoseThereAre(t *testing.T) {
	t.Parallel()
	_, err := newCompiler(t).Compile(expr.IssuerRule, `subject.sub == "a"`)
	if err == nil || !strings.HasSuffix(err.Error(), "; an issuer's rule has claims, now") {
		t.Errorf("got %v", err)
	}
}

func TestWhatCannotBeBoundedIsRefused(t *testing.T) {
	t.Parallel()
	compiler := newCompiler(t)
	for name, source := range map[string]string{
		"empty":              "",
		"too long":           `"` + strings.Repeat("a", 4<<10) + `" != ""`,
		"not UTF-8":          "\"\xff\" == \"\"",
		"deep":               strings.Repeat("(", 2000) + "true" + strings.Repeat(")", 2000),
		"macros":             `optional.of(1)` + strings.Repeat(`.optMap(x, x + x)`, 40) + `.hasValue()`,
		"nested loops":       `[1].all(a, [1].all(b, [1].all(c, [1].all(d, true))))`,
		"chained loops":      `[1].map(a, a).map(a, a).map(a, a).map(a, a) == []`,
		"regexp":             `subject.sub.matches("(((a{30}){30}){30})")`,
		"pattern of a claim": `subject.sub.matches(subject.claims.pattern)`,
		"environment":        `os.getenv("HOME") != ""`,
		"Go field":           `subject.raw == ""`,
		"protobuf":           `google.protobuf.Value{string_value: "x"} == "x"`,
		"own record":         `party@{issuer: "x"}.issuer == "x"`,
		"host's time zones":  `now.getHours("Europe/Berlin") == 1`,
		"growth":             `subject.sub.replace("", subject.sub) == ""`,
		"format":             `"%s".format([subject.sub]) == ""`,
		"reverse":            `subject.sub.reverse() == ""`,
		"int keys":           `{1: true}[1]`,
	} {
		if p, err := compiler.Compile(expr.Condition, source); err == nil {
			t.Errorf("%s: %q was taken", name, p.Source())
		} else if refused := new(expr.CompileError); !errors.As(err, &refused) || refused.Message == "" {
			t.Errorf("%s: got %#v", name, err)
		}
	}
	for _, source := range []string{
		strings.Repeat("(", 20) + "true" + strings.Repeat(")", 20),
		`[1].all(a, [1].all(b, [1].all(c, a == c)))`,
		`subject.sub.matches("^(orders|billing|payments):(read|write)$")`,
		`{dyn("a"): true}["a"]`,
	} {
		if _, err := compiler.Compile(expr.Condition, source); err != nil {
			t.Errorf("%s: %v", source, err)
		}
	}
}

func TestCompileIsRemembered(t *testing.T) {
	t.Parallel()
	compiler := newCompiler(t)
	first, err := compiler.Compile(expr.Condition, "true")
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := compiler.Compile(expr.Condition, "true"); again != first {
		t.Error("the same source was compiled twice")
	}
	if other, _ := compiler.Compile(expr.IssuerRule, "true"); other == first {
		t.Error("two kinds share a program")
	}
}

func TestMemoryOfProgramsIsBounded(t *testing.T) {
	t.Parallel()
	compiler, err := expr.NewCompiler(3)
	if err != nil {
		t.Fatal(err)
	}
	forgotten, _ := compiler.Compile(expr.Condition, "true")
	used, _ := compiler.Compile(expr.Condition, "false")
	for i := range 12 {
		if _, err := compiler.Compile(expr.Condition, fmt.Sprintf("%d > 0", i)); err != nil {
			t.Fatal(err)
		}
		if again, _ := compiler.Compile(expr.Condition, "false"); again != used {
			t.Fatalf("round %d: a program in use was forgotten", i)
		}
	}
	if again, _ := compiler.Compile(expr.Condition, "true"); again == forgotten {
		t.Error("a program out of use is still there")
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	compiler := newCompiler(t)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for i := range 50 {
				p, err := compiler.Compile(expr.Condition, fmt.Sprintf(`subject.claims.admin && subject.claims.level > %d`, i%5))
				if err != nil {
					t.Error(err)
					return
				}
				_, err = p.True(pageActivation(t, expr.Condition))
				wantErr(t, p.Source(), err, expr.ErrType)
			}
		})
	}
	group.Wait()
}

// FuzzCompile holds, for any source: no panic, an answer within a second, and
// of what compiles the same outcome twice.
func FuzzCompile(f *testing.F) {
	for name := range kinds {
		for _, line := range blocks(f, "cel "+name) {
			source, _, _ := strings.Cut(line, "// → ")
			f.Add(source)
		}
	}
	f.Add(`[[1]].map(x, [x, x]).map(x, [x, x]) == [[[1]]]`)
	f.Add(`optional.of("a").optMap(x, x + x).optMap(x, x + x).orValue("")`)
	compiler := newCompiler(f)
	f.Fuzz(func(t *testing.T, source string) {
		start := time.Now()
		for _, kind := range kinds {
			p, err := compiler.Compile(kind, source)
			if err != nil {
				continue
			}
			first, second := outcome(t, p, pageActivation(t, kind)), outcome(t, p, pageActivation(t, kind))
			if first != second {
				t.Errorf("%s: %s, then %s", source, first, second)
			}
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("%q took %v", source, took)
		}
	})
}

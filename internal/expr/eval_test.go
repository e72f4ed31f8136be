package expr_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/expr"
)

func TestErrorsDeny(t *testing.T) {
	t.Parallel()
	claims := exchange.Claims{"sub": "alice", "dept": "sales", "admin": "true", "odd": struct{}{}}
	for source, want := range map[string]error{
		`claims.tenant == "acme"`:       expr.ErrAbsent,
		`!(claims.tenant == "acme")`:    expr.ErrAbsent,
		`claims["tenant"] != "acme"`:    expr.ErrAbsent,
		`claims.?tenant.value() == "x"`: expr.ErrAbsent,
		`[1][3] == 1`:                   expr.ErrAbsent,
		`claims.admin`:                  expr.ErrType,
		`claims.admin && true`:          expr.ErrType,
		`claims.dept > 5`:               expr.ErrType,
		`claims.odd == "x"`:             expr.ErrType,
		`claims == {"a": 1}`:            nil, // sizes differ
		`1 / (size(claims) - 4) == 1`:   expr.ErrFailed,
		`int(claims.dept) == 1`:         expr.ErrType,
	} {
		ok, err := rule(t, source, claims)
		if ok {
			t.Errorf("%s holds", source)
		}
		if want == nil && err != nil || want != nil && !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", source, err, want)
		}
	}
}

func TestErrorSaysWhereButNotWhat(t *testing.T) {
	t.Parallel()
	claims := exchange.Claims{"sub": "alice@example.com", "dept": "sales"}
	for source, want := range map[string]string{
		`claims.sub == "" || claims.tenant == "acme"`: `expr: a claim or key is absent: "tenant" at line 1, column 27`,
		`claims[claims.sub] == "acme"`:                `expr: a claim or key is absent at line 1, column 7`,
		`int(claims.sub) == 1`:                        `expr: a value has the wrong type at line 1, column 4`,
		`timestamp(claims.sub) < now`:                 `expr: the evaluation failed at line 1, column 10`,
	} {
		if _, err := rule(t, source, claims); err == nil || err.Error() != want {
			t.Errorf("%s: got %v", source, err)
		}
	}
}

func TestNumbersAreExact(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{ // the CEL literal that equals it; "" where none does
		"0": "0", "-0": "0", "5": "5", "-5": "-5",
		"9007199254740993":    "9007199254740993",
		"9223372036854775807": "9223372036854775807", "-9223372036854775808": "-9223372036854775808",
		"9223372036854775808": "9223372036854775808u", "18446744073709551615": "18446744073709551615u",
		"18446744073709551616": "", "-9223372036854775809": "", "99999999999999999999999999": "",
		"0.1": "0.1", "-0.5": "-0.5", "1.0": "1", "1e3": "1000", "1E+3": "1000", "100e-2": "1", "0.0": "0.0", "0e999999999999": "0.0",
		"9007199254740993.0": "", "0.1000000000000000055511151231257827": "", "1e400": "", "-1e400": "", "1e-999": "", "1e99999999999999999999": "",
	} {
		want, readable := want, want != ""
		if !readable {
			want = "0"
		}
		for _, claims := range []exchange.Claims{
			{"n": json.Number(text)},
			{"n": []any{"x", map[string]any{"deep": json.Number(text)}}},
		} {
			source := `claims.n == ` + want
			if _, list := claims["n"].([]any); list {
				source = `claims.n[1].deep == ` + want
			}
			ok, err := rule(t, source, claims)
			if ok != readable || readable != (err == nil) {
				t.Errorf("%s: %s: %v, %v", text, source, ok, err)
			}
			if !readable {
				wantErr(t, text, err, expr.ErrNumber)
			}
		}
	}
}

func TestUnreadableNumberIsNotPassedOver(t *testing.T) {
	t.Parallel()
	claims := exchange.Claims{"n": []any{json.Number("1e400"), json.Number("5")}, "other": "x"}
	for _, source := range []string{`5 in claims.n`, `!(6 in claims.n)`, `claims.n != [1, 5]`, `size(claims.n) == 2`, `claims.all(k, claims[k] != 6)`, `claims == claims`} {
		if ok, err := rule(t, source, claims); ok || !errors.Is(err, expr.ErrNumber) {
			t.Errorf("%s: %v, %v", source, ok, err)
		}
	}
	if ok, err := rule(t, `claims.other == "x" && "n" in claims`, claims); !ok || err != nil {
		t.Errorf("a claim that is not read: %v, %v", ok, err)
	}
}

func TestMapsAreWalkedInOrder(t *testing.T) {
	t.Parallel()
	nested := map[string]any{}
	for _, key := range strings.Split("q w e r t z u i o p a s d f g h j k l", " ") {
		nested[key] = key
	}
	claims := exchange.Claims(nested)
	claims["m"] = map[string]any{"b": "1", "a": "2", "c": "3"}
	for source, want := range map[string]string{
		`claims.map(k, k)[0] + claims.map(k, k)[18]`:                "aw",
		`claims.m.map(k, k).join("")`:                               "abc",
		`{"z": 1, "y": 2, "x": 3}.map(k, k).join("")`:               "xyz",
		`dyn({"z": 1, "y": {}}).map(k, k).join("")`:                 "yz",
		`[{"b": 1, "a": 2}].map(m, m.map(k, k))[0][0]`:              "a",
		`{claims.m.a: 1, claims.m.b: 2}.map(k, k)[0]`:               "1",
		`{"a": {"d": 1, "c": 2}}.a.map(k, k).join("")`:              "cd",
		`{"a": 1, ?"b": claims.?gone}.map(k, k).join()`:             "a",
		`type({"a": 1}) == map && type(claims) == map ? "map" : ""`: "map",
	} {
		got, err := compile(t, expr.SubjectMapping, source).Text(expr.ForToken(claims, pageTime))
		if err != nil || got != want {
			t.Errorf("%s: %q, %v", source, got, err)
		}
	}
}

func TestMapsCompare(t *testing.T) {
	t.Parallel()
	claims := exchange.Claims{"a": map[string]any{"x": json.Number("1"), "y": "2"}, "b": map[string]any{"y": "2", "x": json.Number("1")}, "e": map[string]any{}}
	for source, want := range map[string]bool{
		`claims.a == claims.b`:                         true,
		`claims.a == {"x": 1, "y": "2"}`:               true,
		`{"y": "2", "x": 1} == claims.a`:               true,
		`claims.a != {"x": 1, "y": "3"}`:               true,
		`claims.a == {"x": 1, "z": "2"}`:               false,
		`claims.a == claims.e`:                         false,
		`claims.a == 1`:                                false,
		`"x" in claims.a`:                              true,
		`claims.?e.hasValue()`:                         true,
		`optional.ofNonZeroValue(claims.e).hasValue()`: false,
		`size(claims.a) == 2 && size(claims) == 3`:     true,
	} {
		ok, err := rule(t, source, claims)
		if err != nil || ok != want {
			t.Errorf("%s: %v, %v", source, ok, err)
		}
	}
}

func TestCostIsLimited(t *testing.T) {
	t.Parallel()
	many := make([]any, 4000)
	for i := range many {
		many[i] = json.Number("1")
	}
	claims := exchange.Claims{"n": many, "s": strings.Repeat("x", 16<<10), "deep": []any{map[string]any{"n": many}}}
	for _, source := range []string{
		`claims.n.all(x, claims.n.all(y, x + y < 10))`,
		`claims.n.all(x, !(2 in claims.n))`,
		`claims.n.map(x, claims.n) != []`,
		`claims.n.all(x, !claims.s.contains("y"))`,
		`claims.n.all(x, claims.n == claims.n)`,
		`claims.n.all(x, claims.s + "y" != "")`,
		`claims.n.all(x, claims.s < claims.s + "y")`,
		`claims.n.all(x, claims.deep == claims.deep)`,
		`claims.n.all(x, {"k": claims.deep} == {"k": claims.deep})`,
		`optional.of(claims.s)` + strings.Repeat(`.optMap(x, x`+strings.Repeat("+x", 20)+`)`, 3) + `.hasValue()`,
		`size([[1]]` + strings.Repeat(`.map(x, [`+strings.Repeat("x,", 400)+`x])`, 3) + `) == 1`,
	} {
		p := compile(t, expr.IssuerRule, source)
		ok, err := p.True(expr.ForToken(claims, pageTime))
		if ok {
			t.Errorf("%.60s holds", source)
		}
		wantErr(t, source, err, expr.ErrTooCostly)
	}
	for _, source := range []string{`claims.n.all(x, x == 1)`, `!("y" in claims.n)`, `size(claims.n.filter(x, x > 0)) == 4000`, `!claims.s.matches("y$")`} {
		if ok, err := rule(t, source, claims); !ok || err != nil {
			t.Errorf("one walk over the largest token: %s: %v, %v", source, ok, err)
		}
	}
}

func TestListOfItselfIsNotCompared(t *testing.T) {
	t.Parallel()
	twins := `[[1]]` + strings.Repeat(`.map(x, [`+strings.Repeat("x,", 300)+`x])`, 3)
	_, err := rule(t, twins+" == "+twins, nil)
	wantErr(t, "27 million elements", err, expr.ErrTooCostly)
}

func TestClaimValues(t *testing.T) {
	t.Parallel()
	got, present, err := value(t, `{"n": 18446744073709551615u, "f": 1.5, "i": -3, "l": [true, null, "x"], "o": subject.claims.address}`)
	text, _ := json.Marshal(got)
	want := `{"f":1.5,"i":-3,"l":[true,null,"x"],"n":18446744073709551615,"o":{"city":"Bonn","country":"DE"}}`
	if err != nil || !present || string(text) != want {
		t.Errorf("got %s, %v, %v", text, present, err)
	}
}

func TestClaimValueOfAChainIsHops(t *testing.T) {
	t.Parallel()
	a := expr.ForExchange(expr.Exchange{Subject: &exchange.Token{Act: exchange.Chain{{Issuer: "https://a", Subject: "x"}, {Issuer: "https://b", Subject: "y"}}}})
	got, _, err := compile(t, expr.ClaimValue, `subject.act`).Value(a)
	if text, _ := json.Marshal(got); err != nil || string(text) != `[{"iss":"https://a","sub":"x"},{"iss":"https://b","sub":"y"}]` {
		t.Errorf("got %s, %v", text, err)
	}
	for source, want := range map[string]bool{
		`subject.act[0].sub == "x" && subject.act[1].iss == "https://b"`: true,
		`subject.act.exists(h, h == subject.act[1])`:                     true,
		`subject.act[0] == subject.act[1]`:                               false,
		`subject.act == actor.act`:                                       false,
	} {
		if ok, err := compile(t, expr.Condition, source).True(a); err != nil || ok != want {
			t.Errorf("%s: %v, %v", source, ok, err)
		}
	}
}

func TestClaimValueIsBounded(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]error{
		`[[1]]` + strings.Repeat(`.map(x, [`+strings.Repeat("x,", 30)+`x])`, 2) + `.map(x, [x, x, x, x, x])`:                         expr.ErrTooLarge,
		strings.Repeat("[", 20) + strings.Repeat("]", 20):                                                                            expr.ErrTooLarge,
		strings.Repeat(`{"a":`, 20) + "1" + strings.Repeat("}", 20):                                                                  expr.ErrTooLarge,
		`[1,2,3].map(x, subject.claims.groups).map(x, {"k": [x, x, x, x, x, x, x, x, x, x, x, x, x, x]}).map(x, [x, x, x, x, x, x])`: expr.ErrTooLarge,
		`1.0 / 0.0`:                expr.ErrNumber,
		`[0.0 / 0.0]`:              expr.ErrNumber,
		`dyn(now)`:                 expr.ErrType,
		`[dyn(subject.claims.?x)]`: expr.ErrType,
		`{"a": dyn(now)}`:          expr.ErrType,
		`subject.claims`:           expr.ErrNumber, // one of its claims cannot be read
	} {
		got, present, err := value(t, source)
		wantErr(t, source, err, want)
		if present || got != nil {
			t.Errorf("%.60s: a value beside an error: %v", source, got)
		}
	}
}

func TestTextIsText(t *testing.T) {
	t.Parallel()
	mapping := compile(t, expr.SubjectMapping, `claims.id`)
	if got, err := mapping.Text(expr.ForToken(exchange.Claims{"id": "alice"}, pageTime)); got != "alice" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	for _, id := range []any{json.Number("5"), nil, true, []any{"alice"}, map[string]any{}} {
		if got, err := mapping.Text(expr.ForToken(exchange.Claims{"id": id}, pageTime)); got != "" || !errors.Is(err, expr.ErrType) {
			t.Errorf("%v: got %q, %v", id, got, err)
		}
	}
	if _, err := mapping.Text(expr.ForToken(nil, pageTime)); !errors.Is(err, expr.ErrAbsent) {
		t.Errorf("no claims: %v", err)
	}
}

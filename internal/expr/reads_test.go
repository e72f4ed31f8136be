package expr_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/expr"
)

// spelled writes reads as "subject:/address/country actor:".
func spelled(reads []expr.Read) string {
	var all []string
	for _, r := range reads {
		path := ""
		for _, step := range r.Path {
			path += "/" + step
		}
		all = append(all, string(r.Of)+":"+path)
	}
	return strings.Join(all, " ")
}

func TestReadsAreWhatTheSourceNames(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		`true`: "",
		`subject.sub == "a" && client.name == ""`:                        "",
		`subject.claims.dept == "a"`:                                     "subject:/dept",
		`.subject.claims.dept == "a"`:                                    "subject:/dept",
		`subject.claims["dept"] == "a"`:                                  "subject:/dept",
		`subject.claims.?dept.hasValue()`:                                "subject:/dept",
		`subject.claims[?"dept"].hasValue()`:                             "subject:/dept",
		`subject.?claims.?dept.hasValue()`:                               "subject:/dept",
		`has(subject.claims.dept)`:                                       "subject:/dept",
		`"dept" in subject.claims`:                                       "subject:/dept",
		`"staff" in subject.claims.groups`:                               "subject:/groups",
		`subject.claims.groups[0] == "a"`:                                "subject:/groups",
		`subject.claims.address.country == "DE" && actor.claims.a == 1`:  "actor:/a subject:/address/country",
		`subject.claims.b == 1 || subject.claims.a == 1`:                 "subject:/a subject:/b",
		`subject.claims.a.x == 1 && subject.claims.a == {}`:              "subject:/a",
		`subject.claims.ab == 1 && subject.claims.a == 1`:                "subject:/a subject:/ab",
		`size(subject.claims) == 3`:                                      "subject:",
		`subject.claims.a == 1 && subject.claims.all(k, k != "x")`:       "subject:",
		`subject.claims[subject.sub] == 1`:                               "subject:",
		`subject.claims[actor.claims.key] == 1`:                          "actor:/key subject:",
		`actor.claims.key in subject.claims`:                             "actor:/key subject:",
		`subject.claims.a[actor.claims.key].x == 1`:                      "actor:/key subject:/a",
		`[subject.claims.a].exists(x, x == actor.claims.b)`:              "actor:/b subject:/a",
		`{"k": subject.claims.a, subject.claims.b: 1} == {}`:             "subject:/a subject:/b",
		`subject.claims.groups.filter(g, g == "a").map(g, g) == []`:      "subject:/groups",
		`subject.claims.?a.optMap(x, x.y).orValue(subject.claims.c) > 1`: "subject:/a subject:/c",
		`(true ? subject.claims : actor.claims).x == 1`:                  "actor: subject:",
	} {
		if got := spelled(compile(t, expr.Condition, source).Reads()); got != want {
			t.Errorf("%s: got %q, want %q", source, got, want)
		}
	}
	rule := compile(t, expr.IssuerRule, `claims.tenant == "acme" && size(claims.groups) > 0`)
	if got := spelled(rule.Reads()); got != ":/groups :/tenant" {
		t.Errorf("a rule: got %q", got)
	}
}

func TestSubjectsAreThoseThatTheSourceNames(t *testing.T) {
	t.Parallel()
	for source, want := range map[string][]exchange.Role{
		`subject.claims.sub == "a" && client.name == ""`:                    nil,
		`subject.sub == "a"`:                                                {exchange.RoleSubject},
		`has(subject.sub) && (actor.sub == "" || subject.sub != actor.sub)`: {exchange.RoleActor, exchange.RoleSubject},
		`["a"].exists(x, x == actor.sub) && subject.issuer == "i"`:          {exchange.RoleActor},
	} {
		if got := compile(t, expr.Condition, source).Subjects(); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", source, got, want)
		}
	}
}

func TestVacuousIsWhatAnEmptyListPasses(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		`subject.claims.groups.all(g, g in ["ok"])`:                                                         "subject:/groups",
		`size(subject.claims.groups) > 0 && subject.claims.groups.all(g, g in ["ok"])`:                      "",
		`subject.claims.groups.size() > 0 && subject.claims.groups.all(g, g in ["ok"])`:                     "",
		`subject.claims.groups.exists(g, true) && subject.claims.groups.all(g, g in ["ok"])`:                "",
		`"a" in subject.claims.groups && subject.claims.groups.all(g, g in ["a", "b"])`:                     "",
		`subject.claims.groups[0] == "a" && subject.claims.groups.all(g, g in ["a", "b"])`:                  "",
		`size(actor.claims.groups) > 0 && subject.claims.groups.all(g, g in ["ok"])`:                        "subject:/groups",
		`size(subject.claims.roles) > 0 && subject.claims.groups.all(g, g in ["ok"])`:                       "subject:/groups",
		`subject.claims.a.all(x, x == 1) || actor.claims.b.all(x, x == 1)`:                                  "subject:/a actor:/b",
		`subject.claims.?groups.orValue([]).all(g, g in ["ok"])`:                                            "subject:/groups",
		`subject.claims.?groups.orValue([]).size() > 0 && subject.claims.groups.all(g, g in ["ok"])`:        "",
		`subject.claims.groups.exists(g, g == "x")`:                                                         "",
		`request.scopes.all(s, s.endsWith(":read"))`:                                                        "",
		`subject.claims.groups.filter(g, g == "a") == ["a"] && subject.claims.groups.map(g, g).size() == 1`: "",
	} {
		if got := spelled(compile(t, expr.Condition, source).Vacuous()); got != want {
			t.Errorf("%s: got %q, want %q", source, got, want)
		}
	}
}

func TestReadFindsItsClaim(t *testing.T) {
	t.Parallel()
	claims := exchange.Claims{"a": map[string]any{"b": json.Number("1")}, "list": []any{"x"}, "null": nil}
	for path, want := range map[string]any{"a": claims["a"], "a b": json.Number("1"), "a c": nil, "gone": nil, "list x": nil, "null": nil} {
		got, found := expr.Read{Path: strings.Fields(path)}.In(claims)
		if found != (want != nil || path == "null") {
			t.Errorf("%s: found %v", path, found)
		}
		gotText, _ := json.Marshal(got)
		wantText, _ := json.Marshal(want)
		if found && string(gotText) != string(wantText) {
			t.Errorf("%s: got %s", path, gotText)
		}
	}
	if whole := (expr.Read{}); !whole.Whole() {
		t.Error("a read without a path is of all claims")
	} else if got, found := whole.In(claims); !found || len(got.(map[string]any)) != 3 {
		t.Errorf("all claims: got %v, %v", got, found)
	}
}

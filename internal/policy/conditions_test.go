package policy_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/policy"
)

// when gives a policy conditions on its subject.
func when(expressions ...string) func(*catalog.ExchangePolicy) {
	return func(p *catalog.ExchangePolicy) {
		for _, e := range expressions {
			p.Subject.Conditions = append(p.Subject.Conditions, catalog.Rule{Expression: e, Message: "says the policy"})
		}
	}
}

func claims(all exchange.Claims) func(*exchange.Token) {
	return func(s *exchange.Token) { s.Claims = all }
}

const (
	staff = `"staff" in subject.claims.groups`
	errs  = `subject.claims.absent == "x"`
)

// The first policy that fits and holds decides; a false condition passes on, one
// that errs denies (POL-010, POL-011, POL-016).
func TestConditionsChooseAmongPolicies(t *testing.T) {
	t.Parallel()
	staffed := claims(exchange.Claims{"groups": []any{"staff"}, "admin": "true"})
	for name, c := range map[string]struct {
		policies []*catalog.Entry
		want     string
		reason   exchange.Reason
	}{
		"one that holds":                               {[]*catalog.Entry{rule("a", when(staff))}, "a", ""},
		"all must hold":                                {[]*catalog.Entry{rule("a", when(staff, "false"))}, "", exchange.ConditionFailed},
		"a false one passes on":                        {[]*catalog.Entry{rule("a", when("false")), rule("b", when("true")), rule("c", nil)}, "b", ""},
		"none holds":                                   {[]*catalog.Entry{rule("a", when("false")), rule("b", when("false"))}, "", exchange.ConditionFailed},
		"one that errs denies":                         {[]*catalog.Entry{rule("a", when(errs)), rule("b", nil)}, "", exchange.ConditionFailed},
		"an error within a negation denies":            {[]*catalog.Entry{rule("a", when(`!(subject.claims.dept == "sales")`)), rule("b", nil)}, "", exchange.ConditionFailed},
		"a text is no bool":                            {[]*catalog.Entry{rule("a", when(`subject.claims.admin`)), rule("b", nil)}, "", exchange.ConditionFailed},
		"one behind the first that holds is not asked": {[]*catalog.Entry{rule("a", nil), rule("b", when(errs))}, "a", ""},
		"one of another issuer's policy is not asked": {
			[]*catalog.Entry{rule("a", func(p *catalog.ExchangePolicy) { when(errs)(p); p.Subject.Issuers = []string{"entra"} }), rule("b", nil)}, "b", "",
		},
		"one that does not compile denies": {[]*catalog.Entry{rule("a", when(`subject.isuer == "x"`)), rule("b", nil)}, "", exchange.ConditionFailed},
		"scopes do not choose":             {[]*catalog.Entry{rule("a", func(p *catalog.ExchangePolicy) { when(staff)(p); p.Scopes.Allow = nil; p.Scopes.Default = nil }), rule("b", nil)}, "a", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, audiences := range [][]string{{"orders"}, nil} {
				if audiences == nil && len(c.policies) > 1 {
					continue // without a target several are ambiguous, which has its own test
				}
				d, err := decide(world(c.policies...), request(func(r *exchange.Request) { r.Audiences = audiences }), subject(staffed), nil)
				if c.reason != "" {
					wantRefusal(t, err, exchange.InvalidRequest, c.reason)
				} else {
					wantPolicy(t, d, err, c.want)
				}
			}
		})
	}
}

func TestConditionsAndTheDefaultTarget(t *testing.T) {
	t.Parallel()
	billing := func(e string) func(*catalog.ExchangePolicy) {
		return func(p *catalog.ExchangePolicy) { when(e)(p); p.Targets = []string{"billing"} }
	}
	for name, c := range map[string]struct {
		second string
		want   string
		reason exchange.Reason
	}{
		"a false one is no rival":  {"false", "a", ""},
		"two that hold":            {"true", "", exchange.TargetAmbiguous},
		"one that errs":            {errs, "", exchange.ConditionFailed},
		"each sees its own target": {`request.targets == ["orders"]`, "a", ""},
	} {
		s := world(rule("a", when(`request.targets == ["orders"]`)), rule("b", billing(c.second)))
		d, err := decide(s, request(func(r *exchange.Request) { r.Audiences = nil }), subject(nil), nil)
		t.Log(name)
		switch {
		case c.reason == exchange.TargetAmbiguous:
			wantRefusal(t, err, exchange.InvalidTarget, c.reason)
		case c.reason != "":
			wantRefusal(t, err, exchange.InvalidRequest, c.reason)
		default:
			wantPolicy(t, d, err, c.want)
		}
	}
}

// An expired policy keeps its place: only if its conditions hold is it the one
// that denies.
func TestExpiredPolicyWhoseConditionIsFalsePassesOn(t *testing.T) {
	t.Parallel()
	for condition, want := range map[string]exchange.Reason{"false": "", "true": exchange.PolicyExpired, errs: exchange.ConditionFailed} {
		ended := rule("a", when(condition))
		ended.Governance.ExpiresAt = ptr(now)
		d, err := decide(world(ended, rule("b", nil)), request(nil), subject(nil), nil)
		if want == "" {
			wantPolicy(t, d, err, "b")
		} else {
			wantRefusal(t, err, exchange.InvalidRequest, want)
		}
	}
}

func TestActorConditionsSeeTheActor(t *testing.T) {
	t.Parallel()
	for expression, holds := range map[string]bool{
		`actor.issuer == "agents" && actor.sub == "agents:bot"`: true,
		`subject.sub == "okta:alice"`:                           true,
		`subject.sub == "okta:bob"`:                             false,
		`actor.claims.tier == "gold"`:                           false, // an error
	} {
		d, err := decide(world(issuer("agents"), rule("p", delegation("token", linked(expression)))), request(nil), subject(nil), agent())
		if holds {
			wantPolicy(t, d, err, "p")
		} else {
			wantRefusal(t, err, exchange.InvalidRequest, exchange.ConditionFailed)
		}
	}
}

// With any, and the client acting, conditions on the actor are still asked: they
// see empty words.
func TestActorConditionsHoldForTheClientToo(t *testing.T) {
	t.Parallel()
	s := world(issuer("agents"), rule("p", delegation("any", linked(`!has(actor.sub) || actor.issuer == "agents"`))), rule("q", delegation("any", linked(`has(actor.sub)`))))
	d, err := decide(s, request(nil), subject(nil), nil)
	wantPolicy(t, d, err, "p")
}

func TestRefusalOfAConditionNamesPolicyAndMessageAndNoClaim(t *testing.T) {
	t.Parallel()
	token := subject(claims(exchange.Claims{"groups": []any{"very-secret-group"}}))
	for _, condition := range []string{staff, `subject.claims.groups`} {
		_, err := decide(world(rule("p", when(condition))), request(nil), token, nil)
		if err == nil || !strings.Contains(err.Error(), `policy "p", subject.conditions 1`) || strings.Contains(err.Error(), "very-secret") {
			t.Errorf("%s: %v", condition, err)
		}
	}
}

func TestClaimsOfThePolicy(t *testing.T) {
	t.Parallel()
	adds := func(claims map[string]string) func(*catalog.ExchangePolicy) {
		return func(p *catalog.ExchangePolicy) { p.Issue.Claims = claims }
	}
	token := subject(claims(exchange.Claims{"department": "sales", "level": json.Number("7"), "groups": []any{"a", "b"}, "long": strings.Repeat("x", 3000)}))
	for name, c := range map[string]struct {
		claims map[string]string
		want   exchange.Claims
	}{
		"values":                    {map[string]string{"dept": "subject.claims.department", "level": "subject.claims.level + 1"}, exchange.Claims{"dept": "sales", "level": json.Number("8")}},
		"a list":                    {map[string]string{"groups": "subject.claims.groups"}, exchange.Claims{"groups": []any{"a", "b"}}},
		"an absent optional":        {map[string]string{"dept": "subject.claims.?nothing", "x": `"y"`}, exchange.Claims{"x": "y"}},
		"an absent claim denies":    {map[string]string{"dept": "subject.claims.nothing"}, nil},
		"one that does not compile": {map[string]string{"dept": "subject.nothing"}, nil},
		"too long all together":     {map[string]string{"a": "subject.claims.long", "b": "subject.claims.long"}, nil},
	} {
		d, err := decide(world(rule("p", adds(c.claims))), request(nil), token, nil)
		t.Log(name)
		if c.want == nil {
			wantRefusal(t, err, exchange.InvalidRequest, exchange.ConditionFailed)
			continue
		}
		wantPolicy(t, d, err, "p")
		if d.Grant != nil && !reflect.DeepEqual(d.Grant.Ceiling().Claims, c.want) {
			t.Errorf("claims %v, want %v", d.Grant.Ceiling().Claims, c.want)
		}
	}
}

func TestWithoutACompilerEveryExpressionDenies(t *testing.T) {
	t.Parallel()
	bare := policy.NewEngine(ourIssuer, nil)
	s := world(rule("p", when("true")), rail("g", "false"))
	admitted, err := bare.Compile(s).Admit(request(nil))
	if err != nil {
		t.Fatal(err)
	}
	_, err = admitted.Decide(subject(nil), nil)
	wantRefusal(t, err, exchange.InvalidRequest, exchange.ConditionFailed)
	if faults := bare.Check(s); len(faults) != 2 {
		t.Errorf("faults %v", faults)
	}
}

// POL-014: what does not type-check is refused on write, with where and why.
func TestCheckNamesEveryExpressionThatDoesNotCompile(t *testing.T) {
	t.Parallel()
	s := world(
		rule("p", func(p *catalog.ExchangePolicy) {
			when("true", `"true"`)(p)
			p.Issue.Claims = map[string]string{"a/b": "subject.isuer", "fine": "subject.sub"}
		}),
		rule("q", delegation("any", linked("actor.sub =="))),
		rail("g", `issue.lifetime > 5`))
	var got []string
	for _, f := range engine.Check(s) {
		if f.Code != catalog.CodeExpression || f.Message == "" {
			t.Errorf("fault %+v", f)
		}
		got = append(got, f.Name+" "+f.Pointer)
	}
	want := []string{"p /spec/subject/conditions/1/expression", "p /spec/issue/claims/a~1b", "q /spec/actor/conditions/0/expression", "g /spec/deny/0/expression"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("faults at %q, want %q", got, want)
	}
	if faults := engine.Check(world(rule("p", when(staff)), rail("g", "has(actor.sub)"))); len(faults) > 0 {
		t.Errorf("sound expressions: %v", faults)
	}
}

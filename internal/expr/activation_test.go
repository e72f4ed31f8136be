package expr_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/expr"
)

func holds(t testing.TB, kind expr.Kind, a *expr.Activation, sources ...string) {
	t.Helper()
	for _, source := range sources {
		if ok, err := compile(t, kind, source).True(a); !ok || err != nil {
			t.Errorf("%s: %v, %v", source, ok, err)
		}
	}
}

func TestWithoutAnActorItsFieldsAreEmpty(t *testing.T) {
	t.Parallel()
	holds(t, expr.Condition, expr.ForExchange(expr.Exchange{Subject: &exchange.Token{Subject: "alice"}}),
		`actor.issuer == "" && actor.sub == ""`, `actor.claims == {} && actor.scopes == [] && actor.act == []`,
		`!has(actor.sub) && !has(actor.issuer) && !has(actor.claims) && !has(actor.scopes)`, `has(subject.sub)`)
}

func TestActorIsHeard(t *testing.T) {
	t.Parallel()
	holds(t, expr.Condition, expr.ForExchange(expr.Exchange{
		Subject: &exchange.Token{Issuer: "okta", Subject: "alice", Claims: exchange.Claims{"who": "subject"}},
		Actor:   &exchange.Token{Issuer: "self", Subject: "client:agent", Scopes: []string{"act"}, Claims: exchange.Claims{"who": "actor"}},
	}), `actor.issuer == "self" && actor.sub == "client:agent"`, `"act" in actor.scopes`, `actor.claims.who == "actor" && subject.claims.who == "subject"`)
}

func TestClientIsTheSubjectOfItsOwnFlow(t *testing.T) {
	t.Parallel()
	a := expr.ForExchange(expr.Exchange{Client: &exchange.Client{Name: "edge", ID: "edge-id"}})
	holds(t, expr.Condition, a, `subject.issuer == "self" && subject.sub == "client:edge-id"`, `subject.claims == {}`, `client.name == "edge" && client.labels == {}`)
}

func TestRequestIsAsItWasAsked(t *testing.T) {
	t.Parallel()
	holds(t, expr.Condition, expr.ForExchange(expr.Exchange{Targets: []string{"a", "b"}, Scopes: []string{"x"}, RequestedType: exchange.TypeAccessToken}),
		`request.targets == ["a", "b"]`, `request.scopes == ["x"]`, `request.requestedTokenType == "access_token"`)
	holds(t, expr.Condition, expr.ForExchange(expr.Exchange{}), `request.targets == [] && request.scopes == [] && request.requestedTokenType == ""`)
}

func TestNowIsTheOneInstantInUTC(t *testing.T) {
	t.Parallel()
	east := time.Date(2027, 1, 15, 3, 30, 0, 0, time.FixedZone("", 5*3600))
	holds(t, expr.Condition, expr.ForExchange(expr.Exchange{Now: east}), `now == timestamp("2027-01-14T22:30:00Z")`, `now.getHours() == 22 && now.getDate() == 14`)
	holds(t, expr.IssuerRule, expr.ForToken(nil, east), `now.getHours() == 22`, `timestamp("2027-01-15T03:30:00+05:00").getHours() == 22`)
}

func TestGuardrailSeesWhatWouldBeIssued(t *testing.T) {
	t.Parallel()
	before := expr.ForExchange(expr.Exchange{Subject: &exchange.Token{Subject: "alice", Claims: exchange.Claims{"n": json.Number("1")}}})
	holds(t, expr.Condition, before, `subject.claims.n == 1`)
	after := before.WithIssue(expr.Issue{Lifetime: time.Minute, Scopes: []string{"x"}, Targets: []string{"a"}, ActDepth: 2}, &exchange.Policy{Name: "p", Flow: exchange.FlowDelegation})
	holds(t, expr.GuardrailRule, after,
		`issue.lifetime == duration("60s") && issue.scopes == ["x"] && issue.targets == ["a"] && issue.actDepth == 2`,
		`policy.name == "p" && policy.flow == "delegation"`, `subject.sub == "alice" && subject.claims.n == 1`)
	if ok, err := compile(t, expr.GuardrailRule, `issue.actDepth < 9`).True(before); ok || err == nil {
		t.Errorf("a guardrail held before there was anything to issue: %v, %v", ok, err)
	}
}

func TestActivationOfAnotherKindIsAnError(t *testing.T) {
	t.Parallel()
	if ok, err := compile(t, expr.Condition, `subject.sub == ""`).True(expr.ForToken(nil, pageTime)); ok || err == nil {
		t.Errorf("a condition about a lone token: %v, %v", ok, err)
	}
	if ok, err := compile(t, expr.IssuerRule, `claims == {}`).True(expr.ForExchange(expr.Exchange{})); ok || err == nil {
		t.Errorf("a rule about an exchange: %v, %v", ok, err)
	}
}

func TestOneActivationServesAllConditions(t *testing.T) {
	t.Parallel()
	a := pageActivation(t, expr.Condition)
	for range 2 {
		for source, want := range map[string]bool{`subject.claims.rounded > 0`: false, `subject.claims.level == 7`: true, `subject.claims.gone == 1`: false} {
			if ok, err := compile(t, expr.Condition, source).True(a); ok != want || (err == nil) != want {
				t.Errorf("%s: %v, %v", source, ok, err)
			}
		}
	}
}

// TestRecordsKeepTheirFieldsBehindDyn: dyn takes the type checker away, not
// the closed list of fields.
func TestRecordsKeepTheirFieldsBehindDyn(t *testing.T) {
	t.Parallel()
	a := expr.ForExchange(expr.Exchange{Subject: &exchange.Token{Act: exchange.Chain{{Issuer: "i", Subject: "s"}, {Issuer: "i"}}}})
	holds(t, expr.Condition, a, `dyn(subject.act[0]).sub == "s"`, `dyn(subject.act)[0].iss == "i"`, `has(dyn(subject.act[0]).sub) && !has(dyn(subject.act[1]).sub)`,
		`subject.act.map(h, h.sub) == ["s", ""]`, `type(subject.act[0]) == type(subject.act[1])`, `dyn(subject.act[0]) != dyn("s")`)
	for _, source := range []string{`dyn(subject.act[0]).Subject == "s"`, `dyn(subject.act[0])[0] == "s"`, `has(dyn(subject.act[0]).raw)`, `string(dyn(subject.act[0])) == ""`} {
		if ok, err := compile(t, expr.Condition, source).True(a); ok || err == nil {
			t.Errorf("%s: %v, %v", source, ok, err)
		}
	}
}

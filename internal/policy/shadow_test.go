package policy_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
)

// inShadow puts a policy in mode shadow.
func inShadow(change ...func(*catalog.ExchangePolicy)) func(*catalog.ExchangePolicy) {
	return func(p *catalog.ExchangePolicy) {
		for _, f := range change {
			f(p)
		}
		p.Mode = catalog.ModeShadow
	}
}

func TestShadowPoliciesAreTriedAndDecideNothing(t *testing.T) {
	t.Parallel()
	issued := exchange.Shadow{Policy: "s", Decision: exchange.OutcomeIssued}
	denied := func(r exchange.Reason) exchange.Shadow {
		return exchange.Shadow{Policy: "s", Decision: exchange.OutcomeDenied, Reason: r}
	}
	ended := rule("s", inShadow())
	ended.Governance.ExpiresAt = ptr(now)
	for name, c := range map[string]struct {
		shadow *catalog.Entry
		want   []exchange.Shadow
	}{
		"would issue":           {rule("s", inShadow()), []exchange.Shadow{issued}},
		"higher priority":       {rule("s", inShadow(func(p *catalog.ExchangePolicy) { p.Priority = 9 })), []exchange.Shadow{issued}},
		"condition is false":    {rule("s", inShadow(when("false"))), []exchange.Shadow{denied(exchange.ConditionFailed)}},
		"condition errs":        {rule("s", inShadow(when(errs))), []exchange.Shadow{denied(exchange.ConditionFailed)}},
		"claims err":            {rule("s", inShadow(func(p *catalog.ExchangePolicy) { p.Issue.Claims = map[string]string{"x": "subject.claims.absent"} })), []exchange.Shadow{denied(exchange.ConditionFailed)}},
		"wants an actor token":  {rule("s", inShadow(delegation("token"))), []exchange.Shadow{denied(exchange.ActorRequired)}},
		"has no scope to give":  {rule("s", inShadow(func(p *catalog.ExchangePolicy) { p.Scopes.Default = nil })), []exchange.Shadow{denied(exchange.ScopeNotAllowed)}},
		"has ended":             {ended, []exchange.Shadow{denied(exchange.PolicyExpired)}},
		"is for another issuer": {rule("s", inShadow(func(p *catalog.ExchangePolicy) { p.Subject.Issuers = []string{"entra"} })), nil},
		"is for another type":   {rule("s", inShadow(func(p *catalog.ExchangePolicy) { p.Subject.TokenTypes = []string{"id_token"} })), nil},
		"is for another client": {rule("s", inShadow(func(p *catalog.ExchangePolicy) { p.Clients = []string{"other"} })), nil},
		"is for another target": {rule("s", inShadow(func(p *catalog.ExchangePolicy) { p.Targets = []string{"billing"} })), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			enforced := []*catalog.Entry{issuer("agents"), rule("p", nil)}
			d, err := decide(world(append(enforced, c.shadow)...), request(nil), subject(nil), nil)
			wantPolicy(t, d, err, "p")
			if !reflect.DeepEqual(d.Shadow, c.want) {
				t.Errorf("shadow %+v, want %+v", d.Shadow, c.want)
			}
			before, err := decide(world(enforced...), request(nil), subject(nil), nil)
			wantPolicy(t, before, err, "p")
			if !slices.Equal(before.Grant.Scopes(), d.Grant.Scopes()) || !before.Grant.Expires().Equal(d.Grant.Expires()) {
				t.Error("the shadow changed the grant")
			}
		})
	}
}

// A refusal stays what it is, and what a shadow would have done stands beside.
func TestShadowBesideARefusal(t *testing.T) {
	t.Parallel()
	d, err := decide(world(rule("p", when("false")), rule("s", inShadow())), request(nil), subject(nil), nil)
	wantRefusal(t, err, exchange.InvalidRequest, exchange.ConditionFailed)
	if d.Grant != nil || len(d.Shadow) != 1 || d.Shadow[0].Decision != exchange.OutcomeIssued {
		t.Errorf("decision %+v", d)
	}
}

// Where no enforced policy names client and targets, the refusal comes before
// any token, and a case for the shadows stands beside it.
func TestShadowWhereNothingIsEnforced(t *testing.T) {
	t.Parallel()
	for _, audiences := range [][]string{{"orders"}, nil} {
		s := world(rule("s", inShadow()))
		admitted, err := engine.Compile(s).Admit(request(func(r *exchange.Request) { r.Audiences = audiences }))
		wantRefusal(t, err, exchange.UnauthorizedClient, exchange.NoPolicy)
		if admitted == nil || !slices.Equal(admitted.Issuers(), []string{"okta"}) {
			t.Fatalf("case %v", admitted)
		}
		d, err := admitted.Decide(subject(nil), nil)
		wantRefusal(t, err, exchange.UnauthorizedClient, exchange.NoPolicy)
		if d.Grant != nil || d.Policy != nil || len(d.Shadow) != 1 || d.Shadow[0].Decision != exchange.OutcomeIssued {
			t.Errorf("decision %+v", d)
		}
	}
	admitted, err := engine.Compile(world(rule("s", inShadow()))).Admit(request(func(r *exchange.Request) { r.Audiences = []string{"billing"} }))
	wantRefusal(t, err, exchange.UnauthorizedClient, exchange.NoPolicy)
	if admitted != nil {
		t.Error("a case for shadows that are about another target")
	}
}

// A shadow's issuers are nobody that an enforced policy would have asked.
func TestShadowsAddNoIssuers(t *testing.T) {
	t.Parallel()
	s := world(rule("p", nil), rule("s", inShadow(func(p *catalog.ExchangePolicy) { p.Subject.Issuers = []string{"entra"} })))
	admitted, err := engine.Compile(s).Admit(request(nil))
	if err != nil || !slices.Equal(admitted.Issuers(), []string{"okta"}) {
		t.Errorf("issuers %v, %v", admitted.Issuers(), err)
	}
}

func TestShadowsOfOneExchangeAreBounded(t *testing.T) {
	t.Parallel()
	entries := []*catalog.Entry{rule("p", nil)}
	for i := range 100 {
		entries = append(entries, rule(fmt.Sprintf("s-%02d", i), inShadow()))
	}
	d, err := decide(world(entries...), request(nil), subject(nil), nil)
	wantPolicy(t, d, err, "p")
	if len(d.Shadow) != 16 || d.Shadow[0].Policy != "s-00" {
		t.Errorf("%d shadows", len(d.Shadow))
	}
}

// What explain is told: each check once in order, and each candidate with the
// first thing in its way, the closest first.
func TestTrace(t *testing.T) {
	t.Parallel()
	s := world(rail("g", "false"), rule("a", when("false")), rule("b", nil), rule("c", func(p *catalog.ExchangePolicy) { p.Subject.Issuers = []string{"entra"} }),
		rule("d", func(p *catalog.ExchangePolicy) { p.Targets = []string{"billing"} }), rule("s", inShadow(delegation("client"))))
	var trace exchange.Trace
	d, err := decide(s, request(func(r *exchange.Request) { r.Trace = &trace }), subject(nil), nil)
	wantPolicy(t, d, err, "b")
	var ids []string
	for _, c := range trace.Checks {
		if c.Result == exchange.Failed {
			t.Errorf("%+v of an issued one", c)
		}
		ids = append(ids, c.ID)
	}
	want := []string{"targets", "policy.client", "policy.issuer", "policy.audience", "policy.actor", "policy.condition", "policy.in_force", "act.depth", "scopes.allowed", "scopes.held", "lifetime", "guardrail", "proof"}
	if !slices.Equal(ids, want) {
		t.Errorf("checks %q, want %q", ids, want)
	}
	var candidates []string
	for _, c := range trace.Candidates {
		candidates = append(candidates, c.Policy+" "+c.Mode+" "+c.FailedCheck)
	}
	if want := []string{"b enforce ", "s shadow ", "a enforce policy.condition", "c enforce policy.issuer", "d enforce policy.client"}; !slices.Equal(candidates, want) {
		t.Errorf("candidates %q, want %q", candidates, want)
	}
}

// Whatever is refused, exactly one check fails, and it is the last.
func TestTraceEndsWithTheCheckThatFailed(t *testing.T) {
	t.Parallel()
	ended := rule("p", nil)
	ended.Governance.ExpiresAt = ptr(now)
	for want, c := range map[string]struct {
		policy *catalog.Entry
		change func(*exchange.Token)
	}{
		exchange.CheckPolicyIssuer:  {rule("p", nil), func(s *exchange.Token) { s.Issuer = "entra" }},
		exchange.CheckAudience:      {rule("p", func(p *catalog.ExchangePolicy) { p.Subject.Audiences = []string{"x"} }), nil},
		exchange.CheckPolicyActor:   {rule("p", delegation("token")), nil},
		exchange.CheckCondition:     {rule("p", when(errs)), nil},
		exchange.CheckPolicyInForce: {ended, nil},
		exchange.CheckClaims:        {rule("p", func(p *catalog.ExchangePolicy) { p.Issue.Claims = map[string]string{"x": "subject.claims.x"} }), nil},
		exchange.CheckActDepth:      {rule("p", func(p *catalog.ExchangePolicy) { p.Issue.MaxActDepth = 1 }), func(s *exchange.Token) { s.Act = exchange.Chain{botHop, botHop} }},
		exchange.CheckScopesAllowed: {rule("p", func(p *catalog.ExchangePolicy) { p.Scopes.Default = nil }), nil},
		exchange.CheckScopesHeld:    {rule("p", nil), func(s *exchange.Token) { s.Scopes = []string{"other"} }},
		exchange.CheckLifetime:      {rule("p", nil), func(s *exchange.Token) { s.Expires = now }},
		exchange.CheckProof:         {rule("p", nil), func(s *exchange.Token) { s.Bound = true }},
	} {
		var trace exchange.Trace
		_, err := decide(world(c.policy), request(func(r *exchange.Request) { r.Trace = &trace }), subject(c.change), nil)
		var refusal *exchange.Error
		last := trace.Checks[len(trace.Checks)-1]
		if !errors.As(err, &refusal) || last.ID != want || last.Result != exchange.Failed || last.Detail != refusal.Detail {
			t.Errorf("%s: last check %+v, refusal %v", want, last, err)
		}
		if failed := slices.IndexFunc(trace.Checks, func(c exchange.Check) bool { return c.Result == exchange.Failed }); failed != len(trace.Checks)-1 {
			t.Errorf("%s: checks %+v", want, trace.Checks)
		}
	}
}

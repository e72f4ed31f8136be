package policy_test

import (
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
)

func TestGrantsByTheOnePolicyThatFits(t *testing.T) {
	t.Parallel()
	d, err := decide(world(rule("p", nil)), request(nil), subject(nil), nil)
	wantPolicy(t, d, err, "p")
	if d.Policy.Revision != 3 || d.Policy.Lifetime != 5*time.Minute || d.Grant.Subject() != "okta:alice" || d.Grant.Audience()[0] != "https://orders.internal" {
		t.Errorf("decision = %+v", d)
	}
	ceiling := d.Grant.Ceiling()
	if ceiling.ID != "id-1" || !ceiling.Now.Equal(now) || ceiling.Client.ID != "edge-1" || ceiling.Adds != nil {
		t.Errorf("ceiling = %+v", ceiling)
	}
}

func TestTokensThatNoPolicyTakes(t *testing.T) {
	t.Parallel()
	audience := func(p *catalog.ExchangePolicy) { p.Subject.Audiences = []string{"https://gateway-b"} }
	federation := func(p *catalog.ExchangePolicy) {
		p.Flow, p.Subject.Issuers = "federation", []string{"okta", exchange.SelfIssuer}
	}
	actor := subject(func(s *exchange.Token) { s.Subject = "okta:agent" })
	mayAct := func(s *exchange.Token) { s.MayAct = exchange.MayAct{"sub": "agent"} }
	own := func(s *exchange.Token) { s.Issuer, s.Type = exchange.SelfIssuer, exchange.TypeJWT }
	for name, c := range map[string]struct {
		policy  func(*catalog.ExchangePolicy)
		subject func(*exchange.Token)
		actor   *exchange.Token
		want    exchange.Reason
	}{
		"another issuer":              {nil, func(s *exchange.Token) { s.Issuer = "entra" }, nil, exchange.NoPolicy},
		"our own token":               {nil, own, nil, exchange.NoPolicy},
		"another type":                {nil, func(s *exchange.Token) { s.Type = exchange.TypeIDToken }, nil, exchange.NoPolicy},
		"federation of our own":       {federation, own, nil, exchange.NoPolicy},
		"no issuers: nobody":          {func(p *catalog.ExchangePolicy) { p.Subject.Issuers = nil }, nil, nil, exchange.NoPolicy},
		"no types: none":              {func(p *catalog.ExchangePolicy) { p.Subject.TokenTypes = nil }, nil, nil, exchange.NoPolicy},
		"another audience":            {audience, nil, nil, exchange.RoleSubject.Reason(exchange.AudienceMismatch)},
		"no audience":                 {audience, func(s *exchange.Token) { s.Audience = nil }, nil, exchange.RoleSubject.Reason(exchange.AudienceMismatch)},
		"audience comes before actor": {audience, mayAct, actor, exchange.RoleSubject.Reason(exchange.AudienceMismatch)},
		"an actor token":              {nil, nil, actor, exchange.ActorNotAllowed},
		"may_act, no actor token":     {nil, mayAct, nil, exchange.ActorRequired},
		"may_act and an actor token":  {nil, mayAct, actor, exchange.ActorNotAllowed},
		"empty may_act":               {nil, func(s *exchange.Token) { s.MayAct = exchange.MayAct{} }, nil, exchange.ActorRequired},
		"issuer comes before actor":   {nil, func(s *exchange.Token) { s.Issuer = "entra" }, actor, exchange.NoPolicy},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, audiences := range [][]string{{"orders"}, nil} { // asked for, and by default
				req := request(func(r *exchange.Request) { r.Audiences = audiences })
				d, err := decide(world(rule("p", c.policy)), req, subject(c.subject), c.actor)
				wantRefusal(t, err, exchange.InvalidRequest, c.want)
				if d.Grant != nil || d.Policy != nil {
					t.Errorf("decision = %+v beside a refusal", d)
				}
			}
		})
	}
}

func TestAudienceOfThePolicyLetsItsOwnTokensThrough(t *testing.T) {
	t.Parallel()
	listed := func(p *catalog.ExchangePolicy) {
		p.Subject.Audiences = []string{"https://gateway-b", "https://gateway"}
		p.Subject.Issuers = []string{"okta", exchange.SelfIssuer}
	}
	s := world(rule("p", listed))
	d, err := decide(s, request(nil), subject(nil), nil)
	wantPolicy(t, d, err, "p")
	// The contract asks it of foreign tokens; whom ours may come from, trust says.
	d, err = decide(s, request(nil), subject(func(s *exchange.Token) { s.Issuer = exchange.SelfIssuer }), nil)
	wantPolicy(t, d, err, "p")
}

func TestPriorityThenNameDecides(t *testing.T) {
	t.Parallel()
	with := func(priority int, change func(*catalog.ExchangePolicy)) func(*catalog.ExchangePolicy) {
		return func(p *catalog.ExchangePolicy) {
			p.Priority = priority
			if change != nil {
				change(p)
			}
		}
	}
	foreign := func(p *catalog.ExchangePolicy) { p.Subject.Issuers = []string{"entra"} }
	audience := func(p *catalog.ExchangePolicy) { p.Subject.Audiences = []string{"https://gateway-b"} }
	for name, c := range map[string]struct {
		policies []*catalog.Entry
		want     string
	}{
		"name":                            {[]*catalog.Entry{rule("b", nil), rule("a", nil), rule("c", nil)}, "a"},
		"priority before name":            {[]*catalog.Entry{rule("a", nil), rule("z", with(1, nil))}, "z"},
		"negative comes last":             {[]*catalog.Entry{rule("a", with(-1, nil)), rule("z", nil)}, "z"},
		"one that does not fit is passed": {[]*catalog.Entry{rule("a", with(9, foreign)), rule("b", with(8, audience)), rule("z", nil)}, "z"},
	} {
		d, err := decide(world(c.policies...), request(nil), subject(nil), nil)
		if err != nil || d.Policy.Name != c.want {
			t.Errorf("%s: %+v, %v; want policy %s", name, d.Policy, err, c.want)
		}
	}
}

// POL-021: rights are never the union of two policies, and scopes never choose
// one.
func TestScopesNeverChooseAPolicy(t *testing.T) {
	t.Parallel()
	s := world(
		rule("a", func(p *catalog.ExchangePolicy) { p.Scopes.Allow, p.Scopes.Default = []string{"read"}, nil }),
		rule("b", func(p *catalog.ExchangePolicy) { p.Scopes.Allow, p.Scopes.Default = []string{"write"}, nil }))
	for _, scope := range []string{"write", "read write"} {
		d, err := decide(s, asking(t, scope, nil), subject(nil), nil)
		wantRefusal(t, err, exchange.InvalidScope, exchange.ScopeNotAllowed)
		if d.Policy == nil || d.Policy.Name != "a" || d.Grant != nil {
			t.Errorf("decision = %+v, want policy a without a grant", d)
		}
	}
}

func TestPolicyThatEndedKeepsItsPlaceAndDenies(t *testing.T) {
	t.Parallel()
	ended := rule("a", nil)
	ended.Governance.ExpiresAt = ptr(now)
	d, err := decide(world(ended, rule("b", nil)), request(nil), subject(nil), nil)
	wantRefusal(t, err, exchange.InvalidRequest, exchange.PolicyExpired)
	if d.Policy == nil || d.Policy.Name != "a" {
		t.Errorf("decision = %+v, want it to name policy a", d)
	}
	ended.Governance.ExpiresAt = ptr(now.Add(1))
	d, err = decide(world(ended, rule("b", nil)), request(nil), subject(nil), nil)
	wantPolicy(t, d, err, "a")
}

func TestOverdueReviewSuspends(t *testing.T) {
	t.Parallel()
	day := func(d time.Time) *catalog.Date { return &catalog.Date{Time: d.Truncate(24 * time.Hour)} }
	for name, c := range map[string]struct {
		onOverdue string
		reviewBy  *catalog.Date
		want      exchange.Reason
	}{
		"yesterday":         {"suspend", day(now.AddDate(0, 0, -1)), exchange.PolicyReviewOverdue},
		"today is in time":  {"suspend", day(now), ""},
		"tomorrow":          {"suspend", day(now.AddDate(0, 0, 1)), ""},
		"overdue and warns": {"warn", day(now.AddDate(-1, 0, 0)), ""},
		"never":             {"suspend", nil, ""},
	} {
		p := rule("a", func(p *catalog.ExchangePolicy) { p.Review.OnOverdue = c.onOverdue })
		p.Governance.ReviewBy = c.reviewBy
		d, err := decide(world(p, rule("b", nil)), request(nil), subject(nil), nil)
		if c.want == "" {
			wantPolicy(t, d, err, "a")
			continue
		}
		t.Log(name)
		wantRefusal(t, err, exchange.InvalidRequest, c.want)
	}
}

func TestIssuerThatIsNotInForceIsRefused(t *testing.T) {
	t.Parallel()
	off := issuer("okta")
	off.Spec.(*catalog.TrustedIssuer).Mode = catalog.ModeDisabled
	ended := issuer("okta")
	ended.Governance.ExpiresAt = ptr(now)
	for _, okta := range []*catalog.Entry{off, ended} {
		_, err := decide(world(okta, rule("p", nil)), request(nil), subject(nil), nil)
		wantRefusal(t, err, exchange.InvalidRequest, exchange.IssuerDisabled)
	}
}

func TestRequestedTokenTypeIsThePolicys(t *testing.T) {
	t.Parallel()
	for requested, fine := range map[exchange.TokenType]bool{"": true, exchange.TypeAccessToken: true, exchange.TypeJWT: false, exchange.TypeIDToken: false} {
		d, err := decide(world(rule("p", nil)), request(func(r *exchange.Request) { r.RequestedType = requested }), subject(nil), nil)
		if fine {
			wantPolicy(t, d, err, "p")
		} else {
			wantRefusal(t, err, exchange.InvalidRequest, exchange.UnsupportedTokenType)
		}
	}
}

func TestDefaultTarget(t *testing.T) {
	t.Parallel()
	billing := func(p *catalog.ExchangePolicy) { p.Targets = []string{"billing"} }
	foreign := func(p *catalog.ExchangePolicy) {
		p.Targets, p.Subject.Issuers = []string{"billing"}, []string{"entra"}
	}
	ended := rule("b", billing)
	ended.Governance.ExpiresAt = ptr(now.Add(-time.Hour))
	offTarget := target("billing", "read")
	offTarget.Spec.(*catalog.Target).Mode = catalog.ModeDisabled
	for name, c := range map[string]struct {
		entries []*catalog.Entry
		want    string
		reason  exchange.Reason
	}{
		"the one policy with one target":            {[]*catalog.Entry{rule("a", nil)}, "a", ""},
		"one with several is no default":            {[]*catalog.Entry{rule("a", bothTargets)}, "", exchange.TargetAmbiguous},
		"one with several beside it":                {[]*catalog.Entry{rule("a", nil), rule("b", bothTargets)}, "a", ""},
		"two with one target each":                  {[]*catalog.Entry{rule("a", nil), rule("b", billing)}, "", exchange.TargetAmbiguous},
		"two with the same target":                  {[]*catalog.Entry{rule("a", nil), rule("b", nil)}, "", exchange.TargetAmbiguous},
		"the other takes another issuer":            {[]*catalog.Entry{rule("a", nil), rule("b", foreign)}, "a", ""},
		"an end makes nothing unambiguous":          {[]*catalog.Entry{rule("a", nil), ended}, "", exchange.TargetAmbiguous},
		"a disabled target makes nothing so either": {[]*catalog.Entry{rule("a", nil), rule("b", billing), offTarget}, "", exchange.TargetAmbiguous},
		"the default's target is disabled":          {[]*catalog.Entry{rule("b", billing), offTarget}, "", exchange.TargetUnknown},
		"client flow is no default for an exchange": {[]*catalog.Entry{rule("a", clientFlow)}, "", exchange.TargetAmbiguous},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := decide(world(c.entries...), request(func(r *exchange.Request) { r.Audiences = nil }), subject(nil), nil)
			if c.reason != "" {
				wantRefusal(t, err, exchange.InvalidTarget, c.reason)
				return
			}
			wantPolicy(t, d, err, c.want)
			if len(d.Targets) != 1 || d.Targets[0].Name != "orders" {
				t.Errorf("targets = %v", d.Targets)
			}
		})
	}
}

func TestClientFlow(t *testing.T) {
	t.Parallel()
	for _, audiences := range [][]string{{"orders"}, nil} {
		req := request(func(r *exchange.Request) { r.Grant, r.Audiences = exchange.GrantClientCredentials, audiences })
		d, err := decide(world(rule("exchange", nil), rule("own", clientFlow)), req, nil, nil)
		wantPolicy(t, d, err, "own")
		if d.Grant.Subject() != "client:edge-1" || d.Grant.Txn() != "id-1" {
			t.Errorf("sub %q, txn %q", d.Grant.Subject(), d.Grant.Txn())
		}
	}
}

func TestEveryTargetKnowsEveryScope(t *testing.T) {
	t.Parallel()
	wide := func(p *catalog.ExchangePolicy) {
		bothTargets(p)
		p.Scopes.Allow, p.Scopes.Default = []string{"read", "write"}, []string{"read", "write"}
	}
	both := func(r *exchange.Request) { r.Audiences = []string{"orders", "billing"} }
	d, err := decide(world(rule("p", wide)), request(both), subject(nil), nil)
	wantPolicy(t, d, err, "p")
	if got := d.Grant.Scopes(); len(got) != 1 || got[0] != "read" {
		t.Errorf("scopes = %v, want read alone: billing has no write (RFC 9068 §2.2.3)", got)
	}
	_, err = decide(world(rule("p", wide)), asking(t, "write", both), subject(nil), nil)
	wantRefusal(t, err, exchange.InvalidScope, exchange.ScopeNotAllowed)
}

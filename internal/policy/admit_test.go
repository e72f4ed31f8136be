package policy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
)

func bothTargets(p *catalog.ExchangePolicy) { p.Targets = []string{"orders", "billing"} }

func TestTargetsAreNamedInEveryWayTheRFCsHave(t *testing.T) {
	t.Parallel()
	decider := engine.Compile(world(rule("p", bothTargets)))
	for name, c := range map[string]struct {
		audiences, resources, want []string
	}{
		"by name":                         {[]string{"orders"}, nil, []string{"orders"}},
		"by audience value":               {[]string{"https://orders.internal"}, nil, []string{"orders"}},
		"by resource":                     {nil, []string{"https://orders.internal/api"}, []string{"orders"}},
		"by audience value as a resource": {nil, []string{"https://orders.internal"}, []string{"orders"}},
		"twice counts once":               {[]string{"orders", "https://orders.internal"}, []string{"https://orders.internal/api"}, []string{"orders"}},
		"audience and resource mixed":     {[]string{"billing"}, []string{"https://orders.internal/api"}, []string{"billing", "orders"}},
	} {
		admitted, err := decider.Admit(request(func(r *exchange.Request) { r.Audiences, r.Resources = c.audiences, c.resources }))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []string
		for _, target := range admitted.Targets() {
			got = append(got, target.Name)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: targets %v, want %v", name, got, c.want)
		}
	}
}

func TestRejectsTargetsByteForByte(t *testing.T) {
	t.Parallel()
	off := target("off", "read")
	off.Spec.(*catalog.Target).Mode = catalog.ModeDisabled
	ended := target("ended", "read")
	ended.Governance.ExpiresAt = ptr(now)
	odd := target("odd", "read")
	odd.Spec.(*catalog.Target).Audience = "odd-audience"
	odd.Spec.(*catalog.Target).Resources = []string{"https://odd/#f", "https://odd/#", "/odd"}
	decider := engine.Compile(world(off, ended, odd, rule("p", func(p *catalog.ExchangePolicy) {
		p.Targets = []string{"orders", "off", "ended", "odd"}
	})))
	for _, audience := range []string{
		"unknown", "", "ORDERS", "orders ", "https://orders.internal/", "https://ORDERS.internal", "https://orders.internal/api",
		"orders billing", "https://orders.internal/../orders", "off", "https://off.internal", "ended",
	} {
		_, err := decider.Admit(request(func(r *exchange.Request) { r.Audiences = []string{audience} }))
		wantRefusal(t, err, exchange.InvalidTarget, exchange.TargetUnknown)
		_, err = decider.Admit(request(func(r *exchange.Request) { r.Audiences = []string{"orders", audience} }))
		wantRefusal(t, err, exchange.InvalidTarget, exchange.TargetUnknown)
	}
	// RFC 8707 §2: an absolute URI without a fragment, whatever is registered.
	for _, resource := range []string{
		"orders", "https://orders.internal/api/", "https://orders.internal/api?x=1", "https://orders.internal/api#", "HTTPS://orders.internal/api",
		"https://odd/#f", "https://odd/#", "/odd", "odd-audience", "https://off.internal/api",
	} {
		_, err := decider.Admit(request(func(r *exchange.Request) { r.Resources = []string{resource} }))
		wantRefusal(t, err, exchange.InvalidTarget, exchange.TargetUnknown)
	}
}

func TestRefusalDoesNotRepeatWhatWasSent(t *testing.T) {
	t.Parallel()
	_, err := engine.Compile(world()).Admit(request(func(r *exchange.Request) { r.Audiences = []string{"eyJhbGciOi.secret.token"} }))
	if err == nil || strings.Contains(err.Error(), "eyJ") {
		t.Errorf("error = %v, want a refusal without the value", err)
	}
}

func TestTargetsEndAtTheirInstant(t *testing.T) {
	t.Parallel()
	orders := target("orders", "read")
	orders.Governance.ExpiresAt = ptr(now.Add(1))
	if _, err := engine.Compile(world(orders, rule("p", nil))).Admit(request(nil)); err != nil {
		t.Errorf("a nanosecond before its end: %v", err)
	}
}

func TestAtMostFourTargets(t *testing.T) {
	t.Parallel()
	names := []string{"a", "b", "c", "d", "e"}
	var entries []*catalog.Entry
	for _, name := range names {
		entries = append(entries, target(name, "read"))
	}
	entries = append(entries, rule("p", func(p *catalog.ExchangePolicy) { p.Targets = names }))
	decider := engine.Compile(world(entries...))
	four := append(slices.Clone(names[:4]), names[:4]...)
	if _, err := decider.Admit(request(func(r *exchange.Request) { r.Audiences = four })); err != nil {
		t.Errorf("four targets, each twice: %v", err)
	}
	_, err := decider.Admit(request(func(r *exchange.Request) { r.Audiences = names }))
	wantRefusal(t, err, exchange.InvalidTarget, exchange.TargetNotAllowed)
}

func TestTargetsOfOneTokenShareItsAlgorithm(t *testing.T) {
	t.Parallel()
	billing := target("billing", "read")
	billing.Spec.(*catalog.Target).Token.Algorithm = "EdDSA"
	decider := engine.Compile(world(billing, rule("p", bothTargets)))
	_, err := decider.Admit(request(func(r *exchange.Request) { r.Audiences = []string{"orders", "billing"} }))
	wantRefusal(t, err, exchange.InvalidTarget, exchange.TargetNotAllowed)
	if _, err = decider.Admit(request(func(r *exchange.Request) { r.Audiences = []string{"billing"} })); err != nil {
		t.Errorf("one of them: %v", err)
	}
}

func TestWithoutAPolicyNothingIsAdmitted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		policies []*catalog.Entry
		change   func(*exchange.Request)
		code     exchange.Code
		reason   exchange.Reason
	}{
		"no policies at all":   {nil, nil, exchange.UnauthorizedClient, exchange.NoPolicy},
		"another client's":     {[]*catalog.Entry{rule("p", func(p *catalog.ExchangePolicy) { p.Clients = []string{"other"} })}, nil, exchange.UnauthorizedClient, exchange.NoPolicy},
		"the client by its id": {[]*catalog.Entry{rule("p", func(p *catalog.ExchangePolicy) { p.Clients = []string{"edge-1"} })}, nil, exchange.UnauthorizedClient, exchange.NoPolicy},
		"disabled":             {[]*catalog.Entry{rule("p", func(p *catalog.ExchangePolicy) { p.Mode = catalog.ModeDisabled })}, nil, exchange.UnauthorizedClient, exchange.NoPolicy},
		"shadow":               {[]*catalog.Entry{rule("p", func(p *catalog.ExchangePolicy) { p.Mode = catalog.ModeShadow })}, nil, exchange.UnauthorizedClient, exchange.NoPolicy},
		"no clients: nobody":   {[]*catalog.Entry{rule("p", func(p *catalog.ExchangePolicy) { p.Clients = nil })}, nil, exchange.UnauthorizedClient, exchange.NoPolicy},
		"no targets: nothing":  {[]*catalog.Entry{rule("p", func(p *catalog.ExchangePolicy) { p.Targets = nil })}, nil, exchange.InvalidTarget, exchange.TargetNotAllowed},
		"client has ended": {[]*catalog.Entry{rule("p", nil)}, func(r *exchange.Request) { r.Client.Expires = now },
			exchange.UnauthorizedClient, exchange.NoPolicy},
		"another target": {[]*catalog.Entry{rule("p", nil)}, func(r *exchange.Request) { r.Audiences = []string{"billing"} },
			exchange.InvalidTarget, exchange.TargetNotAllowed},
		"each target by another policy": {
			[]*catalog.Entry{rule("p", nil), rule("q", func(p *catalog.ExchangePolicy) { p.Targets = []string{"billing"} })},
			func(r *exchange.Request) { r.Audiences = []string{"orders", "billing"} }, exchange.InvalidTarget, exchange.TargetNotAllowed,
		},
		"only for the other grant": {[]*catalog.Entry{rule("p", nil)}, func(r *exchange.Request) { r.Grant = exchange.GrantClientCredentials },
			exchange.InvalidTarget, exchange.TargetNotAllowed},
		"client flow for an exchange": {[]*catalog.Entry{rule("p", clientFlow)}, nil, exchange.InvalidTarget, exchange.TargetNotAllowed},
		"unknown target comes before no policy": {nil, func(r *exchange.Request) { r.Audiences = []string{"unknown"} },
			exchange.InvalidTarget, exchange.TargetUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := engine.Compile(world(c.policies...)).Admit(request(c.change))
			wantRefusal(t, err, c.code, c.reason)
		})
	}
}

// What the catalogue would refuse must not decide by what it seems to say.
func TestUnsoundPoliciesDecideNothing(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*catalog.ExchangePolicy){
		"delegation without an actor": func(p *catalog.ExchangePolicy) { p.Flow = "delegation" },
		"a flow nobody knows":         func(p *catalog.ExchangePolicy) { p.Flow = "impersonation" },
		"an actor in downscope":       func(p *catalog.ExchangePolicy) { p.Actor.From = "token" },
		"an actor in federation":      func(p *catalog.ExchangePolicy) { p.Flow, p.Actor.From = "federation", "client" },
		"an actor nobody knows":       func(p *catalog.ExchangePolicy) { p.Flow, p.Actor.From = "delegation", "nobody" },
		"downscope, no subject":       func(p *catalog.ExchangePolicy) { p.Subject = nil },
		"client flow, a subject":      func(p *catalog.ExchangePolicy) { p.Flow = "client" },
		"client flow, an actor":       func(p *catalog.ExchangePolicy) { p.Flow, p.Subject = "client", nil },
		"a mode nobody knows":         func(p *catalog.ExchangePolicy) { p.Mode = "advise" },
		"no mode":                     func(p *catalog.ExchangePolicy) { p.Mode = "" },
	} {
		for _, grant := range []exchange.GrantType{exchange.GrantTokenExchange, exchange.GrantClientCredentials} {
			_, err := engine.Compile(world(rule("p", change))).Admit(request(func(r *exchange.Request) { r.Grant = grant }))
			if err == nil {
				t.Errorf("%s: admitted for %s", name, grant)
			}
		}
	}
}

// TestIssuersOfTheCandidates: among them is whom a verifier may ask about an
// opaque token, so a policy that cannot decide must not add any.
func TestIssuersOfTheCandidates(t *testing.T) {
	t.Parallel()
	from := func(issuers ...string) func(*catalog.ExchangePolicy) {
		return func(p *catalog.ExchangePolicy) { p.Subject.Issuers = issuers }
	}
	decider := engine.Compile(world(
		rule("a", from("okta", "self")), rule("b", from("okta", "acme")),
		rule("elsewhere", func(p *catalog.ExchangePolicy) { p.Targets, p.Subject.Issuers = []string{"billing"}, []string{"entra"} }),
		rule("another's", func(p *catalog.ExchangePolicy) { p.Clients, p.Subject.Issuers = []string{"other"}, []string{"ping"} }),
		rule("off", func(p *catalog.ExchangePolicy) { p.Mode, p.Subject.Issuers = catalog.ModeDisabled, []string{"off"} }),
		rule("its own", clientFlow),
	))
	for name, c := range map[string]struct {
		audiences []string
		want      []string
	}{
		"a target": {[]string{"orders"}, []string{"acme", "okta", "self"}},
		"none":     {nil, []string{"acme", "entra", "okta", "self"}},
	} {
		admitted, err := decider.Admit(request(func(r *exchange.Request) { r.Audiences = c.audiences }))
		if err != nil {
			t.Fatal(err)
		}
		if got := slices.Sorted(slices.Values(admitted.Issuers())); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

package policy_test

import (
	"strings"
	"testing"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
)

// rail is a guardrail about every exchange.
func rail(name, deny string, match ...func(*catalog.GuardrailMatch)) *catalog.Entry {
	spec := &catalog.Guardrail{Deny: []catalog.Rule{{Expression: deny, Message: "says the guardrail"}}}
	for _, f := range match {
		f(&spec.Match)
	}
	return entry(catalog.KindGuardrail, name, spec)
}

func TestGuardrailsForbidWhatPoliciesAllow(t *testing.T) {
	t.Parallel()
	for expression, denied := range map[string]bool{
		"true": true, "false": false, errs: true, "subject.nothing": true,
		`issue.lifetime > duration("4m")`:                            true,
		`issue.lifetime > duration("5m")`:                            false,
		`issue.scopes == ["read"] && issue.targets == ["orders"]`:    true,
		`"write" in issue.scopes`:                                    false,
		`issue.actDepth > 0`:                                         false,
		`policy.name == "p" && policy.flow == "downscope"`:           true,
		`subject.issuer == "okta" && client.name == "edge"`:          true,
		`subject.claims.groups.exists(g, g == "x")`:                  true, // an error: there are no groups
		`has(subject.claims.groups) && "x" in subject.claims.groups`: false,
	} {
		d, err := decide(world(rule("p", nil), rail("g", expression)), request(nil), subject(nil), nil)
		if !denied {
			wantPolicy(t, d, err, "p")
			continue
		}
		wantRefusal(t, err, exchange.InvalidRequest, exchange.Guardrail)
		if d.Guardrail != "g" || d.Policy == nil || d.Policy.Name != "p" || d.Grant != nil {
			t.Errorf("%s: decision %+v", expression, d)
		}
	}
}

func TestGuardrailMatch(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		match  func(*catalog.GuardrailMatch)
		denied bool
	}{
		"nothing said: all":  {func(*catalog.GuardrailMatch) {}, true},
		"this client":        {func(m *catalog.GuardrailMatch) { m.Clients = []string{"other", "edge"} }, true},
		"another client":     {func(m *catalog.GuardrailMatch) { m.Clients = []string{"other"} }, false},
		"by its client_id":   {func(m *catalog.GuardrailMatch) { m.Clients = []string{"edge-1"} }, false},
		"this issuer":        {func(m *catalog.GuardrailMatch) { m.Issuers = []string{"okta"} }, true},
		"another issuer":     {func(m *catalog.GuardrailMatch) { m.Issuers = []string{"entra"} }, false},
		"one of the targets": {func(m *catalog.GuardrailMatch) { m.Targets = []string{"billing"} }, true},
		"another target":     {func(m *catalog.GuardrailMatch) { m.Targets = []string{"nowhere"} }, false},
		"this flow":          {func(m *catalog.GuardrailMatch) { m.Flows = []string{"downscope"} }, true},
		"another flow":       {func(m *catalog.GuardrailMatch) { m.Flows = []string{"client"} }, false},
		"all must match":     {func(m *catalog.GuardrailMatch) { m.Flows, m.Clients = []string{"downscope"}, []string{"other"} }, false},
	} {
		d, err := decide(world(rule("p", bothTargets), rail("g", "true", c.match)),
			request(func(r *exchange.Request) { r.Audiences = []string{"orders", "billing"} }), subject(nil), nil)
		t.Log(name)
		if c.denied {
			wantRefusal(t, err, exchange.InvalidRequest, exchange.Guardrail)
		} else {
			wantPolicy(t, d, err, "p")
		}
	}
}

// Guardrails apply to the client flow, whose subject is of issuer self.
func TestGuardrailsOfTheClientFlow(t *testing.T) {
	t.Parallel()
	req := request(func(r *exchange.Request) { r.Grant = exchange.GrantClientCredentials })
	self := func(m *catalog.GuardrailMatch) { m.Issuers = []string{"self"} }
	_, err := decide(world(rule("p", clientFlow), rail("g", `subject.sub == "client:edge-1"`, self)), req, nil, nil)
	wantRefusal(t, err, exchange.InvalidRequest, exchange.Guardrail)
	d, err := decide(world(rule("p", clientFlow), rail("g", `has(actor.sub)`, self)), req, nil, nil)
	wantPolicy(t, d, err, "p")
}

// Guardrails come after scopes and before proof, and the first by name answers.
func TestGuardrailsHaveTheirPlaceInTheOrder(t *testing.T) {
	t.Parallel()
	s := world(rule("p", nil), rail("b", "true"), rail("a", "true"))
	d, err := decide(s, request(nil), subject(func(s *exchange.Token) { s.Scopes = nil }), nil)
	wantRefusal(t, err, exchange.InvalidScope, exchange.ScopeNotHeld)
	if d.Guardrail != "" {
		t.Errorf("guardrail %q before it was asked", d.Guardrail)
	}
	d, err = decide(s, request(nil), subject(func(s *exchange.Token) { s.Bound = true }), nil)
	wantRefusal(t, err, exchange.InvalidRequest, exchange.Guardrail)
	if d.Guardrail != "a" || !strings.Contains(err.Error(), "says the guardrail") {
		t.Errorf("by %q: %v", d.Guardrail, err)
	}
}

// A guardrail sees the chain that would be issued, the new hop counted.
func TestGuardrailCountsTheNewHop(t *testing.T) {
	t.Parallel()
	s := world(rule("p", delegation("client")), rail("g", "issue.actDepth > 1"))
	d, err := decide(s, request(nil), subject(nil), nil)
	wantPolicy(t, d, err, "p")
	_, err = decide(s, request(nil), subject(func(s *exchange.Token) { s.Act = exchange.Chain{botHop} }), nil)
	wantRefusal(t, err, exchange.InvalidRequest, exchange.Guardrail)
}

// A stored guardrail that cannot be read forbids everything: nobody knows what it
// was about.
func TestGuardrailThatWasLeftOutDeniesAll(t *testing.T) {
	t.Parallel()
	s := world(rule("p", nil), rail("kept", "false"))
	s.Problems = []catalog.FieldError{
		{Kind: catalog.KindGuardrail, Name: "kept", Pointer: "/spec/match/targets/0", Code: catalog.CodeReference},
		{Kind: catalog.KindExchangePolicy, Name: "gone", Code: catalog.CodeUnreadable},
	}
	d, err := decide(s, request(nil), subject(nil), nil)
	wantPolicy(t, d, err, "p")
	s.Problems = append(s.Problems, catalog.FieldError{Kind: catalog.KindGuardrail, Name: "gone", Code: catalog.CodeUnknownField})
	d, err = decide(s, request(nil), subject(nil), nil)
	wantRefusal(t, err, exchange.InvalidRequest, exchange.Guardrail)
	if d.Guardrail != "gone" {
		t.Errorf("by %q", d.Guardrail)
	}
}

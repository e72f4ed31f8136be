package schema

import (
	"maps"
	"slices"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
)

// flowRules is what a policy of each flow must and may say.
var flowRules = map[exchange.Flow]struct {
	subject bool     // a subject, and so an actor, is part of it
	self    bool     // it takes tokens that Strait issued
	actors  []string // who may act
	prove   []string // the proofs to choose from
}{
	exchange.FlowDownscope:  {subject: true, self: true, actors: []string{"none"}, prove: []string{"same", "map"}},
	exchange.FlowFederation: {subject: true, actors: []string{"none"}, prove: []string{"same", "map", "grant"}},
	exchange.FlowDelegation: {subject: true, self: true, actors: []string{"client", "token", "any"}, prove: []string{"same", "map"}},
	exchange.FlowClient:     {},
}

// The most conditions of a party or a guardrail, and claims of a policy: each
// costs every exchange its evaluation.
const (
	maxRules  = 16
	maxClaims = 32
)

// policy holds the rules of an exchange policy by itself.
func (r *report) policy(spec *catalog.ExchangePolicy, g catalog.Governance) {
	r.flow(spec)
	r.list("/spec/clients", spec.Clients, aName)
	r.list("/spec/targets", spec.Targets, aName)
	r.scopes(spec.Scopes)
	r.word("/spec/issue/tokenType", spec.Issue.TokenType, exchange.TypeAccessToken.Short())
	if spec.Issue.Lifetime == 0 {
		r.add("/spec/issue/lifetime", catalog.CodeRequired, "is required, such as 5m: 0s is no lifetime")
	} else {
		r.span("/spec/issue/lifetime", spec.Issue.Lifetime, maxLifetime)
	}
	if spec.Issue.MaxActDepth < 1 || spec.Issue.MaxActDepth > maxHops {
		r.add("/spec/issue/maxActDepth", catalog.CodeValue, "must be between 1 and %d", maxHops)
	}
	r.word("/spec/review/onOverdue", spec.Review.OnOverdue, "warn", "suspend")
	r.word("/spec/mode", string(spec.Mode), string(catalog.ModeEnforce), string(catalog.ModeShadow), string(catalog.ModeDisabled))
	r.claims(spec.Issue.Claims)
	if spec.Scopes.Prove == string(exchange.ProveGrant) && g.Ticket == "" {
		r.add("/governance/ticket", catalog.CodeRequired, "is required with prove: grant, which gives scopes that nobody held")
	}
}

// flow holds what the policy's flow needs and what has no place in it.
func (r *report) flow(spec *catalog.ExchangePolicy) {
	rules, known := flowRules[exchange.Flow(spec.Flow)]
	switch {
	case spec.Flow == "impersonation":
		r.add("/spec/flow", catalog.CodeValue, "impersonation is a reserved word; write downscope, or federation for foreign tokens")
	case !known:
		r.word("/spec/flow", spec.Flow, "downscope", "federation", "delegation", "client")
	case rules.subject:
		r.policySubject(spec.Subject, rules.self)
		r.policyActor(spec.Actor, rules.actors)
		r.word("/spec/scopes/prove", spec.Scopes.Prove, rules.prove...)
	default:
		r.noSubject(spec)
	}
}

func (r *report) policySubject(subject *catalog.PolicySubject, self bool) {
	const at = "/spec/subject"
	if subject == nil {
		r.add(at, catalog.CodeRequired, "is required: whose tokens does the policy take?")
		return
	}
	r.list(at+"/issuers", subject.Issuers, aName)
	if i := slices.Index(subject.Issuers, exchange.SelfIssuer); i >= 0 && !self {
		r.add(below(at+"/issuers", i), catalog.CodeValue, "federation takes foreign tokens alone; write flow: downscope for self")
	}
	r.list(at+"/tokenTypes", subject.TokenTypes, oneOf(shortTypes...))
	r.each(at+"/audiences", subject.Audiences, aToken)
	r.rules(at+"/conditions", subject.Conditions)
}

// policyActor: who may act is the flow's to say; issuers and conditions are
// about an actor token, and so only where one can come.
func (r *report) policyActor(actor *catalog.PolicyActor, from []string) {
	const at = "/spec/actor"
	switch {
	case actor.From == "none" && !slices.Contains(from, "none"):
		r.add(at+"/from", catalog.CodeRequired, "is required in flow delegation: who acts? Write client, token or any")
		return
	case !slices.Contains(from, actor.From) && slices.Contains(flowRules[exchange.FlowDelegation].actors, actor.From):
		r.add(at+"/from", catalog.CodeConflict, "%s adds an actor, which only flow delegation does; write flow: delegation, or leave it out", actor.From)
		return
	}
	r.word(at+"/from", actor.From, from...)
	if actor.From == "token" || actor.From == "any" {
		r.list(at+"/issuers", actor.Issuers, aName)
		r.rules(at+"/conditions", actor.Conditions)
		return
	}
	if len(actor.Issuers)+len(actor.Conditions) > 0 {
		r.add(at, catalog.CodeConflict, "has issuers or conditions, which are about actor tokens, and from: %s takes none; leave them out", actor.From)
	}
}

// rules holds that each rule says something. Whether an expression is one, the
// engine that evaluates it says.
func (r *report) rules(pointer string, rules []catalog.Rule) {
	if len(rules) > maxRules {
		r.add(pointer, catalog.CodeTooLarge, "has %d rules, at most %d are kept", len(rules), maxRules)
	}
	for i, rule := range rules {
		at := below(pointer, i)
		if rule.Expression == "" {
			r.add(at+"/expression", catalog.CodeRequired, "is required")
		}
		if rule.Message != "" {
			r.text(at+"/message", rule.Message, aLine)
		}
	}
}

// claims holds that a policy adds claims only, and sets none that the engine
// answers for.
func (r *report) claims(claims map[string]string) {
	const at = "/spec/issue/claims"
	if len(claims) > maxClaims {
		r.add(at, catalog.CodeTooLarge, "has %d claims, at most %d are issued", len(claims), maxClaims)
	}
	for _, name := range slices.Sorted(maps.Keys(claims)) {
		switch {
		case exchange.ReservedClaim(name):
			r.add(below(at, name), catalog.CodeConflict, "%s is a claim that no policy may set; choose another name", name)
		case name == "" || len(name) > 200 || aToken(name) != "":
			r.add(below(at, name), catalog.CodeValue, "must be named by 1 to 200 characters of ASCII without spaces")
		case claims[name] == "":
			r.add(below(at, name), catalog.CodeRequired, "is required: an expression such as subject.claims.department")
		}
	}
}

// noSubject: in flow client the client speaks for itself.
func (r *report) noSubject(spec *catalog.ExchangePolicy) {
	for _, part := range []struct {
		pointer string
		written bool
	}{
		{"/spec/subject", spec.Subject != nil},
		{"/spec/actor", spec.Actor != nil},
		{"/spec/scopes/prove", spec.Scopes.Prove != ""},
		{"/spec/scopes/map", len(spec.Scopes.Map) > 0},
	} {
		if part.written {
			r.add(part.pointer, catalog.CodeConflict, "has no place in flow client, where the client speaks for itself; leave it out")
		}
	}
}

// scopes holds that nothing is named that the policy does not allow.
func (r *report) scopes(s catalog.PolicyScopes) {
	const at = "/spec/scopes"
	allowed := func(scope string) string {
		if slices.Contains(s.Allow, scope) {
			return ""
		}
		return quoted(scope) + " is not in allow, so it can never be issued"
	}
	r.each(at+"/allow", s.Allow, aScope)
	r.each(at+"/default", s.Default, allowed)
	for _, held := range slices.Sorted(maps.Keys(s.Map)) {
		entry := below(at+"/map", held)
		if wrong := aScope(held); wrong != "" {
			r.add(entry, catalog.CodeValue, "%s", wrong)
		}
		r.list(entry, s.Map[held], allowed)
	}
	if s.Prove == string(exchange.ProveMap) && len(s.Map) == 0 {
		r.add(at+"/map", catalog.CodeRequired, "is required with prove: map")
	}
}

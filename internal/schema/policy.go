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
	prove   []string // the proofs to choose from
}{
	exchange.FlowDownscope:  {subject: true, self: true, prove: []string{"same", "map"}},
	exchange.FlowFederation: {subject: true, prove: []string{"same", "map", "grant"}},
	exchange.FlowClient:     {},
}

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
	r.word("/spec/mode", string(spec.Mode), string(catalog.ModeEnforce), string(catalog.ModeDisabled))
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
		r.word("/spec/flow", spec.Flow, "downscope", "federation", "client")
	case rules.subject:
		r.policySubject(spec.Subject, rules.self)
		r.policyActor(spec.Actor)
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
}

func (r *report) policyActor(actor *catalog.PolicyActor) {
	r.word("/spec/actor/from", actor.From, "none")
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

package schema

import (
	"slices"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
)

// guardrail holds the rules of a guardrail by itself.
func (r *report) guardrail(spec *catalog.Guardrail, g catalog.Governance) {
	const at = "/spec/match"
	r.each(at+"/clients", spec.Match.Clients, aName)
	r.each(at+"/issuers", spec.Match.Issuers, aName)
	r.each(at+"/targets", spec.Match.Targets, aName)
	r.each(at+"/flows", spec.Match.Flows, oneOf(
		string(exchange.FlowDownscope), string(exchange.FlowFederation), string(exchange.FlowDelegation), string(exchange.FlowClient)))
	if len(spec.Deny) == 0 {
		r.add("/spec/deny", catalog.CodeRequired, "is required and must not be empty: a guardrail without a rule forbids nothing")
	}
	r.rules("/spec/deny", spec.Deny)
	if g.ExpiresAt != nil {
		r.add("/governance/expiresAt", catalog.CodeConflict, "has no place here: what is forbidden must not become allowed by waiting; delete the guardrail instead")
	}
}

// guardrails holds that what each guardrail names is there: a misspelt name
// would forbid nothing.
func (t *together) guardrails() {
	clients, targets := names(t.Clients()), names(t.Targets())
	issuers := append(names(t.Issuers()), exchange.SelfIssuer)
	slices.Sort(issuers)
	for _, g := range t.Guardrails() {
		t.known(claim{g.Ref(), "/spec/match/clients"}, g.Spec.Match.Clients, clients)
		t.known(claim{g.Ref(), "/spec/match/issuers"}, g.Spec.Match.Issuers, issuers)
		t.known(claim{g.Ref(), "/spec/match/targets"}, g.Spec.Match.Targets, targets)
	}
}

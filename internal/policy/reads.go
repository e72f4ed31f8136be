package policy

import (
	"slices"

	"github.com/strait-sts/strait/internal/exchange"
)

// readsOf are the claims that conditions and claim values read.
func readsOf(conditions []condition, values []claimValue) []exchange.ClaimPath {
	var all []exchange.ClaimPath
	for _, c := range conditions {
		all = append(all, c.program.Claims()...)
	}
	for _, v := range values {
		all = append(all, v.program.Claims()...)
	}
	return slices.Clip(all)
}

// unread is the first of the claims that a recalled token does not tell; nil on
// /token, where all are there.
func (p parties) unread(reads []exchange.ClaimPath) error {
	if err := p.subject.Unread(exchange.RoleSubject, reads); err != nil {
		return err
	}
	return p.actor.Unread(exchange.RoleActor, reads)
}

// reads are the claims that the policies for these tokens and targets read, and
// the guardrails that could be about them: enough to decide the exchange again,
// and no other. Most exchanges have one policy that reads, and cost no list.
func (c *admitted) reads(p parties) []exchange.ClaimPath {
	var all []exchange.ClaimPath
	add := func(reads []exchange.ClaimPath) {
		if all == nil {
			all = slices.Clip(reads)
			return
		}
		all = append(all, reads...)
	}
	for _, x := range []*index{c.index, c.shadows} {
		for _, r := range x.leading(p.issuer(), c.targets) {
			if len(r.reads) > 0 && r.covers(c.targets) {
				add(r.reads)
			}
		}
	}
	for _, g := range c.decider.guardrails {
		if len(g.reads) > 0 && g.concerns(c.req.Client.Name, p, c.targets) {
			add(g.reads)
		}
	}
	return all
}

// leading are the rules that lead from the issuer to the first of the targets,
// or to their only one.
func (x *index) leading(issuer string, targets []*target) []*rule {
	switch {
	case x == nil:
		return nil
	case len(targets) == 0:
		return x.byDefault[issuer]
	}
	return x.byRoute[route{issuer, targets[0].Name}]
}

// concerns: the guardrail could be about an exchange of these, whatever policy
// decides it. Without targets it could be about any.
func (g *guardrail) concerns(client string, p parties, targets []*target) bool {
	return among(g.match.Clients, client) && (p.subject == nil || among(g.match.Issuers, p.issuer())) &&
		(len(g.match.Targets) == 0 || len(targets) == 0 ||
			slices.ContainsFunc(targets, func(t *target) bool { return slices.Contains(g.match.Targets, t.Name) }))
}

package policy

import (
	"maps"
	"slices"
	"time"

	"github.com/strait-sts/strait/internal/exchange"
)

// maxTargets bounds how many targets one token can have.
const maxTargets = 4

// decider is a compiled revision. It satisfies exchange.Decider.
type decider struct {
	audiences map[string]*target // by name and by audience value
	resources map[string]*target
	issuers   map[string]window       // those that are not disabled, by name; self among them
	clients   map[string]*clientRules // those that an enforced policy names, by name
}

func (d *decider) add(r *rule) {
	for _, name := range r.clients {
		client, known := d.clients[name]
		if !known {
			client = &clientRules{newIndex(), newIndex()}
			d.clients[name] = client
		}
		if r.policy.Flow == exchange.FlowClient {
			client.client.add(r)
		} else {
			client.exchange.add(r)
		}
	}
}

// Admit resolves the targets and looks for a policy that names the client and
// all of them.
//
// Without a target the policy's default is to decide, and there must be a
// policy with exactly one target. Which one, only the tokens say; Decide looks
// again.
func (d *decider) Admit(req *exchange.Request) (exchange.Case, error) {
	targets, err := d.resolve(req)
	if err != nil {
		return nil, err
	}
	client := req.Client.Name
	rules, named := d.clients[client]
	if !named || !req.Client.Enabled(req.Time) {
		return nil, exchange.RefuseClient("no enforced policy names client %q", client)
	}
	c := &admitted{decider: d, req: req, index: rules.forGrant(req.Grant), targets: targets}
	if len(targets) == 0 {
		if !c.index.defaults {
			return nil, exchange.Refuse(exchange.TargetAmbiguous, "no target was asked for, and client %q has no policy with exactly one for this grant", client)
		}
		return c, nil
	}
	if !slices.ContainsFunc(c.index.byTarget[targets[0].Name], func(r *rule) bool { return r.covers(targets) }) {
		return nil, exchange.Refuse(exchange.TargetNotAllowed, "no enforced policy for this grant names client %q and all requested targets", client)
	}
	return c, nil
}

// resolve finds the targets of a request, each once, in the order in which
// they were named: audiences, then resources (RFC 8693 §2.1). Values that are
// not registered are not repeated in the refusal: they can be anything.
func (d *decider) resolve(req *exchange.Request) ([]*target, error) {
	var targets []*target
	for i, audience := range req.Audiences {
		t, known := d.audiences[audience]
		if !known || !t.usable(req.Time) {
			return nil, exchange.Refuse(exchange.TargetUnknown, "audience number %d is not a target in force", i+1)
		}
		targets = appendOnce(targets, t)
	}
	for i, resource := range req.Resources {
		t, known := d.resources[resource]
		if !known || !t.usable(req.Time) {
			return nil, exchange.Refuse(exchange.TargetUnknown, "resource number %d is not one of a target in force", i+1)
		}
		targets = appendOnce(targets, t)
	}
	if len(targets) > maxTargets {
		return nil, exchange.Refuse(exchange.TargetNotAllowed, "%d targets were asked for; a token has at most %d", len(targets), maxTargets)
	}
	for _, t := range targets {
		if t.Algorithm != targets[0].Algorithm {
			return nil, exchange.Refuse(exchange.TargetNotAllowed, "targets %q and %q sign with different algorithms", targets[0].Name, t.Name)
		}
	}
	return targets, nil
}

func appendOnce(targets []*target, t *target) []*target {
	if slices.Contains(targets, t) {
		return targets
	}
	return append(targets, t)
}

// admitted is a request with its targets. It satisfies exchange.Case.
type admitted struct {
	decider *decider
	req     *exchange.Request
	index   *index
	targets []*target
}

// Targets gives the targets that were asked for.
func (c *admitted) Targets() []*exchange.Target { return plain(c.targets) }

// Issuers gives the issuers of every policy that could still decide.
func (c *admitted) Issuers() []string {
	var names []string
	for _, r := range c.candidates() {
		for _, name := range r.issuers {
			if name != "" && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// candidates are the policies that name the client and all the targets; without
// a target, those with one alone.
func (c *admitted) candidates() []*rule {
	if len(c.targets) == 0 {
		var all []*rule
		for _, issuer := range slices.Sorted(maps.Keys(c.index.byDefault)) {
			all = append(all, c.index.byDefault[issuer]...)
		}
		return all
	}
	return slices.DeleteFunc(slices.Clone(c.index.byTarget[c.targets[0].Name]), func(r *rule) bool { return !r.covers(c.targets) })
}

func plain(targets []*target) []*exchange.Target {
	out := make([]*exchange.Target, len(targets))
	for i, t := range targets {
		out[i] = &t.Target
	}
	return out
}

// Decide chooses the policy and has the ceiling of policy, targets and tokens
// compute the grant.
func (c *admitted) Decide(subject, actor *exchange.Token) (exchange.Decision, error) {
	r, err := c.choose(subject, actor)
	if err != nil {
		return exchange.Decision{Targets: c.Targets()}, err
	}
	targets := c.targets
	if len(targets) == 0 {
		targets = r.resolved
	}
	decision := exchange.Decision{Policy: &r.policy, Targets: plain(targets)}
	if err = c.inForce(r, targets); err != nil {
		return decision, err
	}
	ceiling := exchange.Ceiling{
		ID: c.req.ID, Now: c.req.Time, Client: c.req.Client,
		Subject: subject, Actor: actor,
		Policy: decision.Policy, Targets: decision.Targets,
	}
	decision.Grant, err = ceiling.Grant(c.req.Scopes())
	return decision, err
}

// inForce: the chosen policy may still decide, and issues what was asked for.
// A policy that may not denies; the next one does not take its place.
func (c *admitted) inForce(r *rule, targets []*target) error {
	now := c.req.Time
	switch {
	case !r.open(now):
		return exchange.Refuse(exchange.PolicyExpired, "policy %q expired at %s", r.policy.Name, r.end.Format(time.RFC3339))
	case !r.review.IsZero() && !now.Before(r.review):
		return exchange.Refuse(exchange.PolicyReviewOverdue, "policy %q is suspended until its overdue review is done", r.policy.Name)
	case !targets[0].usable(now):
		return exchange.Refuse(exchange.TargetUnknown, "target %q, the default of policy %q, is not in force", targets[0].Name, r.policy.Name)
	case c.req.RequestedType != "" && c.req.RequestedType != r.policy.TokenType:
		return exchange.Refuse(exchange.UnsupportedTokenType, "policy %q issues %s alone", r.policy.Name, r.policy.TokenType.Short())
	}
	return nil
}

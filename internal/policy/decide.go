package policy

import (
	"maps"
	"slices"
	"time"

	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/expr"
)

// maxTargets bounds how many targets one token can have.
const maxTargets = 4

// decider is a compiled revision. It satisfies exchange.Decider.
type decider struct {
	issuer     string             // ours
	audiences  map[string]*target // by name and by audience value
	resources  map[string]*target
	issuers    map[string]window       // those that are not disabled, by name; self among them
	enforced   map[string]*clientRules // those that an enforced policy names, by name
	shadows    map[string]*clientRules // those that a shadow policy names
	guardrails []*guardrail            // by name
}

func (d *decider) add(r *rule) {
	of := d.enforced
	if r.shadow {
		of = d.shadows
	}
	for _, name := range r.clients {
		client, known := of[name]
		if !known {
			client = &clientRules{newIndex(), newIndex()}
			of[name] = client
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
	req.Trace.Ended(exchange.CheckTargets, err)
	if err != nil {
		return nil, err
	}
	c := &admitted{decider: d, req: req, targets: targets, index: indexFor(d.enforced, req), shadows: indexFor(d.shadows, req)}
	c.refusal = c.admission()
	req.Trace.Ended(exchange.CheckPolicyClient, c.refusal)
	if c.refusal == nil {
		return c, nil
	}
	if req.Trace.On() {
		c.traceCandidates(parties{})
	}
	if c.shadows.reaches(targets) {
		return c, c.refusal
	}
	return nil, c.refusal
}

// indexFor gives the rules for the request's client and grant; nil where none
// names the client.
func indexFor(of map[string]*clientRules, req *exchange.Request) *index {
	rules, named := of[req.Client.Name]
	if !named || !req.Client.Enabled(req.Time) {
		return nil
	}
	return rules.forGrant(req.Grant)
}

// admission: an enforced policy names the client and all the targets.
func (c *admitted) admission() error {
	client := c.req.Client.Name
	switch {
	case c.index == nil:
		return exchange.RefuseClient("no enforced policy names client %q", client)
	case c.index.reaches(c.targets):
		return nil
	case len(c.targets) == 0:
		c.req.Trace.Need("target")
		return exchange.Refuse(exchange.TargetAmbiguous, "no target was asked for, and client %q has no policy with exactly one for this grant", client)
	}
	return exchange.Refuse(exchange.TargetNotAllowed, "no enforced policy for this grant names client %q and all requested targets", client)
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

// admitted is a request with its targets. It satisfies exchange.Case, for one
// goroutine.
type admitted struct {
	decider   *decider
	req       *exchange.Request
	index     *index // of the policies that decide
	shadows   *index // of those that are tried beside them; nil for none
	targets   []*target
	refusal   error            // no policy decides, and only shadows are tried
	variables *expr.Activation // of conditions, once one was evaluated
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
	x := c.index
	if c.refusal != nil {
		x = c.shadows
	}
	if len(c.targets) == 0 {
		var all []*rule
		for _, issuer := range slices.Sorted(maps.Keys(x.byDefault)) {
			all = append(all, x.byDefault[issuer]...)
		}
		return all
	}
	return slices.DeleteFunc(slices.Clone(x.byTarget[c.targets[0].Name]), func(r *rule) bool { return !r.covers(c.targets) })
}

func plain(targets []*target) []*exchange.Target {
	out := make([]*exchange.Target, len(targets))
	for i, t := range targets {
		out[i] = &t.Target
	}
	return out
}

// Decide chooses the policy and has the ceiling of policy, targets and tokens
// compute the grant. Shadow policies are tried after that; they change nothing.
func (c *admitted) Decide(subject, actor *exchange.Token) (exchange.Decision, error) {
	p := parties{subject, actor}
	var decision exchange.Decision
	err := c.refusal
	if err == nil {
		decision, err = c.decide(p)
	}
	if c.shadows != nil {
		decision.Shadow = c.tryShadows(p)
	}
	if c.refusal == nil && c.req.Trace.On() {
		c.traceCandidates(p)
	}
	decision.Reads = c.reads(p)
	return decision, err
}

func (c *admitted) decide(p parties) (exchange.Decision, error) {
	s := c.choose(p)
	traceSearch(c.req.Trace, s)
	switch {
	case s.found == nil:
		return exchange.Decision{Targets: c.Targets()}, s.refusal
	case s.refusal != nil:
		return exchange.Decision{Policy: &s.found.policy, Targets: plain(c.targetsOf(s.found))}, s.refusal
	}
	return c.settle(s.found, p, c.req.Trace)
}

// targetsOf are the targets asked for, else the policy's default.
func (c *admitted) targetsOf(r *rule) []*target {
	if len(c.targets) == 0 {
		return r.resolved
	}
	return c.targets
}

// settle is what a policy comes to that fits: in force, its claims, and then
// the ceiling.
func (c *admitted) settle(r *rule, p parties, trace *exchange.Trace) (exchange.Decision, error) {
	targets := c.targetsOf(r)
	decision := exchange.Decision{Policy: &r.policy, Targets: plain(targets)}
	if err := c.inForce(r, targets, trace); err != nil {
		return decision, err
	}
	ceiling := exchange.Ceiling{
		ID: c.req.ID, Now: c.req.Time, Client: c.req.Client,
		Subject: p.subject, Actor: p.actor, Adds: c.adds(r, p.actor),
		Policy: decision.Policy, Targets: decision.Targets, Trace: trace,
	}
	var err error
	if len(r.claims) > 0 {
		if err = p.unread(r.reads); err == nil {
			ceiling.Claims, err = r.valuesOf(c.activation(p, targets))
		}
		trace.Ended(exchange.CheckClaims, err)
		if err != nil {
			return decision, err
		}
	}
	watch := c.watch(&ceiling)
	if watch != nil {
		ceiling.Guard = func(g *exchange.Grant) error { return watch.judge(c.activation(p, targets), g) }
	}
	decision.Grant, err = ceiling.Grant(c.req.Scopes())
	decision.Guardrail = watch.forbade()
	return decision, err
}

// inForce: the chosen policy may still decide, and issues what was asked for.
// A policy that may not denies; the next one does not take its place.
func (c *admitted) inForce(r *rule, targets []*target, trace *exchange.Trace) error {
	now := c.req.Time
	id, err := exchange.CheckPolicyInForce, error(nil)
	switch {
	case !r.open(now):
		err = exchange.Refuse(exchange.PolicyExpired, "policy %q expired at %s", r.policy.Name, r.end.Format(time.RFC3339))
	case !r.review.IsZero() && !now.Before(r.review):
		err = exchange.Refuse(exchange.PolicyReviewOverdue, "policy %q is suspended until its overdue review is done", r.policy.Name)
	case !targets[0].usable(now):
		err = exchange.Refuse(exchange.TargetUnknown, "target %q, the default of policy %q, is not in force", targets[0].Name, r.policy.Name)
	case c.req.RequestedType != "" && c.req.RequestedType != r.policy.TokenType:
		trace.Pass(id)
		id, err = exchange.CheckRequestedType, exchange.Refuse(exchange.UnsupportedTokenType, "policy %q issues %s alone", r.policy.Name, r.policy.TokenType.Short())
	}
	trace.Ended(id, err)
	return err
}

package policy

import (
	"cmp"
	"errors"
	"slices"

	"github.com/strait-sts/strait/internal/exchange"
)

// The most policies that are tried for a record, or weighed for a trace.
const (
	maxShadows    = 16
	maxCandidates = 25
)

// tryShadows says what the shadow policies for these tokens and targets would
// have decided, each by itself. Nothing leaves this place but the reason.
func (c *admitted) tryShadows(p parties) []exchange.Shadow {
	if c.issuerInForce(p) != nil {
		return nil
	}
	rules := c.shadows.byDefault[p.issuer()]
	if len(c.targets) > 0 {
		rules = c.shadows.byRoute[route{p.issuer(), c.targets[0].Name}]
	}
	var all []exchange.Shadow
	for _, r := range rules {
		if len(all) < maxShadows && r.covers(c.targets) && c.fits(r, p) != fitsNot {
			all = append(all, shadowOf(r, c.alone(r, p, nil)))
		}
	}
	return all
}

func shadowOf(r *rule, err error) exchange.Shadow {
	s := exchange.Shadow{Policy: r.policy.Name, Decision: exchange.OutcomeIssued}
	var refusal *exchange.Error
	if errors.As(err, &refusal) {
		s.Decision, s.Reason = exchange.OutcomeDenied, refusal.Reason
	} else if err != nil { // of tokens recalled from a record, not enough is known
		s.Decision = exchange.OutcomeError
	}
	return s
}

// alone is what the policy comes to as if it were the only one.
func (c *admitted) alone(r *rule, p parties, trace *exchange.Trace) error {
	var s search
	if !c.try(&s, r, p, c.targetsOf(r)) {
		s.refusal = s.unfit(p)
	}
	traceSearch(trace, s)
	if s.refusal != nil {
		return s.refusal
	}
	_, err := c.settle(r, p, trace)
	return err
}

// fitChecks are the checks that a fit has passed, as many as its value says.
var fitChecks = []string{exchange.CheckPolicyIssuer, exchange.CheckAudience, exchange.CheckPolicyActor, exchange.CheckCondition}

// traceSearch tells how far the policy came that fits best.
func traceSearch(t *exchange.Trace, s search) {
	if !t.On() {
		return
	}
	var refusal *exchange.Error
	if errors.As(s.refusal, &refusal) && refusal.Reason == exchange.ActorRequired {
		t.Need("actor_token")
	}
	for i, id := range fitChecks {
		switch {
		case fit(i) < s.best:
			t.Pass(id)
		case s.refusal != nil:
			t.Ended(id, s.refusal)
			return
		}
	}
}

// traceCandidates weighs the client's policies one by one, and tells the first
// thing that stands in the way of each, the closest first.
func (c *admitted) traceCandidates(p parties) {
	type weighed struct {
		exchange.Candidate
		passed int
	}
	var all []weighed
	for _, x := range []*index{c.index, c.shadows} {
		if x == nil {
			continue
		}
		for _, r := range x.all[:min(len(x.all), maxCandidates)] {
			candidate, passed := c.weigh(r, p)
			all = append(all, weighed{candidate, passed})
		}
	}
	slices.SortStableFunc(all, func(a, b weighed) int { return cmp.Compare(b.passed, a.passed) })
	for _, w := range all {
		c.req.Trace.Candidates = append(c.req.Trace.Candidates, w.Candidate)
	}
}

// weigh is how many checks a policy passes by itself, and the first that it
// does not.
func (c *admitted) weigh(r *rule, p parties) (exchange.Candidate, int) {
	candidate := exchange.Candidate{Policy: r.policy.Name, Mode: "enforce"}
	if r.shadow {
		candidate.Mode = "shadow"
	}
	var t exchange.Trace
	switch {
	case len(c.targets) == 0 && len(r.resolved) != 1, !r.covers(c.targets):
		t.Fail(exchange.CheckPolicyClient, exchange.Refuse(exchange.TargetNotAllowed, "policy %q does not name all requested targets", r.policy.Name), r.targets, nil)
	case c.refusal != nil: // the tokens were not looked at
		t.Fail(exchange.CheckPolicyClient, exchange.Refuse(exchange.NoPolicy, "policy %q is in mode shadow", r.policy.Name), nil, nil)
	case !slices.Contains(r.issuers, p.issuer()):
		t.Fail(exchange.CheckPolicyIssuer, exchange.Refuse(exchange.NoPolicy, "policy %q does not take this issuer", r.policy.Name), r.issuers, []string{p.issuer()})
	default:
		_ = c.alone(r, p, &t) // the trace has it
	}
	if last := len(t.Checks) - 1; last >= 0 && t.Checks[last].Result == exchange.Failed {
		candidate.FailedCheck, candidate.Detail = t.Checks[last].ID, t.Checks[last].Detail
		return candidate, last
	}
	return candidate, len(t.Checks)
}

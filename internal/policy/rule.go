package policy

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
)

// rule is a compiled policy.
type rule struct {
	policy    exchange.Policy
	priority  int
	clients   []string
	issuers   []string // {""} for a client flow
	types     []exchange.TokenType
	audiences []string
	targets   []string
	resolved  []*target // of targets, those that are in the catalogue
	actor     actorRule
	subjects  []condition // on subject, in their order
	actors    []condition // on actor
	claims    []claimValue
	reads     []exchange.ClaimPath // what all of these read
	shadow    bool                 // it is tried, and decides nothing
	window
	review time.Time // from then on a review is overdue and suspends; zero for never
}

// rulesOf compiles the policies that are not disabled, in the order in which
// they decide.
func (e *Engine) rulesOf(s *catalog.Snapshot, targets map[string]*target) []*rule {
	var rules []*rule
	for _, p := range s.Policies() {
		if p.Spec.Mode != catalog.ModeDisabled && sound(p.Spec) {
			rules = append(rules, e.compileRule(p.Entry, p.Spec, targets))
		}
	}
	slices.SortFunc(rules, func(a, b *rule) int {
		return cmp.Or(cmp.Compare(b.priority, a.priority), strings.Compare(a.policy.Name, b.policy.Name))
	})
	return rules
}

// sound says whether the policy is one that the catalogue takes, as far as its
// flow, actor and mode go. One that came in by another way decides nothing,
// rather than deciding by what it seems to say.
func sound(p *catalog.ExchangePolicy) bool {
	if p.Mode != catalog.ModeEnforce && p.Mode != catalog.ModeShadow {
		return false
	}
	from := actorNone
	if p.Actor != nil && p.Actor.From != "" {
		from = p.Actor.From
	}
	switch exchange.Flow(p.Flow) {
	case exchange.FlowDownscope, exchange.FlowFederation:
		return p.Subject != nil && from == actorNone
	case exchange.FlowDelegation:
		return p.Subject != nil && (from == actorClient || from == actorToken || from == actorAny)
	case exchange.FlowClient:
		return p.Subject == nil && p.Actor == nil
	}
	return false
}

func (e *Engine) compileRule(entry *catalog.Entry, p *catalog.ExchangePolicy, targets map[string]*target) *rule {
	r := &rule{
		policy: exchange.Policy{
			Name:        entry.Metadata.Name,
			Revision:    entry.Revision,
			Flow:        exchange.Flow(p.Flow),
			Allow:       p.Scopes.Allow,
			Default:     p.Scopes.Default,
			Prove:       exchange.Prove(p.Scopes.Prove),
			Map:         p.Scopes.Map,
			Lifetime:    time.Duration(p.Issue.Lifetime),
			MaxActDepth: p.Issue.MaxActDepth,
			TokenType:   exchange.TypeOf(p.Issue.TokenType),
		},
		priority: p.Priority,
		clients:  p.Clients,
		issuers:  []string{""},
		targets:  p.Targets,
		actor:    actorRule{from: actorNone},
		claims:   e.claimValues(p.Issue.Claims),
		shadow:   p.Mode == catalog.ModeShadow,
		window:   windowOf(entry.Governance),
		review:   suspension(entry.Governance, p.Review),
	}
	for _, c := range r.claims {
		r.policy.Claims = append(r.policy.Claims, c.name)
	}
	e.compileParties(r, p)
	r.reads = readsOf(slices.Concat(r.subjects, r.actors), r.claims)
	for _, name := range p.Targets {
		if t, known := targets[name]; known {
			r.resolved = append(r.resolved, t)
		}
	}
	return r
}

// compileParties adds whom the policy takes tokens of, and under which
// conditions.
func (e *Engine) compileParties(r *rule, p *catalog.ExchangePolicy) {
	if p.Subject != nil {
		r.issuers, r.audiences = p.Subject.Issuers, p.Subject.Audiences
		r.subjects = e.conditions(p.Subject.Conditions)
		for _, short := range p.Subject.TokenTypes {
			r.types = append(r.types, exchange.TypeOf(short))
		}
	}
	if p.Actor != nil && p.Actor.From != "" {
		r.actor = actorRule{p.Actor.From, p.Actor.Issuers}
		r.actors = e.conditions(p.Actor.Conditions)
	}
}

// suspension is when an overdue review suspends the policy: as the day after
// reviewBy begins (UTC), since the day itself is still in time. Zero where
// nothing suspends it.
func suspension(g catalog.Governance, review *catalog.PolicyReview) time.Time {
	if g.ReviewBy == nil || review == nil || review.OnOverdue != onOverdueSuspend {
		return time.Time{}
	}
	return g.ReviewBy.Time.AddDate(0, 0, 1)
}

// onOverdueSuspend is the value of review.onOverdue that has an effect here.
const onOverdueSuspend = "suspend"

// covers: the rule names all the targets.
func (r *rule) covers(targets []*target) bool {
	for _, t := range targets {
		if !slices.Contains(r.resolved, t) {
			return false
		}
	}
	return true
}

package policy

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
)

// Compile indexes a snapshot for deciding. Objects that are disabled are left
// out; those that expire are judged with each request's own time.
func Compile(s *catalog.Snapshot) exchange.Decider {
	d := &decider{
		audiences: map[string]*target{},
		resources: map[string]*target{},
		issuers:   map[string]window{exchange.SelfIssuer: {}},
		clients:   map[string]*clientRules{},
	}
	targets := d.addTargets(s)
	for _, i := range s.Issuers() {
		if i.Spec.Mode != catalog.ModeDisabled {
			d.issuers[i.Metadata.Name] = windowOf(i.Governance)
		}
	}
	for _, r := range rulesOf(s, targets) {
		d.add(r)
	}
	return d
}

// window is the time until which an object has effect; the zero window is
// always open.
type window struct{ end time.Time }

func windowOf(g catalog.Governance) window {
	if g.ExpiresAt == nil {
		return window{}
	}
	return window{*g.ExpiresAt}
}

// open says whether the object has effect: from expiresAt on it has none.
func (w window) open(now time.Time) bool { return w.end.IsZero() || now.Before(w.end) }

// target is a target with its own end.
type target struct {
	exchange.Target
	window
	disabled bool
}

func (t *target) usable(now time.Time) bool { return !t.disabled && t.open(now) }

// addTargets indexes the targets by what requests may call them: audience by
// name or audience value, resource by a listed resource or the audience value,
// byte for byte. A value that RFC 8707 §2 forbids as a resource is not found
// as one.
func (d *decider) addTargets(s *catalog.Snapshot) map[string]*target {
	byName := map[string]*target{}
	for _, entry := range s.Targets() {
		name, spec := entry.Metadata.Name, entry.Spec
		t := &target{
			Target: exchange.Target{
				Name:        name,
				Audience:    spec.Audience,
				Scopes:      spec.Scopes,
				Algorithm:   spec.Token.Algorithm,
				MaxLifetime: time.Duration(spec.Token.MaxLifetime),
			},
			window:   windowOf(entry.Governance),
			disabled: spec.Mode == catalog.ModeDisabled,
		}
		byName[name] = t
		d.audiences[name], d.audiences[spec.Audience] = t, t
		for _, resource := range append([]string{spec.Audience}, spec.Resources...) {
			if validResource(resource) {
				d.resources[resource] = t
			}
		}
	}
	return byName
}

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
	window
	review time.Time // from then on a review is overdue and suspends; zero for never
}

// rulesOf compiles the enforced policies, in the order in which they decide.
func rulesOf(s *catalog.Snapshot, targets map[string]*target) []*rule {
	var rules []*rule
	for _, p := range s.Policies() {
		if p.Spec.Mode == catalog.ModeEnforce && built(p.Spec) {
			rules = append(rules, compileRule(p.Entry, p.Spec, targets))
		}
	}
	slices.SortFunc(rules, func(a, b *rule) int {
		return cmp.Or(cmp.Compare(b.priority, a.priority), strings.Compare(a.policy.Name, b.policy.Name))
	})
	return rules
}

// built says whether the policy needs nothing that is not built yet. The
// catalogue refuses the others on write; one that came in by another way
// decides nothing, rather than deciding without what it asks for.
func built(p *catalog.ExchangePolicy) bool {
	if p.Actor != nil && p.Actor.From != "" && p.Actor.From != actorNone {
		return false
	}
	if p.Subject != nil && len(p.Subject.Conditions) > 0 || len(p.Issue.Claims) > 0 {
		return false
	}
	switch exchange.Flow(p.Flow) {
	case exchange.FlowDownscope, exchange.FlowFederation:
		return p.Subject != nil
	case exchange.FlowClient:
		return p.Subject == nil
	case exchange.FlowDelegation:
	}
	return false
}

// actorNone is the one actor rule that is built.
const actorNone = "none"

func compileRule(entry *catalog.Entry, p *catalog.ExchangePolicy, targets map[string]*target) *rule {
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
		window:   windowOf(entry.Governance),
		review:   suspension(entry.Governance, p.Review),
	}
	if p.Subject != nil {
		r.issuers, r.audiences = p.Subject.Issuers, p.Subject.Audiences
		for _, short := range p.Subject.TokenTypes {
			r.types = append(r.types, exchange.TypeOf(short))
		}
	}
	for _, name := range p.Targets {
		if t, known := targets[name]; known {
			r.resolved = append(r.resolved, t)
		}
	}
	return r
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

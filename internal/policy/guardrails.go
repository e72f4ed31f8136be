package policy

import (
	"slices"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/expr"
)

// guardrail is a compiled Guardrail: it only forbids, and no policy overrides
// it.
type guardrail struct {
	name  string
	match catalog.GuardrailMatch
	deny  []condition
	reads []exchange.ClaimPath
}

func (e *Engine) guardrail(g *catalog.Of[catalog.Guardrail]) *guardrail {
	compiled := &guardrail{name: g.Metadata.Name, match: g.Spec.Match}
	for _, r := range g.Spec.Deny {
		compiled.deny = append(compiled.deny, condition{e.program(expr.GuardrailRule, r.Expression), r.Message})
	}
	compiled.reads = readsOf(compiled.deny, nil)
	return compiled
}

// unreadable gives a guardrail for each stored one that was left out: it is
// about every exchange and cannot be evaluated. What it forbids is not known, so
// everything is.
func unreadable(s *catalog.Snapshot) []*guardrail {
	var all []*guardrail
	for _, p := range s.Problems {
		if _, kept := s.Objects[catalog.Ref{Kind: p.Kind, Name: p.Name}]; p.Kind == catalog.KindGuardrail && !kept {
			all = append(all, &guardrail{name: p.Name, deny: []condition{{}}})
		}
	}
	return all
}

// matches: the guardrail is about this exchange. An empty list is about all.
func (g *guardrail) matches(c *exchange.Ceiling) bool {
	issuer := exchange.SelfIssuer // in a client flow the subject is the client, as in CEL
	if c.Subject != nil {
		issuer = c.Subject.Issuer
	}
	return among(g.match.Clients, c.Client.Name) && among(g.match.Issuers, issuer) && among(g.match.Flows, string(c.Policy.Flow)) &&
		(len(g.match.Targets) == 0 || slices.ContainsFunc(c.Targets, func(t *exchange.Target) bool { return slices.Contains(g.match.Targets, t.Name) }))
}

func among(list []string, word string) bool {
	return len(list) == 0 || slices.Contains(list, word)
}

// watch is the guardrails that are about one exchange, and the one of them that
// forbade it.
type watch struct {
	over []*guardrail
	by   string
}

// watch finds the guardrails about the exchange; nil where there are none.
func (c *admitted) watch(ceiling *exchange.Ceiling) *watch {
	var w *watch
	for _, g := range c.decider.guardrails {
		if !g.matches(ceiling) {
			continue
		}
		if w == nil {
			w = &watch{}
		}
		w.over = append(w.over, g)
	}
	return w
}

// judge refuses what one of the guardrails forbids.
func (w *watch) judge(a *expr.Activation, grant *exchange.Grant) error {
	ceiling := grant.Ceiling()
	p := parties{ceiling.Subject, ceiling.Actor}
	a = a.WithIssue(issueOf(grant), ceiling.Policy)
	for _, g := range w.over {
		if err := p.unread(g.reads); err != nil {
			return err
		}
		if err := g.judge(a); err != nil {
			w.by = g.name
			return err
		}
	}
	return nil
}

// forbade is the name of the guardrail that forbade the exchange, if one did.
func (w *watch) forbade() string {
	if w == nil {
		return ""
	}
	return w.by
}

func issueOf(g *exchange.Grant) expr.Issue {
	ceiling := g.Ceiling()
	names := make([]string, len(ceiling.Targets))
	for i, t := range ceiling.Targets {
		names[i] = t.Name
	}
	return expr.Issue{Lifetime: g.Lifetime(), Scopes: g.Scopes(), Targets: names, ActDepth: len(g.Act())}
}

// judge refuses where a deny rule is true, or cannot be evaluated.
func (g *guardrail) judge(a *expr.Activation) error {
	for i, rule := range g.deny {
		denies, err := rule.holds(a)
		if err != nil {
			return exchange.Refuse(exchange.Guardrail, "guardrail %q, deny %d: %v", g.name, i+1, err)
		}
		if denies {
			return exchange.Refuse(exchange.Guardrail, "guardrail %q, deny %d: %s", g.name, i+1, rule.message)
		}
	}
	return nil
}

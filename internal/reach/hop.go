package reach

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
)

// Condition is something on a hop that only a token, a request or its place among
// other policies can answer. It is shown, and never claimed to hold.
type Condition struct {
	Kind    string `json:"kind"` // one of the Condition kinds
	Text    string `json:"text"` // CEL for expressions, else words
	Message string `json:"message,omitempty"`
}

// The kinds of a [Condition].
const (
	OnRule      = "rule"      // a claim rule of the issuer
	OnAudience  = "audience"  // whom the subject token is addressed to
	OnIssuedTo  = "issuedTo"  // whom an opaque token was issued to
	OnType      = "tokenType" // of the subject token
	OnCondition = "condition" // a condition of the policy on the subject
	OnActor     = "actor"     // who acts
	OnProof     = "proof"     // proof of possession (RFC 9449, RFC 8705)
	OnGuardrail = "guardrail" // what a guardrail forbids
	OnEarlier   = "earlier"   // a policy that decides first where it holds
)

// way shows the way that ends with a step.
func (g *graph) way(end *step, shadows shadows) Way {
	path := end.path()
	w := Way{From: g.origin(path[0].move)}
	for i, at := range path {
		hop := Hop{
			Client: at.at.client, Policy: at.policy.Metadata.Name, Flow: at.policy.Spec.Flow,
			Issuer: at.issuer, Holding: at.held,
			Target: at.at.target, Scope: at.at.scope, Actors: at.depth,
			Lifetime: g.lifetime(at.move).String(), Conditions: g.conditions(at.move, shadows),
		}
		if i > 0 {
			hop.Presents, hop.Right = path[i-1].at.target, RightIssued
			if slices.Contains(g.servers[hop.Presents], hop.Client) {
				hop.Right = RightServes
			}
		}
		w.Hops = append(w.Hops, hop)
	}
	return w
}

func (g *graph) lifetime(m move) catalog.Duration {
	life := m.policy.Spec.Issue.Lifetime
	if most := g.Target(g.token(m).target).Spec.Token.MaxLifetime; most > 0 {
		life = min(life, most)
	}
	return life
}

// conditions are what stands between a move and its token, in the order in which
// an exchange asks.
func (g *graph) conditions(m move, shadows shadows) []Condition {
	all := []Condition{}
	if m.policy.Spec.Subject != nil {
		all = append(all, g.onSubject(m)...)
		all = append(all, onActor(m.policy.Spec.Actor)...)
	}
	all = append(all, shadows.of(m, g.token(m))...)
	if m.policy.Spec.Subject != nil {
		all = append(all, rules(OnCondition, m.policy.Spec.Subject.Conditions)...)
	}
	all = append(all, g.onGuardrails(m)...)
	return append(all, g.onProof(m)...)
}

// onGuardrails is the guardrails that are about the move. An empty list of a
// match is about all.
func (g *graph) onGuardrails(m move) []Condition {
	var all []Condition
	issuer := cmp.Or(m.issuer, exchange.SelfIssuer) // a client flow's is self
	about := func(list []string, word string) bool { return len(list) == 0 || slices.Contains(list, word) }
	for _, r := range g.Guardrails() {
		match := r.Spec.Match
		if !about(match.Clients, g.token(m).client) || !about(match.Issuers, issuer) || !about(match.Targets, g.token(m).target) || !about(match.Flows, m.policy.Spec.Flow) {
			continue
		}
		for _, deny := range r.Spec.Deny {
			all = append(all, Condition{OnGuardrail, deny.Expression, r.Metadata.Name + ": " + deny.Message})
		}
	}
	return all
}

func rules(kind string, rules []catalog.Rule) []Condition {
	var all []Condition
	for _, r := range rules {
		all = append(all, Condition{kind, r.Expression, r.Message})
	}
	return all
}

// onSubject is what the subject token must say for itself.
func (g *graph) onSubject(m move) []Condition {
	subject := m.policy.Spec.Subject
	if m.issuer == exchange.SelfIssuer {
		return nil
	}
	i := g.Issuer(m.issuer)
	types := slices.DeleteFunc(slices.Clone(subject.TokenTypes), func(t string) bool { return !slices.Contains(i.Spec.TokenTypes, t) })
	all := []Condition{{Kind: OnType, Text: strings.Join(types, ", ")}}
	audiences := i.Spec.Audiences
	if len(subject.Audiences) > 0 {
		audiences = subject.Audiences
	}
	if len(audiences) > 0 {
		all = append(all, Condition{Kind: OnAudience, Text: strings.Join(audiences, ", ")})
	}
	if in := i.Spec.Keys.Introspection; in != nil {
		all = append(all, Condition{Kind: OnIssuedTo, Text: strings.Join(in.AllowedClientIDs, ", ")})
	}
	return append(all, rules(OnRule, i.Spec.ClaimValidationRules)...)
}

// onActor is who must act. An actor token is the client's own, or named by
// may_act (RFC 8693 §4.4), or judged by the policy's conditions.
func onActor(a *catalog.PolicyActor) []Condition {
	var text string
	switch a.Who() {
	case catalog.ActorNone:
		return nil
	case catalog.ActorClient:
		text = "the client acts; may_act, where the token has it, must name it"
	case catalog.ActorToken:
		text = "an actor token of " + strings.Join(a.Issuers, ", ")
	default:
		text = "an actor token of " + strings.Join(a.Issuers, ", ") + ", or the client acts"
	}
	return append([]Condition{{Kind: OnActor, Text: text}}, rules(OnActor, a.Conditions)...)
}

// onProof is the proof that target or client ask for.
func (g *graph) onProof(m move) []Condition {
	var all []Condition
	for _, asks := range []struct{ who, proof string }{
		{"target " + g.token(m).target, g.Target(g.token(m).target).Spec.RequireProof},
		{"client " + g.token(m).client, g.Client(g.token(m).client).Spec.RequireProof},
	} {
		if asks.proof != "" && asks.proof != "none" {
			all = append(all, Condition{OnProof, asks.proof, asks.who + " asks for it"})
		}
	}
	return all
}

// shadows finds the policies that stand before another.
type shadows struct {
	now time.Time
	by  map[Pair][]*catalog.Of[catalog.ExchangePolicy]
}

func newShadows(g *graph) shadows {
	var enforced []*catalog.Of[catalog.ExchangePolicy]
	for _, p := range g.Policies() {
		if p.Spec.Mode == catalog.ModeEnforce && shaped(p.Spec) {
			enforced = append(enforced, p)
		}
	}
	return shadows{g.now, Ranked(enforced)}
}

// of are the policies that name what the move names, and decide before its own
// where they hold.
func (s shadows) of(m move, to token) []Condition {
	var all []Condition
	for _, p := range s.by[Pair{to.client, m.issuer}] {
		if p == m.policy {
			return all
		}
		if !slices.Contains(p.Spec.Targets, to.target) || p.Spec.Subject != nil && !takes(p.Spec.Subject, m.policy.Spec.Subject.TokenTypes...) {
			continue
		}
		what := "decides first where it holds"
		if p.Expired(s.now) || suspendedAt(p, s.now) {
			what = "denies where it holds: it has expired or is suspended"
		}
		all = append(all, Condition{OnEarlier, p.Metadata.Name, fmt.Sprintf("priority %d, %s", p.Spec.Priority, what)})
	}
	return all
}

package policy

import (
	"slices"

	"github.com/strait-sts/strait/internal/exchange"
)

// The words of actor.from: who acts.
const (
	actorNone   = "none"   // nobody: no hop is added
	actorClient = "client" // the authenticated client
	actorToken  = "token"  // whom the actor token speaks of
	actorAny    = "any"    // the token's, if one came, else the client
)

// actorRule says who may act under a policy.
type actorRule struct {
	from    string
	issuers []string // of actor tokens
}

// actorFits: what was sent is what the policy's actor asks for, and its parties
// belong together. Two tokens that are good each by itself are not enough: a
// stranger's actor must not be spliced to a stranger's subject.
func (c *admitted) actorFits(r *rule, subject, actor *exchange.Token) bool {
	switch r.actor.from {
	case actorNone:
		return actor == nil && subject.MayAct == nil
	case actorClient:
		return actor == nil
	case actorToken:
		return actor != nil && c.mayActFor(r, subject, actor)
	case actorAny:
		return actor == nil || c.mayActFor(r, subject, actor)
	}
	return false
}

// mayActFor holds the actor token itself, and then what ties it to the request:
// it is the client's own, the subject names it, or the policy has conditions
// for actors.
func (c *admitted) mayActFor(r *rule, subject, actor *exchange.Token) bool {
	if !slices.Contains(r.actor.issuers, actor.Issuer) || actor.Act != nil || actor.MayAct != nil || sameParty(subject, actor) {
		return false
	}
	return actor.Of(c.req.Client) || len(r.actors) > 0 ||
		subject.MayAct != nil && subject.MayAct.Permits(subject.IssuerURL, actor.Party(), "")
}

// sameParty: both tokens speak of one party, in their issuer's words or, where
// issuers share their people, in ours.
func sameParty(a, b *exchange.Token) bool {
	return a.Party() == b.Party() || a.Subject == b.Subject
}

// adds is the hop that an exchange under the policy adds; nil for none. It
// names the actor as the actor token's issuer does (RFC 8693 §4.1).
func (c *admitted) adds(r *rule, actor *exchange.Token) *exchange.Hop {
	var hop exchange.Hop
	switch {
	case r.actor.from == actorNone:
		return nil
	case actor != nil:
		hop = actor.Party()
	default:
		hop = c.req.Client.Party(c.decider.issuer)
	}
	return &hop
}

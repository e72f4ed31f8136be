package policy

import (
	"slices"

	"github.com/strait-sts/strait/internal/exchange"
)

// fit is how far a policy fits what was presented. The checks stand in the
// order in which their failures answer (contract §3).
type fit int

const (
	fitsNot      fit = iota // not these targets, this issuer or this token type
	fitsType                // the token's audience stands in the way
	fitsAudience            // the actor stands in the way
	fitsAll
)

// choose finds the policy that decides. Where none fits, the refusal names the
// one thing that stands in the way of the policy that fits best.
func (c *admitted) choose(subject, actor *exchange.Token) (*rule, error) {
	issuer := ""
	if subject != nil {
		issuer = subject.Issuer
		if w, enabled := c.decider.issuers[issuer]; !enabled || !w.open(c.req.Time) {
			return nil, exchange.Refuse(exchange.IssuerDisabled, "issuer %q is not in force", issuer)
		}
	}
	if len(c.targets) == 0 {
		return c.chooseDefault(issuer, subject, actor)
	}
	best := fitsNot
	for _, r := range c.index.byRoute[route{issuer, c.targets[0].Name}] {
		if !r.covers(c.targets) {
			continue
		}
		f := r.fits(subject, actor)
		if f == fitsAll {
			return r, nil
		}
		best = max(best, f)
	}
	return nil, unfit(best, subject, actor)
}

// chooseDefault finds the one policy whose only target is the default. Two
// that fit are ambiguous, whatever their order: neither was asked for. So is
// one beside another that has expired, or whose target is disabled: what ends
// must never begin to allow something else.
func (c *admitted) chooseDefault(issuer string, subject, actor *exchange.Token) (*rule, error) {
	best := fitsNot
	var found *rule
	for _, r := range c.index.byDefault[issuer] {
		f := r.fits(subject, actor)
		if f == fitsAll && found != nil {
			return nil, exchange.Refuse(exchange.TargetAmbiguous, "no target was asked for, and policies %q and %q each have one", found.policy.Name, r.policy.Name)
		}
		if f == fitsAll {
			found = r
		}
		best = max(best, f)
	}
	if found == nil {
		return nil, unfit(best, subject, actor)
	}
	return found, nil
}

// fits holds the tokens against the policy: type and flow, audience, actor.
func (r *rule) fits(subject, actor *exchange.Token) fit {
	if subject == nil {
		return fitsAll // client flow: the index found client and targets
	}
	if !slices.Contains(r.types, subject.Type) || r.policy.Flow == exchange.FlowFederation && subject.Own() {
		return fitsNot
	}
	if !r.takesAudience(subject) {
		return fitsType
	}
	// The built policies all say actor none: no actor token, and no subject
	// that is to be exchanged for an actor only (RFC 8693 §4.4).
	if actor != nil || subject.MayAct != nil {
		return fitsAudience
	}
	return fitsAll
}

// takesAudience: a foreign token is addressed to one of the policy's
// audiences, where it lists any. Whom our own tokens may come from is the
// verifier's to say, by the targets that the client serves.
func (r *rule) takesAudience(subject *exchange.Token) bool {
	if len(r.audiences) == 0 || subject.Own() {
		return true
	}
	return slices.ContainsFunc(r.audiences, func(a string) bool { return slices.Contains(subject.Audience, a) })
}

// unfit is the refusal where no policy fits better than best.
func unfit(best fit, subject, actor *exchange.Token) error {
	switch {
	case best == fitsType:
		return exchange.RoleSubject.Refuse(exchange.AudienceMismatch, "the subject token is addressed to none of the audiences of the policies for it")
	case best == fitsAudience && actor != nil:
		return exchange.Refuse(exchange.ActorNotAllowed, "the policies for this subject take no actor token")
	case best == fitsAudience:
		return exchange.Refuse(exchange.ActorRequired, "the subject token has may_act, and the policies for it add no actor")
	case subject == nil:
		return exchange.Refuse(exchange.NoPolicy, "no policy for this client and targets")
	}
	return exchange.Refuse(exchange.NoPolicy, "no policy for this client and targets takes a %s of issuer %q", subject.Type.Short(), subject.Issuer)
}

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
	fitsActor               // a condition does not hold
	fitsAll
)

// parties are the believed tokens of an exchange: no subject in a client flow,
// no actor where none was sent.
type parties struct{ subject, actor *exchange.Token }

func (p parties) issuer() string {
	if p.subject == nil {
		return ""
	}
	return p.subject.Issuer
}

// search is what the policies tried so far came to.
type search struct {
	best    fit
	found   *rule // the one that decides; with a refusal, whose condition erred
	refusal error
	failed  error // the first condition that did not hold
}

// choose finds the policy that decides: the first that fits and whose
// conditions hold. A false condition passes on to the next policy; one that
// errs denies. Where none holds, the refusal names the one thing that stands in
// the way of the policy that fits best.
func (c *admitted) choose(p parties) search {
	if err := c.issuerInForce(p); err != nil {
		return search{refusal: err}
	}
	if len(c.targets) == 0 {
		return c.chooseDefault(p)
	}
	var s search
	for _, r := range c.index.byRoute[route{p.issuer(), c.targets[0].Name}] {
		if r.covers(c.targets) && c.try(&s, r, p, c.targets) {
			return s
		}
	}
	s.refusal = s.unfit(p)
	return s
}

// issuerInForce: the trust list has the subject's issuer still.
func (c *admitted) issuerInForce(p parties) error {
	if p.subject == nil {
		return nil
	}
	if w, enabled := c.decider.issuers[p.subject.Issuer]; !enabled || !w.open(c.req.Time) {
		return exchange.Refuse(exchange.IssuerDisabled, "issuer %q is not in force", p.subject.Issuer)
	}
	return nil
}

// chooseDefault finds the one policy whose only target is the default. Two
// that fit are ambiguous, whatever their order: neither was asked for. So is
// one beside another that has expired, or whose target is disabled: what ends
// must never begin to allow something else.
func (c *admitted) chooseDefault(p parties) search {
	var s search
	for _, r := range c.index.byDefault[p.issuer()] {
		first := s.found
		if !c.try(&s, r, p, r.resolved) {
			continue
		}
		if s.refusal != nil {
			return s
		}
		if first != nil {
			return search{refusal: exchange.Refuse(exchange.TargetAmbiguous, "no target was asked for, and policies %q and %q each have one", first.policy.Name, r.policy.Name)}
		}
	}
	if s.found == nil {
		s.refusal = s.unfit(p)
	}
	return s
}

// try holds a policy against the tokens, and says whether it would decide, be
// it that a condition of it errs.
func (c *admitted) try(s *search, r *rule, p parties, targets []*target) bool {
	f := c.fits(r, p)
	if f == fitsAll && r.conditional() {
		erred, refusal := true, p.unread(r.reads)
		if refusal == nil {
			erred, refusal = r.holds(c.activation(p, targets))
		}
		if refusal != nil {
			f = fitsActor
		}
		if erred {
			s.refusal = refusal
		} else if s.failed == nil {
			s.failed = refusal
		}
	}
	s.best = max(s.best, f)
	if f == fitsAll || s.refusal != nil {
		s.found = r
		return true
	}
	return false
}

// fits holds the tokens against the policy: type and flow, audience, actor.
func (c *admitted) fits(r *rule, p parties) fit {
	switch {
	case p.subject == nil:
		return fitsAll // client flow: the index found client and targets
	case !slices.Contains(r.types, p.subject.Type), r.policy.Flow == exchange.FlowFederation && p.subject.Own():
		return fitsNot
	case !r.takesAudience(p.subject):
		return fitsType
	case !c.actorFits(r, p.subject, p.actor):
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

// unfit is the refusal where no policy fits better than the best.
func (s *search) unfit(p parties) error {
	switch {
	case s.best == fitsActor:
		return s.failed
	case s.best == fitsType:
		return exchange.RoleSubject.Refuse(exchange.AudienceMismatch, "the subject token is addressed to none of the audiences of the policies for it")
	case s.best == fitsAudience && p.actor != nil:
		return exchange.Refuse(exchange.ActorNotAllowed, "the policies for this subject do not take this actor token")
	case s.best == fitsAudience && p.subject.MayAct != nil:
		return exchange.Refuse(exchange.ActorRequired, "the subject token has may_act, and the policies for it add no actor, or want its token")
	case s.best == fitsAudience:
		return exchange.Refuse(exchange.ActorRequired, "the policies for this subject want an actor token")
	case p.subject == nil:
		return exchange.Refuse(exchange.NoPolicy, "no policy for this client and targets")
	}
	return exchange.Refuse(exchange.NoPolicy, "no policy for this client and targets takes a %s of issuer %q", p.subject.Type.Short(), p.subject.Issuer)
}

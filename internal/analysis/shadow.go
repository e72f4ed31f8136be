package analysis

import (
	"slices"
	"strings"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/reach"
)

// A policy is shadowed where, for each of its clients and issuers, one policy
// before it takes everything that it takes. That is sound, not complete: several
// policies that only together take everything are not found.

func (in *inspection) shadowed() {
	by := reach.Ranked(in.enforced())
	for _, p := range in.enforced() {
		var hiders []string
		for _, key := range reach.Pairs(p.Spec) {
			i := slices.IndexFunc(by[key], func(q *catalog.Of[catalog.ExchangePolicy]) bool {
				return q == p || in.hides(q.Spec, p.Spec, key.Issuer)
			})
			if by[key][i] == p {
				hiders = nil
				break
			}
			hiders = append(hiders, by[key][i].Metadata.Name)
		}
		if len(hiders) == 0 {
			continue
		}
		slices.Sort(hiders)
		in.find(p.Object, "/spec/priority", "%s decides first whenever this policy could", strings.Join(slices.Compact(hiders), ", ")).
			fix("give it a higher priority, narrow the other, or delete it")
	}
}

// hides: whenever p holds for a token of the issuer, q holds too. A policy with
// one target is also found where no target is asked for, by those alone that have
// one as well.
func (in *inspection) hides(q, p *catalog.ExchangePolicy, issuer string) bool {
	if !within(p.Targets, q.Targets) || len(p.Targets) == 1 && len(q.Targets) != 1 {
		return false
	}
	if p.Subject == nil || q.Subject == nil {
		return p.Subject == nil && q.Subject == nil
	}
	return within(p.Subject.TokenTypes, q.Subject.TokenTypes) &&
		in.takesAudiences(q.Subject, p.Subject, issuer) &&
		rulesWithin(q.Subject.Conditions, p.Subject.Conditions) && hidesActor(q.Actor, p.Actor, issuer) &&
		(issuer != exchange.SelfIssuer || exchange.Flow(q.Flow) != exchange.FlowFederation)
}

// takesAudiences: q takes what p takes. Each token of the issuer has one of the
// issuer's audiences.
func (in *inspection) takesAudiences(q, p *catalog.PolicySubject, issuer string) bool {
	switch i := in.Issuer(issuer); {
	case len(q.Audiences) == 0 || i == nil:
		return true
	case len(p.Audiences) > 0:
		return within(p.Audiences, q.Audiences)
	default:
		return len(i.Spec.Audiences) > 0 && within(i.Spec.Audiences, q.Audiences)
	}
}

// hidesActor: whatever p's actor rules let through, q's do. A client is no actor
// of its own token, which only "none" takes.
func hidesActor(q, p *catalog.PolicyActor, issuer string) bool {
	added := q.Who() == catalog.ActorClient || q.Who() == catalog.ActorAny // where no token is sent
	switch p.Who() {
	case catalog.ActorNone: // no actor token, and no may_act
		return q.Who() == catalog.ActorNone || added && len(q.Conditions) == 0 && issuer != exchange.SelfIssuer
	case catalog.ActorClient:
		return added && rulesWithin(q.Conditions, p.Conditions)
	case catalog.ActorToken:
		return (q.Who() == catalog.ActorToken || q.Who() == catalog.ActorAny) && sameActor(q, p)
	default:
		return q.Who() == catalog.ActorAny && sameActor(q, p)
	}
}

// sameActor: conditions also open the door to strangers' actors, so that fewer
// of them are not simply wider.
func sameActor(q, p *catalog.PolicyActor) bool {
	return within(p.Issuers, q.Issuers) && rulesWithin(q.Conditions, p.Conditions) && rulesWithin(p.Conditions, q.Conditions)
}

// rulesWithin: each of the rules is one of the others, by its source.
func rulesWithin(rules, others []catalog.Rule) bool {
	return !slices.ContainsFunc(rules, func(r catalog.Rule) bool {
		return !slices.ContainsFunc(others, func(o catalog.Rule) bool { return o.Expression == r.Expression })
	})
}

func within(some, all []string) bool {
	return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(all, s) })
}

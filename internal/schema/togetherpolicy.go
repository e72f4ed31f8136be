package schema

import (
	"slices"
	"strings"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
)

// selfTypes is what a policy may take of Strait's own tokens.
var selfTypes = []string{exchange.TypeAccessToken.Short(), exchange.TypeJWT.Short()}

// policies holds that what each policy names is there, and that it can ever
// work.
func (t *together) policies() {
	clients, targets, issuers := names(t.Clients()), names(t.Targets()), names(t.Issuers())
	for _, p := range t.Policies() {
		t.known(claim{p.Ref(), "/spec/clients"}, p.Spec.Clients, clients)
		t.known(claim{p.Ref(), "/spec/targets"}, p.Spec.Targets, targets)
		t.catalogue(p)
		if p.Spec.Subject != nil {
			t.subjectIssuers(p.Ref(), p.Spec.Subject, issuers)
		}
		if p.Spec.Actor != nil {
			t.actorIssuers(p.Ref(), p.Spec.Actor, issuers)
		}
	}
}

// catalogue: an allowed scope is in the catalogue of at least one target.
// Each exchange then issues what all of its targets know.
func (t *together) catalogue(p *catalog.Of[catalog.ExchangePolicy]) {
	var all []string
	for _, name := range p.Spec.Targets {
		target := t.Target(name)
		if target == nil {
			return // said already
		}
		all = append(all, target.Spec.Scopes...)
	}
	for i, scope := range p.Spec.Scopes.Allow {
		if !slices.Contains(all, scope) {
			t.add(claim{p.Ref(), below("/spec/scopes/allow", i)}, catalog.CodeReference, "no target of the policy has the scope "+quoted(scope)+hint(scope, all))
		}
	}
}

// subjectIssuers: the issuers exist, and each gives tokens of a type and an
// audience that the policy takes.
func (t *together) subjectIssuers(policy catalog.Ref, s *catalog.PolicySubject, issuers []string) {
	const at = "/spec/subject/issuers"
	var foreign []*catalog.Of[catalog.TrustedIssuer]
	types := map[string]bool{}
	for i, name := range s.Issuers {
		here := claim{policy, below(at, i)}
		if name == exchange.SelfIssuer {
			t.tokenTypes(here, s.TokenTypes, selfTypes, types)
		} else if issuer := t.Issuer(name); issuer != nil {
			t.accepts(here, issuer, exchange.RoleSubject)
			t.tokenTypes(here, s.TokenTypes, issuer.Spec.TokenTypes, types)
			foreign = append(foreign, issuer)
		} else {
			t.refer(here, name, issuers)
			return
		}
	}
	for i, short := range s.TokenTypes {
		if !types[short] {
			t.add(claim{policy, below("/spec/subject/tokenTypes", i)}, catalog.CodeReference, "no issuer of the policy gives tokens of type "+quoted(short))
		}
	}
	t.audiences(policy, s, foreign)
}

// actorIssuers: the issuers exist, and their tokens are taken as actors.
func (t *together) actorIssuers(policy catalog.Ref, a *catalog.PolicyActor, issuers []string) {
	for i, name := range a.Issuers {
		here := claim{policy, below("/spec/actor/issuers", i)}
		if issuer := t.Issuer(name); issuer != nil {
			t.accepts(here, issuer, exchange.RoleActor)
		} else if name != exchange.SelfIssuer {
			t.refer(here, name, issuers)
		}
	}
}

// accepts: an issuer whose tokens are not taken in the role would make a policy
// that can never work.
func (t *together) accepts(at claim, issuer *catalog.Of[catalog.TrustedIssuer], role exchange.Role) {
	if !slices.Contains(issuer.Spec.AcceptAs, string(role)) {
		t.add(at, catalog.CodeReference, "issuer "+issuer.Metadata.Name+" does not have "+string(role)+" in acceptAs, so its tokens are never taken as one")
	}
}

func (t *together) tokenTypes(at claim, wanted, accepted []string, seen map[string]bool) {
	fits := false
	for _, short := range wanted {
		if slices.Contains(accepted, short) {
			fits, seen[short] = true, true
		}
	}
	if !fits {
		t.add(at, catalog.CodeReference, "this issuer gives none of the policy's tokenTypes; its own: "+strings.Join(accepted, ", "))
	}
}

// audiences: a token for gateway A is no use to gateway B, so a policy says
// which audience it means wherever an issuer has several.
func (t *together) audiences(policy catalog.Ref, s *catalog.PolicySubject, foreign []*catalog.Of[catalog.TrustedIssuer]) {
	var all []string
	for _, issuer := range foreign {
		all = append(all, issuer.Spec.Audiences...)
		own := func(audience string) bool { return slices.Contains(issuer.Spec.Audiences, audience) }
		if len(issuer.Spec.Audiences) > 1 && len(s.Audiences) == 0 {
			t.add(claim{policy, "/spec/subject/audiences"}, catalog.CodeRequired, "is required, since issuer "+issuer.Metadata.Name+" has more than one audience")
		}
		if len(s.Audiences) > 0 && !slices.ContainsFunc(s.Audiences, own) {
			t.add(claim{policy, "/spec/subject/audiences"}, catalog.CodeReference, "has no audience of issuer "+issuer.Metadata.Name)
		}
	}
	for i, audience := range s.Audiences {
		if !slices.Contains(all, audience) {
			t.add(claim{policy, below("/spec/subject/audiences", i)}, catalog.CodeReference, "no issuer of the policy has this audience"+hint(audience, all))
		}
	}
}

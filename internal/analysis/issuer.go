package analysis

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/expr"
)

func issuerRules() []Rule {
	return []Rule{
		{
			Code: "multi-tenant-issuer", Severity: Error, Title: "An issuer of many tenants, and nothing says which one",
			Why:   "Anybody can have such an issuer sign a token: the signature proves the provider, not the customer (RFC 8725 §3.8, OpenID Connect Core §3.1.3.7).",
			check: (*inspection).multiTenant,
		},
		{
			Code: "no-audience", Severity: Warning, Title: "An issuer whose tokens need be addressed to nobody",
			Why:   "A token that was meant for another service is taken here (RFC 8725 §3.9, RFC 7662 §4).",
			check: (*inspection).noAudience,
		},
		{
			Code: "generic-audience", Severity: Warning, Title: "An audience that many services share",
			Why:   "An aud that others accept too does not say that the token is for here (RFC 7519 §4.1.3, RFC 8725 §3.9).",
			check: (*inspection).genericAudience,
		},
		{
			Code: "mutable-claim", Severity: Warning, Title: "A decision on a claim that people can change",
			Why:   "Only iss and sub together name somebody for good: names and addresses are chosen, changed and given to others (OpenID Connect Core §5.7; the nOAuth attack).",
			check: (*inspection).mutableClaims,
		},
		{
			Code: "vacuous-all", Severity: Warning, Title: "A rule that an empty list passes",
			Why:   "all(…) of a list without members is true: who has no group at all passes a rule that each of the groups be a known one (case POL-013).",
			check: (*inspection).vacuous,
		},
		{
			Code: "review-overdue", Severity: Error, Title: "A review that is overdue",
			Why:   "What was approved once is not what is there now. An error where the policy denies by now (onOverdue: suspend).",
			check: (*inspection).overdue,
		},
	}
}

// multiTenant: the tenant is looked at by the issuer's own rules, or else by
// every policy that names it.
func (in *inspection) multiTenant() {
	for _, i := range in.Issuers() {
		p := providerOf(i.Spec.Issuer)
		if p == nil && i.Spec.Keys.Discovery != nil {
			p = providerOf(strings.TrimSuffix(i.Spec.Keys.Discovery.URL, "/.well-known/openid-configuration"))
		}
		if p == nil || !i.Alive(i.Spec.Mode, in.Now) || meet(in.reads(expr.IssuerRule, i.Spec.ClaimValidationRules).of(""), p.tenant) {
			continue
		}
		open, used := in.openTo(i, p.tenant)
		if used && len(open) == 0 {
			continue
		}
		f := in.find(i.Object, "/spec/claimValidationRules", "%s signs tokens for everybody, and no rule says whose are meant", p.name)
		if used {
			f = in.find(i.Object, "/spec/claimValidationRules", "%s signs tokens for everybody; neither this entry nor %s says whose are meant", p.name, strings.Join(open, ", "))
		}
		f.fix("add a rule such as claims.%s == \"…\", by the claim that names your tenant: %s", p.tenant[0], strings.Join(p.tenant, ", "))
	}
}

// openTo are the policies that take the issuer's tokens without a look at one of
// the claims; used says whether any takes them. All conditions of a policy must
// hold, so that the actor's may look at the subject too.
func (in *inspection) openTo(issuer *catalog.Of[catalog.TrustedIssuer], claims []string) (open []string, used bool) {
	for _, p := range in.enforced() {
		reads := in.reads(expr.Condition, conditions(p.Spec))
		looks := func(role exchange.Role) bool {
			return meet(reads.of(role), claims) || slices.Contains(reads.Subjects, role) && in.mapsFrom(issuer, claims)
		}
		looked := true
		if s := p.Spec.Subject; s != nil && slices.Contains(s.Issuers, issuer.Metadata.Name) {
			used, looked = true, looks(exchange.RoleSubject)
		}
		if a := p.Spec.Actor; a != nil && slices.Contains(a.Issuers, issuer.Metadata.Name) {
			used, looked = true, looked && looks(exchange.RoleActor)
		}
		if !looked {
			open = append(open, p.Metadata.Name)
		}
	}
	return open, used
}

// mapsFrom: the mapped subject of the issuer says what one of the claims says.
func (in *inspection) mapsFrom(issuer *catalog.Of[catalog.TrustedIssuer], claims []string) bool {
	m := issuer.Spec.ClaimMappings.Subject
	return slices.Contains(claims, m.Claim) || meet(in.reads(expr.SubjectMapping, expression(m)).of(""), claims)
}

// conditions are all of a policy, on the subject and on the actor.
func conditions(p *catalog.ExchangePolicy) []catalog.Rule {
	var all []catalog.Rule
	if p.Subject != nil {
		all = slices.Clone(p.Subject.Conditions)
	}
	if p.Actor != nil {
		all = append(all, p.Actor.Conditions...)
	}
	return all
}

func (in *inspection) noAudience() {
	for _, i := range in.Issuers() {
		if len(i.Spec.Audiences) == 0 && i.Alive(i.Spec.Mode, in.Now) {
			in.find(i.Object, "/spec/audiences", "tokens of this issuer are taken whomever they are addressed to").
				fix("list the audiences that its tokens for here have; for opaque tokens, have the issuer answer with aud")
		}
	}
}

func (in *inspection) genericAudience() {
	for _, i := range in.Issuers() {
		for n, audience := range i.Spec.Audiences {
			if generic(audience, i.Spec.Issuer) && i.Alive(i.Spec.Mode, in.Now) {
				in.find(i.Object, fmt.Sprintf("/spec/audiences/%d", n), "%q is an audience that tokens for other services have too", audience).
					fix("have the issuer write an audience of your own, such as the URL of the gateway")
			}
		}
	}
}

// generic: on a list, the issuer itself, or the owner's URL that GitHub writes
// into every job's token by default.
func generic(audience, issuer string) bool {
	plain := strings.TrimSuffix(strings.ToLower(audience), "/")
	return slices.Contains(genericAudiences, plain) || audience == issuer || strings.HasPrefix(plain, "https://github.com/")
}

// mutable are the claims that people, or the administrators of another tenant,
// can set to what they like.
var mutable = []string{
	"email", "family_name", "given_name", "name", "nickname", "phone_number", "preferred_username", "unique_name", "upn", "user_name", "username", "winaccountname",
}

func (in *inspection) mutableClaims() {
	for _, i := range in.Issuers() {
		if i.Alive(i.Spec.Mode, in.Now) {
			in.mutableInIssuer(i)
		}
	}
	for _, p := range in.enforced() {
		all := in.reads(expr.Condition, conditions(p.Spec))
		if s := p.Spec.Subject; s != nil {
			in.mutableReads(p.Object, "/spec/subject/conditions", in.reads(expr.Condition, s.Conditions), all, p.Spec)
		}
		if a := p.Spec.Actor; a != nil {
			in.mutableReads(p.Object, "/spec/actor/conditions", in.reads(expr.Condition, a.Conditions), all, p.Spec)
		}
	}
	for _, g := range in.Guardrails() {
		all := in.reads(expr.GuardrailRule, g.Spec.Deny)
		in.mutableReads(g.Object, "/spec/deny", all, all, &catalog.ExchangePolicy{})
	}
}

func (in *inspection) mutableInIssuer(i *catalog.Of[catalog.TrustedIssuer]) {
	m := i.Spec.ClaimMappings.Subject
	if slices.Contains(mutable, m.Claim) {
		in.find(i.Object, "/spec/claimMappings/subject/claim", "%s becomes the sub of issued tokens, and can be changed or given to somebody else", m.Claim).
			fix("map sub, or another identifier that the issuer never gives twice")
	}
	in.mutableOf(i.Object, "/spec/claimMappings/subject/expression", in.reads(expr.SubjectMapping, expression(m)).of(""), false)
	rules := in.reads(expr.IssuerRule, i.Spec.ClaimValidationRules).of("")
	in.mutableOf(i.Object, "/spec/claimValidationRules", rules, meet(rules, verified))
}

var verified = []string{"email_verified"}

func expression(m catalog.SubjectMapping) []catalog.Rule {
	if m.Expression == "" {
		return nil
	}
	return []catalog.Rule{{Expression: m.Expression}}
}

// mutableReads: an e-mail address is as good as its verification, which one of all
// the conditions looks at, or each of the issuers.
func (in *inspection) mutableReads(o catalog.Object, path string, reads, all Reading, p *catalog.ExchangePolicy) {
	var subjects, actors []string
	if p.Subject != nil {
		subjects = p.Subject.Issuers
	}
	if p.Actor != nil {
		actors = p.Actor.Issuers
	}
	in.mutableOf(o, path, reads.of(exchange.RoleSubject), in.verify(subjects) || meet(all.of(exchange.RoleSubject), verified))
	in.mutableOf(o, path, reads.of(exchange.RoleActor), in.verify(actors) || meet(all.of(exchange.RoleActor), verified))
}

// verify: each of the issuers has a rule on email_verified.
func (in *inspection) verify(issuers []string) bool {
	return len(issuers) > 0 && !slices.ContainsFunc(issuers, func(name string) bool {
		i := in.Issuer(name)
		return i == nil || !meet(in.reads(expr.IssuerRule, i.Spec.ClaimValidationRules).of(""), verified)
	})
}

// mutableOf finds the mutable claims among those that are read; email only where
// nothing says that it was verified.
func (in *inspection) mutableOf(o catalog.Object, path string, claims []string, emailVerified bool) {
	for _, claim := range claims {
		switch {
		case !slices.Contains(mutable, claim):
		case claim != "email":
			in.find(o, path, "%s decides here, and can be changed or given to somebody else", claim).fix("decide on sub, or on a group or role that the issuer's administrators give")
		case !emailVerified:
			in.find(o, path, "email decides here, and nothing says that the issuer verified it").fix("ask for email_verified == true too, or decide on sub")
		}
	}
}

// vacuous: of a guardrail, all(…) of an empty list forbids; that is no way in.
func (in *inspection) vacuous() {
	for _, i := range in.Issuers() {
		if i.Alive(i.Spec.Mode, in.Now) {
			in.vacuousIn(i.Object, "/spec/claimValidationRules", expr.IssuerRule, i.Spec.ClaimValidationRules)
		}
	}
	for _, p := range in.enforced() {
		if s := p.Spec.Subject; s != nil {
			in.vacuousIn(p.Object, "/spec/subject/conditions", expr.Condition, s.Conditions)
		}
		if a := p.Spec.Actor; a != nil {
			in.vacuousIn(p.Object, "/spec/actor/conditions", expr.Condition, a.Conditions)
		}
	}
}

func (in *inspection) vacuousIn(o catalog.Object, path string, kind expr.Kind, rules []catalog.Rule) {
	for _, read := range in.reads(kind, rules).Vacuous {
		list := strings.TrimPrefix(strings.Join(append([]string{string(read.Of), "claims"}, read.Path...), "."), ".")
		in.find(o, path, "an empty %s passes", list).fix("ask for a member too: size(%s) > 0 && …", list)
	}
}

// overdue: the day itself is still in time.
func (in *inspection) overdue() {
	for _, e := range in.Entries() {
		day := e.Governance.ReviewBy
		if day == nil || in.Now.Before(day.Time.AddDate(0, 0, 1)) {
			continue
		}
		severity, effect := Warning, ""
		if p, is := e.Spec.(*catalog.ExchangePolicy); is && p.Suspends() {
			severity, effect = Error, ", and the policy denies until it is done"
		}
		in.find(e.Object, "/governance/reviewBy", "the review was due on %s%s", day.Time.Format(time.DateOnly), effect).as(severity).
			fix("look at it with its owner, %s, and set the next date", e.Governance.Owner)
	}
}

// meet says whether the lists have a word in common.
func meet(a, b []string) bool {
	return slices.ContainsFunc(a, func(word string) bool { return slices.Contains(b, word) })
}

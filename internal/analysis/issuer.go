package analysis

import (
	"slices"
	"strings"

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
			Code: "review-overdue", Severity: Warning, Title: "A review that is overdue",
			Why:   "What was approved once is not what is there now; with onOverdue: suspend the policy denies by now.",
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
		if p == nil || !alive(i.Object, i.Spec.Mode, in.Now) || names(in.reads(expr.IssuerRule, i.Spec.ClaimValidationRules), "", p.tenant) {
			continue
		}
		open, used := in.openTo(i.Metadata.Name, p.tenant)
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
// the claims; used says whether any takes them.
func (in *inspection) openTo(issuer string, claims []string) (open []string, used bool) {
	for _, p := range in.enforced() {
		looked := true
		if s := p.Spec.Subject; s != nil && slices.Contains(s.Issuers, issuer) {
			used, looked = true, names(in.reads(expr.Condition, s.Conditions), exchange.RoleSubject, claims)
		}
		if a := p.Spec.Actor; a != nil && slices.Contains(a.Issuers, issuer) {
			used, looked = true, looked && names(in.reads(expr.Condition, a.Conditions), exchange.RoleActor, claims)
		}
		if !looked {
			open = append(open, p.Metadata.Name)
		}
	}
	return open, used
}

// names says whether one of the reads names one of the claims. Who reads all
// claims names none.
func names(reads []expr.Read, of exchange.Role, claims []string) bool {
	return slices.ContainsFunc(reads, func(r expr.Read) bool {
		return r.Of == of && !r.Whole() && slices.Contains(claims, r.Path[0])
	})
}

func (in *inspection) noAudience() {
	for _, i := range in.Issuers() {
		if len(i.Spec.Audiences) == 0 && alive(i.Object, i.Spec.Mode, in.Now) {
			in.find(i.Object, "/spec/audiences", "tokens of this issuer are taken whomever they are addressed to").
				fix("list the audiences that its tokens for here have; for opaque tokens, have the issuer answer with aud")
		}
	}
}

func (in *inspection) genericAudience() {
	for _, i := range in.Issuers() {
		for n, audience := range i.Spec.Audiences {
			if generic(audience, i.Spec.Issuer) && alive(i.Object, i.Spec.Mode, in.Now) {
				in.find(i.Object, at("/spec/audiences", n), "%q is an audience that tokens for other services have too", audience).
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
		m := i.Spec.ClaimMappings.Subject
		if slices.Contains(mutable, m.Claim) {
			in.find(i.Object, "/spec/claimMappings/subject/claim", "%s becomes the sub of issued tokens, and can be changed or given to somebody else", m.Claim).
				fix("map sub, or another identifier that the issuer never gives twice")
		}
		in.mutableReads(i.Object, "/spec/claimMappings/subject/expression", in.reads(expr.SubjectMapping, expression(m)), "", false)
		rules := in.reads(expr.IssuerRule, i.Spec.ClaimValidationRules)
		in.mutableReads(i.Object, "/spec/claimValidationRules", rules, "", names(rules, "", verified))
	}
	for _, p := range in.enforced() {
		if s := p.Spec.Subject; s != nil {
			in.mutableConditions(p, "/spec/subject/conditions", s.Conditions, s.Issuers, exchange.RoleSubject)
		}
		if a := p.Spec.Actor; a != nil {
			in.mutableConditions(p, "/spec/actor/conditions", a.Conditions, a.Issuers, exchange.RoleActor)
		}
	}
}

var verified = []string{"email_verified"}

func expression(m catalog.SubjectMapping) []catalog.Rule {
	if m.Expression == "" {
		return nil
	}
	return []catalog.Rule{{Expression: m.Expression}}
}

// mutableConditions: an e-mail address is as good as its verification, which the
// conditions themselves look at, or each of the issuers.
func (in *inspection) mutableConditions(p *catalog.Of[catalog.ExchangePolicy], path string, rules []catalog.Rule, issuers []string, of exchange.Role) {
	reads := in.reads(expr.Condition, rules)
	checked := len(issuers) > 0 && !slices.ContainsFunc(issuers, func(name string) bool {
		i := in.Issuer(name)
		return i == nil || !names(in.reads(expr.IssuerRule, i.Spec.ClaimValidationRules), "", verified)
	})
	in.mutableReads(p.Object, path, reads, of, checked || names(reads, of, verified))
}

// mutableReads finds the mutable claims among the reads; email only where nothing
// says that it was verified.
func (in *inspection) mutableReads(o catalog.Object, path string, reads []expr.Read, of exchange.Role, emailVerified bool) {
	var seen []string
	for _, r := range reads {
		if r.Of != of || r.Whole() || slices.Contains(seen, r.Path[0]) || !slices.Contains(mutable, r.Path[0]) {
			continue
		}
		seen = append(seen, r.Path[0])
		switch {
		case r.Path[0] != "email":
			in.find(o, path, "%s decides here, and can be changed or given to somebody else", r.Path[0]).fix("decide on sub, or on a group or role that the issuer's administrators give")
		case !emailVerified:
			in.find(o, path, "email decides here, and nothing says that the issuer verified it").fix("ask for email_verified == true too, or decide on sub")
		}
	}
}

// overdue: the day itself is still in time.
func (in *inspection) overdue() {
	for _, e := range in.Entries() {
		day := e.Governance.ReviewBy
		if day == nil || in.Now.Before(day.Time.AddDate(0, 0, 1)) {
			continue
		}
		f := in.find(e.Object, "/governance/reviewBy", "the review was due on %s", day.Time.Format("2006-01-02"))
		if p, is := e.Spec.(*catalog.ExchangePolicy); is && suspends(p) {
			f = in.find(e.Object, "/governance/reviewBy", "the review was due on %s, and the policy denies until it is done", day.Time.Format("2006-01-02")).as(Error)
		}
		f.fix("look at it with its owner, %s, and set the next date", e.Governance.Owner)
	}
}

package analysis

import (
	"slices"
	"strings"
	"time"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/expr"
)

// The bounds outside which a lifetime or a chain deserves a word. Gateways keep
// issued tokens and ask anew before they end: under 90 s most keep none.
const (
	longLifetime  = time.Hour
	shortLifetime = 90 * time.Second
	deepChain     = 4
)

func policyRules() []Rule {
	return []Rule{
		{
			Code: "open-federation", Severity: Error, Title: "Federation of whoever the issuer knows",
			Why:   "Without a rule or a condition, every subject of the foreign issuer gets a token here, the next intern and the test user too (RFC 8693 §2.1, RFC 9700 §2.3). An error where the policy also grants scopes that nobody proved.",
			check: (*inspection).openFederation,
		},
		{
			Code: "prove-grant", Severity: Warning, Title: "Scopes that nobody proved",
			Why:   "prove: grant gives scopes that the subject token does not hold: the one place where an exchange does not narrow (RFC 8693 §5).",
			check: (*inspection).proveGrant,
		},
		{
			Code: "self-shared-scope", Severity: Warning, Title: "One scope name, two meanings",
			Why:   "A scope has its meaning from the audience (RFC 9068 §2.2.3): with prove: same, read at one service proves read at another that only uses the same word.",
			check: (*inspection).sharedScopes,
		},
		{
			Code: "policy-never-matches", Severity: Warning, Title: "A policy that can never issue",
			Why:   "What decides nothing is read by reviewers as if it did, and begins to decide when something else changes.",
			check: (*inspection).neverMatches,
		},
		{
			Code: "policy-shadowed", Severity: Warning, Title: "A policy behind another that always decides first",
			Why:   "The first policy that holds decides, alone: what stands behind it and takes nothing else never does. A narrower policy so placed protects nobody.",
			check: (*inspection).shadowed,
		},
		{
			Code: "long-lifetime", Severity: Warning, Title: "Tokens that live longer than an hour",
			Why:   "An access token that leaks works until it ends (RFC 6750 §5.3, RFC 9700 §2.2).",
			check: (*inspection).lifetimes,
		},
		{
			Code: "short-lifetime", Severity: Info, Title: "Tokens that live less than 90 seconds",
			Why:   "Gateways ask anew before a token ends, so most cache none that short: each call becomes an exchange (RFC 8693 §2.2.1, expires_in).",
			check: (*inspection).briefLifetimes,
		},
		{
			Code: "deep-chain", Severity: Warning, Title: "Chains of more than four actors",
			Why:   "Nobody reviews so long a chain, and access control looks at its first actor alone (RFC 8693 §4.1).",
			check: (*inspection).deepChains,
		},
		{
			Code: "uncached-claim", Severity: Info, Title: "A decision on claims by which gateways do not cache",
			Why:   "Gateways keep an issued token by issuer, subject, audience and scope: one that was allowed by another claim may be used after that claim changed (RFC 8693 §2.2.1).",
			check: (*inspection).uncached,
		},
		{
			Code: "no-deny-test", Severity: Warning, Title: "A policy without a test that it denies",
			Why:   "A test that only allows stays green when the policy takes everybody. Looked at where tests are at hand: strait lint -f.",
			check: (*inspection).noDenyTest,
		},
	}
}

// openFederation: nobody looks at who the subject is.
func (in *inspection) openFederation() {
	for _, p := range in.enforced() {
		s := p.Spec.Subject
		if exchange.Flow(p.Spec.Flow) != exchange.FlowFederation || s == nil || len(s.Conditions) > 0 {
			continue
		}
		open := slices.DeleteFunc(slices.Clone(s.Issuers), func(name string) bool {
			i := in.Issuer(name)
			return i == nil || len(i.Spec.ClaimValidationRules) > 0
		})
		if len(open) == 0 {
			continue
		}
		severity := Warning
		if p.Spec.Scopes.Prove == string(exchange.ProveGrant) {
			severity = Error
		}
		in.find(p.Object, "/spec/subject/conditions", "every subject of %s gets a token here", strings.Join(open, ", ")).as(severity).
			fix("add a condition on who is meant, such as \"staff\" in subject.claims.groups, or a rule to the issuer")
	}
}

func (in *inspection) proveGrant() {
	for _, p := range in.enforced() {
		if p.Spec.Scopes.Prove == string(exchange.ProveGrant) {
			in.find(p.Object, "/spec/scopes/prove", "the subject token needs no scope for %s", strings.Join(p.Spec.Scopes.Allow, ", ")).
				fix("map scopes that the issuer gives (prove: map), or suppress this with the reason and a date")
		}
	}
}

// sharedScopes: a token of ours for one target proves, by the scope's name alone,
// the same name at another.
func (in *inspection) sharedScopes() {
	obtains := in.reach.Obtains()
	for _, p := range in.enforced() {
		s := p.Spec.Subject
		if s == nil || !slices.Contains(s.Issuers, exchange.SelfIssuer) || p.Spec.Scopes.Prove != string(exchange.ProveSame) {
			continue
		}
		for _, from := range in.presentable(p.Spec.Clients, obtains) {
			for _, to := range p.Spec.Targets {
				shared := in.shared(p.Spec.Scopes.Allow, from, to)
				if from == to || len(shared) == 0 {
					continue
				}
				in.find(p.Object, "/spec/scopes/prove", "%s of a token for %s proves the same at %s", strings.Join(shared, ", "), from, to).
					fix("use prove: map, which says what each scope of the first means at the second, or scope names of their own")
			}
		}
	}
}

func (in *inspection) neverMatches() {
	for _, p := range in.enforced() {
		if why := in.reach.NeverWhy(p); why != "" {
			in.find(p.Object, "", "%s", why).fix("mend what stands in its way, or set mode: disabled and delete it")
		}
	}
}

// presentable are the targets whose tokens one of the clients may present: those
// that it serves, and those that it can have tokens for.
func (in *inspection) presentable(clients []string, obtains map[string][]string) []string {
	var all []string
	for _, name := range clients {
		if c := in.Client(name); c != nil {
			all = append(all, c.Spec.Serves...)
		}
		all = append(all, obtains[name]...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// shared are the scopes that both targets have, of those allowed.
func (in *inspection) shared(allow []string, a, b string) []string {
	one, two := in.Target(a), in.Target(b)
	if one == nil || two == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(allow), func(scope string) bool {
		return !slices.Contains(one.Spec.Scopes, scope) || !slices.Contains(two.Spec.Scopes, scope)
	})
}

// effective is the longest that a token of the policy can live.
func (in *inspection) effective(p *catalog.Of[catalog.ExchangePolicy]) time.Duration {
	var longest time.Duration
	for _, name := range p.Spec.Targets {
		life := time.Duration(p.Spec.Issue.Lifetime)
		if t := in.Target(name); t != nil && t.Spec.Token.MaxLifetime > 0 {
			life = min(life, time.Duration(t.Spec.Token.MaxLifetime))
		}
		longest = max(longest, life)
	}
	return longest
}

func (in *inspection) lifetimes() {
	for _, p := range in.enforced() {
		if life := in.effective(p); life > longLifetime {
			in.find(p.Object, "/spec/issue/lifetime", "tokens live for %s", catalog.Duration(life)).fix("5m is a good lifetime: whoever needs more exchanges again")
		}
	}
}

func (in *inspection) briefLifetimes() {
	for _, p := range in.enforced() {
		if life := in.effective(p); life > 0 && life < shortLifetime {
			in.find(p.Object, "/spec/issue/lifetime", "tokens live for %s, too short for the caches of gateways", catalog.Duration(life)).
				fix("5m is a good lifetime; keep this where each call must be decided anew")
		}
	}
}

func (in *inspection) deepChains() {
	for _, p := range in.enforced() {
		if p.Spec.Issue.MaxActDepth > deepChain {
			in.find(p.Object, "/spec/issue/maxActDepth", "a token of the policy can name %d actors", p.Spec.Issue.MaxActDepth).fix("4 are enough for a gateway and three services")
		}
	}
}

// cached are the claims that gateways cache by, and those that only say how long.
var cached = []string{"iss", "sub", "aud", "scope", "scp", "client_id", "azp", "exp", "iat", "nbf"}

func (in *inspection) uncached() {
	for _, p := range in.enforced() {
		if s := p.Spec.Subject; s != nil {
			in.uncachedReads(p.Object, "/spec/subject/conditions", in.reads(expr.Condition, s.Conditions))
		}
		if a := p.Spec.Actor; a != nil {
			in.uncachedReads(p.Object, "/spec/actor/conditions", in.reads(expr.Condition, a.Conditions))
		}
	}
	for _, g := range in.Guardrails() {
		in.uncachedReads(g.Object, "/spec/deny", in.reads(expr.GuardrailRule, g.Spec.Deny))
	}
}

func (in *inspection) uncachedReads(o catalog.Object, path string, reads Reading) {
	var others []string
	for _, role := range []exchange.Role{exchange.RoleSubject, exchange.RoleActor} {
		for _, claim := range reads.of(role) {
			if !slices.Contains(cached, claim) {
				others = append(others, string(role)+".claims."+claim)
			}
		}
	}
	if len(others) > 0 {
		in.find(o, path, "%s may change while a gateway still uses what was issued", strings.Join(others, ", ")).
			fix("keep the lifetime short, or have the gateway cache by the subject token itself")
	}
}

func (in *inspection) noDenyTest() {
	if in.Denied == nil {
		return
	}
	for _, p := range in.enforced() {
		if !in.Denied[p.Metadata.Name] {
			in.find(p.Object, "", "no test has the policy deny anything").fix("add a test that expects denied: docs/testing.md shows one")
		}
	}
}

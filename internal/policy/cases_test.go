package policy_test

import (
	"strings"
	"testing"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
)

// securityCase is one of the cases that this package answers for: what the
// policy says, what came, and the refusal; none where it is issued.
type securityCase struct {
	policies []*catalog.Entry // beside the world
	request  func(*exchange.Request)
	scope    string
	subject  func(*exchange.Token)
	actor    *exchange.Token
	want     exchange.Reason
}

func audience(values ...string) func(*exchange.Request) {
	return func(r *exchange.Request) { r.Audiences = values }
}

func holding(scopes ...string) func(*exchange.Token) {
	return func(s *exchange.Token) { s.Scopes = scopes }
}

// securityCases are the areas policy and actor, as far as a decision alone can
// show them.
func securityCases() map[string]securityCase {
	plain := []*catalog.Entry{rule("p", nil)}
	changed := func(change func(*catalog.ExchangePolicy)) []*catalog.Entry {
		return []*catalog.Entry{rule("p", change)}
	}
	ended := rule("p", nil)
	ended.Governance.ExpiresAt = ptr(now.Add(-1e9))
	linkedAgents := []*catalog.Entry{issuer("agents"), rule("p", delegation("token", linked("true")))}
	saml, unknown := exchange.TypeOf("saml2"), exchange.TokenType("urn:example:unknown")
	return map[string]securityCase{
		"POL-001": {policies: plain, request: audience("https://unlisted"), want: exchange.TargetUnknown},
		"POL-005": {policies: []*catalog.Entry{ended}, want: exchange.PolicyExpired},
		"POL-006": {policies: changed(func(p *catalog.ExchangePolicy) { p.Clients = []string{"other"} }), want: exchange.NoPolicy},
		"POL-007": {policies: changed(func(p *catalog.ExchangePolicy) { p.Subject.Issuers = []string{"entra"} }), want: exchange.NoPolicy},
		"POL-010": {policies: changed(when(`subject.claims.dept == "x"`)), want: exchange.ConditionFailed},
		"POL-011": {policies: changed(when(`!(subject.claims.dept == "sales")`)), want: exchange.ConditionFailed},
		"POL-013": {policies: changed(when(`size(subject.claims.groups) > 0 && subject.claims.groups.all(g, g in ["ok"])`)), subject: claims(exchange.Claims{"groups": []any{}}), want: exchange.ConditionFailed},
		"POL-014": {policies: changed(when(`"true"`)), want: exchange.ConditionFailed},
		"POL-016": {policies: changed(when(`subject.claims.admin`)), subject: claims(exchange.Claims{"admin": "true"}), want: exchange.ConditionFailed},
		"POL-018": {policies: changed(when(strings.Repeat("(", 2500) + "true" + strings.Repeat(")", 2500))), want: exchange.ConditionFailed},
		"POL-024": {policies: plain, scope: "write", subject: holding("read"), want: exchange.ScopeNotHeld},
		"POL-026": {policies: changed(func(p *catalog.ExchangePolicy) { p.Scopes.Default = []string{"read", "write"} }), subject: holding("read")},
		"POL-028": {policies: plain, scope: "read", subject: holding(), want: exchange.ScopeNotHeld},
		"POL-044": {policies: plain, scope: "readwrite", want: exchange.ScopeNotAllowed},
		"POL-049": {policies: changed(func(p *catalog.ExchangePolicy) {
			p.Flow, p.Scopes.Prove, p.Scopes.Map = "federation", "map", map[string][]string{"viewer": {"read"}}
		}), scope: "write", subject: holding("viewer"), want: exchange.ScopeNotHeld},
		"POL-050": {policies: changed(bothTargets), request: audience(), want: exchange.TargetAmbiguous},
		"POL-051": {policies: plain, request: audience("https://unknown"), want: exchange.TargetUnknown},
		"POL-056": {policies: plain, request: audience("https://ORDERS.internal"), want: exchange.TargetUnknown},
		"POL-057": {policies: plain, request: audience("https://orders.internal/../admin"), want: exchange.TargetUnknown},
		"POL-059": {policies: plain, request: audience(ourIssuer), want: exchange.TargetUnknown},
		"POL-060": {policies: plain, request: audience(ourIssuer + "/admin/v1"), want: exchange.TargetUnknown},
		"POL-062": {policies: plain, request: audience("orders billing"), want: exchange.TargetUnknown},
		"POL-064": {policies: plain, request: func(r *exchange.Request) { r.Audiences, r.Resources = nil, []string{"https://orders.internal/api#x"} }, want: exchange.TargetUnknown},
		"POL-066": {policies: plain, request: func(r *exchange.Request) { r.Resources = []string{"https://billing.internal"} }, want: exchange.TargetNotAllowed},
		"POL-069": {policies: plain, request: func(r *exchange.Request) { r.RequestedType = saml }, want: exchange.UnsupportedTokenType},
		"POL-070": {policies: plain, request: func(r *exchange.Request) { r.RequestedType = unknown }, want: exchange.UnsupportedTokenType},
		"POL-074": {policies: plain, subject: func(s *exchange.Token) { s.Expires = now.Add(999e6) }, want: exchange.RoleSubject.Reason(exchange.Expired)},
		"ACT-012": {policies: []*catalog.Entry{rule("p", delegation("token", linked("true"), takes("okta")))}, actor: subject(nil), want: exchange.ActorNotAllowed},
		"ACT-023": {policies: linkedAgents, subject: func(s *exchange.Token) { s.MayAct = exchange.MayAct{"iss": "https://agents", "sub": "bot"} }, want: exchange.ActorRequired},
		"ACT-027": {policies: linkedAgents, subject: func(s *exchange.Token) { s.Act = exchange.Chain{botHop, botHop, botHop, botHop} }, actor: agent(), want: exchange.ChainTooDeep},
		"ACT-039": {policies: linkedAgents, subject: func(s *exchange.Token) { s.Act = exchange.Chain{botHop, botHop} }, actor: agent()},
		"ACT-040": {policies: linkedAgents, want: exchange.ActorRequired},
		"ACT-041": {policies: []*catalog.Entry{rule("p", delegation("client"))}},
	}
}

// The cases of the security suite that a decision alone can show, by id. None
// of them hands out a grant beside its refusal.
func TestSecurityCases(t *testing.T) {
	t.Parallel()
	for id, c := range securityCases() {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			req := request(c.request)
			if c.scope != "" {
				req = asking(t, c.scope, c.request)
			}
			d, err := decide(world(c.policies...), req, subject(c.subject), c.actor)
			refusal, refused := err.(*exchange.Error) //nolint:errorlint // a decider answers the refusal itself
			switch {
			case c.want == "" && (err != nil || d.Grant == nil):
				t.Errorf("refused: %v", err)
			case c.want != "" && (!refused || refusal.Reason != c.want || d.Grant != nil):
				t.Errorf("decided %+v, %v; want %s", d, err, c.want)
			}
		})
	}
}

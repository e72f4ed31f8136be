package exchange_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
)

// What the property tests draw from. The words are few, so that things meet
// often.
var (
	allScopes    = []string{"read", "write", "admin"}
	allTargets   = []string{"t1", "t2", "t3"}
	allIssuers   = []string{"okta", "entra"}
	allAudiences = []string{"https://gw-a", "https://gw-b"}
)

// some draws a part of the words, more often a large one: rapid likes small
// numbers, so that the ranges here are turned to make what is issued likely.
func some(from []string) *rapid.Generator[[]string] {
	return rapid.Custom(func(t *rapid.T) []string {
		left := rapid.IntRange(0, 7).Draw(t, "left out") & rapid.IntRange(0, 7).Draw(t, "left out too")
		var part []string
		for i, word := range from {
			if left&(1<<i) == 0 {
				part = append(part, word)
			}
		}
		return part
	})
}

// seldom is true about once in n. It looks for a number in the middle: the
// ends of a range come up more often.
func seldom(t *rapid.T, n int, label string) bool {
	return rapid.IntRange(0, 16*n).Draw(t, label)/8 == n
}

func drawMode(t *rapid.T) catalog.Mode {
	if seldom(t, 12, "disabled") {
		return catalog.ModeDisabled
	}
	return catalog.ModeEnforce
}

func drawGovernance(t *rapid.T) (g catalog.Governance) {
	if seldom(t, 8, "expires") {
		end := now.Add(time.Duration(rapid.IntRange(-2, 2).Draw(t, "end")))
		g.ExpiresAt = &end
	}
	if seldom(t, 3, "review") {
		g.ReviewBy = &catalog.Date{Time: now.Truncate(24*time.Hour).AddDate(0, 0, rapid.IntRange(-2, 1).Draw(t, "reviewBy"))}
	}
	return g
}

func drawSeconds(t *rapid.T, label string) catalog.Duration {
	return catalog.Duration(time.Duration(600-rapid.IntRange(0, 599).Draw(t, label)) * time.Second)
}

func drawEntry(t *rapid.T, kind catalog.Kind, name string, spec any) *catalog.Entry {
	return &catalog.Entry{Object: catalog.Object{Kind: kind, Metadata: catalog.Metadata{Name: name}, Governance: drawGovernance(t), Spec: spec}}
}

func drawTarget(t *rapid.T, name string) *catalog.Entry {
	alg := "ES256"
	if seldom(t, 5, "other algorithm") {
		alg = "EdDSA"
	}
	return drawEntry(t, catalog.KindTarget, name, &catalog.Target{
		Audience: "https://" + name, Resources: []string{"https://" + name + "/api"}, Scopes: some(allScopes).Draw(t, "catalogue"),
		Token: catalog.TargetToken{Algorithm: alg, MaxLifetime: drawSeconds(t, "max lifetime")}, Mode: drawMode(t),
	})
}

func drawPolicy(t *rapid.T, name string) *catalog.Entry {
	p := &catalog.ExchangePolicy{
		Flow: rapid.SampledFrom([]string{"downscope", "delegation", "federation", "client", "delegation"}).Draw(t, "flow"), Priority: rapid.IntRange(0, 1).Draw(t, "priority"),
		Clients: rapid.SampledFrom([][]string{{"edge"}, {"other"}, {"edge", "other"}}).Draw(t, "clients"), Targets: rapid.SampledFrom([][]string{{"t1", "t2"}, {"t1"}, allTargets, {"t2"}, {"t3"}, {"t1", "t2"}}).Draw(t, "targets"),
		Scopes: catalog.PolicyScopes{Allow: some(allScopes).Draw(t, "allow"), Prove: "same"},
		Issue:  catalog.PolicyIssue{TokenType: "access_token", Lifetime: drawSeconds(t, "lifetime"), MaxActDepth: 4 - rapid.IntRange(1, 3).Draw(t, "depth")},
		Review: &catalog.PolicyReview{OnOverdue: rapid.SampledFrom([]string{"warn", "suspend"}).Draw(t, "onOverdue")}, Mode: drawMode(t),
	}
	p.Scopes.Default = some(p.Scopes.Allow).Draw(t, "default")
	if p.Mode == catalog.ModeEnforce && seldom(t, 8, "shadow") {
		p.Mode = catalog.ModeShadow
	}
	if seldom(t, 3, "claims") {
		p.Issue.Claims = map[string]string{"dept": rapid.SampledFrom([]string{`"sales"`, `subject.claims.?dept`, `subject.claims.dept`}).Draw(t, "claim")}
	}
	if p.Flow == "client" {
		p.Scopes.Prove = ""
		return drawEntry(t, catalog.KindExchangePolicy, name, p)
	}
	p.Actor = drawActorRule(t, p.Flow)
	p.Subject = &catalog.PolicySubject{
		Issuers: append(rapid.SampledFrom([][]string{{"okta"}, {"okta", "entra"}, {"entra"}, {"okta"}}).Draw(t, "issuers"), "self"), TokenTypes: rapid.SampledFrom([][]string{{"jwt"}, {"jwt", "access_token"}, {"access_token"}, {"jwt"}}).Draw(t, "types"),
	}
	p.Subject.Conditions = drawConditions(t, subjectConditions)
	if seldom(t, 3, "audiences") {
		p.Subject.Audiences = some(allAudiences).Draw(t, "policy audiences")
	}
	switch proof := rapid.IntRange(0, 3).Draw(t, "prove"); {
	case proof == 3:
		p.Scopes.Prove = "map"
		p.Scopes.Map = map[string][]string{"read": some(p.Scopes.Allow).Draw(t, "mapped"), "admin": p.Scopes.Allow}
	case proof >= 1 && p.Flow == "federation":
		p.Scopes.Prove = "grant"
	}
	return drawEntry(t, catalog.KindExchangePolicy, name, p)
}

func drawActorRule(t *rapid.T, flow string) *catalog.PolicyActor {
	if flow != "delegation" {
		return &catalog.PolicyActor{From: "none"}
	}
	a := &catalog.PolicyActor{From: rapid.SampledFrom([]string{"client", "token", "any"}).Draw(t, "from")}
	if a.From != "client" {
		a.Issuers = rapid.SampledFrom([][]string{{"agents", "self"}, {"agents"}, {"okta", "self", "agents"}}).Draw(t, "actor issuers")
		a.Conditions = drawConditions(t, actorConditions)
	}
	return a
}

// drawConditions takes none to two of the expressions, as few as need be for
// most to hold.
func drawConditions(t *rapid.T, from map[string]predicate) (rules []catalog.Rule) {
	for range rapid.SampledFrom([]int{0, 0, 1, 2}).Draw(t, "conditions") {
		rules = append(rules, catalog.Rule{Expression: rapid.SampledFrom(slices.Sorted(maps.Keys(from))).Draw(t, "condition")})
	}
	return rules
}

func drawGuardrail(t *rapid.T, name string) *catalog.Entry {
	g := &catalog.Guardrail{}
	for range rapid.IntRange(1, 2).Draw(t, "rules") {
		g.Deny = append(g.Deny, catalog.Rule{Expression: rapid.SampledFrom(slices.Sorted(maps.Keys(denials))).Draw(t, "deny")})
	}
	if rapid.Bool().Draw(t, "some targets") {
		g.Match.Targets = some(allTargets).Draw(t, "match targets")
	}
	if rapid.Bool().Draw(t, "some flows") {
		g.Match.Flows = some([]string{"downscope", "delegation", "client"}).Draw(t, "match flows")
	}
	if rapid.Bool().Draw(t, "some issuers") {
		g.Match.Issuers = some([]string{"okta", "self"}).Draw(t, "match issuers")
	}
	return &catalog.Entry{Object: catalog.Object{Kind: catalog.KindGuardrail, Metadata: catalog.Metadata{Name: name}, Spec: g}}
}

func drawCatalogue(t *rapid.T) []*catalog.Entry {
	var entries []*catalog.Entry
	for _, name := range allIssuers {
		entries = append(entries, drawEntry(t, catalog.KindTrustedIssuer, name, &catalog.TrustedIssuer{Issuer: "https://" + name, Mode: drawMode(t)}))
	}
	for _, name := range allTargets {
		entries = append(entries, drawTarget(t, name))
	}
	for i := range rapid.SampledFrom([]int{4, 5, 3, 2, 1, 0, 5}).Draw(t, "policies") {
		entries = append(entries, drawPolicy(t, fmt.Sprintf("p%d", i)))
	}
	for i := range rapid.SampledFrom([]int{0, 1, 0, 2}).Draw(t, "guardrails") {
		entries = append(entries, drawGuardrail(t, fmt.Sprintf("g%d", i)))
	}
	if broad := drawPolicy(t, "p9"); rapid.Bool().Draw(t, "a broad policy") {
		p := broad.Spec.(*catalog.ExchangePolicy)
		p.Clients, p.Targets, p.Scopes.Allow, p.Scopes.Default = []string{"edge"}, allTargets, allScopes, allScopes
		if p.Subject != nil {
			p.Subject.Issuers, p.Subject.TokenTypes = []string{"okta", "entra", "self"}, []string{"jwt", "access_token"}
			p.Subject.Conditions, p.Issue.MaxActDepth, p.Mode = nil, 4, catalog.ModeEnforce
			if p.Flow == "delegation" {
				p.Actor = &catalog.PolicyActor{From: "any", Issuers: []string{"agents", "self"}, Conditions: []catalog.Rule{{Expression: "true"}}}
			}
		}
		entries = append(entries, broad)
	}
	return entries
}

func drawToken(t *rapid.T) *exchange.Token {
	issuer := rapid.SampledFrom([]string{"okta", "okta", "entra", "self", "okta"}).Draw(t, "issuer")
	token := &exchange.Token{
		Issuer: issuer, IssuerURL: "https://" + issuer, Subject: issuer + ":alice", Original: "alice", JTI: "parent",
		Type:     rapid.SampledFrom([]exchange.TokenType{exchange.TypeJWT, exchange.TypeAccessToken, exchange.TypeJWT}).Draw(t, "type"),
		Audience: some(allAudiences).Draw(t, "aud"), Scopes: some(allScopes).Draw(t, "held"),
		Expires: now.Add(900*time.Second - time.Duration(rapid.Int64Range(0, int64(900*time.Second)-1).Draw(t, "exp"))),
		Bound:   seldom(t, 10, "bound"), Claims: exchange.Claims{"acr": "silver", "auth_time": json.Number("1.50"), "email": "alice@example.com"},
	}
	if !seldom(t, 6, "without groups") {
		token.Claims["groups"] = rapid.SampledFrom([][]any{{"staff"}, {"guest"}, {"staff", "guest"}}).Draw(t, "groups")
	}
	if rapid.Bool().Draw(t, "with dept") {
		token.Claims["dept"] = "sales"
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "hops") {
		token.Act = append(token.Act, exchange.Hop{Issuer: "https://okta", Subject: fmt.Sprintf("hop-%d", i)})
	}
	if issuer == "self" {
		token.Txn = "root"
	}
	return token
}

func drawQuestion(t *rapid.T) question {
	q := question{
		grant:     exchange.GrantTokenExchange,
		scopes:    some(allScopes).Draw(t, "asked"),
		audiences: rapid.SampledFrom([][]string{{"t1"}, {"t2"}, {"https://t1"}, {"t1", "https://t2"}, {"unknown"}, {"t2", "t2"}, {"t3", "t1"}, nil, {"t1"}}).Draw(t, "audiences"),
		requested: rapid.SampledFrom([]exchange.TokenType{"", "", exchange.TypeAccessToken, exchange.TypeJWT, ""}).Draw(t, "requested"),
	}
	if seldom(t, 4, "resource") {
		q.resources = rapid.SampledFrom([][]string{{"https://t1"}, {"https://t2/api"}, {"https://unknown"}, {"t1"}, {"https://t1/api"}}).Draw(t, "resources")
	}
	if seldom(t, 5, "client credentials") {
		q.grant = exchange.GrantClientCredentials
		return q
	}
	q.subject = drawToken(t)
	if seldom(t, 2, "with actor") {
		q.actor = drawActor(t, q.subject)
	}
	own := q.actor != nil && q.actor.Issuer == "self" && q.actor.Original == "client:edge-1"
	switch rapid.IntRange(0, 30).Draw(t, "may_act") {
	case 9:
		q.subject.MayAct = exchange.MayAct{"iss": "https://agents", "sub": "bot"}
		q.mayActFits = q.actor != nil && q.actor.IssuerURL == "https://agents" && q.actor.Original == "bot"
	case 10:
		q.subject.MayAct, q.mayActFits = exchange.MayAct{"client_id": "edge-1"}, q.actor == nil || own
	case 11:
		q.subject.MayAct = exchange.MayAct{"sub": "somebody else"}
	case 12:
		q.subject.MayAct, q.mayActFits = exchange.MayAct{"iss": ourIssuer, "sub": "client:edge-1"}, q.actor == nil || own
	}
	return q
}

// drawActor draws an actor token: an agent's, the client's own, another
// client's, the subject's own, each now and then with a chain.
func drawActor(t *rapid.T, subject *exchange.Token) *exchange.Token {
	actor := &exchange.Token{
		Issuer: "agents", IssuerURL: "https://agents", Subject: "agents:bot", Original: "bot", Claims: exchange.Claims{},
		Expires: now.Add(time.Duration(rapid.IntRange(1, 900).Draw(t, "actor exp")) * time.Second), Bound: seldom(t, 12, "actor bound"),
	}
	switch rapid.SampledFrom([]string{"agent", "own", "agent", "other client", "subject"}).Draw(t, "actor") {
	case "own":
		actor.Issuer, actor.IssuerURL, actor.Subject, actor.Original = "self", ourIssuer, "client:edge-1", "client:edge-1"
	case "other client":
		actor.Issuer, actor.IssuerURL, actor.Subject, actor.Original = "self", ourIssuer, "client:edge-2", "client:edge-2"
	case "subject":
		actor.Issuer, actor.IssuerURL, actor.Subject, actor.Original = subject.Issuer, subject.IssuerURL, subject.Subject, subject.Original
	}
	if rapid.Bool().Draw(t, "gold") {
		actor.Claims["tier"] = "gold"
	}
	switch {
	case seldom(t, 10, "actor act"):
		actor.Act = exchange.Chain{{Issuer: "https://agents", Subject: "older"}}
	case seldom(t, 10, "actor may_act"):
		actor.MayAct = exchange.MayAct{"client_id": "edge-1"}
	}
	return actor
}

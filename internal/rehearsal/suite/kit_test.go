package suite_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/manifest"
	"github.com/strait-sts/strait/internal/policy"
	"github.com/strait-sts/strait/internal/rehearsal"
	"github.com/strait-sts/strait/internal/rehearsal/suite"
)

// believer is a trust list of one issuer, idp, that believes what it is told.
type believer struct{ exchange.Verifier }

func (believer) Judge(req *exchange.Request, role exchange.Role, issuer string, claims exchange.Claims) (*exchange.Token, error) {
	if issuer != "idp" {
		return nil, role.Refuse(exchange.IssuerNotTrusted, "the trust list has no entry %q", issuer)
	}
	sub, _ := claims["sub"].(string)
	scope, _ := claims["scope"].(string)
	end, err := claims["exp"].(interface{ Int64() (int64, error) }).Int64()
	if err != nil {
		return nil, err
	}
	token := &exchange.Token{
		Issuer: issuer, IssuerURL: "https://idp", Type: req.Presented(role).Type, Subject: "idp:" + sub, Original: sub,
		Scopes: strings.Fields(scope), Expires: time.Unix(end, 0), Claims: claims,
	}
	if !token.Expires.After(req.Time) {
		return nil, role.Refuse(exchange.Expired, "exp has passed")
	}
	if agent, _ := claims["agent"].(string); agent != "" {
		token.Act = exchange.Chain{{Issuer: "https://idp", Subject: agent}}
	}
	return token, nil
}

func entry(kind catalog.Kind, name string, spec any) *catalog.Entry {
	return &catalog.Entry{Object: catalog.Object{Kind: kind, Metadata: catalog.Metadata{Name: name}, Spec: spec}}
}

func target(name string, scopes ...string) *catalog.Entry {
	return entry(catalog.KindTarget, name, &catalog.Target{
		Audience: "https://" + name, Scopes: scopes, Token: catalog.TargetToken{Algorithm: "ES256", MaxLifetime: catalog.Duration(time.Hour)},
	})
}

// downscope is a policy of gw.
func downscope(name string, targets, allow []string) *catalog.Entry {
	return entry(catalog.KindExchangePolicy, name, &catalog.ExchangePolicy{
		Flow: "downscope", Clients: []string{"gw"}, Targets: targets, Mode: catalog.ModeEnforce,
		Subject: &catalog.PolicySubject{Issuers: []string{"idp"}, TokenTypes: []string{"jwt"}}, Actor: &catalog.PolicyActor{From: "none"},
		Scopes: catalog.PolicyScopes{Allow: allow, Default: allow[:1], Prove: "same"},
		Issue:  catalog.PolicyIssue{TokenType: "access_token", Lifetime: catalog.Duration(5 * time.Minute), MaxActDepth: 4},
	})
}

// stage has the clients gw and batch, the targets orders and pay, and a policy
// for each of them; batch may have a token of its own.
func stage() rehearsal.Stage {
	batch := entry(catalog.KindExchangePolicy, "batch", &catalog.ExchangePolicy{
		Flow: "client", Clients: []string{"batch"}, Targets: []string{"orders"}, Mode: catalog.ModeEnforce,
		Scopes: catalog.PolicyScopes{Allow: []string{"read"}, Default: []string{"read"}},
		Issue:  catalog.PolicyIssue{TokenType: "access_token", Lifetime: catalog.Duration(time.Minute), MaxActDepth: 4},
	})
	s := catalog.NewSnapshot(1,
		entry(catalog.KindTrustedIssuer, "idp", &catalog.TrustedIssuer{Issuer: "https://idp"}),
		entry(catalog.KindClient, "gw", &catalog.Client{}), entry(catalog.KindClient, "batch", &catalog.Client{}),
		target("orders", "read", "write"), target("pay", "pay:read", "read"),
		downscope("orders", []string{"orders", "pay"}, []string{"read", "write"}), downscope("pay", []string{"pay"}, []string{"pay:read"}), batch,
	)
	clients := map[string]*exchange.Client{}
	for _, c := range s.Clients() {
		clients[c.Metadata.Name] = &exchange.Client{
			Name: c.Metadata.Name, ID: c.Metadata.Name, Grants: []exchange.GrantType{exchange.GrantTokenExchange, exchange.GrantClientCredentials},
		}
	}
	engine := policy.NewEngine("https://sts", nil)
	world := &exchange.World{Revision: 1, Clients: clients, Verifier: believer{}, Decider: engine.Compile(s)}
	return rehearsal.Stage{World: world, Issuer: "https://sts", Snapshot: s, Compile: engine.Compile}
}

// head begins every document of the tests: alice holds read and write.
const head = `apiVersion: strait/v1
kind: ExchangeTest
metadata: {name: doc}
now: 2026-11-23T12:00:00Z
unlisted: ignored
tokens:
  alice: {issuer: idp, type: jwt, expiresIn: 30m, claims: {sub: alice, scope: "read write", agent: bot}}
  late: {issuer: idp, claims: {sub: alice, scope: read, exp: 1}}
  stranger: {issuer: other, claims: {sub: alice, scope: read}}
tests:
`

// documents reads YAML; it fails on a fault.
func documents(t testing.TB, text string) []*suite.Document {
	t.Helper()
	read, faults := manifest.Parse("doc.yaml", []byte(text))
	var all []*suite.Document
	for _, m := range read {
		document, wrong := suite.Read(m)
		all, faults = append(all, document), append(faults, wrong...)
	}
	if len(faults) > 0 {
		t.Fatalf("%v", faults)
	}
	return all
}

// run runs the documents of a text.
func run(t *testing.T, text string) *suite.Report {
	t.Helper()
	report, err := suite.Run(context.Background(), stage(), documents(t, text))
	if err != nil {
		t.Fatal(err)
	}
	return report
}

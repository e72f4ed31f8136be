package policy_test

import (
	"context"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/expr"
	"github.com/strait-sts/strait/internal/policy"
)

var now = time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)

const ourIssuer = "https://sts.example.com"

// engine compiles every test's catalogue.
var engine = policy.NewEngine(ourIssuer, expressions())

func expressions() *expr.Compiler {
	compiler, err := expr.NewCompiler(1000)
	if err != nil {
		panic(err)
	}
	return compiler
}

func ptr[T any](v T) *T { return &v }

func entry(kind catalog.Kind, name string, spec any) *catalog.Entry {
	return &catalog.Entry{Revision: 3, Object: catalog.Object{Kind: kind, Metadata: catalog.Metadata{Name: name}, Spec: spec}}
}

func issuer(name string) *catalog.Entry {
	return entry(catalog.KindTrustedIssuer, name, &catalog.TrustedIssuer{Issuer: "https://" + name, Mode: catalog.ModeEnforce})
}

func target(name string, scopes ...string) *catalog.Entry {
	return entry(catalog.KindTarget, name, &catalog.Target{
		Audience: "https://" + name + ".internal", Resources: []string{"https://" + name + ".internal/api"}, Scopes: scopes,
		Token: catalog.TargetToken{Algorithm: "ES256", MaxLifetime: catalog.Duration(time.Hour)}, Mode: catalog.ModeEnforce,
	})
}

func rule(name string, change func(*catalog.ExchangePolicy)) *catalog.Entry {
	p := &catalog.ExchangePolicy{
		Flow: "downscope", Clients: []string{"edge"}, Targets: []string{"orders"},
		Subject: &catalog.PolicySubject{Issuers: []string{"okta"}, TokenTypes: []string{"jwt"}},
		Actor:   &catalog.PolicyActor{From: "none"},
		Scopes:  catalog.PolicyScopes{Allow: []string{"read", "write"}, Default: []string{"read"}, Prove: "same"},
		Issue:   catalog.PolicyIssue{TokenType: "access_token", Lifetime: catalog.Duration(5 * time.Minute), MaxActDepth: 4},
		Review:  &catalog.PolicyReview{OnOverdue: "warn"}, Mode: catalog.ModeEnforce,
	}
	if change != nil {
		change(p)
	}
	return entry(catalog.KindExchangePolicy, name, p)
}

// clientFlow makes a policy one of flow client.
func clientFlow(p *catalog.ExchangePolicy) {
	p.Flow, p.Subject, p.Actor, p.Scopes.Prove = "client", nil, nil, ""
}

// world is a small catalogue: issuers okta and entra, targets orders and
// billing, and whatever a test adds or replaces by name.
func world(entries ...*catalog.Entry) *catalog.Snapshot {
	all := []*catalog.Entry{issuer("okta"), issuer("entra"), target("orders", "read", "write"), target("billing", "read", "pay")}
	return catalog.NewSnapshot(7, append(all, entries...)...)
}

func request(change func(*exchange.Request)) *exchange.Request {
	req := &exchange.Request{
		ID: "id-1", Time: now, Grant: exchange.GrantTokenExchange, Audiences: []string{"orders"},
		Client: &exchange.Client{Name: "edge", ID: "edge-1"},
	}
	if change != nil {
		change(req)
	}
	return req
}

func subject(change func(*exchange.Token)) *exchange.Token {
	token := &exchange.Token{
		Issuer: "okta", IssuerURL: "https://okta", Type: exchange.TypeJWT, Subject: "okta:alice", Original: "alice",
		Audience: []string{"https://gateway"}, Scopes: []string{"read", "write"}, Expires: now.Add(time.Hour),
	}
	if change != nil {
		change(token)
	}
	return token
}

// decide runs both halves of a decision.
func decide(s *catalog.Snapshot, req *exchange.Request, sub, actor *exchange.Token) (exchange.Decision, error) {
	admitted, err := engine.Compile(s).Admit(req)
	if err != nil {
		return exchange.Decision{}, err
	}
	return admitted.Decide(sub, actor)
}

func wantRefusal(t *testing.T, err error, code exchange.Code, reason exchange.Reason) {
	t.Helper()
	refusal, ok := err.(*exchange.Error) //nolint:errorlint // a decider answers the refusal itself
	if !ok || refusal.Code != code || refusal.Reason != reason {
		t.Errorf("error = %v, want %s (%s)", err, code, reason)
	}
}

// wantPolicy expects a grant by the policy, or without a name a refusal.
func wantPolicy(t *testing.T, d exchange.Decision, err error, name string) {
	t.Helper()
	if err != nil || d.Grant == nil || d.Policy.Name != name {
		t.Errorf("decided %+v, %v; want a grant of policy %q", d, err, name)
	}
}

// refuser is a decider that refuses, and a recorder that discards.
type refuser struct{}

func (refuser) Admit(*exchange.Request) (exchange.Case, error) {
	return nil, exchange.Refuse(exchange.NoPolicy, "for the test")
}

func (refuser) Record(context.Context, *exchange.Record) error { return nil }

// asking gives a request whose scope parameter was read: the service does that
// before it asks a decider, so here it asks one that refuses.
func asking(t testing.TB, scope string, change func(*exchange.Request)) *exchange.Request {
	t.Helper()
	req := request(change)
	req.Scope, req.Subject = scope, exchange.Presented{Token: "x", Type: exchange.TypeJWT}
	req.Client.Grants = []exchange.GrantType{req.Grant}
	req.World = &exchange.World{Decider: refuser{}}
	service := exchange.Service{Recorder: refuser{}}
	if _, err := service.Exchange(t.Context(), req); err == nil || len(req.Scopes()) == 0 {
		t.Fatalf("scope %q was not read: %v", scope, err)
	}
	return req
}

package rehearsal_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/expr"
	"github.com/strait-sts/strait/internal/jws"
	"github.com/strait-sts/strait/internal/keyring"
	"github.com/strait-sts/strait/internal/keyring/keyringtest"
	"github.com/strait-sts/strait/internal/mint"
	"github.com/strait-sts/strait/internal/policy"
	"github.com/strait-sts/strait/internal/rehearsal"
	"github.com/strait-sts/strait/internal/ststest"
	"github.com/strait-sts/strait/internal/trust"
)

const (
	ours    = "https://sts.example.com"
	gateway = "https://gateway.example.com"
)

// now is the instant of every exchange here.
var now = time.Date(2027, 1, 2, 3, 4, 5, 0, time.UTC)

// house has both sides: /token as serve runs it, but for HTTP and the database,
// and the stage of explain.
type house struct {
	idp    *ststest.Issuer
	ring   *keyring.Ring
	trust  *trust.Trust
	engine *policy.Engine
}

func newHouse(t testing.TB) *house {
	t.Helper()
	compiler, err := expr.NewCompiler(100)
	if err != nil {
		t.Fatal(err)
	}
	h := &house{idp: ststest.NewIssuer(t), ring: keyringtest.Ring(t), engine: policy.NewEngine(ours, compiler)}
	h.trust = trust.New(trust.Options{Own: h.ring, Issuer: ours, Clock: func() time.Time { return now }, Skew: 30 * time.Second})
	return h
}

// world is what decides with these entries.
func (h *house) world(entries []*catalog.Entry) (*exchange.World, *catalog.Snapshot) {
	s := catalog.NewSnapshot(1, entries...)
	clients := map[string]*exchange.Client{}
	for _, c := range s.Clients() {
		clients[c.Metadata.Name] = &exchange.Client{
			Name: c.Metadata.Name, ID: c.Metadata.Name, Serves: c.Spec.Serves, IgnoreScopes: c.Spec.IgnoreScopes, Disabled: c.Spec.Mode == catalog.ModeDisabled,
			Grants: []exchange.GrantType{exchange.GrantTokenExchange, exchange.GrantClientCredentials},
		}
		if c.Spec.Grants[0] == "none" {
			clients[c.Metadata.Name].Grants = nil
		}
	}
	return &exchange.World{Revision: 1, Clients: clients, Verifier: h.trust.Verifier(s), Decider: h.engine.Compile(s)}, s
}

func (h *house) stage(entries []*catalog.Entry) *rehearsal.Stage {
	world, snapshot := h.world(entries)
	return &rehearsal.Stage{World: world, Issuer: ours, Now: now, Snapshot: snapshot, Compile: h.engine.Compile}
}

// explain explains on the entries.
func (h *house) explain(t *testing.T, entries []*catalog.Entry, q rehearsal.Question) *rehearsal.Answer {
	t.Helper()
	answer, err := h.stage(entries).Explain(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// keeper is a Recorder that counts.
type keeper struct{ records int }

func (k *keeper) Record(context.Context, *exchange.Record) error {
	k.records++
	return nil
}

// exchanged is what /token comes to.
type exchanged struct {
	reason  exchange.Reason
	code    exchange.Code
	claims  map[string]any
	expires int64
}

// token runs the exchange behind /token, with real signatures.
func (h *house) token(t fataler, world *exchange.World, q rehearsal.Question) exchanged {
	service := exchange.Service{Minter: mint.New(mint.Options{Keys: h.ring, Issuer: ours}), Recorder: &keeper{}, Issuer: ours}
	grant := q.Grant
	if grant == "" {
		grant = exchange.GrantTokenExchange
	}
	issued, err := service.Exchange(context.Background(), &exchange.Request{
		ID: rehearsal.ID, Time: now, World: world, Client: world.Clients[q.Client], Grant: grant,
		Subject: exchange.Presented{Token: q.Subject.Token, Type: q.Subject.Type}, Actor: exchange.Presented{Token: q.Actor.Token, Type: q.Actor.Type},
		Audiences: q.Audiences, Resources: q.Resources, Scope: q.Scope, RequestedType: q.RequestedType,
	})
	var refusal *exchange.Error
	if errors.As(err, &refusal) {
		return exchanged{reason: refusal.Reason, code: refusal.Code}
	}
	object, err := jws.Parse(issued.Token.Reveal(), jws.Limits{})
	if err != nil {
		t.Fatalf("the issued token: %v", err)
	}
	return exchanged{claims: object.Claims, expires: int64(issued.ExpiresIn / time.Second)}
}

type fataler interface{ Fatalf(string, ...any) }

// told is an answer in the same words.
func told(t fataler, a *rehearsal.Answer) exchanged {
	e := exchanged{reason: a.Reason, code: a.Error}
	if a.Preview != nil {
		claims, err := rehearsal.ReadClaims(a.Preview.Claims)
		if err != nil {
			t.Fatalf("the preview: %v", err)
		}
		e.claims, e.expires = claims, a.Preview.ExpiresIn
	}
	return e
}

// The entries that the tests begin with.

func entry(kind catalog.Kind, name string, spec any) *catalog.Entry {
	return &catalog.Entry{Object: catalog.Object{Kind: kind, Metadata: catalog.Metadata{Name: name}, Spec: spec}}
}

func (h *house) issuer(name, url string, change ...func(*catalog.TrustedIssuer)) *catalog.Entry {
	prefix := name + ":"
	spec := &catalog.TrustedIssuer{
		Issuer: url, Keys: catalog.Keys{JWKS: h.idp.JWKS()}, Audiences: []string{gateway, "https://gw-b"}, Algorithms: []string{"ES256"},
		AcceptAs: []string{"subject"}, TokenTypes: []string{"jwt", "access_token"}, ScopeClaim: "scope", MaxTokenAge: catalog.Duration(24 * time.Hour),
		ClaimMappings: catalog.ClaimMappings{Subject: catalog.SubjectMapping{Claim: "sub", Prefix: &prefix}}, Mode: catalog.ModeEnforce,
	}
	for _, f := range change {
		f(spec)
	}
	return entry(catalog.KindTrustedIssuer, name, spec)
}

func target(name string, scopes ...string) *catalog.Entry {
	return entry(catalog.KindTarget, name, &catalog.Target{
		Audience: "https://" + name, Resources: []string{"https://" + name + "/api"}, Scopes: scopes, Mode: catalog.ModeEnforce,
		Token: catalog.TargetToken{Algorithm: "ES256", MaxLifetime: catalog.Duration(15 * time.Minute)},
	})
}

func clientEntry(name string, serves ...string) *catalog.Entry {
	return entry(catalog.KindClient, name, &catalog.Client{Grants: []string{"token-exchange"}, Serves: serves, Mode: catalog.ModeEnforce})
}

func policyEntry(name string, change func(*catalog.ExchangePolicy)) *catalog.Entry {
	spec := &catalog.ExchangePolicy{
		Flow: "downscope", Clients: []string{"edge"}, Targets: []string{"orders"}, Mode: catalog.ModeEnforce,
		Subject: &catalog.PolicySubject{Issuers: []string{"okta"}, TokenTypes: []string{"jwt"}}, Actor: &catalog.PolicyActor{From: "none"},
		Scopes: catalog.PolicyScopes{Allow: []string{"read", "write"}, Default: []string{"read"}, Prove: "same"},
		Issue:  catalog.PolicyIssue{TokenType: "access_token", Lifetime: catalog.Duration(5 * time.Minute), MaxActDepth: 4},
	}
	if change != nil {
		change(spec)
	}
	return entry(catalog.KindExchangePolicy, name, spec)
}

// usual is one issuer, one client, one target and one policy.
func (h *house) usual(more ...*catalog.Entry) []*catalog.Entry {
	return append([]*catalog.Entry{h.issuer("okta", h.idp.URL), clientEntry("edge"), target("orders", "read", "write", "refund"), policyEntry("staff", nil)}, more...)
}

// alice is a question about alice, who holds read and openid.
func alice(change ...func(*rehearsal.Question)) rehearsal.Question {
	q := rehearsal.Question{
		Client: "edge", Audiences: []string{"orders"}, Scope: "read",
		Subject: rehearsal.Party{Type: exchange.TypeJWT, Issuer: "okta", Claims: exchange.Claims{"sub": "alice", "aud": gateway, "scope": "openid read"}},
	}
	for _, f := range change {
		f(&q)
	}
	return q
}

// sign signs a token of our own.
func (h *house) sign(t fataler, claims map[string]any) string {
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatalf("%v", err)
	}
	token, err := h.ring.Sign("ES256", "at+jwt", payload)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return token
}

// number is a NumericDate so many seconds from now.
func number(seconds int64) json.Number { return json.Number(fmt.Sprint(now.Unix() + seconds)) }

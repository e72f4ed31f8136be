package trust_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/fetch"
	"github.com/strait-sts/strait/internal/ststest"
	"github.com/strait-sts/strait/internal/trust"
)

// The test's world: we are https://sts.test, the time is start.
const (
	ours    = "https://sts.test"
	gateway = "https://gateway.example.com" // the audience of ststest's tokens
)

func start() time.Time { return time.Unix(1800000000, 0).UTC() }

// clock is a clock that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// counter is a real fetch client for loopback that counts its requests.
type counter struct {
	client *fetch.Client
	n      atomic.Int64
}

func (c *counter) GetJSON(ctx context.Context, r fetch.Request) (fetch.Response, error) {
	c.n.Add(1)
	return c.client.GetJSON(ctx, r)
}

func (c *counter) PostForm(ctx context.Context, f fetch.Form) (fetch.Response, error) {
	c.n.Add(1)
	return c.client.PostForm(ctx, f)
}

// loopback is a policy under which ststest's issuers can be reached.
func loopback() fetch.Policy {
	return fetch.Policy{AllowCIDRs: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, AllowHTTP: true}
}

// house is a Trust with what a test needs to look into it.
type house struct {
	t        testing.TB
	trust    *trust.Trust
	verifier exchange.Verifier
	clock    *clock
	fetches  *counter
	client   *exchange.Client
}

// newHouse trusts these entries and knows these targets. Secrets are sealed with
// a prefix.
func newHouse(t testing.TB, own trust.OwnKeys, entries ...*catalog.Entry) *house {
	t.Helper()
	return newHouseWith(t, func(o *trust.Options) { o.Own = own }, entries...)
}

// newHouseOf is a house that remembers so many bytes of verified tokens.
func newHouseOf(t testing.TB, bytes int, entries ...*catalog.Entry) *house {
	t.Helper()
	return newHouseWith(t, func(o *trust.Options) { o.CacheBytes = bytes }, entries...)
}

func newHouseWith(t testing.TB, change func(*trust.Options), entries ...*catalog.Entry) *house {
	t.Helper()
	h := &house{
		t: t, clock: &clock{now: start()}, fetches: &counter{client: fetch.New(loopback())},
		client: &exchange.Client{Name: "edge", ID: "edge-id"},
	}
	options := trust.Options{Fetch: h.fetches, Issuer: ours, Clock: h.clock.Now, Skew: 30 * time.Second, Unseal: unseal}
	change(&options)
	h.trust = trust.New(options)
	h.apply(entries...)
	return h
}

// unseal opens what the tests' entries keep: "sealed:" and the secret.
func unseal(_ catalog.Ref, _ string, sealed []byte) (exchange.Secret, error) {
	secret, ours := strings.CutPrefix(string(sealed), "sealed:")
	if !ours {
		return "", errors.New("nothing that was sealed")
	}
	return exchange.Secret(secret), nil
}

// apply makes these entries the trust list.
func (h *house) apply(entries ...*catalog.Entry) {
	h.verifier = h.trust.Verifier(catalog.NewSnapshot(1, entries...))
}

// subject verifies a subject token.
func (h *house) subject(typ exchange.TokenType, token string) (*exchange.Token, error) {
	h.t.Helper()
	return h.verifier.Verify(context.Background(), h.request(typ, token), exchange.RoleSubject)
}

// request presents a subject token, under policies for these issuers.
func (h *house) request(typ exchange.TokenType, token string, issuers ...string) *exchange.Request {
	return &exchange.Request{
		Time: h.clock.Now(), Client: h.client, Grant: exchange.GrantTokenExchange,
		Subject: exchange.Presented{Token: exchange.Secret(token), Type: typ},
		Issuers: func() []string { return issuers },
	}
}

// believes fails the test unless the token is believed as a jwt.
func (h *house) believes(token string) *exchange.Token {
	h.t.Helper()
	verified, err := h.subject(exchange.TypeJWT, token)
	if err != nil {
		h.t.Fatalf("positive control: %v", err)
	}
	return verified
}

// refuses fails the test unless the token is refused with the reason.
func (h *house) refuses(token string, want exchange.Reason) {
	h.t.Helper()
	_, err := h.subject(exchange.TypeJWT, token)
	wantReason(h.t, err, want)
}

func wantReason(t testing.TB, err error, want exchange.Reason) {
	t.Helper()
	if got := reasonOf(t, err); got != want {
		t.Errorf("reason %q (%v), want %q", got, err, want)
	}
}

// reasonOf is the reason of a refusal, "" for none.
func reasonOf(t testing.TB, err error) exchange.Reason {
	t.Helper()
	if err == nil {
		return ""
	}
	var refused *exchange.Error
	if !errors.As(err, &refused) {
		t.Fatalf("%v is no *exchange.Error", err)
	}
	return refused.Reason
}

// entryOf is an entry of the trust list with the defaults of the catalogue.
func entryOf(name, issuer string, keys catalog.Keys, change ...func(*catalog.TrustedIssuer)) *catalog.Entry {
	prefix := ""
	spec := &catalog.TrustedIssuer{
		Issuer: issuer, Keys: keys, Audiences: []string{gateway}, Algorithms: []string{"ES256", "RS256"},
		AcceptAs: []string{"subject"}, TokenTypes: []string{"jwt"}, ScopeClaim: "scope",
		MaxTokenAge: catalog.Duration(24 * time.Hour), MaxStale: catalog.Duration(time.Hour),
		ClaimMappings: catalog.ClaimMappings{Subject: catalog.SubjectMapping{Claim: "sub", Prefix: &prefix}}, Mode: catalog.ModeEnforce,
	}
	for _, f := range change {
		f(spec)
	}
	return &catalog.Entry{Object: catalog.Object{
		Kind: catalog.KindTrustedIssuer, Metadata: catalog.Metadata{Name: name}, Spec: spec,
	}}
}

// inline is an entry with the keys that the issuer publishes now.
func inline(i *ststest.Issuer, change ...func(*catalog.TrustedIssuer)) *catalog.Entry {
	return entryOf("idp", i.URL, catalog.Keys{JWKS: i.JWKS()}, change...)
}

// prefixed sets the prefix of an entry's subjects.
func prefixed(prefix string, shared bool) func(*catalog.TrustedIssuer) {
	return func(s *catalog.TrustedIssuer) {
		s.ClaimMappings.Subject.Prefix, s.ClaimMappings.Subject.Shared = &prefix, shared
	}
}

func accepting(types ...string) func(*catalog.TrustedIssuer) {
	return func(s *catalog.TrustedIssuer) { s.TokenTypes = types }
}

// claims is short for the claims that a test changes.
type claims = map[string]any

func number(s string) json.Number { return json.Number(s) }

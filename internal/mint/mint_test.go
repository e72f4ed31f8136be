package mint_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/jws"
	"github.com/strait-sts/strait/internal/keyring"
	"github.com/strait-sts/strait/internal/keyring/keyringtest"
	"github.com/strait-sts/strait/internal/mint"
)

const issuer = "https://sts.example.com"

var now = time.Date(2027, 1, 2, 3, 4, 5, 678e6, time.UTC)

// newCeiling is a downscope of alice's token for one target.
func newCeiling() exchange.Ceiling {
	return exchange.Ceiling{
		ID: "0198-decision", Now: now,
		Client: &exchange.Client{Name: "edge", ID: "edge-1"},
		Subject: &exchange.Token{
			Issuer: "okta", IssuerURL: "https://okta.example", Subject: "okta:alice", Original: "alice",
			Scopes: []string{"orders:read", "orders:write"}, Expires: now.Add(time.Hour),
			Claims: exchange.Claims{"email": "alice@example.com", "txn": "foreign", "jti": "foreign"},
		},
		Policy: &exchange.Policy{
			Name: "staff-orders", Flow: exchange.FlowDownscope, Allow: []string{"orders:read", "orders:write"},
			Default: []string{"orders:read"}, Prove: exchange.ProveSame, Lifetime: 5 * time.Minute, MaxActDepth: 4, TokenType: exchange.TypeAccessToken,
		},
		Targets: []*exchange.Target{newTarget("orders")},
	}
}

func newTarget(name string) *exchange.Target {
	return &exchange.Target{
		Name: name, Audience: "https://" + name + ".internal", Scopes: []string{"orders:read", "orders:write"},
		Algorithm: "ES256", MaxLifetime: time.Hour,
	}
}

// minted is what a test mints with and looks at.
type minted struct {
	issued *exchange.Issued
	claims map[string]any
}

func grantOf(t testing.TB, c exchange.Ceiling, asked ...string) (*exchange.Request, *exchange.Grant) {
	t.Helper()
	grant, err := c.Grant(asked)
	if err != nil {
		t.Fatal(err)
	}
	return &exchange.Request{ID: c.ID, Time: c.Now, Client: c.Client}, grant
}

func mintWith(t *testing.T, ring *keyring.Ring, c exchange.Ceiling) minted {
	t.Helper()
	req, grant := grantOf(t, c)
	issued, err := mint.New(mint.Options{Keys: ring, Issuer: issuer}).Mint(t.Context(), req, grant)
	if err != nil {
		t.Fatal(err)
	}
	object, err := jws.Parse(issued.Token.Reveal(), jws.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return minted{issued, object.Claims}
}

// payloadOf gives the payload's bytes, for tests of exact values.
func payloadOf(t *testing.T, token exchange.Secret) string {
	t.Helper()
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token.Reveal(), ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	return string(payload)
}

func TestTokenHasTheClosedListOfClaims(t *testing.T) {
	t.Parallel()
	m := mintWith(t, keyringtest.Ring(t), newCeiling())
	want := `{"iss":"https://sts.example.com","sub":"okta:alice","aud":"https://orders.internal","client_id":"edge-1",` +
		`"iat":1798859045,"exp":1798859345,"jti":"0198-decision","scope":"orders:read","txn":"0198-decision"}`
	if got := payloadOf(t, m.issued.Token); got != want {
		t.Errorf("payload\n%s\nwant\n%s", got, want)
	}
	if m.issued.TokenType != "Bearer" || m.issued.Type != exchange.TypeAccessToken || m.issued.ExpiresIn != 5*time.Minute || !slices.Equal(m.issued.Scopes, []string{"orders:read"}) {
		t.Errorf("issued = %+v", m.issued)
	}
}

func TestTokenVerifiesForARelyingParty(t *testing.T) {
	t.Parallel()
	ring := keyringtest.Ring(t)
	body, _ := ring.JWKS()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(body, &set); err != nil {
		t.Fatal(err)
	}
	for _, alg := range keyring.Algorithms() {
		c := newCeiling()
		c.Targets[0].Algorithm = alg
		token := mintWith(t, ring, c).issued.Token.Reveal()
		parsed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
		if err != nil {
			t.Fatal(err)
		}
		header := parsed.Signatures[0].Protected
		if _, err = parsed.Verify(set.Key(header.KeyID)[0]); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
		if header.ExtraHeaders[jose.HeaderType] != "at+jwt" {
			t.Errorf("typ = %v (RFC 9068 §2.1)", header.ExtraHeaders[jose.HeaderType])
		}
	}
}

func TestClaimsThatDependOnTheExchange(t *testing.T) {
	t.Parallel()
	ring := keyringtest.Ring(t)
	hop := exchange.Hop{Issuer: "https://okta.example", Subject: "agent"}
	for name, c := range map[string]struct {
		change func(*exchange.Ceiling)
		want   map[string]string // claim → its JSON; "" for absent
	}{
		"two targets make aud an array": {
			func(c *exchange.Ceiling) { c.Targets = append(c.Targets, newTarget("billing")) },
			map[string]string{"aud": `["https://orders.internal","https://billing.internal"]`},
		},
		"a policy without scopes gives no scope": {
			func(c *exchange.Ceiling) { c.Policy.Allow, c.Policy.Default = nil, nil },
			map[string]string{"scope": ""},
		},
		"the chain is kept and reduced to iss and sub": {
			func(c *exchange.Ceiling) { c.Subject.Act = exchange.Chain{hop, {Issuer: issuer, Subject: "client:a"}} },
			map[string]string{"act": `{"act":{"iss":"https://sts.example.com","sub":"client:a"},"iss":"https://okta.example","sub":"agent"}`},
		},
		"a hop that is added stands outside": {
			func(c *exchange.Ceiling) {
				c.Policy.Flow, c.Subject.Act, c.Adds = exchange.FlowDelegation, exchange.Chain{hop}, &exchange.Hop{Issuer: issuer, Subject: "client:edge-1"}
			},
			map[string]string{"act": `{"act":{"iss":"https://okta.example","sub":"agent"},"iss":"https://sts.example.com","sub":"client:edge-1"}`},
		},
		"the root's txn goes along a chain of ours": {
			func(c *exchange.Ceiling) { c.Subject.Issuer, c.Subject.Txn = exchange.SelfIssuer, "0190-root" },
			map[string]string{"txn": `"0190-root"`, "jti": `"0198-decision"`},
		},
		"authentication is copied exactly (RFC 9068 §2.2.1)": {
			func(c *exchange.Ceiling) {
				c.Subject.Claims = exchange.Claims{"auth_time": json.Number("1798850000.50"), "acr": "urn:mace:<silver>&co", "amr": []any{"pwd", "otp"}}
			},
			map[string]string{"auth_time": `1798850000.50`, "acr": `"urn:mace:<silver>&co"`, "amr": `["pwd","otp"]`},
		},
		"authentication of another type is left out": {
			func(c *exchange.Ceiling) {
				c.Subject.Claims = exchange.Claims{
					"auth_time": "yesterday", "acr": map[string]any{"admin": true}, "amr": []any{"pwd", map[string]any{"admin": true}},
				}
			},
			map[string]string{"auth_time": "", "acr": "", "amr": ""},
		},
		"the policy's claims are added by name": {
			func(c *exchange.Ceiling) {
				c.Policy.Claims = []string{"dept", "level", "absent"}
				c.Claims = exchange.Claims{"level": json.Number("7"), "dept": "<sales>"}
			},
			map[string]string{"dept": `"<sales>"`, "level": "7", "absent": "", "sub": `"okta:alice"`},
		},
		"a client flow speaks of the client": {
			func(c *exchange.Ceiling) { c.Subject, c.Policy.Flow = nil, exchange.FlowClient },
			map[string]string{"sub": `"client:edge-1"`, "act": "", "scope": `"orders:read"`},
		},
		"exp is the subject token's, cut to seconds": {
			func(c *exchange.Ceiling) { c.Subject.Expires = now.Add(90*time.Second + 900*time.Millisecond) },
			map[string]string{"exp": "1798859136"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ceiling := newCeiling()
			c.change(&ceiling)
			m := mintWith(t, ring, ceiling)
			var got map[string]json.RawMessage
			if err := json.Unmarshal([]byte(payloadOf(t, m.issued.Token)), &got); err != nil {
				t.Fatal(err)
			}
			for claim, want := range c.want {
				if string(got[claim]) != want {
					t.Errorf("%s = %s, want %s", claim, got[claim], want)
				}
			}
			if names := slices.Sorted(maps.Keys(got)); !slices.Equal(m.issued.Claims, names) {
				t.Errorf("Claims = %v, the token has %v", m.issued.Claims, names)
			}
		})
	}
}

// badKeys signs with a real ring and then spoils the result.
type badKeys struct {
	*keyring.Ring
	spoil func(token string) (string, error)
	alg   string // to sign with, instead of the one that is asked for
}

func (b badKeys) Sign(alg, typ string, payload []byte) (string, error) {
	if b.alg != "" {
		alg = b.alg
	}
	token, err := b.Ring.Sign(alg, typ, payload)
	if err != nil || b.spoil == nil {
		return token, err
	}
	return b.spoil(token)
}

func TestRejectsSignerThatGivesAnotherToken(t *testing.T) {
	t.Parallel()
	ring := keyringtest.Ring(t)
	for name, keys := range map[string]badKeys{
		"fails": {spoil: func(string) (string, error) { return "", errors.New("signer is down") }},
		"another payload": {spoil: func(string) (string, error) {
			return ring.Sign("ES256", "at+jwt", []byte(`{"sub":"root"}`))
		}},
		"another typ": {spoil: func(token string) (string, error) {
			payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
			if err != nil {
				return "", err
			}
			return ring.Sign("ES256", "JWT", payload)
		}},
		"another algorithm": {alg: "EdDSA"},
		"nothing":           {spoil: func(string) (string, error) { return "", nil }},
		"no signature":      {spoil: func(token string) (string, error) { return token[:strings.LastIndex(token, ".")], nil }},
		"another spelling":  {spoil: func(token string) (string, error) { return token + "=", nil }},
		"a key of others": {spoil: func(token string) (string, error) {
			payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
			if err != nil {
				return "", err
			}
			return keyringtest.Ring(t).Sign("ES256", "at+jwt", payload)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			keys.Ring = ring
			var log bytes.Buffer
			req, grant := grantOf(t, newCeiling())
			m := mint.New(mint.Options{Keys: keys, Issuer: issuer, Logger: slog.New(slog.NewTextHandler(&log, nil))})
			issued, err := m.Mint(t.Context(), req, grant)
			var refusal *exchange.Error
			if issued != nil || !errors.As(err, &refusal) || refusal.Reason != exchange.SignerUnavailable || !refusal.OurFault() {
				t.Errorf("issued %v, error %v", issued, err)
			}
			if !strings.Contains(log.String(), "level=ERROR") || !strings.Contains(log.String(), "0198-decision") {
				t.Errorf("the log does not say it loudly: %s", log.String())
			}
		})
	}
}

func TestRejectsGrantOfAnotherRequest(t *testing.T) {
	t.Parallel()
	m := mint.New(mint.Options{Keys: keyringtest.Ring(t), Issuer: issuer})
	for name, change := range map[string]func(*exchange.Request){
		"decision": func(r *exchange.Request) { r.ID = "0199-another" },
		"instant":  func(r *exchange.Request) { r.Time = r.Time.Add(time.Second) },
		"client":   func(r *exchange.Request) { r.Client = &exchange.Client{Name: "edge", ID: "edge-1"} },
	} {
		req, grant := grantOf(t, newCeiling())
		change(req)
		if issued, err := m.Mint(t.Context(), req, grant); err == nil {
			t.Errorf("%s: issued %v", name, issued)
		}
	}
}

func BenchmarkMint(b *testing.B) {
	ring := keyringtest.Ring(b)
	req, grant := grantOf(b, newCeiling())
	payload := []byte(`{"iss":"https://sts.example.com","sub":"okta:alice","aud":"https://orders.internal","client_id":"edge-1","iat":1798859045,"exp":1798859345,"jti":"0198-decision","scope":"orders:read","txn":"0198-decision"}`)
	for _, alg := range []string{"ES256", "EdDSA"} {
		b.Run(alg+"/sign", func(b *testing.B) {
			for b.Loop() {
				if _, err := ring.Sign(alg, "at+jwt", payload); err != nil {
					b.Fatal(err)
				}
			}
		})
		grant.Ceiling().Targets[0].Algorithm = alg
		m := mint.New(mint.Options{Keys: ring, Issuer: issuer})
		b.Run(alg+"/mint", func(b *testing.B) {
			for b.Loop() {
				if _, err := m.Mint(b.Context(), req, grant); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestPreviewIsWhatWouldBeSigned(t *testing.T) {
	t.Parallel()
	req, grant := grantOf(t, newCeiling())
	payload, shown, err := mint.Preview(issuer, req, grant)
	if err != nil {
		t.Fatal(err)
	}
	issued, err := mint.New(mint.Options{Keys: keyringtest.Ring(t), Issuer: issuer}).Mint(t.Context(), req, grant)
	if err != nil {
		t.Fatal(err)
	}
	if signed := payloadOf(t, issued.Token); signed != string(payload) {
		t.Errorf("preview %s\nsigned  %s", payload, signed)
	}
	if shown.Token != "" || shown.ExpiresIn != issued.ExpiresIn || !slices.Equal(shown.Claims, issued.Claims) || !slices.Equal(shown.Scopes, issued.Scopes) {
		t.Errorf("preview says %+v", shown)
	}
}

// TestPreviewIsHeldToTheNarrowingCheck: what would not be signed is not shown.
func TestPreviewIsHeldToTheNarrowingCheck(t *testing.T) {
	t.Parallel()
	req, grant := grantOf(t, newCeiling())
	req.ID = "0199-another"
	if payload, shown, err := mint.Preview(issuer, req, grant); err == nil || payload != nil || shown != nil {
		t.Errorf("%s, %v, %v", payload, shown, err)
	}
}

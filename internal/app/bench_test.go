package app

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/config"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/keyring"
	"github.com/strait-sts/strait/internal/oauth"
	"github.com/strait-sts/strait/internal/schema"
	"github.com/strait-sts/strait/internal/ststest"
)

// benchSecret is the secret of the benchmark's client, made anew in each run.
func benchSecret() string { return rand.Text() + rand.Text() }

// idle is a running Strait with one policy, for benchmarks.
func idle(tb testing.TB, issuer *ststest.Issuer, subjectAlg, targetAlg, secret string) *App {
	tb.Helper()
	return idleOn(tb, ststest.Migrated(tb).AppURL, issuer, subjectAlg, targetAlg, secret)
}

// idleOn is idle on a database of the caller's choice.
func idleOn(tb testing.TB, appURL string, issuer *ststest.Issuer, subjectAlg, targetAlg, secret string) *App {
	tb.Helper()
	lookup := func(string) (string, bool) { return "", false }
	cfg, err := config.Load(lookup, nil, map[string]string{"public-addr": "127.0.0.1:0", "admin-addr": "127.0.0.1:0", "keys-dir": tb.TempDir(), "log-level": "error"})
	if err != nil {
		tb.Fatal(err)
	}
	cfg.DatabaseURL, cfg.AdminToken = exchange.Secret(appURL), exchange.Secret(benchSecret())
	a, err := Start(tb.Context(), cfg, Options{Version: "bench", Log: io.Discard, Clock: time.Now})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := a.Stop(ctx); err != nil {
			tb.Error(err)
		}
	})
	furnish(tb, a, issuer, subjectAlg, targetAlg, secret)
	return a
}

// furnish gives a running Strait its one policy.
func furnish(tb testing.TB, a *App, issuer *ststest.Issuer, subjectAlg, targetAlg, secret string) {
	tb.Helper()
	var objects []catalog.Object
	for _, text := range []string{
		fmt.Sprintf(`{"kind":"TrustedIssuer","metadata":{"name":"idp"},"governance":{"owner":"o","justification":"j","reviewBy":%q},
			"spec":{"issuer":"https://idp.example","keys":{"jwks":%s},"audiences":["https://gw.example"],"algorithms":[%q],"acceptAs":["subject"],
			"claimMappings":{"subject":{"claim":"sub","prefix":"idp:"}}}}`, time.Now().AddDate(0, 1, 0).Format(time.DateOnly), issuer.JWKS(), subjectAlg),
		fmt.Sprintf(`{"kind":"Target","metadata":{"name":"orders"},"governance":{"owner":"o"},
			"spec":{"audience":"https://orders.example","scopes":["orders:read"],"token":{"algorithm":%q}}}`, targetAlg),
		fmt.Sprintf(`{"kind":"Client","metadata":{"name":"gw"},"governance":{"owner":"o"},
			"spec":{"authentication":[{"method":"client_secret","secret":%q}],"grants":["token-exchange"]}}`, secret),
		fmt.Sprintf(`{"kind":"ExchangePolicy","metadata":{"name":"p"},"governance":{"owner":"o","justification":"j","reviewBy":%q},
			"spec":{"flow":"downscope","clients":["gw"],"subject":{"issuers":["idp"],"tokenTypes":["jwt"]},"targets":["orders"],
			"scopes":{"allow":["orders:read"]},"issue":{"lifetime":"5m"}}}`, time.Now().AddDate(0, 1, 0).Format(time.DateOnly)),
	} {
		o, faults := schema.DecodeJSON([]byte(text))
		if len(faults) > 0 {
			tb.Fatal(faults)
		}
		objects = append(objects, o)
	}
	if _, err := (writes{a.catalog, a}).Apply(tb.Context(), catalog.ApplyRequest{Objects: objects, By: "bench"}); err != nil {
		tb.Fatal(err)
	}
}

// endpoint is the token endpoint with a recorder of the caller's choice.
func endpoint(tb testing.TB, a *App, recorder exchange.Recorder) http.Handler {
	tb.Helper()
	service := a.service()
	service.Recorder = recorder
	front, err := oauth.New(oauth.Options{
		Service: service, World: a.world.Load, Matches: a.ring.Matches, JWKS: a.ring.JWKS, Algorithms: keyring.Algorithms,
		Issuer: a.cfg.Issuer, ErrorDetail: true, Clock: time.Now, Rand: rand.Reader, Logger: a.log,
	})
	if err != nil {
		tb.Fatal(err)
	}
	return front.Routes()[0].Handler
}

// nobody records nothing: the exchange without its one write.
type nobody struct{}

func (nobody) Record(context.Context, *exchange.Record) error { return nil }

// form is one exchange as a gateway sends it.
func form(token string) string {
	return url.Values{
		"grant_type":         {string(exchange.GrantTokenExchange)},
		"subject_token":      {token},
		"subject_token_type": {string(exchange.TypeJWT)},
		"audience":           {"orders"},
		"scope":              {"orders:read"},
	}.Encode()
}

func request(body, secret string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/token", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("gw", secret)
	return r
}

// BenchmarkExchange is the whole exchange from handler to bytes, with a null
// recorder and with PostgreSQL, one caller and many.
func BenchmarkExchange(b *testing.B) {
	for _, algs := range [][2]string{{"ES256", "ES256"}, {"RS256", "ES256"}, {"EdDSA", "EdDSA"}} {
		issuer := ststest.NewIssuer(b, algs[0])
		secret := benchSecret()
		a := idle(b, issuer, algs[0], algs[1], secret)
		now := time.Now()
		body := form(issuer.Issue(now, map[string]any{
			"iss": "https://idp.example", "aud": "https://gw.example", "sub": "alice", "scope": "openid orders:read orders:write",
			"exp": now.Add(time.Hour).Unix(), "iat": now.Unix(),
		}))
		for name, recorder := range map[string]exchange.Recorder{"null": nobody{}, "postgres": a.recorder} {
			handler := endpoint(b, a, recorder)
			b.Run(algs[0]+"+"+algs[1]+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					once(b, handler, body, secret)
				}
			})
			b.Run(algs[0]+"+"+algs[1]+"/"+name+"-64", func(b *testing.B) {
				b.SetParallelism(64)
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						once(b, handler, body, secret)
					}
				})
			})
		}
	}
}

func once(b *testing.B, handler http.Handler, body, secret string) {
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, request(body, secret))
	if answer.Code != http.StatusOK {
		b.Errorf("%d %s", answer.Code, answer.Body)
	}
}

// BenchmarkCrypto is the floor: one verification and one signature with the
// standard library, nothing else.
func BenchmarkCrypto(b *testing.B) {
	digest := sha256.Sum256([]byte("the signing input of a token"))
	ec, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	rsaKey, _ := rsa.GenerateKey(rand.Reader, 2048)
	edPublic, ed, _ := ed25519.GenerateKey(rand.Reader)
	r, s, _ := ecdsa.Sign(rand.Reader, ec, digest[:])
	rsaSignature, _ := rsa.SignPKCS1v15(rand.Reader, rsaKey, 5, digest[:])
	edSignature := ed25519.Sign(ed, digest[:])
	signEC := func() (*big.Int, *big.Int) { r, s, _ := ecdsa.Sign(rand.Reader, ec, digest[:]); return r, s }
	for name, run := range map[string]func() bool{
		"ES256+ES256": func() bool { signEC(); return ecdsa.Verify(&ec.PublicKey, digest[:], r, s) },
		"RS256+ES256": func() bool { signEC(); return rsa.VerifyPKCS1v15(&rsaKey.PublicKey, 5, digest[:], rsaSignature) == nil },
		"EdDSA+EdDSA": func() bool { ed25519.Sign(ed, digest[:]); return ed25519.Verify(edPublic, digest[:], edSignature) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !run() {
					b.Fatal("not verified")
				}
			}
		})
	}
}

// TestBenchmarkedExchangeIsARealOne keeps the benchmark honest: what it times
// is an issued token with its record.
func TestBenchmarkedExchangeIsARealOne(t *testing.T) {
	issuer := ststest.NewIssuer(t, "ES256")
	secret := benchSecret()
	a := idle(t, issuer, "ES256", "ES256", secret)
	now := time.Now()
	token := issuer.Issue(now, map[string]any{"iss": "https://idp.example", "aud": "https://gw.example", "sub": "alice", "scope": "orders:read"})
	answer := httptest.NewRecorder()
	endpoint(t, a, a.recorder).ServeHTTP(answer, request(form(token), secret))
	var body struct {
		AccessToken string `json:"access_token"`
		Scope       string `json:"scope"`
	}
	if err := json.Unmarshal(answer.Body.Bytes(), &body); err != nil || answer.Code != http.StatusOK || body.AccessToken == "" || body.Scope != "orders:read" {
		t.Fatalf("%d %s", answer.Code, answer.Body)
	}
	row, err := a.db.Record(t.Context(), answer.Header().Get("X-Strait-Decision"))
	if err != nil || row.Decision != "issued" {
		t.Errorf("record: %+v, %v", row, err)
	}
}

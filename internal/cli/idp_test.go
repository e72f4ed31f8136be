package cli

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/rogpeppe/go-internal/testscript"
)

// provider is an identity provider of a script.
type provider struct {
	url string
	key jose.JSONWebKey
}

// providers finds a script's identity provider again.
var providers sync.Map

// startIDP serves discovery and keys on loopback; $IDP is the issuer.
func startIDP(ts *testscript.TestScript, _ bool, _ []string) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	p := &provider{key: jose.JSONWebKey{Key: private, KeyID: "k1", Algorithm: "ES256", Use: "sig"}}
	routes := http.NewServeMux()
	routes.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, map[string]string{"issuer": p.url, "jwks_uri": p.url + "/jwks"})
	})
	routes.HandleFunc("GET /jwks", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{p.key.Public()}})
	})
	server := httptest.NewServer(routes)
	ts.Defer(server.Close)
	p.url = "http://localhost:" + port(server.Listener.Addr().String())
	providers.Store(ts, p)
	ts.Setenv("IDP", p.url)
}

func writeJSON(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}

// sign writes a token into a file: the claims given, and those that every token
// has unless they are given.
func sign(ts *testscript.TestScript, _ bool, args []string) {
	known, ok := providers.Load(ts)
	if !ok || len(args) != 2 {
		ts.Fatalf("usage, after idp: sign FILE CLAIMS")
	}
	p := known.(*provider)
	now := time.Now()
	claims := map[string]any{"iss": p.url, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "aud": "https://gateway.example.com"}
	ts.Check(json.Unmarshal([]byte(args[1]), &claims))
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: p.key}, (&jose.SignerOptions{}).WithType("JWT"))
	ts.Check(err)
	payload, err := json.Marshal(claims)
	ts.Check(err)
	signed, err := signer.Sign(payload)
	ts.Check(err)
	token, err := signed.CompactSerialize()
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(token+"\n"), 0o600))
}

// relies verifies the token of an answer as a service does that knows nothing
// but the issuer's URL: an independent library, discovery and JWKS.
func relies(ts *testscript.TestScript, _ bool, args []string) {
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &answer))
	trusted, err := oidc.NewProvider(context.Background(), ts.Getenv("ISSUER"))
	ts.Check(err)
	_, err = trusted.Verifier(&oidc.Config{ClientID: args[1]}).Verify(context.Background(), answer.AccessToken)
	ts.Check(err)
}

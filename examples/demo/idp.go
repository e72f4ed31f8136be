package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// gateway is whom alice's token is addressed to.
const gateway = "https://gateway.example.com"

// identityProvider is a small OpenID provider with a key of its own: discovery
// (OpenID Connect Discovery §4), a key set (RFC 7517 §5), and alice.
type identityProvider struct {
	url    string
	key    jose.JSONWebKey
	server *http.Server
}

// startIdentityProvider listens on port 9400, the one that the quickstart
// names, or on a free one where that is taken or free ports are wanted.
func startIdentityProvider(free bool) (*identityProvider, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	address := "127.0.0.1:9400"
	if free {
		address = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		listener, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		return nil, fmt.Errorf("the identity provider cannot listen: %w", err)
	}
	p := &identityProvider{key: key, url: fmt.Sprintf("http://localhost:%d", listener.Addr().(*net.TCPAddr).Port)}
	p.server = &http.Server{Handler: p.routes(), ReadHeaderTimeout: 5 * time.Second}
	go func() {
		if err := p.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			fmt.Println("the identity provider ended:", err)
		}
	}()
	return p, nil
}

func newKey() (jose.JSONWebKey, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return jose.JSONWebKey{Key: private, KeyID: "demo-" + random(6), Algorithm: "ES256", Use: "sig"}, err
}

// random is n random bytes as base64url.
func random(n int) string {
	bytes := make([]byte, n)
	_, _ = rand.Read(bytes) // never fails, by its contract
	return base64.RawURLEncoding.EncodeToString(bytes)
}

func (p *identityProvider) stop() { _ = p.server.Close() }

func (p *identityProvider) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{
			"issuer": p.url, "jwks_uri": p.url + "/jwks", "token_endpoint": p.url + "/token",
			"authorization_endpoint": p.url + "/authorize", "response_types_supported": []string{"code"},
			"subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"ES256"},
		})
	})
	mux.HandleFunc("GET /jwks", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{p.key.Public()}})
	})
	mux.HandleFunc("GET /alice", func(w http.ResponseWriter, _ *http.Request) {
		token, err := p.sign(p.alice(time.Now()))
		if err != nil {
			http.Error(w, "no token today", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/jwt")
		_, _ = w.Write([]byte(token))
	})
	return mux
}

func answer(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}

// alice is the claims of a token as identity providers hand them out: good for
// an hour, for everything that alice may do anywhere.
func (p *identityProvider) alice(now time.Time) map[string]any {
	return map[string]any{
		"iss": p.url, "sub": "alice", "aud": gateway,
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "jti": random(12),
		"scope": "openid profile email calendar:write orders:read orders:write",
		"email": "alice@example.com", "groups": []string{"staff", "buyers"}, "department": "purchasing",
	}
}

// sign makes the token (RFC 7515 §7.1).
func (p *identityProvider) sign(claims map[string]any) (string, error) {
	options := (&jose.SignerOptions{}).WithType("JWT")
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: p.key}, options)
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

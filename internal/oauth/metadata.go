package oauth

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/strait-sts/strait/internal/exchange"
)

const (
	jwksPath    = "/.well-known/jwks.json"
	oauthPath   = "/.well-known/oauth-authorization-server"
	openIDPath  = "/.well-known/openid-configuration"
	cacheAnswer = "public, max-age=300"
)

// serverMetadata is the document of RFC 8414 §2, with just what is served: no
// empty list (RFC 8414 §3.2), and so no response_types_supported, as there is
// no authorization endpoint.
type serverMetadata struct {
	Issuer        string               `json:"issuer"`
	TokenEndpoint string               `json:"token_endpoint"`
	JWKSURI       string               `json:"jwks_uri"`
	Grants        []exchange.GrantType `json:"grant_types_supported"`
	AuthMethods   []string             `json:"token_endpoint_auth_methods_supported"`

	IntrospectionEndpoint    string   `json:"introspection_endpoint"`
	IntrospectionAuthMethods []string `json:"introspection_endpoint_auth_methods_supported"`
	RevocationEndpoint       string   `json:"revocation_endpoint"`
	RevocationAuthMethods    []string `json:"revocation_endpoint_auth_methods_supported"`
}

// openIDMetadata is for clients that know only OpenID Connect Discovery §4.
type openIDMetadata struct {
	serverMetadata
	Algorithms   []string `json:"id_token_signing_alg_values_supported,omitempty"`
	SubjectTypes []string `json:"subject_types_supported"`
}

// metadata builds the documents once, from the configured issuer alone: no
// Host or X-Forwarded-Host can change a URL in them. Under an issuer with a
// path each is served with the well-known part inserted (RFC 8414 §3.1) and
// appended (OpenID Connect Discovery §4.1).
func (h *Handler) metadata(path string) ([]Route, error) {
	base := strings.TrimSuffix(h.o.Issuer, "/")
	methods := []string{"client_secret_basic", "client_secret_post"}
	server := serverMetadata{
		Issuer: h.o.Issuer, TokenEndpoint: base + tokenPath, JWKSURI: base + jwksPath,
		Grants:                []exchange.GrantType{exchange.GrantTokenExchange, exchange.GrantClientCredentials},
		AuthMethods:           methods,
		IntrospectionEndpoint: base + introspectPath, IntrospectionAuthMethods: methods,
		RevocationEndpoint: base + revokePath, RevocationAuthMethods: methods,
	}
	openID := openIDMetadata{server, h.o.Algorithms(), []string{"public"}}
	var routes []Route
	for _, d := range []struct {
		wellKnown string
		content   any
	}{{oauthPath, server}, {openIDPath, openID}} {
		served, err := newDocument(d.content)
		if err != nil {
			return nil, fmt.Errorf("metadata: %w", err)
		}
		routes = append(routes, Route{d.wellKnown + path, served})
		if path != "" {
			routes = append(routes, Route{path + d.wellKnown, served})
		}
	}
	return routes, nil
}

// document is public JSON that never changes.
type document struct {
	body []byte
	etag string
}

func newDocument(content any) (document, error) {
	body, err := json.Marshal(content)
	if err != nil {
		return document{}, err
	}
	sum := sha256.Sum256(body)
	return document{body, `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`}, nil
}

// ServeHTTP answers GET and HEAD.
func (d document) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	servePublic(w, r, d.body, d.etag)
}

// serveJWKS publishes our keys from memory, database up or down (RFC 7517 §5).
// A relying party may keep them for 300 s, less than a new key waits before
// its first use.
func (h *Handler) serveJWKS(w http.ResponseWriter, r *http.Request) {
	body, etag := h.o.JWKS()
	servePublic(w, r, body, etag)
}

// servePublic answers with public JSON, or 304 to who has it already (RFC 9110
// §13.1.2).
func servePublic(w http.ResponseWriter, r *http.Request, body []byte, etag string) {
	header := w.Header()
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		header.Set("Allow", "GET, HEAD")
		header.Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	header.Set("Cache-Control", cacheAnswer)
	header.Set("ETag", etag)
	if cached(r.Header.Values("If-None-Match"), etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	header.Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(body) // who has gone needs no answer
}

// cached compares weakly, as RFC 9110 §13.1.2 says for If-None-Match.
func cached(headers []string, etag string) bool {
	for tag := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		tag = strings.TrimSpace(tag)
		if tag == "*" || strings.TrimPrefix(tag, "W/") == etag {
			return true
		}
	}
	return false
}

package conformance_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/strait-sts/strait/internal/config"
)

const (
	oauthMetadata  = "/.well-known/oauth-authorization-server"
	openIDMetadata = "/.well-known/openid-configuration"
)

// metadataRows are RFC 8414.
var metadataRows = []row{
	{"MD-01", "3", "MUST", "the document's path is inserted between the host and the path of the issuer", insertedPath, "", false},
	{"MD-02", "3.2", "MUST", "GET: 200, `application/json`; HEAD too, with an ETag that spares the body", cacheable, "", false},
	{"MD-03", "3.3", "MUST", "`issuer` is the one that the URL was built from", func(t *testing.T, w *world) {
		for _, path := range list(oauthMetadata, openIDMetadata) {
			if got := w.get(t, path).text("issuer"); got != w.app.Issuer() {
				t.Errorf("%s: issuer %q, want %q", path, got, w.app.Issuer())
			}
		}
	}, "", false},
	{"MD-04", "2", "req", "the issuer is https (http on loopback alone), without query or fragment", goodIssuer, "", true},
	{"MD-05", "2", "req", "`token_endpoint` and `jwks_uri`, which answer", func(t *testing.T, w *world) {
		for _, name := range list("token_endpoint", "jwks_uri") {
			u, err := url.Parse(w.get(t, oauthMetadata).text(name))
			if err != nil || !strings.HasPrefix(u.String(), w.app.Issuer()+"/") {
				t.Fatalf("%s %v, %v", name, u, err)
			}
			if a := w.get(t, u.Path); a.status != map[string]int{"token_endpoint": 405, "jwks_uri": 200}[name] {
				t.Errorf("GET %s: %d", name, a.status)
			}
		}
	}, "", false},
	{"MD-06", "2", "prose", "`grant_types_supported` lists what works and nothing else", advertisedGrants, "", false},
	{"MD-07", "2", "MUST", "signing algorithms where a JWT method is listed", nil, "client assertions", false},
	{"MD-08", "2", "MUST NOT", "`none` is nowhere", func(t *testing.T, w *world) {
		for _, path := range list(oauthMetadata, openIDMetadata) {
			if a := w.get(t, path); a.status != 200 || strings.Contains(a.raw, `"none"`) {
				t.Errorf("%s: %s", path, a.raw)
			}
		}
	}, "", false},
	{"MD-09", "3.2", "MUST", "empty lists are left out, and so is `response_types_supported`: there is no authorization endpoint", func(t *testing.T, w *world) {
		for _, path := range list(oauthMetadata, openIDMetadata) {
			a := w.get(t, path)
			for name, value := range a.body {
				if empty, isList := value.([]any); isList && len(empty) == 0 || value == nil || value == "" || name == "response_types_supported" {
					t.Errorf("%s: %s is %v", path, name, value)
				}
			}
		}
	}, "", true},
	{"MD-10", "2.1", "MAY", "`signed_metadata` is not offered", func(t *testing.T, w *world) {
		if a := w.get(t, oauthMetadata); a.status != 200 || a.body["signed_metadata"] != nil {
			t.Errorf("%s", a.raw)
		}
	}, "", false},
	{"MD-11", "4", "MUST", "names are compared code point by code point", func(t *testing.T, w *world) {
		for _, path := range list("/.well-known/OAuth-authorization-server", oauthMetadata+"/", "/.well-known/oauth%2dauthorization-server") {
			if a := w.get(t, path); a.status != http.StatusNotFound {
				t.Errorf("%s: %d", path, a.status)
			}
		}
	}, "", false},
	{"MD-12", "6.1", "MUST", "TLS 1.2 at least, with a certificate of ours", overTLS, "", false},
	{"MD-13", "2", "prose", "what is advertised works: each authentication method and algorithm", advertised, "", false},
}

// insertedPath: an issuer with a path has its documents in both forms, and its
// endpoints below the path alone.
func insertedPath(t *testing.T, _ *world) {
	const issuer = "http://localhost:8080/t1"
	h := open(t, flags{"issuer": issuer})
	for _, path := range list(oauthMetadata+"/t1", "/t1"+oauthMetadata, openIDMetadata+"/t1", "/t1"+openIDMetadata) {
		if a := h.get(t, path); a.status != 200 || a.text("issuer") != issuer || a.text("token_endpoint") != issuer+"/token" {
			t.Errorf("%s: %d %s", path, a.status, a.raw)
		}
	}
	for path, want := range map[string]int{"/t1/token": 405, "/t1" + jwksPath: 200, "/token": 404, oauthMetadata: 404, jwksPath: 404} {
		if a := h.get(t, path); a.status != want {
			t.Errorf("%s: %d, want %d", path, a.status, want)
		}
	}
}

func cacheable(t *testing.T, w *world) {
	for _, path := range list(oauthMetadata, openIDMetadata, jwksPath) {
		a := w.get(t, path)
		etag := a.header.Get("ETag")
		if a.status != 200 || a.header.Get("Content-Type") != "application/json" || etag == "" || !strings.Contains(a.header.Get("Cache-Control"), "max-age=") {
			t.Errorf("%s: %d %v", path, a.status, a.header)
		}
		if again := w.request(t, http.MethodGet, w.public+path, http.Header{"If-None-Match": {etag}}, nil); again.status != 304 || again.raw != "" {
			t.Errorf("%s again: %d %q", path, again.status, again.raw)
		}
		if head := w.request(t, http.MethodHead, w.public+path, nil, nil); head.status != 200 || head.raw != "" {
			t.Errorf("HEAD %s: %d %q", path, head.status, head.raw)
		}
	}
}

func goodIssuer(t *testing.T, _ *world) {
	for issuer, good := range map[string]bool{
		"https://sts.example.com": true, "http://localhost:8080": true, "https://sts.example.com/t1": true,
		"https://sts.example.com?x=1": false, "https://sts.example.com#x": false, "https://u@sts.example.com": false, "http://sts.example.com": false, "https://sts.example.com/": false,
	} {
		if _, err := config.CheckIssuer(issuer); (err == nil) != good {
			t.Errorf("%s: %v", issuer, err)
		}
	}
}

// advertisedGrants asks with every grant that could be thought of: those of the
// list work, the others are unsupported (RFC 9700 §2.4 forbids password).
func advertisedGrants(t *testing.T, w *world) {
	listed, _ := w.get(t, oauthMetadata).body["grant_types_supported"].([]any)
	works := map[any]bend{exchangeURN: drop(), "client_credentials": machine}
	if len(listed) != len(works) {
		t.Errorf("listed: %v", listed)
	}
	for _, grant := range listed {
		b, known := works[grant]
		if !known {
			t.Fatalf("no test of grant %v", grant)
		}
		w.send(t, b).mustIssue()
	}
	for _, grant := range list("password", "authorization_code", "refresh_token", "implicit", "urn:ietf:params:oauth:grant-type:jwt-bearer") {
		w.send(t, set("grant_type", grant)).mustRefuse(400, "unsupported_grant_type", "malformed_request")
	}
}

func advertised(t *testing.T, w *world) {
	document := w.get(t, openIDMetadata).body
	methods := map[any]bend{
		"client_secret_basic": drop(),
		"client_secret_post":  all(header("Authorization"), set("client_id", "gateway"), func(w *world, a *ask) { a.form.Set("client_secret", w.secret) }),
	}
	listed, _ := document["token_endpoint_auth_methods_supported"].([]any)
	if len(listed) != len(methods) {
		t.Errorf("methods %v", listed)
	}
	for _, m := range listed {
		b, known := methods[m]
		if !known {
			t.Fatalf("no test of method %v", m)
		}
		w.send(t, b).mustIssue()
	}
	published := map[any]bool{}
	for _, key := range ourKeys(t, w) {
		published[key["alg"]] = true
	}
	algorithms, _ := document["id_token_signing_alg_values_supported"].([]any)
	for _, alg := range algorithms {
		if !published[alg] {
			t.Errorf("%v is advertised and no key has it", alg)
		}
	}
	if len(algorithms) != len(published) {
		t.Errorf("advertised %v, published %v", algorithms, published)
	}
}

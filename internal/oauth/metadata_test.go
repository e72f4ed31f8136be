package oauth_test

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/oauth"
)

// get reads a public document.
func (d *door) get(path string, header http.Header) *answer {
	d.t.Helper()
	if header == nil {
		header = http.Header{}
	}
	return d.send(&request{method: http.MethodGet, path: path, header: header})
}

// TestMD01_WhereTheDocumentsAre: with a path in the issuer, the well-known part
// inserted and appended, a last slash removed (RFC 8414 §3.1).
func TestMD01_WhereTheDocumentsAre(t *testing.T) {
	t.Parallel()
	for of, paths := range map[string][]string{
		"https://h.test":     {"/.well-known/oauth-authorization-server", "/.well-known/openid-configuration", "/.well-known/jwks.json"},
		"https://h.test/":    {"/.well-known/oauth-authorization-server", "/.well-known/openid-configuration", "/.well-known/jwks.json"},
		"https://h.test/t1":  {"/.well-known/oauth-authorization-server/t1", "/t1/.well-known/oauth-authorization-server", "/.well-known/openid-configuration/t1", "/t1/.well-known/openid-configuration", "/t1/.well-known/jwks.json"},
		"https://h.test/t1/": {"/.well-known/oauth-authorization-server/t1", "/t1/.well-known/openid-configuration"},
	} {
		d := newDoor(t, func(o *oauth.Options) { o.Issuer = of }, nil)
		for _, path := range paths {
			if a := d.get(path, nil); a.status != 200 || a.header.Get("Content-Type") != "application/json" {
				t.Errorf("issuer %s: %s: %d", of, path, a.status)
			}
		}
		if strings.Contains(of, "t1") && d.get("/.well-known/oauth-authorization-server", nil).status != 404 {
			t.Errorf("issuer %s: served without its path", of)
		}
	}
}

// TestMD02_GETAndHEAD, with an entity tag and a time to keep it.
func TestMD02_GETAndHEAD(t *testing.T) {
	t.Parallel()
	d := open(t)
	for _, path := range []string{"/.well-known/oauth-authorization-server", "/.well-known/openid-configuration", "/.well-known/jwks.json"} {
		a := d.get(path, nil)
		etag := a.header.Get("ETag")
		if a.header.Get("Cache-Control") != "public, max-age=300" || !strings.HasPrefix(etag, `"`) {
			t.Errorf("%s: %v", path, a.header)
		}
		head := d.send(&request{method: http.MethodHead, path: path, header: http.Header{}})
		if head.status != 200 || head.raw != "" || head.header.Get("ETag") != etag {
			t.Errorf("HEAD %s: %d %q", path, head.status, head.raw)
		}
		for _, known := range []string{etag, "W/" + etag, `"x", ` + etag, "*"} {
			if a := d.get(path, http.Header{"If-None-Match": {known}}); a.status != 304 || a.raw != "" || a.header.Get("ETag") != etag {
				t.Errorf("%s If-None-Match %s: %d", path, known, a.status)
			}
		}
		if a := d.get(path, http.Header{"If-None-Match": {`"x"`}}); a.status != 200 {
			t.Errorf("%s with another tag: %d", path, a.status)
		}
		post := d.send(&request{method: http.MethodPost, path: path, header: http.Header{}})
		if post.status != 405 || post.header.Get("Allow") != "GET, HEAD" || post.header.Get("ETag") != "" {
			t.Errorf("POST %s: %d %v", path, post.status, post.header)
		}
	}
}

// TestMD03_Content: MD-03, MD-05 to MD-09, OA-07. The issuer byte for byte,
// what is served and nothing else, no empty list.
func TestMD03_Content(t *testing.T) {
	t.Parallel()
	for _, of := range []string{"https://h.test", "https://h.test/", "https://h.test/t1"} {
		d := newDoor(t, func(o *oauth.Options) { o.Issuer = of }, nil)
		base := strings.TrimSuffix(of, "/")
		path := strings.TrimPrefix(base, "https://h.test")
		server := d.get("/.well-known/oauth-authorization-server"+path, nil)
		openID := d.get("/.well-known/openid-configuration"+path, nil)
		for _, a := range []*answer{server, openID} {
			if a.text("issuer") != of || a.text("token_endpoint") != base+"/token" || a.text("jwks_uri") != base+"/.well-known/jwks.json" {
				t.Errorf("issuer %s: %s", of, a.raw)
			}
			mustList(t, a, "grant_types_supported", exchangeURN, "client_credentials")
			for _, endpoint := range []string{"token", "introspection", "revocation"} {
				mustList(t, a, endpoint+"_endpoint_auth_methods_supported", "client_secret_basic", "client_secret_post")
			}
			if a.text("introspection_endpoint") != base+"/introspect" || a.text("revocation_endpoint") != base+"/revoke" {
				t.Errorf("issuer %s: %s", of, a.raw)
			}
			if strings.Contains(a.raw, "[]") || strings.Contains(a.raw, "none") || strings.Contains(a.raw, "response_types") {
				t.Errorf("says too much: %s", a.raw)
			}
			endpoint, err := url.Parse(a.text("token_endpoint"))
			if err != nil || endpoint.Fragment != "" {
				t.Errorf("token endpoint %v %v", endpoint, err)
			}
			if a := d.send(&request{method: http.MethodPost, path: endpoint.Path, header: http.Header{}}); a.status != 415 {
				t.Errorf("the token endpoint is not there: %d", a.status)
			}
		}
		mustList(t, openID, "id_token_signing_alg_values_supported", "ES256", "EdDSA", "RS256")
		mustList(t, openID, "subject_types_supported", "public")
		more := slices.Sorted(maps.Keys(server.body))
		if want := []string{
			"grant_types_supported", "introspection_endpoint", "introspection_endpoint_auth_methods_supported", "issuer", "jwks_uri",
			"revocation_endpoint", "revocation_endpoint_auth_methods_supported", "token_endpoint", "token_endpoint_auth_methods_supported",
		}; !slices.Equal(more, want) {
			t.Errorf("members %q", more)
		}
		if len(openID.body) != len(server.body)+2 {
			t.Errorf("members of the other: %s", openID.raw)
		}
	}
}

func mustList(t *testing.T, a *answer, name string, want ...string) {
	t.Helper()
	list, _ := a.body[name].([]any)
	var got []string
	for _, item := range list {
		s, _ := item.(string)
		got = append(got, s)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s is %q, not %q", name, got, want)
	}
}

// TestMD09_NoEmptyList: without algorithms their list is left out (RFC 8414
// §3.2).
func TestMD09_NoEmptyList(t *testing.T) {
	t.Parallel()
	d := newDoor(t, func(o *oauth.Options) { o.Algorithms = func() []string { return nil } }, nil)
	if a := d.get("/.well-known/openid-configuration", nil); strings.Contains(a.raw, "id_token_signing") {
		t.Error(a.raw)
	}
}

// TestMD13_WhatIsAdvertisedWorks: every advertised value is used once.
func TestMD13_WhatIsAdvertisedWorks(t *testing.T) {
	t.Parallel()
	d := open(t)
	document := d.get("/.well-known/oauth-authorization-server", nil)
	for _, grant := range document.body["grant_types_supported"].([]any) {
		for _, method := range document.body["token_endpoint_auth_methods_supported"].([]any) {
			r := with(url.Values{"grant_type": {grant.(string)}})
			if grant == "client_credentials" {
				r.form.Del("subject_token")
				r.form.Del("subject_token_type")
			}
			if method == "client_secret_post" {
				r.header.Del("Authorization")
				r.form.Set("client_id", "svc-gateway")
				r.form.Set("client_secret", rightSecret)
			}
			d.send(r).mustIssue(t)
		}
	}
}

// TestNotAdvertisedIsNotThere: endpoints of later days.
func TestNotAdvertisedIsNotThere(t *testing.T) {
	t.Parallel()
	d := open(t)
	for _, path := range []string{"/authorize", "/register", "/userinfo"} {
		r := baseline()
		r.path = path
		if a := d.send(r); a.status != 404 {
			t.Errorf("%s: %d", path, a.status)
		}
	}
}

// TestKeysNeedNoDatabase: the key set and the metadata are answered while no
// token can be.
func TestKeysNeedNoDatabase(t *testing.T) {
	t.Parallel()
	d := newDoor(t, func(o *oauth.Options) { o.World = func() *exchange.World { return nil } }, nil)
	if a := d.get("/.well-known/jwks.json", nil); a.status != 200 || a.raw != `{"keys":[]}` {
		t.Errorf("%d %s", a.status, a.raw)
	}
	if a := d.get("/.well-known/openid-configuration", nil); a.status != 200 {
		t.Errorf("%d", a.status)
	}
}

// TestMD04_IssuerIsChecked: what cannot be an issuer is refused at start.
func TestMD04_IssuerIsChecked(t *testing.T) {
	t.Parallel()
	for _, of := range []string{"", "sts.test", "/t1", "https://", "https://h.test?x=1", "https://h.test#f", "https://h.test/%zz"} {
		_, err := oauth.New(oauth.Options{Issuer: of, Service: &exchange.Service{}, Algorithms: func() []string { return nil }})
		if err == nil || !strings.Contains(err.Error(), "issuer") {
			t.Errorf("%q: %v", of, err)
		}
	}
	if _, err := oauth.New(oauth.Options{Issuer: "http://localhost:8080", Service: &exchange.Service{}, Algorithms: func() []string { return nil }}); err != nil {
		t.Error(err)
	}
}

package keysource

import "testing"

func TestJWKSURIStaysWithTheEntrysHosts(t *testing.T) {
	t.Parallel()
	r := &remote{issuer: "https://login.example.com/tenant", discovery: &Discovery{JWKSHosts: []string{"keys.example.com", "[2001:db8::1]:8443"}}}
	const inside = "https://idp.internal:8443/.well-known/openid-configuration"
	for uri, allowed := range map[string]bool{
		"https://login.example.com/jwks": true, "https://LOGIN.example.com:443/jwks?p=1": true, "https://idp.internal:8443/jwks": true,
		"https://keys.example.com/a/b": true, "https://[2001:db8::1]:8443/jwks": true,
		"https://login.example.com:8443/jwks": false, "https://idp.internal/jwks": false, "https://evil.example.com/jwks": false,
		"https://login.example.com.evil.test/jwks": false, "https://login.example.com@evil.test/jwks": false, "http://login.example.com/jwks": false,
		"http://login.example.com:443/jwks": false, "//login.example.com/jwks": false, "login.example.com/jwks": false, "file:///etc/passwd": false,
		"https:///jwks": false, "": false, "https://%zz/": false, "https://keys.example.com.:443/": false,
	} {
		if err := r.checkJWKSURI(uri, inside); (err == nil) != allowed {
			t.Errorf("%q: %v, allowed should be %v", uri, err, allowed)
		}
	}
}

func TestWellKnownForms(t *testing.T) {
	t.Parallel()
	for issuer, want := range map[string][2]string{
		"https://a.test":        {"https://a.test/.well-known/openid-configuration", "https://a.test/.well-known/oauth-authorization-server"},
		"https://a.test/":       {"https://a.test/.well-known/openid-configuration", "https://a.test/.well-known/oauth-authorization-server"},
		"https://a.test/t/x%2F": {"https://a.test/t/x%2F/.well-known/openid-configuration", "https://a.test/.well-known/oauth-authorization-server/t/x%2F"},
	} {
		r := &remote{issuer: issuer, discovery: &Discovery{}}
		if got := r.locations(); len(got) != 2 || [2]string(got) != want {
			t.Errorf("%s: %q, want %q", issuer, got, want)
		}
	}
}

func TestMetadataIsReadStrictly(t *testing.T) {
	t.Parallel()
	r := &remote{issuer: "https://a.test", discovery: &Discovery{}}
	const good = `{"issuer":"https://a.test","jwks_uri":"https://a.test/jwks","x":[1,{}]}`
	if uri, err := r.jwksURIOf([]byte(good), "https://a.test/x"); err != nil || uri != "https://a.test/jwks" {
		t.Fatalf("positive control: %q, %v", uri, err)
	}
	for _, metadata := range []string{
		``, `[]`, `null`, `"x"`, good + `{}`, `{"ISSUER":"https://a.test","jwks_uri":"https://a.test/jwks"}`,
		`{"issuer":"https://evil.test","issuer":"https://a.test","jwks_uri":"https://a.test/jwks"}`,
		`{"issuer":["https://a.test"],"jwks_uri":"https://a.test/jwks"}`, `{"issuer":"https://a.test","jwks_uri":["https://a.test/jwks"]}`,
		`{"issuer":"https://a.test"}`, `{"issuer":"https://a.test","jwks_uri":null}`,
	} {
		if uri, err := r.jwksURIOf([]byte(metadata), "https://a.test/x"); err == nil {
			t.Errorf("%s: accepted %q", metadata, uri)
		}
	}
}

// FuzzDiscovery: whatever the document says, we connect to no host that the
// entry does not name, and for no other issuer.
func FuzzDiscovery(f *testing.F) {
	r := &remote{issuer: "https://a.test", discovery: &Discovery{JWKSHosts: []string{"keys.test"}}}
	for _, seed := range []string{
		`{"issuer":"https://a.test","jwks_uri":"https://a.test/jwks"}`, `{"issuer":"https://a.test","jwks_uri":"https://keys.test/jwks"}`,
		`{"issuer":"https://a.test","jwks_uri":"https://a.test@evil.test/"}`, `{"issuer":"https://a.test","jwks_uri":"https:\\a.test\\"}`, `{`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, metadata []byte) {
		uri, err := r.jwksURIOf(metadata, "https://a.test/.well-known/openid-configuration")
		if err != nil {
			return
		}
		host := hostByHand(uri)
		if host != "a.test" && host != "keys.test" {
			t.Errorf("%q leads to %q", uri, host)
		}
	})
}

// hostByHand reads the host of an https URL another way than net/url: from the
// second slash to the next delimiter, lower case, without port 443. A user
// would stay in it.
func hostByHand(uri string) string {
	const scheme = len("https://")
	if len(uri) < scheme {
		return uri
	}
	host := ""
	for _, c := range []byte(uri[scheme:]) {
		if c == '/' || c == '?' || c == '#' {
			break
		}
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		host += string(rune(c))
	}
	for _, port := range []string{":443", ":"} {
		if len(host) > len(port) && host[len(host)-len(port):] == port {
			return host[:len(host)-len(port)]
		}
	}
	return host
}

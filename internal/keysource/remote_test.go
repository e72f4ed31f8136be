package keysource

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/fetch"
	"github.com/strait-sts/strait/internal/jws"
)

// script answers fetches by URL, and keeps the requests.
type script struct {
	mu       sync.Mutex
	answers  map[string]fetch.Response
	requests []fetch.Request
}

func (s *script) GetJSON(_ context.Context, r fetch.Request) (fetch.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r)
	answer, found := s.answers[r.URL]
	if !found {
		return fetch.Response{}, fmt.Errorf("%w: 404", fetch.ErrStatus)
	}
	return answer, nil
}

// keySetJSON is a JWK Set with one key (RFC 7517 §5).
func keySetJSON(t testing.TB, kid string) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Appendf(nil, `{"keys":[{"kty":"EC","crv":"P-256","kid":%q,"x":%q,"y":%q}]}`, kid, base64url(point[1:33]), base64url(point[33:]))
}

func base64url(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// authorityPEM is a certificate that could be an entry's certificateAuthority.
func authorityPEM(t testing.TB) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour), IsCA: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func TestEveryFetchOfAnEntryBelievesItsAuthority(t *testing.T) {
	t.Parallel()
	s := &script{answers: map[string]fetch.Response{
		"https://a.test/.well-known/openid-configuration": {Body: []byte(`{"issuer":"https://a.test","jwks_uri":"https://a.test/jwks"}`)},
		"https://a.test/jwks":                             {Body: keySetJSON(t, "k")},
	}}
	spec := Spec{Issuer: "https://a.test", Discovery: &Discovery{}, Authorities: authorityPEM(t)}
	r, err := newRemote(spec, s)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.load(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, request := range s.requests {
		if request.RootCAs == nil {
			t.Errorf("%s was fetched under the system's roots", request.URL)
		}
		if request.MaxBytes <= 0 || request.MaxBytes > jws.MaxKeySetBytes {
			t.Errorf("%s may have %d bytes", request.URL, request.MaxBytes)
		}
	}
	if len(s.requests) != 2 {
		t.Errorf("%d requests, want 2", len(s.requests))
	}
	spec.Authorities = "no PEM"
	if _, err := newRemote(spec, s); err == nil {
		t.Error("an authority that cannot be read must not fall back to the system's roots")
	}
}

func TestAKeySetIsAskedForByItsETag(t *testing.T) {
	t.Parallel()
	const uri = "https://a.test/jwks"
	s := &script{answers: map[string]fetch.Response{uri: {Body: keySetJSON(t, "k"), ETag: `"1"`, MaxAge: time.Hour, HasMaxAge: true}}}
	r, err := newRemote(Spec{Issuer: "https://a.test", JWKSURI: uri}, s)
	if err != nil {
		t.Fatal(err)
	}
	first, err := r.load(t.Context())
	if err != nil || len(first.set.Keys) != 1 || first.freshFor() != time.Hour || first.unchanged {
		t.Fatalf("%+v, %v", first, err)
	}
	s.answers[uri] = fetch.Response{NotModified: true, MaxAge: 2 * time.Hour, HasMaxAge: true}
	second, err := r.load(t.Context())
	if err != nil || !second.unchanged || second.freshFor() != 2*time.Hour {
		t.Errorf("%+v, %v", second, err)
	}
	s.answers[uri] = fetch.Response{Body: []byte(`{"keys":[]}`), ETag: `"2"`}
	if _, err := r.load(t.Context()); err == nil {
		t.Error("a set without keys was taken")
	}
	_, _ = r.load(t.Context())
	var tags []string
	for _, request := range s.requests {
		tags = append(tags, request.ETag)
	}
	// A set that was refused is no set that we have: its ETag must not come back.
	if got := fmt.Sprintf("%q", tags); got != `["" "\"1\"" "\"1\"" "\"1\""]` {
		t.Errorf("If-None-Match %s", got)
	}
}

func TestAnETagIsNotSentToAnotherURL(t *testing.T) {
	t.Parallel()
	metadata := func(uri string) fetch.Response {
		return fetch.Response{Body: []byte(`{"issuer":"https://a.test","jwks_uri":"` + uri + `"}`)}
	}
	const document = "https://a.test/.well-known/openid-configuration"
	s := &script{answers: map[string]fetch.Response{
		document: metadata("https://a.test/1"), "https://a.test/1": {Body: keySetJSON(t, "1"), ETag: `"x"`}, "https://a.test/2": {Body: keySetJSON(t, "2")},
	}}
	r, err := newRemote(Spec{Issuer: "https://a.test", Discovery: &Discovery{}}, s)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.load(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.answers[document] = metadata("https://a.test/2")
	second, err := r.load(t.Context())
	if err != nil || second.set.Keys[0].ID() != "2" || s.requests[3].ETag != "" {
		t.Errorf("%+v, %v, If-None-Match %q", second, err, s.requests[3].ETag)
	}
}

package keysource

import (
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/fetch"
)

func TestProbeTellsHowFarItCame(t *testing.T) {
	t.Parallel()
	const document = "https://a.test/.well-known/openid-configuration"
	s := &script{answers: map[string]fetch.Response{}}
	k := New(Options{Clock: time.Now, Fetch: s})
	spec := Spec{Name: "a", Issuer: "https://a.test", Discovery: &Discovery{}}
	if found, err := k.Probe(t.Context(), spec); err == nil || found.Metadata != "" {
		t.Errorf("no document: %+v, %v", found, err)
	}
	s.answers[document] = fetch.Response{Body: []byte(`{"issuer":"https://a.test","jwks_uri":"https://a.test/jwks"}`)}
	if found, err := k.Probe(t.Context(), spec); err == nil || found.Metadata != document || found.JWKSURI != "" {
		t.Errorf("no keys: %+v, %v", found, err)
	}
	s.answers["https://a.test/jwks"] = fetch.Response{Body: keySetJSON(t, "k"), MaxAge: time.Second, HasMaxAge: true}
	found, err := k.Probe(t.Context(), spec)
	if err != nil || found.JWKSURI != "https://a.test/jwks" || found.Keys[0].ID != "k" || found.Keys[0].Algorithms[0] != "ES256" || found.Fresh != "1m0s" {
		t.Errorf("%+v, %v", found, err)
	}
	if _, err := k.Probe(t.Context(), Spec{Authorities: "no PEM", JWKSURI: "https://a.test/jwks"}); err == nil {
		t.Error("an authority that cannot be read")
	}
}

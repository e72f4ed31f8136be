package trust_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/keysource"
	"github.com/strait-sts/strait/internal/ststest"
)

// Keys over a real connection: where they are found, and what fails.

func discovered(i *ststest.Issuer, d catalog.Discovery, change ...func(*catalog.TrustedIssuer)) *catalog.Entry {
	return entryOf("idp", i.URL, catalog.Keys{Discovery: &d}, change...)
}

func byURI(i *ststest.Issuer, change ...func(*catalog.TrustedIssuer)) *catalog.Entry {
	return entryOf("idp", i.URL, catalog.Keys{JWKSURI: i.URL + ststest.JWKSPath}, change...)
}

// settled waits until every issuer has been fetched, well or not.
func (h *house) settled() {
	h.t.Helper()
	for range 500 {
		waiting := 0
		for _, s := range h.trust.Status() {
			if s.State == keysource.NeverFetched {
				waiting++
			}
		}
		if waiting == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	h.t.Fatal("the keys were never fetched")
}

func TestKeysAreFetchedBeforeTheFirstToken(t *testing.T) {
	t.Parallel()
	for name, entry := range map[string]func(*ststest.Issuer) *catalog.Entry{
		"jwksUri":   func(i *ststest.Issuer) *catalog.Entry { return byURI(i) },
		"discovery": func(i *ststest.Issuer) *catalog.Entry { return discovered(i, catalog.Discovery{}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			idp := ststest.NewIssuer(t)
			h := newHouse(t, nil, entry(idp))
			h.settled()
			before := idp.AllRequests()
			h.believes(idp.Issue(start(), nil))
			if before == 0 || idp.AllRequests() != before {
				t.Errorf("%d requests before the first token, %d after", before, idp.AllRequests())
			}
		})
	}
}

func TestKeysOfUnchangedEntriesOutliveASnapshot(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIssuer(t)
	h := newHouse(t, nil, byURI(idp))
	h.settled()
	h.apply(byURI(idp, prefixed("x:", false)))
	if got := h.believes(idp.Issue(start(), nil)).Subject; got != "x:alice" || idp.AllRequests() != 1 {
		t.Errorf("subject %q after %d requests", got, idp.AllRequests())
	}
	h.apply(byURI(idp, func(s *catalog.TrustedIssuer) { s.Keys.JWKSURI += "?2" }))
	h.settled()
	if n := idp.AllRequests(); n != 2 {
		t.Errorf("%d requests after the keys were changed, want 2", n)
	}
}

// TestJWK072: two entries with one jwksUri have a key set each.
func TestJWK072_EntriesShareNoKeys(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIssuer(t)
	uri := catalog.Keys{JWKSURI: idp.URL + ststest.JWKSPath}
	h := newHouse(t, nil, entryOf("t1", "https://login.test/tenant1", uri), entryOf("t2", "https://login.test/tenant2", uri))
	h.settled()
	if n := idp.AllRequests(); n != 2 {
		t.Errorf("%d requests, want one an entry", n)
	}
}

func TestDiscoveryFindsBothDocuments(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIssuer(t)
	h := newHouse(t, nil, discovered(idp, catalog.Discovery{}))
	h.believes(idp.Issue(start(), nil))
	if idp.Requests(ststest.OpenIDPath) != 1 || idp.Requests(ststest.OAuthPath) != 0 {
		t.Error("the OpenID document is there, so it alone should have been read")
	}
	// An issuer with a path that has the document of RFC 8414 §3.1 alone.
	const path = "/tenant"
	h = newHouse(t, nil, entryOf("idp", idp.URL+path, catalog.Keys{Discovery: &catalog.Discovery{}}))
	h.settled()
	if idp.Requests(path+ststest.OpenIDPath) != 1 || idp.Requests(ststest.OAuthPath+path) != 1 {
		t.Error("both well-known forms should have been tried")
	}
	// One whose URL ends in a slash (OpenID Connect Discovery 1.0 §4.1).
	idp.Metadata(map[string]any{"issuer": idp.URL + "/"})
	h = newHouse(t, nil, entryOf("idp", idp.URL+"/", catalog.Keys{Discovery: &catalog.Discovery{}}))
	h.believes(idp.Issue(start(), claims{"iss": idp.URL + "/"}))
}

func TestDiscoveryAtAnotherURL(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIssuer(t)
	const outside = "https://login.test"
	idp.Metadata(map[string]any{"issuer": outside})
	h := newHouse(t, nil, entryOf("idp", outside, catalog.Keys{Discovery: &catalog.Discovery{URL: idp.URL + ststest.OAuthPath}}))
	h.believes(idp.Issue(start(), claims{"iss": outside}))
	if idp.Requests(ststest.OAuthPath) != 1 || idp.Requests(ststest.OpenIDPath) != 0 {
		t.Error("url is the whole URL of the document")
	}
}

func TestDiscoveryRefusesOthersMetadata(t *testing.T) {
	t.Parallel()
	idp, other := ststest.NewIssuer(t), ststest.NewIssuer(t)
	for name, metadata := range map[string]map[string]any{
		"another issuer":   {"issuer": other.URL},
		"a trailing slash": {"issuer": idp.URL + "/"},
		"no issuer":        {"issuer": nil},
		"another case":     {"issuer": strings.Replace(idp.URL, "http", "HTTP", 1)},
		"no jwks_uri":      {"jwks_uri": nil},
		"relative":         {"jwks_uri": "/jwks"},
		"a file":           {"jwks_uri": "file:///etc/passwd"},
		"another host":     {"jwks_uri": strings.Replace(other.URL, "127.0.0.1", "localhost", 1) + ststest.JWKSPath},
		"another port":     {"jwks_uri": other.URL + ststest.JWKSPath},
		"a user":           {"jwks_uri": strings.Replace(idp.URL, "//", "//x@", 1) + ststest.JWKSPath},
	} {
		idp.Metadata(metadata)
		h := newHouse(t, nil, discovered(idp, catalog.Discovery{}))
		_, err := h.subject(exchange.TypeJWT, idp.Issue(start(), nil))
		if reasonOf(t, err) != exchange.IssuerKeysUnavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := other.AllRequests() + idp.Requests(ststest.JWKSPath); n != 0 {
		t.Errorf("%d requests went where the metadata said", n)
	}
}

func TestDiscoveryFollowsTheEntrysHosts(t *testing.T) {
	t.Parallel()
	idp, keys := ststest.NewIssuer(t), ststest.NewIssuer(t)
	idp.Metadata(map[string]any{"jwks_uri": keys.URL + ststest.JWKSPath})
	h := newHouse(t, nil, discovered(idp, catalog.Discovery{JWKSHosts: []string{strings.TrimPrefix(keys.URL, "http://")}}))
	h.believes(idp.IssueWith(keys.Key(), start(), nil, nil))
}

func TestJWK031_NoKeysAreOurFault(t *testing.T) {
	t.Parallel()
	for name, behaviour := range map[string]ststest.Behaviour{
		"JWK-001 redirect": ststest.Redirecting, "JWK-027 huge": ststest.Huge, "JWK-031 down": ststest.Down, "JWK-033 HTML": ststest.NotJSON, "JWK-035 no keys": ststest.NoKeys,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			idp := ststest.NewIssuer(t)
			idp.Behave(behaviour)
			h := newHouse(t, nil, byURI(idp))
			_, err := h.subject(exchange.TypeJWT, idp.Issue(start(), nil))
			wantReason(t, err, exchange.IssuerKeysUnavailable)
			status := h.trust.Status()[0]
			if status.State != keysource.Failing || status.LastError == "" || idp.AllRequests() != 1 {
				t.Errorf("%+v after %d requests", status, idp.AllRequests())
			}
			idp.Behave(ststest.Good)
			h.clock.Advance(time.Minute)
			h.believes(idp.Issue(start(), nil))
		})
	}
}

func TestJWK041_AFailingIssuerKeepsItsKeys(t *testing.T) {
	t.Parallel()
	for _, behaviour := range []ststest.Behaviour{ststest.NoKeys, ststest.Down, ststest.Redirecting} {
		idp := ststest.NewIssuer(t)
		idp.CacheControl("max-age=60")
		h := newHouse(t, nil, byURI(idp))
		h.settled()
		idp.Behave(behaviour)
		token := idp.Issue(start(), claims{"exp": start().Add(24 * time.Hour).Unix()})
		for range 5 {
			h.clock.Advance(10 * time.Minute)
			h.believes(token)
		}
		h.clock.Advance(15 * time.Minute)
		h.refuses(token, exchange.IssuerKeysUnavailable)
	}
}

func TestJWK042_OneBadKeySpoilsNoOther(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIssuer(t)
	entry := entryOf("idp", idp.URL, catalog.Keys{JWKS: ststest.KeySet(t,
		map[string]any{"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA"}, map[string]any{"kty": "EC", "kid": "weird", "crv": "P-256", "d": "x"}, idp.Key().JWK(t, nil))})
	h := newHouse(t, nil, entry)
	h.believes(idp.Issue(start(), nil))
	h.refuses(idp.IssueWith(idp.Key(), start(), claims{"kid": "weird"}, nil), "subject_signature_invalid")
	if n := len(h.trust.Status()[0].Ignored); n != 2 {
		t.Errorf("%d keys reported as ignored, want 2", n)
	}
}

func TestJWK068_HTTPSDoesNotBecomeHTTP(t *testing.T) {
	t.Parallel()
	// Internal: see TestJWKSURIStaysWithTheEntrysHosts. Here: http is refused by
	// the fetch policy too, so that nothing is sent.
	h := newHouse(t, nil, entryOf("idp", "http://idp.test", catalog.Keys{JWKSURI: "http://203.0.113.1/jwks"}))
	h.settled()
	if s := h.trust.Status()[0]; s.State != keysource.Failing || !strings.Contains(s.LastError, "not allowed") {
		t.Errorf("%+v", s)
	}
}

func TestRotationUnderLoadFailsNoExchange(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIssuer(t)
	h := newHouse(t, nil, byURI(idp))
	h.settled()
	for range 5 {
		idp.Rotate(true)
		h.clock.Advance(31 * time.Second) // rotations are further apart than the cool-down
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range 20 {
					if _, err := h.subject(exchange.TypeJWT, idp.Issue(start(), nil)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
	}
	if n := idp.AllRequests(); n > 6 {
		t.Errorf("%d requests for 5 rotations", n)
	}
}

func TestUnknownIssuersCostNoConnection(t *testing.T) {
	t.Parallel()
	known, unknown := ststest.NewIssuer(t), ststest.NewIssuer(t)
	h := newHouse(t, nil, byURI(known))
	h.settled()
	before := h.fetches.n.Load()
	for range 100 {
		h.refuses(unknown.Issue(start(), nil), "subject_issuer_not_trusted")
	}
	if n := unknown.AllRequests(); n != 0 || h.fetches.n.Load() != before {
		t.Errorf("%d requests to the unknown issuer, %d in all", n, h.fetches.n.Load()-before)
	}
}

func TestEmptyTrustListBelievesNobody(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIssuer(t)
	h := newHouse(t, nil)
	h.refuses(idp.Issue(start(), nil), "subject_issuer_not_trusted")
	h.refuses(idp.Issue(start(), claims{"iss": ours}), "subject_type_mismatch") // ours, but we have no keys
	h.refuses(idp.IssueWith(idp.Key(), start(), claims{"typ": "at+jwt"}, claims{"iss": ours}), "subject_signature_invalid")
}

func TestStatusListsTheTrustListByName(t *testing.T) {
	t.Parallel()
	a, b := ststest.NewIssuer(t, "ES256", "ES384"), ststest.NewIssuer(t)
	h := newHouse(t, nil,
		entryOf("b-off", b.URL, catalog.Keys{JWKSURI: b.URL}, func(s *catalog.TrustedIssuer) { s.Mode = catalog.ModeDisabled }),
		entryOf("a-inline", a.URL, catalog.Keys{JWKS: a.JWKS()}))
	var got []string
	for _, s := range h.trust.Status() {
		got = append(got, fmt.Sprint(s.Name, " ", s.Issuer, " ", s.State, " ", len(s.Keys)))
	}
	want := []string{"a-inline " + a.URL + " healthy 2", "b-off " + b.URL + " disabled 0"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// TestRunEnds when it is told to, whatever is on the list.
func TestRunEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil)
		done := make(chan struct{})
		go func() { h.trust.Run(t.Context()); close(done) }()
		synctest.Wait()
		select {
		case <-done:
			t.Error("Run ended by itself")
		default:
		}
	})
}

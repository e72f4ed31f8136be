package oauth_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/oauth"
)

// The tests of this file are named after the defects of fosite v0.49 that the
// front door works around: each fails as soon as fosite's own way shows again.

// TestFositeDefect01_UnknownGrantIsInvalidRequest: it is unsupported_grant_type
// (RFC 6749 §5.2), and only for a client that has authenticated.
func TestFositeDefect01_UnknownGrantIsInvalidRequest(t *testing.T) {
	t.Parallel()
	d := open(t)
	r := with(url.Values{"grant_type": {"urn:example:other"}})
	d.send(r).must(t, 400, exchange.UnsupportedGrantType)
	if rec := d.parts.last(); rec.Client != "svc-gateway" || rec.Decision != exchange.OutcomeDenied {
		t.Errorf("record: %+v", rec)
	}
	r.header.Set("Authorization", basic("svc-gateway", "wrong"))
	d.send(r).must(t, 401, exchange.InvalidClient)
}

// TestFositeDefect02_NoChallenge: a 401 after Basic names the scheme (RFC 6749
// §5.2).
func TestFositeDefect02_NoChallenge(t *testing.T) {
	t.Parallel()
	r := baseline()
	r.header.Set("Authorization", basic("nope", "x"))
	a := open(t).send(r)
	if a.status != 401 || !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Basic ") {
		t.Errorf("%d %v", a.status, a.header)
	}
}

// TestFositeDefect03_FirstOfTwoWins: a repeated parameter is refused.
func TestFositeDefect03_FirstOfTwoWins(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.send(with(url.Values{"subject_token": {"ST_A", "evil"}})).must(t, 400, exchange.InvalidRequest)
	d.send(with(url.Values{"grant_type": {exchangeURN, "client_credentials"}})).must(t, 400, exchange.InvalidRequest)
}

// TestFositeDefect04_BasicAWithClientIDB: the ids must agree.
func TestFositeDefect04_BasicAWithClientIDB(t *testing.T) {
	t.Parallel()
	open(t).send(with(url.Values{"client_id": {"svc-other"}})).must(t, 400, exchange.InvalidRequest)
}

// TestFositeDefect05_CaseDoesNotMatter: it does, in scopes, audiences and
// grants.
func TestFositeDefect05_CaseDoesNotMatter(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.send(with(url.Values{"scope": {"Orders:Read"}})).must(t, 400, exchange.InvalidScope)
	d.send(with(url.Values{"audience": {strings.ToUpper(orders)}})).must(t, 400, exchange.InvalidTarget)
	d.send(with(url.Values{"grant_type": {"Client_Credentials"}})).must(t, 400, exchange.UnsupportedGrantType)
}

// TestFositeDefect06_WildcardScopes: a star is a scope like another.
func TestFositeDefect06_WildcardScopes(t *testing.T) {
	t.Parallel()
	d := open(t)
	for _, scope := range []string{"*", "orders:*", "orders:read.*"} {
		d.send(with(url.Values{"scope": {scope}})).must(t, 400, exchange.InvalidScope)
	}
}

// TestFositeDefect07_LooseAudiences: no prefix, no folding of URNs, no
// splitting at spaces.
func TestFositeDefect07_LooseAudiences(t *testing.T) {
	t.Parallel()
	d := open(t)
	for _, name := range []string{"audience", "resource"} {
		for _, target := range []string{orders + "/1", orders + "?x=1", orders + "/", "urn:x", orders + " " + orders} {
			d.send(with(url.Values{name: {target}})).must(t, 400, exchange.InvalidTarget)
		}
	}
	d.send(with(url.Values{"audience": nil, "resource": {orders}})).mustIssue(t)
}

// TestFositeDefect08_LazyConfiguration: many first requests at once; go test
// -race sees a field that is filled on first use. CAU-047 rides along: no
// answer of one client's goes to another.
func TestFositeDefect08_LazyConfiguration(t *testing.T) {
	t.Parallel()
	manyAtOnce(t, open(t))
}

// manyAtOnce sends requests of two clients, one of them not authenticated,
// through one fresh door.
func manyAtOnce(t *testing.T, d *door) {
	t.Helper()
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			r, status := baseline(), 200
			if i%2 == 1 {
				r.header.Set("Authorization", basic("svc-other", "wrong"))
				status = 401
			}
			if a, err := d.try(r); err != nil || a.status != status {
				t.Errorf("request %d: %v %+v", i, err, a)
			}
		})
	}
	all.Wait()
	issued := 0
	d.parts.mu.Lock()
	defer d.parts.mu.Unlock()
	for _, rec := range d.parts.records {
		if rec.Decision == exchange.OutcomeIssued {
			issued++
			if rec.Client != "svc-gateway" {
				t.Errorf("issued to %q", rec.Client)
			}
		}
	}
	if issued != 20 {
		t.Errorf("%d of 20 issued", issued)
	}
}

// TestFositeDefect09_PlainErrorIs500: what nobody foresaw is a 503 of the
// error table, and no error code of fosite's gets out.
func TestFositeDefect09_PlainErrorIs500(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.parts.set(func(p *parts) { p.fails = errDown })
	a := d.send(baseline())
	a.must(t, 503, exchange.TemporarilyUnavailable)
	if strings.Contains(a.raw, errDown.Error()) || a.header.Get("Retry-After") == "" {
		t.Errorf("%s %v", a.raw, a.header)
	}
}

// TestFositeDefect10_AnyBody: neither JSON nor multipart nor 10 MB are read.
func TestFositeDefect10_AnyBody(t *testing.T) {
	t.Parallel()
	d := open(t)
	for media, body := range map[string]string{
		"application/json":                `{"grant_type":"client_credentials"}`,
		"multipart/form-data; boundary=B": "--B\r\nContent-Disposition: form-data; name=\"grant_type\"\r\n\r\nclient_credentials\r\n--B--\r\n",
	} {
		r := baseline()
		r.header.Set("Content-Type", media)
		r.body = body
		d.send(r).must(t, http.StatusUnsupportedMediaType, exchange.InvalidRequest)
	}
	d.send(with(url.Values{"x": {strings.Repeat("A", 9<<20)}})).must(t, 413, exchange.InvalidRequest)
}

// TestFositeDefect11_UnknownClientIsFaster: the same comparison is made, of
// the secret with a digest that nothing has. TestOA21 counts for every way to
// fail.
func TestFositeDefect11_UnknownClientIsFaster(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var digests []string
	d := newDoor(t, func(o *oauth.Options) {
		o.Matches = func(digest, secret string) bool {
			mu.Lock()
			defer mu.Unlock()
			digests = append(digests, digest)
			return matches(digest, secret)
		}
	}, nil)
	r := baseline()
	r.header.Set("Authorization", encoded("nope", "p q"))
	d.send(r).must(t, 401, exchange.InvalidClient)
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(digests, []string{"", ""}) { // one for each reading of the secret
		t.Errorf("compared with %q", digests)
	}
}

// TestFositeDefect12_HintAboutRedirectURI: our texts speak of this request.
func TestFositeDefect12_HintAboutRedirectURI(t *testing.T) {
	t.Parallel()
	d := open(t)
	var descriptions []string
	for _, changes := range []url.Values{{"subject_token": nil}, {"grant_type": nil}, {"audience": {"x"}}, {"scope": {"x"}}, {"grant_type": {"x"}}} {
		a := d.send(with(changes))
		if strings.Contains(a.raw, "redirect") || a.body["error_hint"] != nil || a.body["error_debug"] != nil || a.text("error_description") == "" {
			t.Error(a.raw)
		}
		descriptions = append(descriptions, a.text("error_description"))
	}
	slices.Sort(descriptions)
	if len(slices.Compact(descriptions)) < 3 {
		t.Errorf("descriptions say nothing: %q", descriptions)
	}
}

package oauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/oauth"
)

// standing plays what an introspection or a revocation is decided with: one
// token of ours, "OURS", issued to svc-gateway for a target that svc-other
// serves.
type standing struct {
	*parts
	claims exchange.Claims
	state  error // that the revocations cannot be confirmed
	broken error // that nothing can be stored
	ended  []exchange.Revocation
}

func (s *standing) Verify(_ context.Context, req *exchange.Request, role exchange.Role) (*exchange.Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.panics != nil:
		panic(s.panics)
	case s.fails != nil:
		return nil, s.fails
	case req.Subject.Token.Reveal() != "OURS":
		return nil, role.Refuse(exchange.TokenMalformed, "no token of ours")
	case req.Purpose == exchange.ToIntrospect && req.Client.Name != "svc-other", req.Purpose == exchange.ToRevoke && req.Client.Name != "svc-gateway":
		return nil, role.Refuse(exchange.AudienceMismatch, "not for %s", req.Client.Name)
	}
	return &exchange.Token{
		Issuer: exchange.SelfIssuer, JTI: "0198-ours", ClientID: "svc-gateway", Scopes: []string{"orders:read", "orders:gone"},
		Claims: s.claims, Served: []*exchange.Target{{Name: "orders", Scopes: []string{"orders:read", "orders:write"}}},
	}, nil
}

func (s *standing) State() (exchange.RevocationState, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s, s.state
}

func (s *standing) Revision() int64               { return 1 }
func (s *standing) Stopped(*exchange.Record) bool { return false }
func (s *standing) Alone() bool                   { return false }
func (s *standing) Revoked(*exchange.Token) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.ended) > 0
}

func (s *standing) Revoke(_ context.Context, order exchange.Revocation) (exchange.RevocationResult, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return exchange.RevocationResult{}, s.broken
	}
	s.ended = append(s.ended, order)
	return exchange.RevocationResult{Revision: 2, Tokens: 1}, nil
}

// change sets what the parts do, between two requests.
func (s *standing) change(how func(*standing)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	how(s)
}

// standingDoor is a door behind which tokens are asked about.
func standingDoor(t testing.TB, change func(*oauth.Options)) (*door, *standing) {
	t.Helper()
	s := &standing{claims: exchange.Claims{
		"iss": issuer, "sub": "a|alice", "aud": orders, "client_id": "svc-gateway", "jti": "0198-ours", "txn": "0198-root",
		"iat": json.Number("1800000000"), "exp": json.Number("1800000300"), "scope": "orders:read orders:gone", "dept": "sales",
	}}
	d := newDoor(t, func(o *oauth.Options) {
		s.parts, _ = o.Service.Recorder.(*parts)
		the := world(s.parts)
		the.Verifier = s
		o.World = func() *exchange.World { return the }
		o.Service.Revocations, o.Service.Revoker = s, s
		if change != nil {
			change(o)
		}
	}, nil)
	return d, s
}

// about is a request about the token: svc-other introspects, svc-gateway
// revokes.
func about(path string) *request {
	credentials := map[string]string{"/introspect": basic("svc-other", otherSecret), "/revoke": basic("svc-gateway", rightSecret)}[path]
	return &request{
		method: http.MethodPost, path: path, form: url.Values{"token": {"OURS"}},
		header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Authorization": {credentials}},
	}
}

func bothPaths() []string { return []string{"/introspect", "/revoke"} }

// mustBeInactive fails the test unless the answer is exactly that.
func (a *answer) mustBeInactive(t testing.TB) {
	t.Helper()
	if a.status != 200 || a.raw != `{"active":false}` {
		t.Errorf("%d %s", a.status, a.raw)
	}
	a.mustNotBeStored(t)
}

// TestIN08_AnActiveToken: IN-04, IN-07 to IN-11. Each member as the token has
// it, with its JSON type, and what a policy added stays in the token.
func TestIN08_AnActiveToken(t *testing.T) {
	t.Parallel()
	d, s := standingDoor(t, nil)
	a := d.send(about("/introspect"))
	want := map[string]any{
		"active": true, "token_type": "Bearer", "scope": "orders:read", "iss": issuer, "sub": "a|alice", "aud": orders, "client_id": "svc-gateway",
		"jti": "0198-ours", "txn": "0198-root", "iat": 1800000000.0, "exp": 1800000300.0,
	}
	if a.status != 200 || !maps.Equal(a.body, want) {
		t.Errorf("%d %s", a.status, a.raw)
	}
	a.mustNotBeStored(t)
	s.change(func(s *standing) {
		s.claims["aud"] = []any{orders, "https://api.test/billing"}
		s.claims["act"] = map[string]any{"iss": issuer, "sub": "client:edge"}
		s.claims["may_act"] = map[string]any{"client_id": "x"}
		s.claims["cnf"] = map[string]any{"jkt": "thumb"}
	})
	a = d.send(about("/introspect"))
	for _, part := range []string{
		`"act":{"iss":"https://sts.test","sub":"client:edge"}`, `"may_act":{"client_id":"x"}`, `"cnf":{"jkt":"thumb"}`, `"token_type":"DPoP"`,
		`"aud":["https://api.test/orders","https://api.test/billing"]`, `"exp":1800000300`,
	} {
		if !strings.Contains(a.raw, part) {
			t.Errorf("no %s in %s", part, a.raw)
		}
	}
	if d.counter.of("introspect active") != 2 || d.parts.count() != 0 {
		t.Errorf("counted %d, recorded %d", d.counter.of("introspect active"), d.parts.count())
	}
}

// TestIN05_Inactive: whatever is wrong with the token, one answer of one member;
// and what is wrong with us is 503, never active.
func TestIN05_Inactive(t *testing.T) {
	t.Parallel()
	d, s := standingDoor(t, nil)
	r := about("/introspect")
	r.form.Set("token", "somebody else's")
	d.send(r).mustBeInactive(t)
	r = about("/introspect")
	r.header.Set("Authorization", basic("svc-gateway", rightSecret)) // issued to it, and it serves nothing
	d.send(r).mustBeInactive(t)
	s.change(func(s *standing) { s.ended = []exchange.Revocation{{}} })
	d.send(about("/introspect")).mustBeInactive(t)
	if d.counter.of("introspect inactive") != 3 {
		t.Errorf("counted %d", d.counter.of("introspect inactive"))
	}
	for _, broken := range []func(*standing){
		func(s *standing) { s.ended, s.state = nil, errors.New("not confirmed for 10 s") },
		func(s *standing) { s.state, s.fails = nil, errDown },
		func(s *standing) { s.fails, s.panics = nil, "OURS" },
	} {
		s.change(broken)
		a := d.send(about("/introspect"))
		a.must(t, 503, exchange.TemporarilyUnavailable)
		if a.header.Get("Retry-After") == "" || a.body["active"] != nil || strings.Contains(d.log.String(), "OURS") {
			t.Errorf("%v %s", a.header, a.raw)
		}
	}
	if d.counter.of("introspect error") != 3 {
		t.Errorf("counted %d", d.counter.of("introspect error"))
	}
}

// TestRV04_Revoke: RV-01, RV-03, RV-04. Revoked once, with the order; then, and
// for what is no token of ours, the same answer.
func TestRV04_Revoke(t *testing.T) {
	t.Parallel()
	d, s := standingDoor(t, nil)
	for range 2 {
		a := d.send(about("/revoke"))
		if a.status != 200 || a.raw != "" || a.header.Get("Cache-Control") != "no-store" || a.header.Get("Content-Type") != "" {
			t.Errorf("%d %q %v", a.status, a.raw, a.header)
		}
	}
	r := about("/revoke")
	r.form.Set("token", "random")
	if a := d.send(r); a.status != 200 || a.raw != "" {
		t.Errorf("%d %q", a.status, a.raw)
	}
	if len(s.ended) != 1 || s.ended[0].Exchange != "0198-ours" || !s.ended[0].Cascade || s.ended[0].By != "client:svc-gateway" || s.ended[0].RequestID == "" {
		t.Errorf("ordered %+v", s.ended)
	}
	if d.counter.of("revoke revoked") != 1 || d.counter.of("revoke nothing") != 2 {
		t.Errorf("counted %+v", d.counter.rejected)
	}
}

// TestRV02_AnothersToken: RV-02, RV-06. Refused and kept, or not said to be done.
func TestRV02_AnothersToken(t *testing.T) {
	t.Parallel()
	d, s := standingDoor(t, nil)
	r := about("/revoke")
	r.header.Set("Authorization", basic("svc-other", otherSecret))
	a := d.send(r)
	a.must(t, 400, exchange.InvalidRequest)
	if a.text("reason") != "token_of_another_client" || len(s.ended) != 0 {
		t.Errorf("%s, ordered %v", a.raw, s.ended)
	}
	s.change(func(s *standing) { s.broken = errDown })
	a = d.send(about("/revoke"))
	a.must(t, 503, exchange.TemporarilyUnavailable)
	if a.text("reason") != "database_unavailable" || a.header.Get("Retry-After") == "" || len(s.ended) != 0 {
		t.Errorf("%s, ordered %v", a.raw, s.ended)
	}
	if d.counter.of("revoke refused") != 1 || d.counter.of("revoke error") != 1 {
		t.Errorf("counted %+v", d.counter.rejected)
	}
}

// TestIN03_TheHintIsIgnored: IN-03, RV-04. Right, wrong, unknown or odd.
func TestIN03_TheHintIsIgnored(t *testing.T) {
	t.Parallel()
	for _, hint := range []string{"access_token", "refresh_token", "pct", "", "\t", `"<>`} {
		d, s := standingDoor(t, nil)
		for _, path := range bothPaths() {
			r := about(path)
			r.form.Set("token_type_hint", hint)
			if a := d.send(r); a.status != 200 || path == "/introspect" && a.body["active"] != true {
				t.Errorf("%s with hint %q: %d %s", path, hint, a.status, a.raw)
			}
		}
		if len(s.ended) != 1 {
			t.Errorf("hint %q: %d orders", hint, len(s.ended))
		}
	}
}

// TestIN01_TheFormIsStrict: IN-01, RV-08. As at the token endpoint; nothing is
// verified, and nothing of it comes back.
func TestIN01_TheFormIsStrict(t *testing.T) {
	t.Parallel()
	d, s := standingDoor(t, nil)
	s.change(func(s *standing) { s.panics = "a token was verified" })
	for name, c := range map[string]struct {
		bend   func(*request)
		status int
	}{
		"GET":                  {func(r *request) { r.method = http.MethodGet }, 405},
		"JSON":                 {func(r *request) { r.header.Set("Content-Type", "application/json") }, 415},
		"too large":            {func(r *request) { r.form.Set("x", strings.Repeat("a", 65<<10)) }, 413},
		"no token":             {func(r *request) { r.form = url.Values{"x": {"1"}} }, 400},
		"an empty token":       {func(r *request) { r.form.Set("token", "") }, 400},
		"two tokens":           {func(r *request) { r.form["token"] = []string{"OURS", "OURS"} }, 400},
		"two hints":            {func(r *request) { r.form["token_type_hint"] = []string{"a", "b"} }, 400},
		"two unknown":          {func(r *request) { r.form["x"] = []string{"a", "b"} }, 400},
		"token in the query":   {func(r *request) { r.path += "?token=OURS" }, 400},
		"hint in the query":    {func(r *request) { r.path += "?token_type_hint=x" }, 400},
		"subject in the query": {func(r *request) { r.path += "?subject_token=x" }, 400},
		"secret in the query":  {func(r *request) { r.path += "?client_secret=x" }, 400},
		"two methods":          {func(r *request) { r.form.Set("client_secret", "x") }, 400},
		"another's client_id":  {func(r *request) { r.form.Set("client_id", "svc-gatewayy") }, 400},
	} {
		for _, path := range bothPaths() {
			r := about(path)
			c.bend(r)
			a := d.send(r)
			a.must(t, c.status, exchange.InvalidRequest)
			if strings.Contains(a.raw, "OURS") || strings.Contains(a.text("error_description"), "grant_type") || a.text("reason") != "malformed_request" {
				t.Errorf("%s: %s", name, a.raw)
			}
			if c.status == 405 && a.header.Get("Allow") != "POST" {
				t.Errorf("%s: Allow %q", name, a.header.Get("Allow"))
			}
		}
	}
	if d.counter.of("form") != 28 || !slices.ContainsFunc(d.parts.records, func(r exchange.Record) bool { return strings.HasPrefix(r.Detail, "/introspect: ") }) {
		t.Errorf("counted %d", d.counter.of("form"))
	}
}

// TestIN02_TheCallerIsAuthenticated: IN-02, IN-14. By a secret, as at the token
// endpoint, and by nothing else; one answer for all that fail.
func TestIN02_TheCallerIsAuthenticated(t *testing.T) {
	t.Parallel()
	d, s := standingDoor(t, nil)
	for name, bend := range map[string]func(*request){
		"nothing":        func(r *request) { r.header.Del("Authorization") },
		"an id alone":    func(r *request) { r.header.Del("Authorization"); r.form.Set("client_id", "svc-other") },
		"a wrong secret": func(r *request) { r.header.Set("Authorization", basic("svc-other", rightSecret)) },
		"unknown":        func(r *request) { r.header.Set("Authorization", basic("nobody", rightSecret)) },
		"disabled":       func(r *request) { r.header.Set("Authorization", basic("svc-disabled", rightSecret)) },
		"expired":        func(r *request) { r.header.Set("Authorization", basic("svc-expired", rightSecret)) },
		"a bearer token": func(r *request) { r.header.Set("Authorization", "Bearer OURS") },
		"an assertion": func(r *request) {
			r.header.Del("Authorization")
			r.form.Set("client_assertion", "x")
		},
	} {
		for _, path := range bothPaths() {
			r := about(path)
			bend(r)
			a := d.send(r)
			a.must(t, 401, exchange.InvalidClient)
			_, byHeader := r.header["Authorization"]
			if challenge := a.header.Get("WWW-Authenticate"); (challenge != "") != byHeader || challenge != "" && !strings.HasPrefix(challenge, "Basic ") {
				t.Errorf("%s: WWW-Authenticate %q", name, challenge)
			}
			if rec := d.parts.last(); rec.Reason != exchange.ClientAuthenticationFailed || !strings.HasPrefix(rec.Detail, path+": ") || rec.Subject != nil {
				t.Errorf("%s: recorded %+v", name, rec)
			}
		}
	}
	if len(s.ended) != 0 {
		t.Errorf("ordered %v", s.ended)
	}
	for _, credentials := range []string{encoded(oddID, oddPW), basic("svc-noexchange", rightSecret)} {
		r := about("/introspect")
		r.header.Set("Authorization", credentials)
		d.send(r).mustBeInactive(t)
	}
	r := about("/revoke")
	r.header.Del("Authorization")
	r.form.Set("client_id", "svc-gateway")
	r.form.Set("client_secret", rightSecret)
	if a := d.send(r); a.status != 200 || len(s.ended) != 1 {
		t.Errorf("%d %s", a.status, a.raw)
	}
}

// TestRV08_RatesAreThoseOfTheTokenEndpoint: a client that asks too often waits,
// and so does who guesses, wherever the guesses were made.
func TestRV08_RatesAreThoseOfTheTokenEndpoint(t *testing.T) {
	t.Parallel()
	limits := &strict{}
	d, s := standingDoor(t, func(o *oauth.Options) { o.Limits = limits })
	for _, path := range bothPaths() {
		for _, which := range []string{"source", "guess", "client"} {
			limits.set(which)
			a := d.send(about(path))
			a.must(t, 429, exchange.TemporarilyUnavailable)
			if a.header.Get("Retry-After") != "7" || a.text("reason") != "rate_limited" {
				t.Errorf("%s %s: %v %s", path, which, a.header, a.raw)
			}
		}
		limits.set("")
		r := about(path)
		r.header.Set("Authorization", basic("svc-other", "wrong"))
		before := limits.count()
		d.send(r).must(t, 401, exchange.InvalidClient)
		if limits.count() != before+1 {
			t.Errorf("%s: a guess was not counted", path)
		}
	}
	if len(s.ended) != 0 {
		t.Errorf("ordered %v", s.ended)
	}
}

// strict is Limits that say no where the test wants.
type strict struct {
	mu     sync.Mutex
	no     string
	failed int
}

func (s *strict) set(which string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.no = which
}

func (s *strict) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

func (s *strict) wait(which string) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.no == which {
		return 7 * time.Second
	}
	return 0
}

func (s *strict) Source(time.Time, string) time.Duration        { return s.wait("source") }
func (s *strict) Guess(time.Time, string, string) time.Duration { return s.wait("guess") }
func (s *strict) Client(time.Time, string) time.Duration        { return s.wait("client") }
func (s *strict) Failed(time.Time, string, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed++
}

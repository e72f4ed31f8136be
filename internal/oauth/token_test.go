package oauth_test

import (
	"encoding/json"
	"io"
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

// TestTX30_ResponseOfAnExchange holds the whole answer of RFC 8693 §2.2.1: TX-30
// to TX-37.
func TestTX30_ResponseOfAnExchange(t *testing.T) {
	t.Parallel()
	d := open(t)
	a := d.send(baseline())
	a.mustIssue(t)
	a.mustNotBeStored(t) // TX-37, OA-16
	want := map[string]any{
		"access_token": issuedToken, "issued_token_type": accessToken, "token_type": "Bearer", "expires_in": 299.0, "scope": "orders:read",
	}
	if life := a.body["expires_in"]; life == 300.0 { // TX-34: the second may turn in between
		want["expires_in"] = 300.0
	}
	if len(a.body) != len(want) {
		t.Errorf("members of the answer: %s", a.raw)
	}
	for name, value := range want {
		if a.body[name] != value {
			t.Errorf("%s is %v, not %v", name, a.body[name], value)
		}
	}
	if a.body["refresh_token"] != nil { // TX-36
		t.Error("a refresh token was issued")
	}
	rec := d.parts.last()
	if id := a.header.Get("X-Strait-Decision"); id == "" || id != string(rec.ID) || rec.Decision != exchange.OutcomeIssued {
		t.Errorf("decision %q, record %q %s", id, rec.ID, rec.Decision)
	}
}

// TestTX35_ScopeIsAlwaysTold: also when none was asked for.
func TestTX35_ScopeIsAlwaysTold(t *testing.T) {
	t.Parallel()
	d := open(t)
	for name, scope := range map[string][]string{"absent": nil, "empty": {""}} {
		a := d.send(with(url.Values{"scope": scope}))
		a.mustIssue(t)
		if a.text("scope") != "orders:read" {
			t.Errorf("%s: scope %q", name, a.text("scope"))
		}
	}
	a := d.send(with(url.Values{"scope": {"orders:write orders:read"}}))
	if a.text("scope") != "orders:write orders:read" {
		t.Errorf("scope %q", a.text("scope"))
	}
}

func TestTX01_GrantTypeIsMatchedExactly(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.send(with(url.Values{"grant_type": nil})).must(t, 400, exchange.InvalidRequest)
	d.send(with(url.Values{"grant_type": {""}})).must(t, 400, exchange.InvalidRequest)
	for _, grant := range []string{"foo", "password", exchangeURN + " ", exchangeURN + " client_credentials", strings.ToUpper(exchangeURN)} {
		d.send(with(url.Values{"grant_type": {grant}})).must(t, 400, exchange.UnsupportedGrantType)
	}
}

// TestTX02_OnlyPOST, OA-09: every other method is a 405 that says what to use.
func TestTX02_OnlyPOST(t *testing.T) {
	t.Parallel()
	d := open(t)
	for _, method := range []string{"GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"} {
		r := baseline()
		r.method, r.path = method, "/token?"+r.form.Encode()
		a := d.send(r)
		if a.status != http.StatusMethodNotAllowed || a.header.Get("Allow") != "POST" {
			t.Errorf("%s: %d, Allow %q", method, a.status, a.header.Get("Allow"))
		}
		a.mustNotBeStored(t)
		if method != "HEAD" && a.text("error") != "invalid_request" {
			t.Errorf("%s: %s", method, a.raw)
		}
	}
}

func TestTX03_OnlyAUTF8Form(t *testing.T) {
	t.Parallel()
	d := open(t)
	for _, media := range []string{
		"application/json", "text/plain", "multipart/form-data; boundary=B", "application/x-www-form-urlencoded; charset=utf-16",
		"application/x-www-form-urlencoded; boundary=B", "application/x-www-form-urlencoded, text/plain", "application/x-www-form-urlencoded;;;x", "",
	} {
		r := baseline()
		r.header.Set("Content-Type", media)
		d.send(r).must(t, http.StatusUnsupportedMediaType, exchange.InvalidRequest)
	}
	for _, media := range []string{
		"application/x-www-form-urlencoded; charset=UTF-8", "application/x-www-form-urlencoded;charset=utf-8", "Application/X-WWW-Form-Urlencoded",
	} {
		r := baseline()
		r.header.Set("Content-Type", media)
		d.send(r).mustIssue(t)
	}
	for _, bytes := range []string{"%ff", "%c0%80", "%ed%a0%80"} {
		r := baseline()
		r.body = r.form.Encode() + "&requested_token_type=" + bytes
		d.send(r).must(t, 400, exchange.InvalidRequest)
	}
}

// TestTX04_NoCredentialsNoToken, OA-13.
func TestTX04_NoCredentialsNoToken(t *testing.T) {
	t.Parallel()
	d := open(t)
	r := baseline()
	r.header.Del("Authorization")
	d.send(r).must(t, 401, exchange.InvalidClient)
	r.form.Set("client_id", "svc-gateway")
	d.send(r).must(t, 401, exchange.InvalidClient)
}

// TestTX05_SubjectTokenIsRequired, with TX-06 to TX-08: which token parameters
// belong together.
func TestTX05_SubjectTokenIsRequired(t *testing.T) {
	t.Parallel()
	d := open(t)
	for name, changes := range map[string]url.Values{
		"TX-05 no subject_token":         {"subject_token": nil},
		"TX-06 no subject_token_type":    {"subject_token_type": nil},
		"TX-07 no actor_token_type":      {"actor_token": {"ST_A"}},
		"TX-08 actor_token_type alone":   {"actor_token_type": {jwtType}},
		"TX-09 empty actor_token":        {"actor_token": {""}, "actor_token_type": {jwtType}},
		"TX-09 empty subject_token":      {"subject_token": {""}},
		"TX-09 empty subject_token_type": {"subject_token_type": {""}},
	} {
		a := d.send(with(changes))
		a.must(t, 400, exchange.InvalidRequest)
		if a.text("reason") != "malformed_request" || !strings.Contains(a.text("error_description"), "subject_token_type") {
			t.Errorf("%s: %s", name, a.raw)
		}
	}
	d.send(with(url.Values{"actor_token": {"ST_A"}, "actor_token_type": {jwtType}})).mustIssue(t)
	d.parts.set(func(p *parts) {
		if !p.actor {
			t.Error("the actor token was not looked at")
		}
	})
}

// TestTX09_EmptyIsAbsent, OA-10.
func TestTX09_EmptyIsAbsent(t *testing.T) {
	t.Parallel()
	d := open(t)
	for name, changes := range map[string]url.Values{
		"actor":    {"actor_token": {""}, "actor_token_type": {""}},
		"scope":    {"scope": {""}},
		"resource": {"resource": {"", orders, ""}},
		"audience": {"audience": {"", orders}},
		"type":     {"requested_token_type": {""}},
		"secret":   {"client_secret": {""}, "client_id": {""}, "client_assertion": {""}},
		"unknown":  {"foo": {""}},
	} {
		if a := d.send(with(changes)); a.status != 200 {
			t.Errorf("empty %s: %s", name, a.raw)
		}
	}
	r := baseline()
	r.body = "&&" + r.form.Encode() + "&flag&"
	d.send(r).mustIssue(t)
}

// TestTX28_UnknownParametersAreIgnored, OA-11.
func TestTX28_UnknownParametersAreIgnored(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.send(with(url.Values{"foo": {"bar"}, "requested_subject": {"root"}, "note": {"two\nlines"}, "Scope": {"orders:admin"}})).mustIssue(t)
	if got := d.parts.last().Scopes.Issued; !slices.Equal(got, []string{"orders:read"}) {
		t.Errorf("issued %q", got)
	}
}

// TestTX29_NothingTwice, OA-12: also what is not known, and also an empty one.
func TestTX29_NothingTwice(t *testing.T) {
	t.Parallel()
	d := open(t)
	for _, name := range []string{
		"grant_type", "subject_token", "subject_token_type", "actor_token", "actor_token_type", "requested_token_type",
		"scope", "client_id", "client_secret", "client_assertion", "client_assertion_type", "foo",
	} {
		for _, second := range []string{"x", ""} {
			r := baseline()
			r.form.Set(name, "x")
			r.body = r.form.Encode() + "&" + name + "=" + second
			d.send(r).must(t, 400, exchange.InvalidRequest)
		}
		r := baseline()
		r.form.Del(name)
		r.body = r.form.Encode() + "&" + name + "=&" + name + "="
		d.send(r).must(t, 400, exchange.InvalidRequest)
	}
	d.send(with(url.Values{"audience": {orders, orders}, "resource": {orders, orders}})).mustIssue(t)
}

// TestBUG03_TokenNeverFallsThrough: a token beside client_credentials is not
// dropped, and a dropped one is not a client's own request.
func TestBUG03_TokenNeverFallsThrough(t *testing.T) {
	t.Parallel()
	d := open(t)
	for _, name := range []string{"subject_token", "subject_token_type", "actor_token", "actor_token_type"} {
		r := baseline()
		r.form = url.Values{"grant_type": {"client_credentials"}, "audience": {orders}, name: {"ST_A"}}
		a := d.send(r)
		a.must(t, 400, exchange.InvalidRequest)
		if a.text("reason") != "malformed_request" || a.text("decision_id") != string(d.parts.last().ID) {
			t.Errorf("%s: %s", name, a.raw)
		}
	}
	r := baseline()
	r.form = url.Values{"grant_type": {"client_credentials"}, "audience": {orders}, "scope": {"orders:read"}}
	d.send(r).mustIssue(t)
	if rec := d.parts.last(); rec.Grant != exchange.GrantClientCredentials || rec.Client != "svc-gateway" {
		t.Errorf("record: %+v", rec)
	}
}

func TestOA02_Basic(t *testing.T) {
	t.Parallel()
	open(t).send(baseline()).mustIssue(t)
}

// TestOA04_SecretInTheBody is client_secret_post.
func TestOA04_SecretInTheBody(t *testing.T) {
	t.Parallel()
	d := open(t)
	r := with(url.Values{"client_id": {"svc-gateway"}, "client_secret": {rightSecret}})
	r.header.Del("Authorization")
	d.send(r).mustIssue(t)
	r.form.Set("client_secret", rightSecret+"x") // OA-18
	a := d.send(r)
	a.must(t, 401, exchange.InvalidClient)
	if a.header.Get("WWW-Authenticate") != "" {
		t.Error("a challenge although nothing was tried by header")
	}
}

// TestOA03_BasicIsFormDecoded (RFC 6749 §2.3.1): and a secret is taken raw too,
// an id with a colon is not.
func TestOA03_BasicIsFormDecoded(t *testing.T) {
	t.Parallel()
	d := open(t)
	for header, status := range map[string]int{
		encoded("a:b c+é", "p%:&+ "):                                200,
		basic("a:b c+é", "p%:&+ "):                                  401,
		encoded(oddID, oddPW):                                       200,
		basic("a%3Ab%25", oddPW):                                    200, // the id encoded, the secret raw
		basic(oddID, oddPW):                                         401,
		strings.Replace(encoded(oddID, oddPW), "Basic", "bAsIc", 1): 200,
	} {
		r := baseline()
		r.header.Set("Authorization", header)
		if a := d.send(r); a.status != status {
			t.Errorf("%s: %d %s", header, a.status, a.raw)
		}
	}
	r := with(url.Values{"client_id": {oddID}, "client_secret": {oddPW}})
	r.header.Del("Authorization")
	d.send(r).mustIssue(t)
}

// TestOA01_OneMethodARequest: two are a bad request, an assertion with
// anything a failed authentication (D2).
func TestOA01_OneMethodARequest(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.send(with(url.Values{"client_secret": {rightSecret}})).must(t, 400, exchange.InvalidRequest)
	d.send(with(url.Values{"client_id": {"svc-gateway"}, "client_secret": {rightSecret}})).must(t, 400, exchange.InvalidRequest)
	d.send(with(url.Values{"client_assertion": {"a.b.c"}})).must(t, 401, exchange.InvalidClient)
	d.send(with(url.Values{"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}})).must(t, 401, exchange.InvalidClient)
	r := baseline()
	r.header.Add("Authorization", basic("svc-other", otherSecret))
	d.send(r).must(t, 400, exchange.InvalidRequest)
	d.send(with(url.Values{"client_id": {"svc-gateway"}})).mustIssue(t)
}

// TestOA05_NothingInTheQuery: neither credentials nor tokens nor parameters.
func TestOA05_NothingInTheQuery(t *testing.T) {
	t.Parallel()
	d := open(t)
	for _, query := range []string{
		"client_secret=" + rightSecret, "client_id=svc-gateway", "subject_token=ST_A", "scope=orders:read", "access_token=ST_A",
		"%63lient_secret=x", "x=1&token=ST_A", "client_secret", "x=%zz",
	} {
		r := baseline()
		r.path = "/token?" + query
		d.send(r).must(t, 400, exchange.InvalidRequest)
	}
	r := baseline()
	r.path = "/token?tenant=a&trace" // OA-07: a query of others is kept, and ignored
	d.send(r).mustIssue(t)
	if strings.Contains(d.log.String(), rightSecret) {
		t.Error("the secret is in the log")
	}
}

// TestOA14_ClientIDMustAgree: Basic A with client_id B.
func TestOA14_ClientIDMustAgree(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.send(with(url.Values{"client_id": {"svc-other"}})).must(t, 400, exchange.InvalidRequest)
	d.send(with(url.Values{"client_id": {"SVC-GATEWAY"}})).must(t, 400, exchange.InvalidRequest)
}

// TestOA17_FailureByHeaderIsChallenged (RFC 6749 §5.2): wrong and malformed
// Basic, and every other scheme.
func TestOA17_FailureByHeaderIsChallenged(t *testing.T) {
	t.Parallel()
	d := open(t)
	for _, header := range []string{
		basic("svc-gateway", "wrong"), basic("nope", "x"), "Basic", "Basic ", "Basic !!!", "Basic bm9jb2xvbg==", basic("", rightSecret),
		basic("svc-gateway", ""), basic("svc-gateway", rightSecret) + "=", strings.TrimRight(basic("svc-gateway", rightSecret+"x"), "="),
		"Basic  " + strings.TrimPrefix(basic("svc-gateway", rightSecret), "Basic "), "Bearer x", "DPoP x", "basic", "",
		basic("svc-gateway\x00", rightSecret), basic("svc-gateway", rightSecret+"\n"), basic("\xff", "x"),
	} {
		r := baseline()
		r.header.Set("Authorization", header)
		a := d.send(r)
		a.must(t, 401, exchange.InvalidClient)
		if challenge := a.header.Get("WWW-Authenticate"); !strings.HasPrefix(challenge, `Basic realm="strait"`) {
			t.Errorf("%q: challenge %q", header, challenge)
		}
	}
}

func TestOA19_GrantNotAllowed(t *testing.T) {
	t.Parallel()
	d := open(t)
	r := baseline()
	r.header.Set("Authorization", basic("svc-noexchange", rightSecret))
	a := d.send(r)
	a.must(t, 400, exchange.UnauthorizedClient)
	if a.text("reason") != "grant_not_allowed" {
		t.Error(a.raw)
	}
}

// TestOA21_UnknownClientLooksLikeWrongSecret: the same body but for the
// decision id, and the same comparisons.
func TestOA21_UnknownClientLooksLikeWrongSecret(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	compared := 0
	d := newDoor(t, func(o *oauth.Options) {
		o.Matches = func(digest, secret string) bool {
			mu.Lock()
			defer mu.Unlock()
			compared++
			return matches(digest, secret)
		}
	}, nil)
	bodies := map[string]bool{}
	for name, header := range map[string]string{
		"unknown": basic("nope", "x"), "wrong": basic("svc-gateway", "x"), "disabled": basic("svc-disabled", rightSecret),
		"expired": basic("svc-expired", rightSecret), "without secret": basic("svc-pkjwt", "x"),
	} {
		r := baseline()
		r.header.Set("Authorization", header)
		a := d.send(r)
		a.must(t, 401, exchange.InvalidClient)
		bodies[strings.ReplaceAll(a.raw, a.text("decision_id"), "")] = true
		mu.Lock()
		if compared != 1 {
			t.Errorf("%s: %d comparisons", name, compared)
		}
		compared = 0
		mu.Unlock()
		if a.text("reason") != "" {
			t.Errorf("%s: %s", name, a.raw)
		}
	}
	if len(bodies) != 1 {
		t.Errorf("bodies differ: %v", bodies)
	}
}

// TestOA22_Limits: size and number, quickly.
func TestOA22_Limits(t *testing.T) {
	t.Parallel()
	d := open(t)
	began := time.Now()
	d.send(with(url.Values{"subject_token": {strings.Repeat("A", 2<<20)}})).must(t, 413, exchange.InvalidRequest)
	chunked := baseline()
	chunked.form.Set("x", strings.Repeat("A", 64<<10))
	d.sendChunked(chunked).must(t, 413, exchange.InvalidRequest)
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("took %v", took)
	}
	r := baseline()
	fits := 64<<10 - len(r.form.Encode()) - len("&x=")
	r.body = r.form.Encode() + "&x=" + strings.Repeat("A", fits)
	d.send(r).mustIssue(t)
	r.body += "A"
	d.send(r).must(t, 413, exchange.InvalidRequest)
	many := baseline()
	many.form["resource"] = slices.Repeat([]string{orders}, 64-len(many.form))
	d.send(many).mustIssue(t)
	many.form["resource"] = append(many.form["resource"], orders)
	d.send(many).must(t, 400, exchange.InvalidRequest)
}

// sendChunked sends the body without saying its length.
func (d *door) sendChunked(r *request) *answer {
	d.t.Helper()
	req, err := http.NewRequest(r.method, d.base+r.path, struct{ io.Reader }{strings.NewReader(r.form.Encode())})
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header = r.header
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer response.Body.Close()
	raw, _ := io.ReadAll(response.Body)
	a := &answer{status: response.StatusCode, header: response.Header, raw: string(raw)}
	_ = json.Unmarshal(raw, &a.body)
	return a
}

func TestChunkedFormIsRead(t *testing.T) {
	t.Parallel()
	open(t).sendChunked(baseline()).mustIssue(t)
}

package conformance_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// answerRows are RFC 8693 §2.2.
var answerRows = []row{
	{"TX-30", "2.2.1", "req", "200, `application/json`, strings as strings and numbers as numbers", func(t *testing.T, w *world) {
		a, _ := w.issued(t)
		if _, isNumber := a.body["expires_in"].(json.Number); !isNumber || !strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
			t.Errorf("%s %s", a.header.Get("Content-Type"), a.raw)
		}
	}, "", false},
	{"TX-31", "2.2.1", "req", "`access_token` carries the token", hasMembers("access_token"), "", false},
	{"TX-32", "2.2.1", "req", "`issued_token_type` always, and what was requested where something was", func(t *testing.T, w *world) {
		if a, _ := w.issued(t, set("requested_token_type", accessType)); a.text("issued_token_type") != accessType {
			t.Errorf("issued_token_type %q", a.text("issued_token_type"))
		}
	}, "", false},
	{"TX-33", "2.2.1", "req", "`token_type` is `Bearer` for an access token", func(t *testing.T, w *world) {
		if a, _ := w.issued(t); a.text("token_type") != "Bearer" {
			t.Errorf("token_type %q", a.text("token_type"))
		}
	}, "", false},
	{"TX-34", "2.2.1", "RECOMMENDED", "`expires_in` is the life of the token", func(t *testing.T, w *world) {
		a, payload := w.issued(t)
		if left := whole(t, payload["exp"]) - w.clock.Now().Unix(); left != whole(t, a.body["expires_in"]) || left != 300 {
			t.Errorf("expires_in %v, left %d", a.body["expires_in"], left)
		}
	}, "", false},
	{"TX-35", "2.2.1", "MUST", "`scope` says what was issued", both(hasMembers("scope"), func(t *testing.T, w *world) {
		if a, _ := w.issued(t, set("scope", "orders:write orders:read")); len(strings.Fields(a.text("scope"))) != 2 {
			t.Errorf("scope %q", a.text("scope"))
		}
	}), "", false},
	{"TX-36", "2.2.1", "prose", "no refresh token, by no grant", func(t *testing.T, w *world) {
		for _, b := range []bend{drop(), machine, set("scope", "orders:read orders:write")} {
			if a, _ := w.issued(t, b); a.body["refresh_token"] != nil {
				t.Errorf("a refresh token: %s", a.raw)
			}
		}
	}, "", false},
	{"TX-37", "2.2.1", "MUST", "`Cache-Control: no-store` and `Pragma: no-cache`, issued or refused (RFC 6749 §5.1)", both(
		allows(drop()), bad("invalid_request", "malformed_request", drop("subject_token")), unauthenticated(as("nobody"))), "", false},
	{"TX-40", "2.2.2", "MUST", "a token that is invalid or unacceptable: `invalid_request`", unacceptable, "", false},
	{"TX-41", "2.2.2", "SHOULD", "a target that will not do: `invalid_target`", both(
		bad("invalid_target", "target_unknown", set("audience", "nobody"), set("audience", "closed")),
		bad("invalid_target", "target_not_allowed", set("audience", "tenant-2"))), "", false},
	{"TX-42", "2.2.2", "MAY", "`error_description` is plain ASCII and repeats nothing that was sent", describes, "", false},
	{"TX-43", "2.2.2", "MAY", "other codes where they fit", both(
		bad("unauthorized_client", "grant_not_allowed", as("machine")), bad("unauthorized_client", "no_policy", as("stranger")),
		bad("invalid_scope", "scope_not_held", with(claims{"scope": "openid"}))), "", false},
	{"TX-44", "2.2.2", "MUST", "400 unless said otherwise (RFC 6749 §5.2)", bad("invalid_target", "target_unknown", set("audience", "nobody")), "", false},
}

// hasMembers holds that a success has these members, none empty.
func hasMembers(names ...string) check {
	return func(t *testing.T, w *world) {
		a, _ := w.issued(t)
		for _, name := range names {
			if a.text(name) == "" {
				t.Errorf("no %s in %s", name, a.raw)
			}
		}
	}
}

// whole is a JSON number without a fraction.
func whole(t *testing.T, v any) int64 {
	t.Helper()
	number, _ := v.(json.Number)
	n, err := number.Int64()
	if err != nil {
		t.Fatalf("%v is no whole number", v)
	}
	return n
}

// unacceptable is one token for each way in which it can be so.
func unacceptable(t *testing.T, w *world) {
	now := w.clock.Now()
	for reason, b := range map[string]bend{
		"subject_token_malformed":       spelled(func(compact string) string { return strings.TrimRight(compact, compact[len(compact)-20:]) + ".x.y" }),
		"subject_signature_invalid":     swapped,
		"subject_expired":               with(claims{"iat": now.Add(-time.Hour).Unix(), "exp": now.Add(-time.Second).Unix()}),
		"subject_not_yet_valid":         with(claims{"nbf": now.Add(time.Minute).Unix()}),
		"subject_too_old":               with(claims{"iat": now.AddDate(0, 0, -2).Unix()}),
		"subject_issuer_not_trusted":    with(claims{"iss": "https://nobody.example.com"}),
		"issuer_disabled":               func(w *world, a *ask) { a.form.Set("subject_token", w.tokenOf(w.closed, nil, nil)) },
		"subject_audience_mismatch":     with(claims{"aud": "https://somebody.example.com"}),
		"subject_algorithm_not_allowed": headed(claims{"alg": "none"}),
		"proof_required":                with(claims{"cnf": claims{"jkt": "x"}}),
		"may_act_mismatch":              with(claims{"may_act": claims{"sub": "x"}}),
		"actor_required":                with(claims{"may_act": claims{"client_id": "gateway"}}),
	} {
		bad("invalid_request", reason, b)(t, w)
	}
}

// describable is the charset of RFC 6749 §5.2 for error_description.
var describable = regexp.MustCompile(`^[\x20-\x21\x23-\x5b\x5d-\x7e]+$`)

func describes(t *testing.T, w *world) {
	token := w.alice(claims{"aud": "https://somebody.example.com", "sub": `evil"\`})
	for _, b := range []bend{
		set("subject_token", token), set("audience", "näch\"ste"), set("scope", `a"b`), set("requested_token_type", "<marquee>"), set("grant_type", `x"\`),
	} {
		a := w.send(t, b)
		description := a.text("error_description")
		if a.status < 400 || !describable.MatchString(description) {
			t.Errorf("%d %q", a.status, description)
		}
		for _, sent := range list(token[:20], "somebody", "evil", "näch", "marquee") {
			if strings.Contains(a.raw, sent) {
				t.Errorf("%q is repeated in %s", sent, a.raw)
			}
		}
	}
}

// endpointRows are RFC 6749.
var endpointRows = []row{
	{"OA-01", "2.3", "MUST NOT", "one method of authentication a request; with an assertion among them `invalid_client` (RFC 7521 §4.2.1)", both(
		bad("invalid_request", "malformed_request", set("client_secret", "x")), unauthenticated(set("client_assertion", "x"))), "", false},
	{"OA-02", "2.3.1", "MUST", "HTTP Basic", allows(drop()), "", false},
	{"OA-03", "2.3.1, App. B", "MUST", "id and secret are form-encoded before Base64", encodedCredentials, "", false},
	{"OA-04", "2.3.1", "MAY", "credentials in the body", func(t *testing.T, w *world) {
		w.send(t, header("Authorization"), set("client_id", "gateway"), set("client_secret", w.secret)).mustIssue()
		w.send(t, header("Authorization"), set("client_id", "gateway"), set("client_secret", "wrong")).mustRefuse(401, "invalid_client", "")
	}, "", false},
	{"OA-05", "2.3.1", "MUST NOT", "credentials are never taken from the URL", bad("invalid_request", "malformed_request", func(w *world, a *ask) {
		a.path = "/token?client_id=gateway&client_secret=" + w.secret
		a.header.Del("Authorization")
	}), "", false},
	{"OA-06", "2.3.1", "MUST", "guessing of secrets is slowed down, and keeps nobody else out", func(t *testing.T, _ *world) { guessing(t) }, "", false},
	{"OA-07", "3.2", "MUST NOT", "the endpoint's URI has no fragment", func(t *testing.T, w *world) {
		if endpoint := w.get(t, oauthMetadata).text("token_endpoint"); endpoint != w.app.Issuer()+"/token" {
			t.Errorf("token_endpoint %q", endpoint)
		}
	}, "", false},
	{"OA-08", "3.2", "MUST", "TLS, but for a loopback issuer", overTLS, "", false},
	{"OA-09", "3.2", "MUST", "POST", otherMethods(http.MethodPut, http.MethodGet), "", false},
	{"OA-10", "3.2", "MUST", "parameters without a value are omitted", allows(set("requested_token_type", ""), set("resource", "")), "", false},
	{"OA-11", "3.2", "MUST", "unrecognised parameters are ignored", allows(set("x-vendor", "1")), "", false},
	{"OA-12", "3.2", "MUST NOT", "no parameter repeats", bad("invalid_request", "malformed_request", twice("scope")), "", false},
	{"OA-13", "3.2.1", "MUST", "confidential clients authenticate: an id alone is not enough", unauthenticated(all(header("Authorization"), set("client_id", "gateway"))), "", false},
	{"OA-14", "3.2.1", "ours", "`client_id` in the body is the authenticated client's", both(
		bad("invalid_request", "malformed_request", set("client_id", "simple")), allows(set("client_id", "gateway"))), "", false},
	{"OA-15", "3.3", "MUST", "no scope asked: the documented default, else `invalid_scope`", both(
		allows(drop("scope")), bad("invalid_scope", "scope_not_allowed", all(drop("scope"), set("audience", "tenant-1")))), "", false},
	{"OA-16", "5.1", "MUST", "nothing with tokens or credentials is stored", func(t *testing.T, w *world) {
		w.send(t).mustIssue()
		if a := w.manage(t, http.MethodGet, "/clients/gateway", nil); a.status != 200 || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%d Cache-Control %q", a.status, a.header.Get("Cache-Control"))
		}
	}, "", false},
	{"OA-17", "5.2", "MUST", "authentication by header that fails: 401 with `WWW-Authenticate` of that scheme", challenges, "", false},
	{"OA-18", "5.2", "MAY", "other failures of authentication are 401 too", unauthenticated(all(header("Authorization"), set("client_id", "gateway"), set("client_secret", "x"))), "", false},
	{"OA-19", "5.2", "req", "a grant that the client may not use: `unauthorized_client`", bad("unauthorized_client", "grant_not_allowed", as("machine")), "", false},
	{"OA-20", "5.2", "MUST NOT", "only the characters that the text allows", describes, "", false},
	{"OA-21", "5.2", "ours", "an unknown client and a wrong secret get one body", func(t *testing.T, w *world) {
		unknown := w.send(t, header("Authorization", basic("nobody", w.secret)))
		wrong := w.send(t, header("Authorization", basic("gateway", "wrong")))
		id := regexp.MustCompile(`"decision_id":"[^"]*"`)
		if unknown.status != 401 || id.ReplaceAllString(unknown.raw, "") != id.ReplaceAllString(wrong.raw, "") {
			t.Errorf("%s and %s", unknown.raw, wrong.raw)
		}
	}, "", false},
	{"OA-22", "5.2", "ours", "bodies, parameters and tokens are bounded", both(
		refuses(413, "invalid_request", "malformed_request", set("x", strings.Repeat("a", 65<<10))),
		bad("invalid_request", "subject_token_malformed", set("subject_token", strings.Repeat("a", 17<<10))),
		bad("invalid_request", "malformed_request", manyParameters)), "", false},
	{"OA-23", "5.2", "ours", "a database that is down is 503 with `Retry-After`, never a 4xx, and ends by itself", func(t *testing.T, _ *world) { databaseDown(t) }, "", false},
}

func manyParameters(_ *world, a *ask) {
	for i := range 65 {
		a.form.Set("x-"+strings.Repeat("i", i+1), "1")
	}
}

func challenges(t *testing.T, w *world) {
	for _, value := range list(basic("gateway", "wrong"), "Basic !!", "Basic "+strings.Repeat("A", 8), "Bearer x") {
		a := w.send(t, header("Authorization", value)).mustRefuse(401, "invalid_client", "")
		if challenge := a.header.Get("WWW-Authenticate"); !strings.HasPrefix(challenge, "Basic realm=") {
			t.Errorf("%q: WWW-Authenticate %q", value, challenge)
		}
	}
	if a := w.send(t, header("Authorization"), set("client_id", "gateway"), set("client_secret", "x")); a.header.Get("WWW-Authenticate") != "" {
		t.Error("a challenge although no header was tried")
	}
}

// same says whether a claim is a list of these words.
func same(claim any, words ...string) bool {
	found, isList := claim.([]any)
	return isList && slices.EqualFunc(found, words, func(a any, b string) bool { return a == b })
}

// encodedCredentials: a client whose id has a colon and whose secret has
// everything else gets in form-encoded, or in the body, and not as it is.
func encodedCredentials(t *testing.T, w *world) {
	encoded := basic(url.QueryEscape(oddID), url.QueryEscape(w.oddSecret))
	if _, payload := w.issued(t, header("Authorization", encoded)); payload["client_id"] != oddID {
		t.Errorf("client_id %v", payload["client_id"])
	}
	w.send(t, header("Authorization"), set("client_id", oddID), set("client_secret", w.oddSecret)).mustIssue()
	w.send(t, header("Authorization", basic(oddID, w.oddSecret))).mustRefuse(401, "invalid_client", "")
}

// guessing: who guesses waits; the client elsewhere and other clients do not,
// and the wait ends.
func guessing(t *testing.T) {
	t.Helper()
	w := newWorld(t, flags{"rate-failures": "6", "proxy-cidrs": "127.0.0.0/8"})
	here, elsewhere := header("X-Forwarded-For", "203.0.113.1"), header("X-Forwarded-For", "203.0.113.2")
	for range 6 {
		w.send(t, here, header("Authorization", basic("gateway", "guess"))).mustRefuse(401, "invalid_client", "")
	}
	a := w.send(t, here, header("Authorization", basic("gateway", "guess"))).mustRefuse(429, "temporarily_unavailable", "rate_limited")
	if a.header.Get("Retry-After") == "" {
		t.Error("429 without Retry-After")
	}
	w.send(t, elsewhere).mustIssue()
	w.send(t, here, as("simple")).mustIssue()
	w.clock.advance(time.Minute)
	w.send(t, here).mustIssue()
}

package conformance_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/ststest"
)

// introspectionRows are RFC 7662, as far as other texts add to it theirs too.
var introspectionRows = []row{
	{"IN-01", "2.1", "MUST", "a POST of a form with `token`", func(t *testing.T, w *world) { strictForm(t, w, "/introspect") }, "", false},
	{"IN-02", "2.1, 4", "MUST", "the caller is authenticated", func(t *testing.T, w *world) { callersAuthenticate(t, w, "/introspect") }, "", false},
	{"IN-03", "2.1", "MUST", "a wrong or unknown `token_type_hint` is ignored", func(t *testing.T, w *world) {
		token := w.bought(t)
		for _, hint := range list("access_token", "refresh_token", "nonsense") {
			w.mustHold(t, "relay", token, set("token_type_hint", hint))
		}
	}, "", false},
	{"IN-04", "2.2", "req", "`active` is a boolean", func(t *testing.T, w *world) {
		for _, a := range []*answer{w.ask7662(t, "relay", w.bought(t)), w.ask7662(t, "relay", "x")} {
			if _, isBool := a.body["active"].(bool); !isBool {
				t.Errorf("%s", a.raw)
			}
		}
	}, "", false},
	{"IN-05", "2.2", "MUST", "unknown, malformed, foreign, expired, revoked, of a disabled client or target: `{\"active\":false}` and nothing more", inactive, "", false},
	{"IN-06", "4", "MUST", "a token is told of to a resource server that it is for, and to nobody else", onlyServed, "", false},
	{"IN-07", "2.2", "MAY", "a resource server is told the scopes that its own targets know", ownScopes, "", false},
	{"IN-08", "2.2", "prose", "the members are those of the token, with its JSON types", membersOfTheToken, "", false},
	{"IN-09", "RFC 8693 4", "prose", "`act` and `may_act` at top level", both(actIsTold, mayActIsTold), "", false},
	{"IN-10", "RFC 8705 3.2", "prose", "`cnf` with `x5t#S256` at top level", nil, "proof of possession", false},
	{"IN-11", "RFC 9449 6.2", "MUST", "`cnf` with `jkt` at top level, and `token_type` DPoP", nil, "proof of possession", false},
	{"IN-12", "RFC 9396 9.2", "MUST", "`authorization_details` at top level", nil, "rich authorization", false},
	{"IN-13", "4", "MUST NOT", "no answer is kept", func(t *testing.T, w *world) {
		for _, token := range list(w.bought(t), "x") {
			w.ask7662(t, "relay", token).mustNotBeKept()
		}
	}, "", false},
	{"IN-14", "2.3", "MUST", "a bearer token authorises no call here: 401, with the challenge of the scheme that does", func(t *testing.T, w *world) {
		a := w.send(t, about("/introspect", "relay", w.bought(t)), header("Authorization", "Bearer "+w.bought(t))).mustRefuse(401, "invalid_client", "")
		if challenge := a.header.Get("WWW-Authenticate"); !strings.HasPrefix(challenge, "Basic ") {
			t.Errorf("WWW-Authenticate %q", challenge)
		}
	}, "", false},
}

// revocationRows are RFC 7009.
var revocationRows = []row{
	{"RV-01", "2", "SHOULD", "access tokens can be revoked: not active and not exchanged from then on", func(t *testing.T, w *world) {
		token := w.bought(t, set("audience", ordersAudience, billingAudience), set("scope", "common"))
		w.send(t, onward(token)).mustIssue()
		w.mustEnd(t, "gateway", token)
		w.mustNotHold(t, "relay", token)
		w.send(t, onward(token)).mustRefuse(400, "invalid_request", "subject_revoked")
	}, "", false},
	{"RV-02", "2.1", "prose", "a token of another client is refused and stays active", func(t *testing.T, w *world) {
		token := w.bought(t)
		w.send(t, about("/revoke", "relay", token)).mustRefuse(400, "invalid_request", "token_of_another_client")
		w.mustHold(t, "relay", token)
	}, "", false},
	{"RV-03", "2.2", "prose", "an unknown, malformed, foreign, expired or revoked token: 200, and nothing is done", endsNothing, "", false},
	{"RV-04", "2.1", "MUST", "a wrong or unknown `token_type_hint` is ignored", func(t *testing.T, w *world) {
		for _, hint := range list("access_token", "refresh_token", "nonsense") {
			token := w.bought(t)
			w.mustEnd(t, "gateway", token, set("token_type_hint", hint))
			w.mustNotHold(t, "relay", token)
		}
	}, "", false},
	{"RV-05", "2.1", "SHOULD", "with a refresh token the access tokens of its grant are revoked", nil, "refresh tokens", false},
	{"RV-06", "2.2.1", "prose", "503 with `Retry-After` where it could not be stored, and no success that did not happen", func(t *testing.T, _ *world) { revokedWithoutDatabase(t) }, "", false},
	{"RV-07", "2", "MUST", "both endpoints are in the metadata, https as the issuer is", func(t *testing.T, w *world) {
		for _, path := range list(oauthMetadata, openIDMetadata) {
			a := w.get(t, path)
			for name, at := range map[string]string{"introspection": "/introspect", "revocation": "/revoke"} {
				if a.text(name+"_endpoint") != w.app.Issuer()+at || !reflect.DeepEqual(a.body[name+"_endpoint_auth_methods_supported"], a.body["token_endpoint_auth_methods_supported"]) {
					t.Errorf("%s: %s", path, a.raw)
				}
			}
		}
		h := open(t, flags{"issuer": "https://sts.example.com/t1", "tls": "proxy"})
		if a := h.get(t, oauthMetadata+"/t1"); a.text("revocation_endpoint") != "https://sts.example.com/t1/revoke" || a.text("introspection_endpoint") != "https://sts.example.com/t1/introspect" {
			t.Errorf("%s", a.raw)
		}
	}, "", false},
	{"RV-08", "5", "MUST", "who asks too often, or guesses, waits: at these endpoints as at the token endpoint", func(t *testing.T, _ *world) { inspectionIsLimited(t) }, "", false},
	{"RV-09", "2.1", "prose", "the effect is immediate, and on every replica within a second", func(t *testing.T, _ *world) { revokedElsewhere(t) }, "", false},
}

// about asks an endpoint about one token, as a client.
func about(path, client, token string) bend {
	return func(w *world, a *ask) {
		a.path, a.form = path, url.Values{"token": {token}}
		as(client)(w, a)
	}
}

// onward has relay exchange a token of ours for billing.
func onward(token string) bend {
	return all(as("relay"), set("subject_token", token), set("subject_token_type", accessType), set("audience", billingAudience), set("scope", "common"))
}

// bought is a token of ours, issued to gateway for orders unless bent.
func (w *world) bought(t testing.TB, bends ...bend) string {
	t.Helper()
	return w.send(t, bends...).mustIssue().text("access_token")
}

// ask7662 introspects a token as a client.
func (w *world) ask7662(t testing.TB, client, token string, bends ...bend) *answer {
	t.Helper()
	a := w.send(t, append([]bend{about("/introspect", client, token)}, bends...)...)
	if a.status != http.StatusOK {
		t.Fatalf("introspection: %d %s", a.status, a.raw)
	}
	return a
}

// mustHold holds that the token is active for the client.
func (w *world) mustHold(t testing.TB, client, token string, bends ...bend) {
	t.Helper()
	if a := w.ask7662(t, client, token, bends...); a.body["active"] != true {
		t.Errorf("not active for %s: %s", client, a.raw)
	}
}

// mustNotHold holds that the client is told nothing of the token.
func (w *world) mustNotHold(t testing.TB, client, token string) {
	t.Helper()
	if a := w.ask7662(t, client, token); a.raw != `{"active":false}` {
		t.Errorf("%s is told %s", client, a.raw)
	}
}

// mustEnd revokes the token as the client that has it.
func (w *world) mustEnd(t testing.TB, client, token string, bends ...bend) {
	t.Helper()
	if a := w.send(t, append([]bend{about("/revoke", client, token)}, bends...)...); a.status != http.StatusOK || a.raw != "" {
		t.Errorf("revocation: %d %s", a.status, a.raw)
	}
}

// strictForm: the form is read as that of the token endpoint.
func strictForm(t *testing.T, w *world, path string) {
	token := about(path, "relay", w.bought(t))
	for status, bends := range map[int][]bend{
		400: {drop("token"), set("token", ""), twice("token"), twice("token_type_hint"), func(_ *world, a *ask) { a.path += "?token=x" }},
		405: {method(http.MethodGet), method(http.MethodPut)},
		413: {set("x", strings.Repeat("a", 65<<10))},
		415: {header("Content-Type", "application/json")},
	} {
		for _, b := range bends {
			w.send(t, token, b).mustRefuse(status, "invalid_request", "malformed_request")
		}
	}
}

// callersAuthenticate, in each way that clients do, and in no other.
func callersAuthenticate(t *testing.T, w *world, path string) {
	token := w.bought(t)
	bare := all(about(path, "relay", token), header("Authorization"))
	for _, b := range []bend{
		drop(), set("client_id", "relay"), all(set("client_id", "relay"), set("client_secret", "wrong")),
		header("Authorization", basic("nobody", w.secret)), header("Authorization", basic("relay", "wrong")),
	} {
		w.send(t, bare, b).mustRefuse(401, "invalid_client", "")
	}
	// As x/oauth2 and zitadel/oidc send it: form-encoded, raw, or in the body.
	for _, b := range []bend{
		header("Authorization", basic(url.QueryEscape(oddID), url.QueryEscape(w.oddSecret))), header("Authorization", basic("relay", w.secret)),
		all(set("client_id", oddID), set("client_secret", w.oddSecret)), all(header("Accept", "application/json"), as("relay")),
	} {
		if a := w.send(t, bare, b); a.status != 200 || path == "/introspect" && a.body["active"] != true {
			t.Errorf("%d %s", a.status, a.raw)
		}
	}
}

// inactive is a token for each way in which one does not hold.
func inactive(t *testing.T, w *world) {
	good := w.bought(t)
	w.mustHold(t, "relay", good)
	head, signed, _ := strings.Cut(good, ".")
	payload, _, _ := strings.Cut(signed, ".")
	for _, token := range list("x", "a.b.c", good+"x", strings.ToUpper(good), head+"."+payload+".", " "+good, strings.Repeat("a", 20<<10),
		w.alice(nil), w.alice(claims{"aud": ordersAudience}),
		w.tokenOf(w.idp, claims{"typ": "at+jwt"}, claims{"iss": w.app.Issuer(), "aud": ordersAudience}), // a key that we do not publish
		w.bought(t, set("audience", billingAudience), set("scope", "billing:read"))) {
		w.mustNotHold(t, "relay", token)
	}
	for _, change := range []struct{ off, on object }{
		{client("gateway", w.secret, members{"mode": "disabled"}), client("gateway", w.secret, nil)},
		{target("orders", ordersAudience, ordersScopes(), members{"resources": list(ordersResource, ordersQuery), "mode": "disabled"}),
			target("orders", ordersAudience, ordersScopes(), members{"resources": list(ordersResource, ordersQuery)})},
	} {
		w.apply(t, change.off)
		w.mustNotHold(t, "relay", good)
		w.apply(t, change.on)
		w.mustHold(t, "relay", good)
	}
	w.mustEnd(t, "gateway", good)
	w.mustNotHold(t, "relay", good)
	late := w.bought(t)
	w.clock.advance(5*time.Minute - time.Second)
	w.mustHold(t, "relay", late)
	w.clock.advance(time.Second)
	w.mustNotHold(t, "relay", late)
}

// onlyServed: neither another resource server nor the client that has the token
// is told of it.
func onlyServed(t *testing.T, w *world) {
	one := w.bought(t)
	for client, told := range map[string]bool{"relay": true, "simple": true, "ledger": false, "gateway": false, "machine": false} {
		if a := w.ask7662(t, client, one); a.body["active"] != told || !told && a.raw != `{"active":false}` {
			t.Errorf("%s is told %s", client, a.raw)
		}
	}
	two := w.bought(t, set("audience", ordersAudience, billingAudience), set("scope", "common"))
	w.mustHold(t, "relay", two)
	w.mustHold(t, "ledger", two)
}

// ordersScopes is the catalogue of orders.
func ordersScopes() []string { return list("orders:read", "orders:write", "common") }

// ownScopes: what is no scope of the target any more is not told.
func ownScopes(t *testing.T, w *world) {
	const audience = "https://shop.example.com"
	catalogue := func(scopes ...string) []object {
		return []object{target("shop", audience, scopes, nil), client("till", w.secret, members{"serves": list("shop")}),
			policy("shop", "gateway", "idp", list("shop"), scopes, nil)}
	}
	w.apply(t, catalogue("orders:read", "orders:write")...)
	token := w.bought(t, set("audience", audience), set("scope", "orders:read orders:write"))
	if a := w.ask7662(t, "till", token); a.text("scope") != "orders:read orders:write" {
		t.Errorf("%s", a.raw)
	}
	w.apply(t, catalogue("orders:read")...)
	if a := w.ask7662(t, "till", token); a.text("scope") != "orders:read" {
		t.Errorf("%s", a.raw)
	}
}

// membersOfTheToken compares answer and token; what is no member of RFC 7662 or
// RFC 8693 stays in the token.
func membersOfTheToken(t *testing.T, w *world) {
	for _, b := range []bend{drop(), all(set("audience", ordersAudience, billingAudience), set("scope", "common")), as("sole"), with(claims{"auth_time": 1, "acr": "high"})} {
		token := w.bought(t, b)
		_, want := decode(t, token)
		maps.DeleteFunc(want, func(name string, _ any) bool { return slices.Contains(list("auth_time", "acr", "amr"), name) })
		want["active"], want["token_type"] = true, "Bearer"
		if a := w.ask7662(t, "relay", token); !reflect.DeepEqual(a.body, want) {
			t.Errorf("told %s, the token says %v", a.raw, want)
		}
	}
}

// actIsTold: the whole chain, as in the token.
func actIsTold(t *testing.T, w *world) {
	token := w.bought(t, as("sole"), with(claims{"act": claims{"sub": "service16"}}))
	_, payload := decode(t, token)
	a := w.ask7662(t, "relay", token)
	if text, err := json.Marshal(a.body["act"]); err != nil || !strings.Contains(string(text), "client:sole") || !strings.Contains(string(text), "service16") || !reflect.DeepEqual(a.body["act"], payload["act"]) {
		t.Errorf("act %s, the token's %v", text, payload["act"])
	}
}

// mayActIsTold: as in the token, and no token that we issue has one.
func mayActIsTold(t *testing.T, w *world) {
	token := w.bought(t, as("sole"), with(claims{"may_act": claims{"client_id": "sole"}}))
	_, payload := decode(t, token)
	if a := w.ask7662(t, "relay", token); a.body["active"] != true || !reflect.DeepEqual(a.body["may_act"], payload["may_act"]) || payload["may_act"] != nil {
		t.Errorf("%s, the token's %v", a.raw, payload["may_act"])
	}
}

// renewalExtendsNothing: a later subject token leaves the issued one as it is.
func renewalExtendsNothing(t *testing.T, w *world) {
	token := w.bought(t, with(claims{"exp": w.clock.Now().Add(time.Minute).Unix()}))
	before := w.ask7662(t, "relay", token).body["exp"]
	w.bought(t, with(claims{"exp": w.clock.Now().Add(time.Hour).Unix()}))
	if after := w.ask7662(t, "relay", token).body["exp"]; before == nil || after != before {
		t.Errorf("exp %v, before %v", after, before)
	}
}

// revocationCascades: what was made of a token ends with it, and its siblings do
// not.
func revocationCascades(t *testing.T, w *world) {
	both := all(set("audience", ordersAudience, billingAudience), set("scope", "common"))
	root, sibling := w.bought(t, both), w.bought(t, both)
	child, nephew := w.bought(t, onward(root)), w.bought(t, onward(sibling))
	w.mustHold(t, "ledger", child)
	w.mustEnd(t, "gateway", root)
	for _, token := range list(root, child) {
		w.mustNotHold(t, "ledger", token)
	}
	w.mustHold(t, "relay", sibling)
	w.mustHold(t, "ledger", nephew)
	w.mustEnd(t, "relay", nephew)
	w.mustHold(t, "relay", sibling)
}

// endsNothing: each is answered alike, and the good token lives on.
func endsNothing(t *testing.T, w *world) {
	good := w.bought(t)
	_, payload := decode(t, good)
	jti, _ := payload["jti"].(string)
	forged := w.tokenOf(w.idp, claims{"typ": "at+jwt"}, claims{"iss": w.app.Issuer(), "aud": ordersAudience, "client_id": "gateway", "jti": jti})
	late := w.bought(t, with(claims{"exp": w.clock.Now().Add(2 * time.Second).Unix()}))
	w.clock.advance(3 * time.Second)
	for _, token := range list("x", "a.b.c", w.alice(nil), jti, forged, late) {
		w.mustEnd(t, "gateway", token)
	}
	w.mustHold(t, "relay", good)
	for range 2 {
		w.mustEnd(t, "gateway", good)
	}
	w.mustNotHold(t, "relay", good)
}

// smallWorld is one client, its resource server and one target, on a database of
// its own.
func smallWorld(t *testing.T, db ststest.Database, more flags) *world {
	t.Helper()
	w := &world{house: openOn(t, db, more), idp: ststest.NewIssuer(t), secret: aSecret()}
	w.apply(t, issuer("idp", w.idp.URL, inline(w.idp.JWKS()), nil), target("orders", ordersAudience, list("orders:read"), nil),
		client("gateway", w.secret, nil), client("relay", w.secret, members{"serves": list("orders")}),
		policy("orders", "gateway", "idp", list("orders"), list("orders:read"), nil))
	return w
}

// revokedWithoutDatabase: what cannot be stored is not said to be done, what was
// stored holds, and once revocations cannot be confirmed nothing is active.
func revokedWithoutDatabase(t *testing.T) {
	t.Helper()
	postgres := ststest.StartServer(t)
	w := smallWorld(t, postgres.Migrated(t), nil)
	ended, live := w.bought(t), w.bought(t)
	w.mustEnd(t, "gateway", ended)
	postgres.Stop(t)
	a := w.send(t, about("/revoke", "gateway", live)).mustRefuse(503, "temporarily_unavailable", "database_unavailable")
	if a.header.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
	w.mustEnd(t, "gateway", ended) // it is
	w.mustEnd(t, "gateway", "x")   // there is nothing to store
	began := time.Now()
	for {
		a := w.send(t, about("/introspect", "relay", live))
		if a.status == http.StatusServiceUnavailable {
			a.mustRefuse(503, "temporarily_unavailable", "database_unavailable")
			break
		}
		if a.body["active"] != true || time.Since(began) > 20*time.Second {
			t.Fatalf("%d %s after %v", a.status, a.raw, time.Since(began))
		}
		time.Sleep(100 * time.Millisecond)
	}
	w.send(t, about("/introspect", "relay", ended)).mustRefuse(503, "temporarily_unavailable", "database_unavailable")
	postgres.Start(t)
	for began = time.Now(); w.send(t, about("/revoke", "gateway", live)).status != http.StatusOK; time.Sleep(50 * time.Millisecond) {
		if time.Since(began) > 20*time.Second {
			t.Fatal("it has not come back")
		}
	}
	for began = time.Now(); w.send(t, about("/introspect", "relay", live)).raw != `{"active":false}`; time.Sleep(50 * time.Millisecond) {
		if time.Since(began) > 20*time.Second {
			t.Fatal("revoked, and active")
		}
	}
}

// inspectionIsLimited: guesses count wherever they are made, and so do requests.
func inspectionIsLimited(t *testing.T) {
	t.Helper()
	w := smallWorld(t, ststest.Migrated(t), flags{"rate-failures": "6", "rate-requests": "20"})
	token := w.bought(t)
	for i := range 6 {
		w.send(t, about(list("/introspect", "/revoke", "/token")[i%3], "relay", token), set("grant_type", "x"), header("Authorization", basic("relay", "guess"))).
			mustRefuse(401, "invalid_client", "")
	}
	for _, path := range list("/introspect", "/revoke") {
		a := w.send(t, about(path, "relay", token)).mustRefuse(429, "temporarily_unavailable", "rate_limited")
		if a.header.Get("Retry-After") == "" {
			t.Error("429 without Retry-After")
		}
	}
	w.clock.advance(time.Minute)
	asked := 0
	for asked < 200 && w.send(t, about("/introspect", "relay", token)).status == http.StatusOK {
		asked++
	}
	w.send(t, about("/revoke", "relay", token)).mustRefuse(429, "temporarily_unavailable", "rate_limited")
	if asked == 200 || asked == 0 {
		t.Errorf("%d requests before a wait", asked)
	}
}

// revokedElsewhere: a second replica on the database knows within a second. The
// issuer is one for both.
func revokedElsewhere(t *testing.T) {
	t.Helper()
	const sts = "https://sts.example.com"
	w := smallWorld(t, ststest.Migrated(t), flags{"issuer": sts, "tls": "proxy"})
	other := *w
	other.house = openOn(t, w.db, flags{"issuer": sts, "tls": "proxy", "keys-dir": w.cfg.KeysDir})
	token := w.bought(t)
	other.mustHold(t, "relay", token)
	w.mustEnd(t, "gateway", token)
	w.mustNotHold(t, "relay", token)
	began := time.Now()
	for other.ask7662(t, "relay", token).body["active"] != false {
		if time.Since(began) > time.Second {
			t.Fatal("still active on the other replica after a second")
		}
		time.Sleep(time.Millisecond)
	}
	t.Logf("known to the other replica after %v", time.Since(began))
}

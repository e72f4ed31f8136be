package conformance_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/ststest"
)

// ownTokenAbroad: what we issued is neither a foreign token, nor of any use to
// a client that does not serve its target, nor an administrator's.
func ownTokenAbroad(t *testing.T, w *world) {
	w.apply(t, policy("jw-14", "simple", "self", list("billing"), list("common"), subject(list("access_token", "jwt"), "self")))
	token := w.send(t, as("gateway"), set("scope", "orders:read")).mustIssue().text("access_token")
	own := all(set("subject_token", token), set("audience", "billing"), drop("scope"))
	w.send(t, own, set("subject_token_type", accessType)).mustRefuse(400, "invalid_request", "no_policy")
	w.send(t, own, set("subject_token_type", idType), as("simple")).mustRefuse(400, "invalid_request", "subject_type_mismatch")
	if a := w.request(t, http.MethodGet, w.admin+"/admin/v1/whoami", http.Header{"Authorization": {"Bearer " + token}}, nil); a.status != http.StatusUnauthorized {
		t.Errorf("an administrator by an issued token: %d", a.status)
	}
	// simple serves orders, so it may exchange what was issued for orders.
	w.apply(t, policy("jw-14", "simple", "self", list("orders"), list("orders:read"), subject(list("access_token", "jwt"), "self")))
	_, payload := w.issued(t, set("subject_token", token), set("subject_token_type", accessType), as("simple"))
	if payload["sub"] != "idp|alice" {
		t.Errorf("sub %v", payload["sub"])
	}
	w.send(t, machine, set("scope", "orders:read")).mustIssue()
	w.remove(t, "jw-14")
}

// exactExpiry: a token lives to the second before its exp, whatever the skew.
func exactExpiry(t *testing.T, w *world) {
	now := w.clock.Now()
	good := claims{"iat": now.Add(-time.Minute).Unix(), "exp": now.Add(2 * time.Second).Unix()}
	if a, _ := w.issued(t, with(good)); whole(t, a.body["expires_in"]) != 2 {
		t.Errorf("expires_in %v", a.body["expires_in"])
	}
	for _, exp := range []any{now.Unix(), now.Add(-time.Second).Unix()} {
		w.send(t, with(claims{"iat": good["iat"], "exp": exp})).mustRefuse(400, "invalid_request", "subject_expired")
	}
	for _, exp := range []any{itoa(now.Add(time.Hour).Unix()), -1, json.Number("1e300"), nil, true} {
		w.send(t, with(claims{"exp": exp})).mustRefuse(400, "invalid_request", "subject_token_malformed")
	}
}

// around: a date may lie ahead by the skew and no further.
func around(name string, skew time.Duration) check {
	return func(t *testing.T, w *world) {
		now := w.clock.Now()
		w.send(t, with(claims{name: now.Add(skew).Unix()})).mustIssue()
		w.send(t, with(claims{name: now.Add(skew + time.Second).Unix()})).mustRefuse(400, "invalid_request", "subject_not_yet_valid")
	}
}

// weakKey: an RSA key of 1024 bits is not taken on the list.
func weakKey(t *testing.T, w *world) {
	strong := ststest.NewKey(t, "strong", "RS256").JWK(t, nil)
	rs256 := members{"algorithms": list("RS256")}
	w.trustToo(t, "jw-19", ststest.KeySet(t, strong), rs256)
	text, _ := strong["n"].(string)
	strong["n"] = base64.RawURLEncoding.EncodeToString(unbase64(t, text)[:128])
	a := w.tryApply(t, issuer("jw-19-weak", urlOf("jw-19-weak"), inline(ststest.KeySet(t, strong)), rs256))
	if a.status != http.StatusUnprocessableEntity {
		t.Errorf("taken: %d %s", a.status, a.raw)
	}
}

// keyServer publishes whatever key set it is given.
type keyServer struct {
	*httptest.Server
	keys  atomic.Pointer[json.RawMessage]
	asked atomic.Int64
}

func serveKeys(t *testing.T, keys ...map[string]any) *keyServer {
	t.Helper()
	s := &keyServer{}
	s.publish(t, keys...)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.asked.Add(1)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(*s.keys.Load())
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *keyServer) publish(t *testing.T, keys ...map[string]any) {
	t.Helper()
	set := ststest.KeySet(t, keys...)
	s.keys.Store(&set)
}

// trustServer puts an issuer on the list whose keys are at the server.
func (w *world) trustServer(t *testing.T, name string, s *keyServer) {
	t.Helper()
	spec := issuer(name, s.URL, members{"jwksUri": s.URL + "/keys"}, nil)
	w.apply(t, spec, policy(name, "gateway", name, list("orders"), list("orders:read"), nil))
}

// from presents a token of the server's issuer.
func from(s *keyServer, key ststest.Key) bend {
	return func(w *world, a *ask) {
		a.form.Set("subject_token", w.idp.IssueWith(key, w.clock.Now(), nil, claims{"iss": s.URL, "scope": held}))
	}
}

func oddNeighbours(t *testing.T, w *world) {
	good := ststest.NewKey(t, "good", "ES256")
	s := serveKeys(t, map[string]any{"kty": "FUTURE", "kid": "x"}, map[string]any{"kty": "EC", "kid": "y"}, map[string]any{"kty": "oct", "k": "AAAA", "kid": "z"}, good.JWK(t, nil))
	w.trustServer(t, "jw-25", s)
	w.send(t, from(s, good)).mustIssue()
}

func sharedKid(t *testing.T, w *world) {
	one, two, alone := ststest.NewKey(t, "same", "ES256"), ststest.NewKey(t, "same", "ES256"), ststest.NewKey(t, "alone", "ES256")
	s := serveKeys(t, one.JWK(t, nil), two.JWK(t, nil), alone.JWK(t, nil))
	w.trustServer(t, "jw-26", s)
	w.send(t, from(s, alone)).mustIssue()
	for _, key := range []ststest.Key{one, two} {
		w.send(t, from(s, key)).mustRefuse(400, "invalid_request", "subject_signature_invalid")
	}
}

// rotation: a new key serves without a restart, and strangers' kids cost the
// issuer next to nothing.
func rotation(t *testing.T, w *world) {
	first, second := ststest.NewKey(t, "first", "ES256"), ststest.NewKey(t, "second", "ES256")
	s := serveKeys(t, first.JWK(t, nil))
	w.trustServer(t, "jw-33", s)
	w.send(t, from(s, first)).mustIssue()
	s.publish(t, first.JWK(t, nil), second.JWK(t, nil))
	w.send(t, from(s, second)).mustIssue()
	before := s.asked.Load()
	for i := range 50 {
		w.send(t, from(s, ststest.Key{ID: fmt.Sprint("unknown-", i), Alg: "ES256", Private: second.Private})).mustRefuse(400, "invalid_request", "subject_signature_invalid")
	}
	if n := s.asked.Load() - before; n > 2 {
		t.Errorf("%d fetches for 50 unknown kids", n)
	}
}

const jwksPath = "/.well-known/jwks.json"

// ourKeys is our key set as anybody reads it.
func ourKeys(t *testing.T, w *world) []map[string]any {
	t.Helper()
	var set struct{ Keys []map[string]any }
	a := w.get(t, jwksPath)
	if err := json.Unmarshal([]byte(a.raw), &set); err != nil || len(set.Keys) == 0 || a.status != http.StatusOK {
		t.Fatalf("%d %s: %v", a.status, a.raw, err)
	}
	return set.Keys
}

func publicParts(t *testing.T, w *world) {
	for _, key := range ourKeys(t, w) {
		for _, private := range list("d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv") {
			if key[private] != nil {
				t.Errorf("key %v publishes %s", key["kid"], private)
			}
		}
		if key["use"] != "sig" || key["alg"] == nil || key["kid"] == nil {
			t.Errorf("key %v", key)
		}
	}
}

// thumbprints: the required members alone, in the order of their names, without
// white space. That is what encoding/json makes of a map.
func thumbprints(t *testing.T, w *world) {
	required := map[any][]string{"EC": list("crv", "kty", "x", "y"), "OKP": list("crv", "kty", "x"), "RSA": list("e", "kty", "n")}
	seen := map[any]bool{}
	for _, key := range ourKeys(t, w) {
		members := map[string]any{}
		for _, name := range required[key["kty"]] {
			members[name] = key[name]
		}
		text, err := json.Marshal(members)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(text)
		if want := base64.RawURLEncoding.EncodeToString(sum[:]); key["kid"] != want {
			t.Errorf("kid %v, thumbprint %s of %s", key["kid"], want, text)
		}
		seen[key["kty"]] = true
	}
	if len(seen) != len(required) {
		t.Errorf("key types %v", seen)
	}
}

// edwards: EdDSA with Ed25519 by both of its names, and by no other curve.
func edwards(t *testing.T, w *world) {
	key := ststest.NewKey(t, "ed", "EdDSA")
	set := ststest.KeySet(t, key.JWK(t, members{"alg": nil}))
	w.trustToo(t, "jw-36", set, members{"algorithms": list("EdDSA")})
	w.send(t, by(key, "jw-36", nil)).mustIssue()
	w.send(t, by(key, "jw-36", claims{"alg": "Ed25519"})).mustIssue()
	w.send(t, by(key, "jw-36", claims{"alg": "Ed448"})).mustRefuse(400, "invalid_request", "subject_algorithm_not_allowed")
}

// shortSalt: PS256 with a salt of 20 bytes, beside one of 32.
func shortSalt(t *testing.T, w *world) {
	key := ststest.NewKey(t, "pss", "PS256")
	w.trustToo(t, "jw-21", ststest.KeySet(t, key.JWK(t, nil)), members{"algorithms": list("PS256")})
	w.send(t, by(key, "jw-21", nil)).mustIssue()
	_, payload := decode(t, w.ask(by(key, "jw-21", nil)).form.Get("subject_token"))
	text, err := json.Marshal(payload)
	if err != nil {
		t.Fatal(err)
	}
	for alg, want := range map[string]int{"PS256": 200, "PS256:salt20": 400} {
		token := ststest.Sign(t, key.Private, alg, `{"alg":"PS256","kid":"pss"}`, string(text))
		if a := w.send(t, set("subject_token", token)); a.status != want {
			t.Errorf("%s: %d %s", alg, a.status, a.raw)
		}
	}
}

package conformance_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/ststest"
)

// inboundRows are what "appropriate validation" of a JWT means (RFC 8693 §2.1),
// as far as it shows from outside; testdata/security-cases.json has more.
var inboundRows = []row{
	{"JW-01", "RFC 7515 §5.2", "MUST", "one well-formed compact JWS", bad("invalid_request", "subject_token_malformed",
		set("subject_token", "a"), set("subject_token", "a.b"), spelled(func(c string) string { return c + ".a" }), spelled(func(c string) string { return `{"payload":"` + c + `"}` })), "", false},
	{"JW-02", "RFC 7515 §2", "MUST", "base64url without padding, white space or other characters", bad("invalid_request", "subject_token_malformed",
		replaced(".", "=."), replaced(".", "\n."), replaced(".", " ."), replaced("ey", "?ey"), spelled(func(c string) string { return c + "\n" })), "", false},
	{"JW-03", "RFC 7515 §4", "MUST", "no name twice, in header or claims", bad("invalid_request", "subject_token_malformed", doubled), "", false},
	{"JW-04", "RFC 7515 §4.1.11", "MUST", "`crit` that is not understood, or not well-formed, refuses the token", bad("invalid_request", "subject_token_malformed",
		headed(claims{"crit": list("foo"), "foo": 1}), headed(claims{"crit": list()}), headed(claims{"crit": list("alg")}), headed(claims{"crit": list("b64"), "b64": false})), "", false},
	{"JW-05", "RFC 8725 §3.1", "MUST", "the algorithms that the entry lists, no others", otherAlgorithm, "", false},
	{"JW-06", "RFC 8725 §3.1", "MUST", "a key is used with the one algorithm that its JWK names", mismatchedKey("jw-06", "ES256", members{"alg": "ES384"}, "subject_signature_invalid"), "", false},
	{"JW-07", "RFC 8725 §3.2", "MUST", "`none` in no spelling", both(bad("invalid_request", "subject_algorithm_not_allowed", headed(claims{"alg": "none"}), headed(claims{"alg": "nOnE"}), headed(claims{"alg": ""})),
		bad("invalid_request", "subject_token_malformed", headed(claims{"alg": nil}))), "", false},
	{"JW-08", "RFC 8725 §2.1", "MUST", "no MAC by a public key", bad("invalid_request", "subject_algorithm_not_allowed", macByPublicKey), "", false},
	{"JW-09", "RFC 8725 §3.10", "ours", "a token does not bring its key: `jwk`, `jku`, `x5u`, `x5c` lead nowhere", bringsItsKey, "", true},
	{"JW-10", "RFC 8725 §3.8", "MUST", "the key belongs to `iss`", bad("invalid_request", "subject_signature_invalid", swapped), "", false},
	{"JW-11", "RFC 8725 §3.8", "MUST", "`sub` is a string that can be someone", bad("invalid_request", "subject_token_malformed",
		with(claims{"sub": nil}), with(claims{"sub": ""}), with(claims{"sub": 7}), with(claims{"sub": " "})), "", true},
	{"JW-12", "RFC 8725 §3.9", "MUST", "`aud` is validated", both(bad("invalid_request", "subject_audience_mismatch", with(claims{"aud": "x"}), with(claims{"aud": list("x", "y")})),
		bad("invalid_request", "subject_audience_mismatch", with(claims{"aud": nil})), allows(with(claims{"aud": list("x", "https://gateway.example.com")}))), "", false},
	{"JW-13", "RFC 8725 §3.11", "RECOMMENDED", "`typ` is checked, as a media type", both(
		allows(foreign(accessType, claims{"typ": "AT+JWT"}, nil), foreign(accessType, claims{"typ": "application/at+jwt"}, nil), headed(claims{"typ": nil})),
		bad("invalid_request", "subject_type_mismatch", headed(claims{"typ": "dpop+jwt"}), headed(claims{"typ": "logout+jwt"}), headed(claims{"typ": "secevent+jwt"}), headed(claims{"typ": "oauth-id-jag+jwt"}))), "", false},
	{"JW-14", "RFC 8725 §3.12", "MUST", "a token of ours is no use in another role", ownTokenAbroad, "", false},
	{"JW-15", "RFC 7519 §4.1.4", "MUST NOT", "no token past its `exp`, to the second", exactExpiry, "", true},
	{"JW-16", "RFC 7519 §4.1.5", "MUST NOT", "no token before its `nbf`", around("nbf", 30*time.Second), "", false},
	{"JW-17", "RFC 7519 §4.1.6", "ours", "`iat` is there, not ahead, and not older than the entry allows", both(around("iat", 30*time.Second),
		bad("invalid_request", "subject_token_malformed", with(claims{"iat": nil}))), "", true},
	{"JW-18", "RFC 7519 §2", "prose", "dates need not be whole", allows(func(w *world, a *ask) {
		with(claims{"exp": json.Number(itoa(w.clock.Now().Add(time.Minute).Unix()) + ".5")})(w, a)
	}), "", false},
	{"JW-19", "RFC 7518 §3.3", "MUST", "RSA keys have 2048 bits at least", weakKey, "", false},
	{"JW-20", "RFC 7518 §3.4", "MUST", "an ECDSA signature has its exact length", bad("invalid_request", "subject_signature_invalid",
		spelled(func(c string) string { return resigned(c, func(s []byte) []byte { return s[:63] }) }),
		spelled(func(c string) string { return resigned(c, func(s []byte) []byte { return append(s, 0) }) }),
		spelled(func(c string) string { return resigned(c, func(s []byte) []byte { return make([]byte, 64) }) })), "", false},
	{"JW-21", "RFC 7518 §3.5", "prose", "the salt of PSS is as long as the hash", shortSalt, "", false},
	{"JW-22", "RFC 7518 §3.4", "MUST", "the curve fits the algorithm", mismatchedKey("jw-22", "ES384", members{"alg": nil}, "subject_algorithm_not_allowed"), "", false},
	{"JW-23", "RFC 7518 §3.2", "MUST", "no key for a MAC is long enough: no entry takes one", func(t *testing.T, w *world) {
		w.tryApply(t, issuer("jw-23", urlOf("jw-23"), inline(w.idp.JWKS()), members{"algorithms": list("ES256", "HS256")})).mustBeInvalid("value")
	}, "", false},
	{"JW-24", "RFC 7517 §4.2", "ours", "keys that are not for signatures verify nothing", mismatchedKey("jw-24", "ES256", members{"use": "enc"}, "subject_signature_invalid"), "", false},
	{"JW-25", "RFC 7517 §5", "SHOULD", "keys that are not understood are passed over, the rest serves", oddNeighbours, "", false},
	{"JW-26", "RFC 7517 §4.5", "SHOULD", "keys that share a `kid` are nobody's", sharedKid, "", true},
	{"JW-27", "RFC 8725 §3.10", "prose", "`kid` is data: it finds a key of the entry, or none", bad("invalid_request", "subject_signature_invalid",
		headed(claims{"kid": "' OR 1=1"}), headed(claims{"kid": "../../etc/passwd"}), headed(claims{"kid": strings.Repeat("k", 200)})), "", false},
	{"JW-28", "RFC 8725 §3.7", "MUST", "UTF-8 alone", bad("invalid_request", "subject_token_malformed", rawPayload("\xff\xfe{\x00}\x00")), "", false},
	{"JW-29", "RFC 8725 §3.3", "MUST", "JWE is not read, so no bomb is unpacked", bad("invalid_request", "subject_token_malformed", set("subject_token", b64(`{"alg":"PBES2-HS256+A128KW","p2c":1000000000,"enc":"A128GCM"}`)+".AA.AA.AA.AA")), "", false},
	{"JW-30", "RFC 8725 §3.3", "MUST", "nothing is nested", bad("invalid_request", "subject_token_malformed", headed(claims{"cty": "JWT"})), "", false},
	{"JW-31", "RFC 7519 §7.3", "MUST", "`iss` and `aud` are compared code point by code point", both(
		func(t *testing.T, w *world) {
			bad("invalid_request", "subject_issuer_not_trusted", with(claims{"iss": w.idp.URL + "/"}), with(claims{"iss": strings.ToUpper(w.idp.URL)}))(t, w)
		},
		bad("invalid_request", "subject_audience_mismatch", with(claims{"aud": "https://gateway.example.com/"}), with(claims{"aud": "HTTPS://gateway.example.com"}))), "", false},
	{"JW-32", "RFC 7638 §3", "MUST", "the `kid` of our keys is their thumbprint", thumbprints, "", false},
	{"JW-33", "RFC 7517 §5", "ours", "keys are fetched again for an unknown `kid`, at a rate", rotation, "", false},
	{"JW-34", "RFC 7517 §9.2", "MUST NOT", "our key set has public parts alone", publicParts, "", false},
	{"JW-35", "RFC 7517 §5", "ours", "a key is published before its use and kept after it", nil, "signing key rotation", false},
	{"JW-36", "RFC 9864 §2", "SHOULD", "`Ed25519` beside `EdDSA`, where the entry lists it", edwards, "", false},
}

// b64 is base64url without padding.
func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func unbase64(t testing.TB, s string) []byte {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func itoa(n int64) string { text, _ := json.Marshal(n); return string(text) }

// resigned changes the bytes of a signature.
func resigned(compact string, change func([]byte) []byte) string {
	i := strings.LastIndexByte(compact, '.') + 1
	signature, _ := base64.RawURLEncoding.DecodeString(compact[i:])
	return compact[:i] + base64.RawURLEncoding.EncodeToString(change(signature))
}

// rawPayload signs exactly these bytes.
func rawPayload(payload string) bend {
	return func(w *world, a *ask) {
		key := w.idp.Key()
		a.form.Set("subject_token", ststest.Sign(w.t, key.Private, key.Alg, `{"alg":"ES256","kid":"`+key.ID+`"}`, payload))
	}
}

func doubled(w *world, a *ask) {
	_, payload := decode(w.t, w.alice(nil))
	text, _ := json.Marshal(payload)
	rawPayload(`{"sub":"root",`+string(text[1:]))(w, a)
}

func otherAlgorithm(t *testing.T, w *world) {
	allowed, other := ststest.NewKey(t, "allowed", "ES256"), ststest.NewKey(t, "other", "RS256")
	w.trustToo(t, "jw-05", ststest.KeySet(t, allowed.JWK(t, nil), other.JWK(t, nil)), nil)
	w.send(t, by(allowed, "jw-05", nil)).mustIssue()
	w.send(t, by(other, "jw-05", nil)).mustRefuse(400, "invalid_request", "subject_algorithm_not_allowed")
}

// trustToo adds an issuer with these keys, which gateway may exchange from.
func (w *world) trustToo(t *testing.T, name string, keys json.RawMessage, more members) {
	t.Helper()
	w.apply(t, issuer(name, urlOf(name), inline(keys), more), policy(name, "gateway", name, list("orders"), list("orders:read"), nil))
}

func urlOf(name string) string { return "https://" + name + ".example.com" }

// by presents a token of the issuer of that name, signed with the key.
func by(key ststest.Key, name string, header claims) bend {
	return func(w *world, a *ask) {
		a.form.Set("subject_token", w.idp.IssueWith(key, w.clock.Now(), header, claims{"iss": urlOf(name), "scope": held}))
	}
}

// mismatchedKey: beside a good key, one whose JWK does not fit its use.
func mismatchedKey(name, alg string, jwk members, reason string) check {
	return func(t *testing.T, w *world) {
		good, odd := ststest.NewKey(t, "good", "ES256"), ststest.NewKey(t, "odd", alg)
		w.trustToo(t, name, ststest.KeySet(t, good.JWK(t, nil), odd.JWK(t, jwk)), nil)
		w.send(t, by(good, name, nil)).mustIssue()
		w.send(t, by(odd, name, claims{"alg": "ES256"})).mustRefuse(400, "invalid_request", reason)
	}
}

func macByPublicKey(w *world, a *ask) {
	key := w.idp.Key()
	_, payload := decode(w.t, w.alice(nil))
	text, _ := json.Marshal(payload)
	a.form.Set("subject_token", ststest.Sign(w.t, []byte(w.idp.JWKS()), "HS256", `{"alg":"HS256","kid":"`+key.ID+`"}`, string(text)))
}

// bringsItsKey: an embedded key decides nothing, and nothing is fetched.
func bringsItsKey(t *testing.T, w *world) {
	var asked atomic.Int64
	trap := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer trap.Close()
	evil := ststest.NewKey(t, "evil", "ES256")
	for _, head := range []claims{
		{"jwk": evil.JWK(t, nil), "kid": nil}, {"jwk": evil.JWK(t, nil)}, {"jku": trap.URL}, {"x5u": trap.URL}, {"x5c": list("AA")},
	} {
		a := w.send(t, func(w *world, a *ask) {
			a.form.Set("subject_token", w.idp.IssueWith(evil, w.clock.Now(), head, claims{"scope": held}))
		})
		if a.status != 400 || a.text("reason") != "subject_signature_invalid" {
			t.Errorf("%v: %d %s", head, a.status, a.raw)
		}
	}
	w.send(t, headed(claims{"jku": trap.URL})).mustIssue()
	if n := asked.Load(); n != 0 {
		t.Errorf("%d requests went out", n)
	}
}

package trust_test

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/ststest"
)

// The rows JW-… of the conformance checklist that a verifier answers: the rows
// about spelling and signatures alone are tests of package jws.

func TestJW01_NotACompactJWS(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIssuer(t)
	h := newHouse(t, nil, inline(idp))
	good := idp.Issue(start(), nil)
	h.believes(good)
	part := strings.Split(good, ".")
	for _, token := range []string{
		"opaque", part[0], part[0] + "." + part[1], good + ".x", good + ".x.x", `{"payload":"` + part[1] + `"}`, good + "=", good + "\n",
		good + strings.Repeat("A", 16<<10),
	} {
		h.refuses(token, "subject_token_malformed")
	}
}

func TestJW05_OnlyTheEntrysAlgorithms(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIssuer(t, "RS256", "ES256")
	h := newHouse(t, nil, inline(idp, func(s *catalog.TrustedIssuer) { s.Algorithms = []string{"ES256"} }))
	h.believes(idp.Issue(start(), nil))
	rsaKey := ststest.Key{ID: "key-1", Alg: "RS256", Private: idp.Key().Private}
	h.refuses(idp.IssueWith(rsaKey, start(), nil, nil), "subject_algorithm_not_allowed")
}

func TestJW06_OneAlgorithmAKey(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIssuer(t)
	key := ststest.NewKey(t, "r1", "PS256")
	entry := entryOf("idp", idp.URL, catalog.Keys{JWKS: ststest.KeySet(t, key.JWK(t, nil))},
		func(s *catalog.TrustedIssuer) { s.Algorithms = []string{"RS256", "PS256"} })
	h := newHouse(t, nil, entry)
	h.believes(idp.IssueWith(key, start(), nil, nil))
	key.Alg = "RS256"
	h.refuses(idp.IssueWith(key, start(), nil, nil), "subject_algorithm_not_allowed")
}

func TestJW07_NoneInNoSpelling(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIssuer(t)
	h := newHouse(t, nil, inline(idp))
	good := idp.Issue(start(), nil)
	h.believes(good)
	payload := strings.Split(good, ".")[1]
	for _, alg := range []string{"none", "None", "NONE", "nOnE", ""} {
		header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"` + alg + `","kid":"key-1"}`))
		h.refuses(header+"."+payload+".", "subject_algorithm_not_allowed")
	}
}

func TestJW08_NoSymmetricConfusion(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIssuer(t, "RS256")
	h := newHouse(t, nil, inline(idp))
	h.believes(idp.Issue(start(), nil))
	der, err := x509.MarshalPKIXPublicKey(idp.Key().Private.Public())
	if err != nil {
		t.Fatal(err)
	}
	payload := `{"iss":"` + idp.URL + `","sub":"alice","aud":"` + gateway + `","iat":1799999999,"exp":1800000600}`
	for _, mac := range [][]byte{der, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), idp.JWKS(), {}} {
		h.refuses(ststest.Sign(t, mac, "HS256", `{"alg":"HS256","kid":"key-1"}`, payload), "subject_algorithm_not_allowed")
	}
}

func TestJW09_NoKeyFromTheToken(t *testing.T) {
	t.Parallel()
	idp, attacker := ststest.NewIssuer(t), ststest.NewIssuer(t)
	h := newHouse(t, nil, inline(idp))
	key := attacker.Key()
	for _, header := range []claims{
		{"jwk": key.JWK(t, nil)}, {"jwk": key.JWK(t, nil), "kid": nil}, {"jku": attacker.URL + ststest.JWKSPath}, {"x5u": attacker.URL + "/cert.pem"},
	} {
		h.refuses(idp.IssueWith(key, start(), header, nil), "subject_signature_invalid")
		h.believes(idp.IssueWith(idp.Key(), start(), header, nil))
	}
	if n := attacker.AllRequests() + int(h.fetches.n.Load()); n != 0 {
		t.Errorf("%d requests went out", n)
	}
}

func TestJW10_KeysBelongToTheirIssuer(t *testing.T) {
	t.Parallel()
	a, b := ststest.NewIssuer(t), ststest.NewIssuer(t)
	for name, keys := range map[string]func(*ststest.Issuer) catalog.Keys{
		"inline":  func(i *ststest.Issuer) catalog.Keys { return catalog.Keys{JWKS: i.JWKS()} },
		"jwksUri": func(i *ststest.Issuer) catalog.Keys { return catalog.Keys{JWKSURI: i.URL + ststest.JWKSPath} },
	} {
		h := newHouse(t, nil, entryOf("a", a.URL, keys(a)), entryOf("b", b.URL, keys(b)))
		h.believes(a.Issue(start(), nil))
		h.believes(b.Issue(start(), nil))
		_, err := h.subject(exchange.TypeJWT, a.IssueWith(b.Key(), start(), nil, nil)) // the kids are the same
		if reasonOf(t, err) != "subject_signature_invalid" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestJW13_OtherKindsOfJWT(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIssuer(t)
	h := newHouse(t, nil, inline(idp, accepting("jwt", "access_token", "id_token")))
	for _, typ := range []string{
		"logout+jwt", "dpop+jwt", "secevent+jwt", "oauth-id-jag+jwt", "token-introspection+jwt", "statuslist+jwt", "client-authentication+jwt", "JOSE", "x",
	} {
		for _, tokenType := range []exchange.TokenType{exchange.TypeJWT, exchange.TypeAccessToken, exchange.TypeIDToken} {
			_, err := h.subject(tokenType, idp.IssueWith(idp.Key(), start(), claims{"typ": typ}, nil))
			wantReason(t, err, "subject_type_mismatch")
		}
	}
	h.believes(idp.Issue(start(), nil))
}

func TestJW19_WeakKeysAreNoKeys(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIssuer(t, "ES256")
	weak := idp.Key().JWK(t, claims{"kty": "RSA", "kid": "weak", "alg": "RS256", "n": strings.Repeat("A", 171), "e": "AQAB"})
	h := newHouse(t, nil, entryOf("idp", idp.URL, catalog.Keys{JWKS: ststest.KeySet(t, weak, idp.Key().JWK(t, nil))}))
	h.believes(idp.Issue(start(), nil))
	h.refuses(idp.IssueWith(idp.Key(), start(), claims{"kid": "weak"}, nil), "subject_signature_invalid")
}

func TestJW24_KeysForOtherUses(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIssuer(t)
	for _, more := range []claims{{"use": "enc"}, {"key_ops": []string{"sign"}}} {
		good := ststest.NewKey(t, "good", "ES256")
		h := newHouse(t, nil, entryOf("idp", idp.URL, catalog.Keys{JWKS: ststest.KeySet(t, idp.Key().JWK(t, more), good.JWK(t, nil))}))
		h.refuses(idp.Issue(start(), nil), "subject_signature_invalid")
		h.believes(idp.IssueWith(good, start(), nil, nil))
	}
}

func TestJW27_StrangeKidsAreOnlyStrange(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIssuer(t)
	h := newHouse(t, nil, inline(idp))
	h.believes(idp.Issue(start(), nil))
	for _, kid := range []string{`' OR 1=1`, "../../x", "key-1 ", "KEY-1", strings.Repeat("k", 8<<10)} {
		h.refuses(idp.IssueWith(idp.Key(), start(), claims{"kid": kid}, nil), "subject_signature_invalid")
	}
	h.refuses(idp.IssueWith(idp.Key(), start(), claims{"kid": strings.Repeat("k", 1<<20)}, nil), "subject_token_malformed")
}

func TestJW29_JW30_EncryptedAndNestedTokens(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIssuer(t)
	h := newHouse(t, nil, inline(idp))
	h.believes(idp.Issue(start(), nil))
	jwe := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":1000000000,"zip":"DEF"}`)) + ".AA.AA.AA.AA"
	h.refuses(jwe, "subject_token_malformed") // by its form: p2c is never counted down
	h.refuses(idp.IssueWith(idp.Key(), start(), claims{"cty": "JWT"}, nil), "subject_token_malformed")
}

func TestJW31_NamesAreBytes(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIssuer(t)
	const iss, aud = "https://idp.test/caf\u00e9", "https://gw.test/caf\u00e9"
	h := newHouse(t, nil, entryOf("idp", iss, catalog.Keys{JWKS: idp.JWKS()}, func(s *catalog.TrustedIssuer) { s.Audiences = []string{aud} }))
	h.believes(idp.Issue(start(), claims{"iss": iss, "aud": aud}))
	for _, spelling := range []string{iss + "/", "https://idp.test/cafe\u0301", "https://IDP.test/caf\u00e9", "https://idp.test/caf%C3%A9", " " + iss, iss + "#", iss + "?", "https://idp.test:443/caf\u00e9"} {
		h.refuses(idp.Issue(start(), claims{"iss": spelling, "aud": aud}), "subject_issuer_not_trusted")
	}
	for _, spelling := range []string{aud + "/", "https://gw.test/cafe\u0301", "HTTPS://gw.test/caf\u00e9", "*", "x" + aud} {
		h.refuses(idp.Issue(start(), claims{"iss": iss, "aud": spelling}), "subject_audience_mismatch")
	}
	if n := h.fetches.n.Load(); n != 0 {
		t.Errorf("%d requests went out", n)
	}
}

func TestJW36_BothNamesOfEd25519(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIssuer(t, "EdDSA")
	for _, name := range []string{"EdDSA", "Ed25519"} {
		h := newHouse(t, nil, inline(idp, func(s *catalog.TrustedIssuer) { s.Algorithms = []string{name} }))
		for _, alg := range []string{"EdDSA", "Ed25519"} {
			h.believes(idp.IssueWith(idp.Key(), start(), claims{"alg": alg}, nil))
		}
		h.refuses(idp.IssueWith(idp.Key(), start(), claims{"alg": "ed25519"}, nil), "subject_algorithm_not_allowed")
	}
}

package trust_test

import (
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/ststest"
)

// FuzzVerify: no bytes make the verifier panic, every refusal is one of ours,
// and nothing is believed but what the issuer signed. Its key is the same in
// every process, so that the seeds are believed in each of the fuzzer's workers.
func FuzzVerify(f *testing.F) {
	key := ststest.Key{ID: "k", Alg: "EdDSA", Private: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))}
	jwks := ststest.KeySet(f, key.JWK(f, nil), ststest.NewKey(f, "other", "ES256").JWK(f, nil))
	entry := entryOf("idp", "https://idp.test", catalog.Keys{JWKS: jwks}, func(s *catalog.TrustedIssuer) {
		s.Algorithms = []string{"EdDSA", "ES256"}
	})
	signed := map[string]bool{}
	for _, more := range []string{``, `,"act":{"sub":"x"}`, `,"may_act":{},"cnf":{}`, `,"scope":["a"]`, `,"exp":1`, `,"events":{}`} {
		token := ststest.Sign(f, key.Private, key.Alg, `{"alg":"EdDSA","kid":"k"}`,
			`{"iss":"https://idp.test","sub":"alice","aud":"`+gateway+`","iat":1799999999`+strings.Replace(`,"exp":1800000600`+more, `,"exp":1800000600,"exp"`, `,"exp"`, 1)+`}`)
		signed[token] = true // EdDSA has one signature for a message
		f.Add(token)
		f.Add(token[:len(token)-1])
		f.Add(strings.Replace(token, ".", "..", 1))
	}
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("opaque")
	f.Fuzz(func(t *testing.T, token string) {
		h := newHouse(t, nil, entry)
		verified, err := h.subject(exchange.TypeJWT, token)
		if err == nil && (!signed[token] || verified.Subject != "alice") {
			t.Errorf("believed %q", token)
		}
		var refused *exchange.Error
		if err != nil && !errors.As(err, &refused) {
			t.Errorf("%v is no refusal", err)
		}
	})
}

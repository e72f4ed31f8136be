package trust_test

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"strings"
	"testing"

	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/ststest"
)

// BenchmarkVerify is a whole verification; BenchmarkBareES256 the signature
// alone with the standard library, to compare within one run.
func BenchmarkVerify(b *testing.B) {
	for _, alg := range []string{"ES256", "RS256"} {
		b.Run(alg, func(b *testing.B) {
			idp := ststest.NewIssuer(b, alg)
			h := newHouse(b, nil, inline(idp))
			token := idp.Issue(start(), claims{"scope": "orders:read orders:write", "groups": []string{"staff", "eng"}})
			h.believes(token)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := h.subject(exchange.TypeJWT, token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkBareES256(b *testing.B) {
	idp := ststest.NewIssuer(b)
	private, isEC := idp.Key().Private.(*ecdsa.PrivateKey)
	if !isEC {
		b.Fatal("not an EC key")
	}
	sum := sha256.Sum256([]byte(strings.Repeat("x", 400)))
	r, s, err := ecdsa.Sign(rand.Reader, private, sum[:])
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if !ecdsa.Verify(&private.PublicKey, sum[:], r, s) {
			b.Fatal("not verified")
		}
	}
}

package trust_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"testing"

	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/ststest"
)

// BenchmarkVerify is a whole verification, without the memory of verified
// tokens and with it; BenchmarkBare the signature alone with the standard
// library, over as many bytes, to compare within one run.
func BenchmarkVerify(b *testing.B) {
	for _, alg := range []string{"ES256", "RS256"} {
		for name, bytes := range map[string]int{"every time": -1, "remembered": 0} {
			b.Run(alg+"/"+name, func(b *testing.B) {
				idp := ststest.NewIssuer(b, alg)
				h := newHouseOf(b, bytes, inline(idp))
				token := idp.Issue(start(), claims{"scope": "orders:read orders:write", "groups": []string{"staff", "eng"}})
				h.believes(token)
				req := h.request(exchange.TypeJWT, token)
				b.ReportAllocs()
				for b.Loop() {
					if _, err := h.verifier.Verify(b.Context(), req, exchange.RoleSubject); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkBare(b *testing.B) {
	for _, alg := range []string{"ES256", "RS256"} {
		b.Run(alg, func(b *testing.B) {
			message := make([]byte, 400)
			sum := sha256.Sum256(message)
			signer, isSigner := ststest.NewIssuer(b, alg).Key().Private.(crypto.Signer)
			if !isSigner {
				b.Fatal("the key cannot sign")
			}
			signature, err := signer.Sign(rand.Reader, sum[:], crypto.SHA256)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				sum := sha256.Sum256(message)
				holds := false
				switch public := signer.Public().(type) {
				case *ecdsa.PublicKey:
					holds = ecdsa.VerifyASN1(public, sum[:], signature)
				case *rsa.PublicKey:
					holds = rsa.VerifyPKCS1v15(public, crypto.SHA256, sum[:], signature) == nil
				}
				if !holds {
					b.Fatal("not verified")
				}
			}
		})
	}
}

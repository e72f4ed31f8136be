package jws

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"testing"
	"time"
)

// benchClaims is a payload of the usual size: some 650 bytes a token.
const benchClaims = `{"iss":"https://idp.example.com/oauth2/default","sub":"00u1a2b3c4d5e6f7g8h9","aud":["https://gateway.example.com"],` +
	`"exp":1800000600,"iat":1799999990,"nbf":1799999990,"jti":"0190c1d2-3e4f-7a5b-8c6d-7e8f90a1b2c3","client_id":"edge-gateway",` +
	`"scope":"orders:read orders:write profile","groups":["staff","orders","emea"],"email":"alice@example.com"}`

// benchVerify reads and verifies a token, takes the bare verification in the same
// run, and reports the ratio of the two.
func benchVerify(b *testing.B, private crypto.Signer, alg string, bare func(input, signature []byte) bool) {
	compact := token(b, private, alg, `{"alg":"`+alg+`","typ":"at+jwt","kid":"2026-11-signing"}`, benchClaims)
	k := key(b, "2026-11-signing", private.Public())
	o := parsed(b, compact)
	var ours, theirs time.Duration
	b.ReportAllocs()
	for b.Loop() {
		start := time.Now()
		read, err := Parse(compact, Limits{})
		if err != nil || read.Verify(k) != nil {
			b.Fatal("not verified")
		}
		middle := time.Now()
		if !bare(o.signed, o.signature) {
			b.Fatal("not verified")
		}
		ours += middle.Sub(start)
		theirs += time.Since(middle)
	}
	b.ReportMetric(float64(ours.Nanoseconds())/float64(b.N), "ours-ns/op")
	b.ReportMetric(float64(theirs.Nanoseconds())/float64(b.N), "bare-ns/op")
	b.ReportMetric(float64(ours)/float64(theirs), "x-bare")
}

func BenchmarkVerifyES256(b *testing.B) {
	private := ecKeyPair(b, elliptic.P256())
	benchVerify(b, private, "ES256", func(input, signature []byte) bool {
		sum := sha256.Sum256(input)
		return verifyECDSA(private.Public().(*ecdsa.PublicKey), sum[:], signature)
	})
}

func BenchmarkVerifyRS256(b *testing.B) {
	private := rsaKeyPair(b, 2048)
	benchVerify(b, private, "RS256", func(input, signature []byte) bool {
		sum := sha256.Sum256(input)
		return rsa.VerifyPKCS1v15(&private.PublicKey, crypto.SHA256, sum[:], signature) == nil
	})
}

func BenchmarkVerifyEdDSA(b *testing.B) {
	private := edKeyPair(b)
	benchVerify(b, private, "EdDSA", func(input, signature []byte) bool {
		return ed25519.Verify(private.Public().(ed25519.PublicKey), input, signature)
	})
}

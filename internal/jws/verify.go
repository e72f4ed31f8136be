package jws

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"fmt"
	"math/big"
)

// Verify says whether k signed the object, with the algorithm that the header
// names (RFC 7515 §5.2 step 8). The key decides which algorithms it is for: one
// that it is not for is ErrAlgorithm (RFC 8725 §3.1), a wrong signature
// ErrSignature.
func (o *Object) Verify(k *Key) error {
	alg := o.Header.Algorithm
	if !k.Allows(alg) {
		return fmt.Errorf("%w: the key is not for it", ErrAlgorithm)
	}
	if !verify(alg, k.public, o.signed, o.signature) {
		return ErrSignature
	}
	return nil
}

// verify checks a signature of alg over message. The key has passed newKey, so
// that alg fits its type and curve.
func verify(alg Algorithm, public crypto.PublicKey, message, signature []byte) bool {
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		return verifyECDSA(key, digest(alg, message), signature)
	case *rsa.PublicKey:
		return verifyRSA(alg, key, digest(alg, message), signature)
	case ed25519.PublicKey:
		return len(signature) == ed25519.SignatureSize && ed25519.Verify(key, message, signature)
	}
	return false
}

// digest hashes a message as alg demands.
func digest(alg Algorithm, message []byte) []byte {
	h := alg.hash().New()
	h.Write(message)
	return h.Sum(nil)
}

// verifyECDSA reads a signature as R and S side by side, each as long as the
// curve's order, never as DER (RFC 7518 §3.4). The range [1, n-1] of both is
// checked by the standard library. A high S is not refused: honest issuers
// send one every other time.
func verifyECDSA(key *ecdsa.PublicKey, sum, signature []byte) bool {
	size := (key.Curve.Params().BitSize + 7) / 8
	if len(signature) != 2*size {
		return false
	}
	r := new(big.Int).SetBytes(signature[:size])
	s := new(big.Int).SetBytes(signature[size:])
	return ecdsa.Verify(key, sum, r, s)
}

// verifyRSA checks PKCS #1 v1.5 (RFC 7518 §3.3) or PSS with a salt exactly as
// long as the hash (RFC 7518 §3.5).
func verifyRSA(alg Algorithm, key *rsa.PublicKey, sum, signature []byte) bool {
	switch alg {
	case RS256, RS384, RS512:
		return rsa.VerifyPKCS1v15(key, alg.hash(), sum, signature) == nil
	case PS256, PS384, PS512:
		options := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
		return rsa.VerifyPSS(key, alg.hash(), sum, signature, options) == nil
	default:
		return false
	}
}

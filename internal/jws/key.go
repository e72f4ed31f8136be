package jws

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"fmt"
	"slices"
)

// Key is a public key that signatures may be checked with, and the algorithms
// it is for. It does not change once made.
type Key struct {
	id         string
	public     crypto.PublicKey
	algorithms []Algorithm
}

// NewKey makes a Key from a public key: RSA of 2048 to 4096 bits, P-256, P-384,
// P-521, or Ed25519. Each of the algorithms must fit it; with none given it is
// for all that fit, which is one but for RSA (RFC 7518 §3.3 to §3.5). Any other
// key, and a weak one, is ErrKey.
func NewKey(id string, public crypto.PublicKey, algorithms ...Algorithm) (*Key, error) {
	if err := checkStrength(public); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	fitting := algorithmsFor(public)
	for _, a := range algorithms {
		if !slices.Contains(fitting, a) {
			return nil, fmt.Errorf("%w: the algorithm does not fit the key's type or curve", ErrKey)
		}
	}
	if len(algorithms) == 0 {
		algorithms = fitting
	}
	return &Key{id: id, public: public, algorithms: slices.Clone(algorithms)}, nil
}

// ID is the key's kid, empty where its set gave it none.
func (k *Key) ID() string { return k.id }

// Public is the key itself: *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey.
func (k *Key) Public() crypto.PublicKey { return k.public }

// Algorithms are what the key is for, at least one.
func (k *Key) Algorithms() []Algorithm { return slices.Clone(k.algorithms) }

// Allows says whether signatures of algorithm a may be checked with the key.
func (k *Key) Allows(a Algorithm) bool { return slices.Contains(k.algorithms, a) }

// algorithmsFor is what the type and curve of a key fit (RFC 7518 §3.1, RFC
// 8037 §3.1); none for a key of another kind.
func algorithmsFor(public crypto.PublicKey) []Algorithm {
	switch key := public.(type) {
	case *rsa.PublicKey:
		return []Algorithm{RS256, RS384, RS512, PS256, PS384, PS512}
	case *ecdsa.PublicKey:
		return curveAlgorithms(key.Curve)
	case ed25519.PublicKey:
		return []Algorithm{EdDSA}
	}
	return nil
}

// curveAlgorithms is the one algorithm of a curve (RFC 7518 §3.4).
func curveAlgorithms(curve elliptic.Curve) []Algorithm {
	switch curve {
	case elliptic.P256():
		return []Algorithm{ES256}
	case elliptic.P384():
		return []Algorithm{ES384}
	case elliptic.P521():
		return []Algorithm{ES512}
	}
	return nil
}

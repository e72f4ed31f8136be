package jws

import (
	"crypto"
	_ "crypto/sha256" // the hashes that hash returns
	_ "crypto/sha512"
	"fmt"
)

// Algorithm is the name of a signature algorithm (RFC 7518 §3.1, RFC 8037
// §3.1), in its own spelling: names are compared case by case.
type Algorithm string

// The algorithms that are served: asymmetric ones only.
const (
	ES256 Algorithm = "ES256"
	ES384 Algorithm = "ES384"
	ES512 Algorithm = "ES512"
	RS256 Algorithm = "RS256"
	RS384 Algorithm = "RS384"
	RS512 Algorithm = "RS512"
	PS256 Algorithm = "PS256"
	PS384 Algorithm = "PS384"
	PS512 Algorithm = "PS512"
	EdDSA Algorithm = "EdDSA" // with Ed25519, never Ed448
)

// ed25519Name is the fully specified name of EdDSA with Ed25519 (RFC 9864 §2.2).
const ed25519Name = "Ed25519"

// ParseAlgorithm reads a name. "Ed25519" is read as EdDSA, of which it is the
// fully specified name (RFC 9864 §2.2), so that algorithms compare with ==. Any
// other name than those above is ErrAlgorithm.
func ParseAlgorithm(name string) (Algorithm, error) {
	switch a := Algorithm(name); a {
	case ES256, ES384, ES512, RS256, RS384, RS512, PS256, PS384, PS512, EdDSA:
		return a, nil
	}
	if name == ed25519Name {
		return EdDSA, nil
	}
	return "", fmt.Errorf("%w: not one of the signature algorithms served", ErrAlgorithm)
}

// hash is the hash that a signature of algorithm a covers; zero for EdDSA,
// which signs the message itself.
func (a Algorithm) hash() crypto.Hash {
	switch a {
	case ES256, RS256, PS256:
		return crypto.SHA256
	case ES384, RS384, PS384:
		return crypto.SHA384
	case ES512, RS512, PS512:
		return crypto.SHA512
	default:
		return 0
	}
}

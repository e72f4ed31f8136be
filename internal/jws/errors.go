package jws

import "errors"

// What can be wrong; each error of the package wraps exactly one of these. None
// of their texts holds any part of a token.
var (
	// ErrMalformed: not a JWS in the one right spelling.
	ErrMalformed = errors.New("malformed token")
	// ErrAlgorithm: an alg that is not served, or not one that the key is for.
	ErrAlgorithm = errors.New("algorithm not allowed")
	// ErrSignature: the signature is not the key's signature of these bytes.
	ErrSignature = errors.New("signature invalid")
	// ErrNoKey: the key set has no key for the token, or not exactly one.
	ErrNoKey = errors.New("no key for this token")
	// ErrKey: not a key that signatures may be checked with.
	ErrKey = errors.New("unusable key")
	// ErrKeySet: not a JWK Set, too large, or without one usable key.
	ErrKeySet = errors.New("unusable key set")
)

package jws

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
)

// Thumbprint is the SHA-256 thumbprint of a public key (RFC 7638 §3, RFC 8037
// §2), base64url without padding. A key of another kind than RSA, EC with the
// curves served, or Ed25519 is ErrKey.
func Thumbprint(public crypto.PublicKey) (string, error) {
	members, err := requiredMembers(public)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrKey, err)
	}
	sum := sha256.Sum256([]byte(members))
	return base64.RawURLEncoding.EncodeToString(sum[:]), nil
}

// requiredMembers is the JWK of a key with its required members alone, in
// lexical order, without white space (RFC 7638 §3.3).
func requiredMembers(public crypto.PublicKey) (string, error) {
	encode := base64.RawURLEncoding.EncodeToString
	switch key := public.(type) {
	case *rsa.PublicKey:
		e := big.NewInt(int64(key.E)).Bytes()
		return fmt.Sprintf(`{"e":"%s","kty":"RSA","n":"%s"}`, encode(e), encode(key.N.Bytes())), nil
	case *ecdsa.PublicKey:
		point, err := key.Bytes()
		if err != nil {
			return "", errors.New("not a point of a curve that is served")
		}
		x, y := point[1:1+len(point)/2], point[1+len(point)/2:]
		return fmt.Sprintf(`{"crv":"%s","kty":"EC","x":"%s","y":"%s"}`,
			key.Curve.Params().Name, encode(x), encode(y)), nil
	case ed25519.PublicKey:
		return fmt.Sprintf(`{"crv":"Ed25519","kty":"OKP","x":"%s"}`, encode(key)), nil
	}
	return "", errors.New("not an RSA, EC or Ed25519 public key")
}

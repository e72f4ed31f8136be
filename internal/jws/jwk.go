package jws

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// parseJWK reads one JWK (RFC 7517 §4) as a key that checks signatures. It
// returns the kid too where the key is unusable but the kid could be read.
func parseJWK(data jsontext.Value) (*Key, string, error) {
	members, err := readObject(data, DefaultMaxDepth)
	if err != nil {
		return nil, "", err
	}
	id, err := stringMember(members, "kid")
	if err != nil {
		return nil, "", err
	}
	if err := checkPurpose(members); err != nil {
		return nil, id, err
	}
	public, err := publicKey(members)
	if err != nil {
		return nil, id, err
	}
	algorithms, err := pinned(members)
	if err != nil {
		return nil, id, err
	}
	key, err := NewKey(id, public, algorithms...)
	return key, id, err
}

// checkPurpose refuses keys that are not there to check signatures with: those
// that are not public, and those for another use (RFC 7517 §4.2, §4.3). A set
// that publishes a private key has lost it; nothing it signs is proof.
func checkPurpose(members map[string]any) error {
	for _, name := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"} {
		if _, present := members[name]; present {
			return errors.New("it holds a private or symmetric key")
		}
	}
	if use, present := members["use"]; present && use != "sig" {
		return errors.New("its use is not sig")
	}
	ops, present := members["key_ops"]
	if !present {
		return nil
	}
	if list, isList := ops.([]any); !isList || !slices.Contains(list, any("verify")) {
		return errors.New("its key_ops do not contain verify")
	}
	return nil
}

// pinned is the algorithm that the key's alg names, none where there is no alg.
func pinned(members map[string]any) ([]Algorithm, error) {
	name, err := stringMember(members, "alg")
	if err != nil || members["alg"] == nil {
		return nil, err
	}
	alg, err := ParseAlgorithm(name)
	if err != nil {
		return nil, err
	}
	return []Algorithm{alg}, nil
}

// publicKey reads the key itself (RFC 7518 §6, RFC 8037 §2).
func publicKey(members map[string]any) (crypto.PublicKey, error) {
	switch members["kty"] {
	case "RSA":
		return rsaKey(members)
	case "EC":
		return ecKey(members)
	case "OKP":
		return edKey(members)
	}
	return nil, errors.New("its kty is not RSA, EC or OKP")
}

// rsaKey reads n and e (RFC 7518 §6.3.1). Leading zero octets, which RFC 7518
// §6.3.1.1 warns of, change nothing and are let pass.
func rsaKey(members map[string]any) (*rsa.PublicKey, error) {
	n, err := bytesMember(members, "n")
	if err != nil {
		return nil, err
	}
	e, err := bytesMember(members, "e")
	if err != nil {
		return nil, err
	}
	exponent := new(big.Int).SetBytes(e)
	if exponent.BitLen() > 31 { // a longer one must not be cut to a short one
		return nil, errors.New("RSA exponent is not below 2^31")
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(exponent.Int64())}, nil
}

// ecKey reads crv, x and y (RFC 7518 §6.2.1): coordinates of full length, and
// the point on the curve.
func ecKey(members map[string]any) (*ecdsa.PublicKey, error) {
	curve, err := curveNamed(members["crv"])
	if err != nil {
		return nil, err
	}
	point := []byte{4} // uncompressed (SEC 1 §2.3.3)
	for _, name := range []string{"x", "y"} {
		coordinate, err := bytesMember(members, name)
		if err != nil {
			return nil, err
		}
		if len(coordinate) != (curve.Params().BitSize+7)/8 {
			return nil, fmt.Errorf("%s is not as long as the curve asks", name)
		}
		point = append(point, coordinate...)
	}
	key, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	if err != nil {
		return nil, errors.New("its point is not on the curve")
	}
	return key, nil
}

// curveNamed is the curve of a crv (RFC 7518 §6.2.1.1).
func curveNamed(crv any) (elliptic.Curve, error) {
	switch crv {
	case "P-256":
		return elliptic.P256(), nil
	case "P-384":
		return elliptic.P384(), nil
	case "P-521":
		return elliptic.P521(), nil
	}
	return nil, errors.New("its crv is not P-256, P-384 or P-521")
}

// edKey reads an Ed25519 key (RFC 8037 §2).
func edKey(members map[string]any) (ed25519.PublicKey, error) {
	if members["crv"] != "Ed25519" {
		return nil, errors.New("its crv is not Ed25519")
	}
	x, err := bytesMember(members, "x")
	return ed25519.PublicKey(x), err
}

// bytesMember is the bytes of a member in base64url (RFC 7515 §2).
func bytesMember(members map[string]any, name string) ([]byte, error) {
	s, err := stringMember(members, name)
	if err != nil {
		return nil, err
	}
	decoded, err := base64url.DecodeString(s)
	if err != nil || len(decoded) == 0 || strings.ContainsAny(s, "\r\n") {
		return nil, fmt.Errorf("%s is missing or not base64url", name)
	}
	return decoded, nil
}

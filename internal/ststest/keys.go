package ststest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"strconv"
	"strings"
	"testing"
)

// Key is a throw-away signing key of an issuer.
type Key struct {
	ID      string // kid
	Alg     string // JOSE alg
	Private crypto.Signer
}

// NewKey makes a key for an alg of ES256, ES384, ES512, RS256 to PS512 (2048
// bits) or EdDSA.
func NewKey(t testing.TB, id, alg string) Key {
	t.Helper()
	private, err := generate(alg)
	if err != nil {
		t.Fatalf("making a key for %s: %v", alg, err)
	}
	return Key{id, alg, private}
}

func generate(alg string) (crypto.Signer, error) {
	switch alg {
	case "ES256":
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ES384":
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "ES512":
		return ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "EdDSA":
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	}
	return rsa.GenerateKey(rand.Reader, 2048)
}

// JWK is the public half (RFC 7517 §4) with kid, alg and use; more overrides
// members, and nil leaves one out.
func (k Key) JWK(t testing.TB, more map[string]any) map[string]any {
	t.Helper()
	members := map[string]any{"kid": k.ID, "alg": k.Alg, "use": "sig"}
	switch public := k.Private.Public().(type) {
	case *ecdsa.PublicKey:
		point, err := public.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		half := (len(point) - 1) / 2
		members["kty"], members["crv"] = "EC", public.Curve.Params().Name
		members["x"], members["y"] = encode(point[1:1+half]), encode(point[1+half:])
	case *rsa.PublicKey:
		members["kty"], members["n"] = "RSA", encode(public.N.Bytes())
		members["e"] = encode(big.NewInt(int64(public.E)).Bytes())
	case ed25519.PublicKey:
		members["kty"], members["crv"], members["x"] = "OKP", "Ed25519", encode(public)
	}
	maps.Copy(members, more)
	maps.DeleteFunc(members, func(_ string, v any) bool { return v == nil })
	return members
}

// KeySet is the JWK Set of these keys (RFC 7517 §5).
func KeySet(t testing.TB, keys ...map[string]any) json.RawMessage {
	t.Helper()
	return mustJSON(t, map[string]any{"keys": keys})
}

// Sign makes the compact JWS of header and payload, both as their exact JSON
// (RFC 7515 §7.1). alg says how, whatever the header says: with a key whose
// type fits, or as an HMAC where key is a []byte. "PS256:salt20" is PSS with a
// salt of 20 bytes.
func Sign(t testing.TB, key any, alg, header, payload string) string {
	t.Helper()
	input := encode([]byte(header)) + "." + encode([]byte(payload))
	signature, err := signature(key, alg, input)
	if err != nil {
		t.Fatalf("signing with %s: %v", alg, err)
	}
	return input + "." + encode(signature)
}

// signature is the signature of input (RFC 7518 §3).
func signature(key any, alg, input string) ([]byte, error) {
	alg, salt, _ := strings.Cut(alg, ":salt")
	if private, isEd := key.(ed25519.PrivateKey); isEd {
		return ed25519.Sign(private, []byte(input)), nil
	}
	if mac, isMAC := key.([]byte); isMAC {
		h := hmac.New(hashOf(alg).New, mac)
		h.Write([]byte(input))
		return h.Sum(nil), nil
	}
	h := hashOf(alg).New()
	h.Write([]byte(input))
	sum := h.Sum(nil)
	switch private := key.(type) {
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, private, sum)
		if err != nil {
			return nil, err
		}
		size := (private.Curve.Params().BitSize + 7) / 8
		return append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...), nil
	case *rsa.PrivateKey:
		if strings.HasPrefix(alg, "RS") {
			return rsa.SignPKCS1v15(rand.Reader, private, hashOf(alg), sum)
		}
		options := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
		if n, err := strconv.Atoi(salt); err == nil {
			options.SaltLength = n
		}
		return rsa.SignPSS(rand.Reader, private, hashOf(alg), sum, options)
	}
	return nil, fmt.Errorf("cannot sign with a %T", key)
}

// hashOf is the hash that the number in an alg names.
func hashOf(alg string) crypto.Hash {
	switch {
	case strings.HasSuffix(alg, "384"):
		return crypto.SHA384
	case strings.HasSuffix(alg, "512"):
		return crypto.SHA512
	}
	return crypto.SHA256
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func mustJSON(t testing.TB, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

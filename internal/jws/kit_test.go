package jws

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
	"strings"
	"testing"
)

// Each test makes its own keys; none is kept in a file.

func ecKeyPair(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	return must(t)(ecdsa.GenerateKey(curve, rand.Reader)).(*ecdsa.PrivateKey)
}

func rsaKeyPair(t testing.TB, bits int) *rsa.PrivateKey {
	t.Helper()
	return must(t)(rsa.GenerateKey(rand.Reader, bits)).(*rsa.PrivateKey)
}

func edKeyPair(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	return must(t)(private, err).(ed25519.PrivateKey)
}

// must turns an error into the end of the test.
func must(t testing.TB) func(any, error) any {
	t.Helper()
	return func(v any, err error) any {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// key is NewKey with the end of the test for an error.
func key(t testing.TB, id string, public crypto.PublicKey, algorithms ...Algorithm) *Key {
	t.Helper()
	return must(t)(NewKey(id, public, algorithms...)).(*Key)
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// token is the compact form of header and payload, signed by signer with alg.
func token(t testing.TB, signer any, alg, header, payload string) string {
	t.Helper()
	input := encode([]byte(header)) + "." + encode([]byte(payload))
	return input + "." + encode(sign(t, signer, alg, input))
}

// sign makes the signature of RFC 7518 §3 (or a MAC, which the package knows
// nothing of, where signer is a []byte). alg may be "PS256:salt20".
func sign(t testing.TB, signer any, alg, input string) []byte {
	t.Helper()
	name, salt, _ := strings.Cut(alg, ":salt")
	if mac, isMAC := signer.([]byte); isMAC {
		h := hmac.New(hashOf(name).New, mac)
		h.Write([]byte(input))
		return h.Sum(nil)
	}
	if private, isEd := signer.(ed25519.PrivateKey); isEd {
		return ed25519.Sign(private, []byte(input))
	}
	h := hashOf(name).New()
	h.Write([]byte(input))
	sum := h.Sum(nil)
	switch private := signer.(type) {
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, private, sum)
		if err != nil {
			t.Fatal(err)
		}
		size := (private.Curve.Params().BitSize + 7) / 8
		return append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
	case *rsa.PrivateKey:
		if strings.HasPrefix(name, "RS") {
			return must(t)(rsa.SignPKCS1v15(rand.Reader, private, hashOf(name), sum)).([]byte)
		}
		options := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}
		if salt != "" {
			must(t)(fmt.Sscan(salt, &options.SaltLength))
		}
		return must(t)(rsa.SignPSS(rand.Reader, private, hashOf(name), sum, options)).([]byte)
	}
	t.Fatalf("cannot sign with a %T", signer)
	return nil
}

// hashOf is the hash of an algorithm by the number in its name.
func hashOf(alg string) crypto.Hash {
	switch {
	case strings.HasSuffix(alg, "384"):
		return crypto.SHA384
	case strings.HasSuffix(alg, "512"):
		return crypto.SHA512
	}
	return crypto.SHA256
}

// jwk is the JWK of a public key, with more members if given.
func jwk(t testing.TB, public crypto.PublicKey, more map[string]any) map[string]any {
	t.Helper()
	members := map[string]any{}
	if err := json.Unmarshal([]byte(must(t)(requiredMembers(public)).(string)), &members); err != nil {
		t.Fatal(err)
	}
	for name, value := range more {
		members[name] = value
	}
	return members
}

// keySetJSON is the JWK Set of these keys.
func keySetJSON(t testing.TB, keys ...map[string]any) []byte {
	t.Helper()
	return must(t)(json.Marshal(map[string]any{"keys": keys})).([]byte)
}

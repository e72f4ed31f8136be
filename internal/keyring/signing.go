package keyring

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// rsaBits is the size of our RSA keys: the least that RFC 7518 §3.3 allows,
// since each signature of theirs costs a millisecond already.
const rsaBits = 2048

// tokenType is the typ of nearly every signature, RFC 9068 §2.1: its signer is
// made once a key.
const tokenType = "at+jwt"

// Algorithms are the JOSE algorithms (RFC 7518 §3.1, RFC 8037 §3.1) that there
// is a signing key for, the default first.
func Algorithms() []string {
	return []string{string(jose.ES256), string(jose.EdDSA), string(jose.RS256)}
}

// generate makes a private key for a JOSE algorithm.
func generate(alg string) (crypto.Signer, error) {
	switch jose.SignatureAlgorithm(alg) { //nolint:exhaustive // all others are refused
	case jose.ES256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case jose.EdDSA:
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	case jose.RS256:
		return rsa.GenerateKey(rand.Reader, rsaBits)
	}
	return nil, fmt.Errorf("no key can be made for algorithm %q", alg)
}

// publicJWK describes the public half for publication: its kid is the SHA-256
// thumbprint of RFC 7638.
func publicJWK(alg string, private crypto.Signer) (jose.JSONWebKey, error) {
	jwk := jose.JSONWebKey{Key: private.Public(), Algorithm: alg, Use: "sig"}
	thumbprint, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		return jose.JSONWebKey{}, fmt.Errorf("thumbprint (RFC 7638): %w", err)
	}
	jwk.KeyID = base64.RawURLEncoding.EncodeToString(thumbprint)
	return jwk, nil
}

// signingKey is an opened signing key.
type signingKey struct {
	public  jose.JSONWebKey
	private crypto.Signer
	tokens  jose.Signer // for typ at+jwt
}

// newSigningKey makes the key ready and has it sign and verify once: a key
// that does not fit together never comes into use.
func newSigningKey(alg string, private crypto.Signer) (*signingKey, error) {
	public, err := publicJWK(alg, private)
	if err != nil {
		return nil, err
	}
	key := &signingKey{public: public, private: private}
	if key.tokens, err = key.signer(tokenType); err != nil {
		return nil, err
	}
	return key, key.selfTest()
}

// openSigningKey reads the opened bytes of a sealed key and holds them against
// the public JWK beside them.
func openSigningKey(sealed *SealedKey, secret []byte) (*signingKey, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(secret)
	if err != nil {
		return nil, fmt.Errorf("key %q: %w", sealed.ID, err)
	}
	private, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("key %q: it cannot sign", sealed.ID)
	}
	key, err := newSigningKey(sealed.Algorithm, private)
	if err != nil {
		return nil, fmt.Errorf("key %q: %w", sealed.ID, err)
	}
	var stored jose.JSONWebKey
	if err = json.Unmarshal(sealed.Public, &stored); err != nil {
		return nil, fmt.Errorf("key %q: its public JWK: %w", sealed.ID, err)
	}
	if stored.KeyID != key.public.KeyID {
		return nil, fmt.Errorf("key %q: its public JWK is not the one of its private key", sealed.ID)
	}
	return key, nil
}

// signer makes a go-jose signer for a typ; kid goes into each header (RFC 7515
// §4.1.4), the key itself never.
func (k *signingKey) signer(typ string) (jose.Signer, error) {
	signer, err := jose.NewSigner(
		jose.SigningKey{
			Algorithm: jose.SignatureAlgorithm(k.public.Algorithm),
			Key:       jose.JSONWebKey{Key: k.private, KeyID: k.public.KeyID},
		},
		(&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
	if err != nil {
		return nil, fmt.Errorf("signer for %s: %w", k.public.Algorithm, err)
	}
	return signer, nil
}

func (k *signingKey) sign(typ string, payload []byte) (string, error) {
	signer := k.tokens
	if typ != tokenType {
		var err error
		if signer, err = k.signer(typ); err != nil {
			return "", err
		}
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign with %s: %w", k.public.Algorithm, err)
	}
	return signed.CompactSerialize()
}

// selfTest signs and verifies. It stands for the verification that is not done
// on each token (docs/adr/0003-read-back.md). Its typ is no token's.
func (k *signingKey) selfTest() error {
	probe := []byte("strait self-test")
	compact, err := k.sign("strait-self-test", probe)
	if err != nil {
		return err
	}
	parsed, err := jose.ParseSignedCompact(compact, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(k.public.Algorithm)})
	if err != nil {
		return fmt.Errorf("self-test: %w", err)
	}
	payload, err := parsed.Verify(k.public.Key)
	if err != nil {
		return fmt.Errorf("self-test: %w", err)
	}
	if !bytes.Equal(payload, probe) {
		return errors.New("self-test: the signature covers another payload")
	}
	return nil
}

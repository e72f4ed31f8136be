package keyring

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/strait-sts/strait/internal/exchange"
)

// purposeSecret is what an envelope is bound to in place of a key's purpose.
const purposeSecret = "secret"

// errEnvelope: what should be an envelope of ours cannot be read as one.
var errEnvelope = errors.New("a sealed secret is damaged")

// envelope is a small secret as the database holds it.
type envelope struct {
	KEK        string `json:"kek"`
	WrappedKey []byte `json:"wrappedKey"`
	Sealed     []byte `json:"sealed"`
}

// place names the field that a secret belongs to, as the additional data of its
// encryption: in another object or field it cannot be opened.
func place(kind, name, field string) *SealedKey {
	return &SealedKey{Purpose: purposeSecret, ID: strings.Join([]string{kind, name, field}, "\x00")}
}

// SealSecret encrypts a secret that we must present later: under a data key of
// its own, that wrapped by the key-encryption key, both bound to the object's
// kind and name and the field.
func (r *Ring) SealSecret(kind, name, field string, secret exchange.Secret) ([]byte, error) {
	key := place(kind, name, field)
	r.loading.Lock()
	err := r.kek.seal(key, []byte(secret.Reveal()))
	r.loading.Unlock()
	if err != nil {
		return nil, err
	}
	return json.Marshal(envelope{key.KEK, key.WrappedKey, key.Sealed})
}

// OpenSecret decrypts what SealSecret made for the same place.
func (r *Ring) OpenSecret(kind, name, field string, sealed []byte) (exchange.Secret, error) {
	var e envelope
	if json.Unmarshal(sealed, &e) != nil {
		return "", errEnvelope
	}
	key := place(kind, name, field)
	key.KEK, key.WrappedKey, key.Sealed = e.KEK, e.WrappedKey, e.Sealed
	r.loading.Lock()
	secret, err := r.kek.open(key)
	r.loading.Unlock()
	if err != nil {
		return "", errors.Join(errEnvelope, err)
	}
	defer clear(secret)
	return exchange.Secret(secret), nil
}

package keyring

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// newSecret makes the secret bytes of a key, and its public JWK where it has
// one.
func newSecret(key *SealedKey) ([]byte, error) {
	if key.Purpose == PurposePepper {
		pepper := make([]byte, keyBytes)
		_, _ = rand.Read(pepper) // never fails, by its contract
		return pepper, nil
	}
	private, err := generate(key.Algorithm)
	if err != nil {
		return nil, err
	}
	public, err := publicJWK(key.Algorithm, private)
	if err != nil {
		return nil, err
	}
	if key.Public, err = json.Marshal(public); err != nil {
		return nil, fmt.Errorf("public JWK: %w", err)
	}
	return x509.MarshalPKCS8PrivateKey(private)
}

// ordered gives the keys oldest activation first.
func ordered(keys []SealedKey) []SealedKey {
	return slices.SortedFunc(slices.Values(keys), func(a, b SealedKey) int {
		return cmp.Or(a.Activated.Compare(b.Activated), a.Created.Compare(b.Created), strings.Compare(a.ID, b.ID))
	})
}

// publish writes the key set of all opened signing keys, sorted by kid so that
// replicas with the same keys give the same bytes and ETag. The members come
// from the opened keys, not from the stored JWKs; a private one cannot be
// among them.
func (s *state) publish() error {
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, kid := range slices.Sorted(maps.Keys(s.public)) {
		key := s.public[kid].public
		if !key.IsPublic() {
			return fmt.Errorf("key %s is not public and will not be published", kid)
		}
		set.Keys = append(set.Keys, key)
	}
	body, err := json.Marshal(set)
	if err != nil {
		return fmt.Errorf("write the key set: %w", err)
	}
	sum := sha256.Sum256(body)
	s.jwks, s.etag = body, `"`+base64.RawURLEncoding.EncodeToString(sum[:16])+`"`
	return nil
}

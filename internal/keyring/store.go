package keyring

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"
)

// ErrExists is what [Store.Insert] answers when a key with that ID is there
// already: another replica was first.
var ErrExists = errors.New("a key with this id exists already")

// Store keeps the sealed keys. Package postgres satisfies it.
type Store interface {
	// Sealed gives every key, in any order.
	Sealed(ctx context.Context) ([]SealedKey, error)
	// Insert adds a key, durable when it returns. The ID is unique: where it
	// is taken, Insert changes nothing and answers ErrExists.
	Insert(ctx context.Context, key SealedKey) error
}

// Purposes of a key.
const (
	PurposeSigning = "signing" // signs tokens; published
	PurposePepper  = "pepper"  // keys the digests of client secrets
)

// States of a key. All three are published where the purpose is signing.
const (
	StateNext    = "next"    // does not sign yet
	StateActive  = "active"  // signs
	StateRetired = "retired" // signs no more; its last tokens are still alive
)

// SealedKey is a key as the database holds it: nothing in it helps without the
// key-encryption key.
type SealedKey struct {
	// ID is a name with a generation: "ES256-1", "pepper-1". Replicas that
	// make first keys at the same moment choose the same IDs, so that one of
	// them wins. The kid is not it: the kid is in Public.
	ID        string
	Purpose   string
	Algorithm string // a JOSE alg, or HS256 for a pepper
	State     string
	Public    []byte // the public JWK (RFC 7517 §4), kid and all; nil for a pepper
	Sealed    []byte // nonce ‖ AES-256-GCM of the key under its data key
	// WrappedKey is nonce ‖ AES-256-GCM of the data key under the KEK.
	WrappedKey []byte
	KEK        string // fingerprint of the key-encryption key
	Created    time.Time
	Activated  time.Time // zero before
	Retired    time.Time // zero before
}

// KEKsInUse lists the fingerprints of the key-encryption keys that the sealed
// keys need, the one of the newest key first: what [OpenKEK] wants to know.
func KEKsInUse(keys []SealedKey) []string {
	newestFirst := slices.SortedFunc(slices.Values(keys), func(a, b SealedKey) int {
		return cmp.Or(b.Created.Compare(a.Created), strings.Compare(b.ID, a.ID))
	})
	var ids []string
	for _, key := range newestFirst {
		if !slices.Contains(ids, key.KEK) {
			ids = append(ids, key.KEK)
		}
	}
	return ids
}

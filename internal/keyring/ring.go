package keyring

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Options are the surroundings of a [Ring].
type Options struct {
	Clock  func() time.Time // stamps new keys; nil: time.Now
	Logger *slog.Logger     // nil: none
}

// Ring holds the opened keys of one database. It is safe for concurrent use.
type Ring struct {
	store  Store
	clock  func() time.Time
	logger *slog.Logger

	loading sync.Mutex // one load at a time; guards kek
	kek     *KEK
	state   atomic.Pointer[state]
}

// maxRounds bounds how often the keys are read while the first ones are made:
// one round a key, and as many again for what other replicas do meanwhile.
const maxRounds = 16

// state is what one load found. It never changes.
type state struct {
	active map[string]*signingKey // by algorithm
	public map[string]*signingKey // by kid, all that are published
	pepper []byte
	jwks   []byte
	etag   string
}

// Open opens the keys in the store and makes those that a first start lacks:
// a pepper and a signing key for each of [Algorithms]. Replicas that start
// together agree on the ones that came first. A key that cannot be opened is
// an error that names it.
func Open(ctx context.Context, store Store, kek *KEK, o Options) (*Ring, error) {
	r := &Ring{store: store, kek: kek, clock: o.Clock, logger: o.Logger}
	if r.clock == nil {
		r.clock = time.Now
	}
	if r.logger == nil {
		r.logger = slog.New(slog.DiscardHandler)
	}
	r.loading.Lock()
	defer r.loading.Unlock()
	keys, err := r.complete(ctx)
	if err != nil {
		return nil, err
	}
	return r, r.load(keys)
}

// Reload reads the keys anew, after a change that another replica announced.
// On an error the ring goes on with what it has.
func (r *Ring) Reload(ctx context.Context) error {
	r.loading.Lock()
	defer r.loading.Unlock()
	keys, err := r.store.Sealed(ctx)
	if err != nil {
		return fmt.Errorf("read the sealed keys: %w", err)
	}
	return r.load(keys)
}

// complete gives the sealed keys once nothing is missing among them.
func (r *Ring) complete(ctx context.Context) ([]SealedKey, error) {
	var wanted string
	for range maxRounds {
		keys, err := r.store.Sealed(ctx)
		if err != nil {
			return nil, fmt.Errorf("read the sealed keys: %w", err)
		}
		missing := firstMissing(keys)
		if missing == nil {
			return keys, nil
		}
		wanted = missing.ID
		// The key-encryption key of the first key serves for all that follow:
		// replicas with folders of their own must not each add a key that
		// only they can open.
		if inUse := KEKsInUse(keys); len(inUse) > 0 {
			if err = r.kek.use(inUse[0]); err != nil {
				return nil, err
			}
		}
		if err = r.add(ctx, missing); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("key %q is missing and cannot be made: the store takes it, or says that it is there, and does not give it back", wanted)
}

// firstMissing is the first of the keys of a first start that is not there;
// nil where all are.
func firstMissing(keys []SealedKey) *SealedKey {
	wanted := []SealedKey{{ID: "pepper-1", Purpose: PurposePepper, Algorithm: "HS256"}}
	for _, alg := range Algorithms() {
		wanted = append(wanted, SealedKey{ID: alg + "-1", Purpose: PurposeSigning, Algorithm: alg})
	}
	for _, want := range wanted {
		if !holds(keys, want.Purpose, want.Algorithm) {
			return &want
		}
	}
	return nil
}

func holds(keys []SealedKey, purpose, alg string) bool {
	for i := range keys {
		if keys[i].Purpose == purpose && keys[i].Algorithm == alg {
			return true
		}
	}
	return false
}

// add makes the key, seals and stores it. That another replica has just done
// the same is no error: its key counts.
func (r *Ring) add(ctx context.Context, key *SealedKey) error {
	secret, err := newSecret(key)
	if err != nil {
		return err
	}
	defer clear(secret)
	if err = r.kek.seal(key, secret); err != nil {
		return err
	}
	key.State, key.Created = StateActive, r.clock().UTC()
	key.Activated = key.Created
	err = r.store.Insert(ctx, *key)
	if errors.Is(err, ErrExists) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("store key %q: %w", key.ID, err)
	}
	r.logger.LogAttrs(ctx, slog.LevelInfo, "key made", slog.String("key", key.ID), slog.String("purpose", key.Purpose))
	return nil
}

// load opens the keys and swaps them in, all or none.
func (r *Ring) load(keys []SealedKey) error {
	next := &state{active: map[string]*signingKey{}, public: map[string]*signingKey{}}
	for _, key := range ordered(keys) {
		if err := r.take(next, &key); err != nil {
			return err
		}
	}
	if err := next.publish(); err != nil {
		return err
	}
	r.state.Store(next)
	return nil
}

// take opens one key into the state. Keys come oldest first, so that the
// newest active one of an algorithm signs. A purpose that this release does
// not know belongs to a later one.
func (r *Ring) take(s *state, sealed *SealedKey) error {
	if sealed.Purpose != PurposeSigning && sealed.Purpose != PurposePepper {
		return nil
	}
	secret, err := r.kek.open(sealed)
	if err != nil {
		return err
	}
	if sealed.Purpose == PurposePepper {
		s.pepper = secret
		return nil
	}
	defer clear(secret)
	key, err := openSigningKey(sealed, secret)
	if err != nil {
		return err
	}
	s.public[key.public.KeyID] = key
	if sealed.State == StateActive {
		s.active[sealed.Algorithm] = key
	}
	return nil
}

// Sign signs payload with the active key of a JOSE algorithm; typ goes into
// the protected header (RFC 7515 §4.1.9) beside alg and kid, nothing else
// does. The result is the compact serialization (RFC 7515 §7.1).
func (r *Ring) Sign(alg, typ string, payload []byte) (compact string, err error) {
	key, found := r.state.Load().active[alg]
	if !found {
		return "", fmt.Errorf("no active signing key for %q", alg)
	}
	return key.sign(typ, payload)
}

// Public finds a published key by its kid, with the one algorithm that it may
// verify (RFC 8725 §3.1).
func (r *Ring) Public(kid string) (alg string, key crypto.PublicKey, ok bool) {
	found, ok := r.state.Load().public[kid]
	if !ok {
		return "", nil, false
	}
	return found.public.Algorithm, found.public.Key, true
}

// JWKS is the published key set (RFC 7517 §5) and its strong entity tag (RFC
// 9110 §8.8.3). The bytes are shared: callers only read them.
func (r *Ring) JWKS() (body []byte, etag string) {
	s := r.state.Load()
	return s.jwks, s.etag
}

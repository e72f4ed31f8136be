package keyring_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/strait-sts/strait/internal/keyring"
	"github.com/strait-sts/strait/internal/keyring/keyringtest"
)

// open opens a ring over store with the keys folder dir.
func open(t *testing.T, store keyring.Store, dir string) (*keyring.Ring, error) {
	t.Helper()
	sealed, err := store.Sealed(t.Context())
	if err != nil {
		return nil, err
	}
	kek, err := keyring.OpenKEK(dir, keyring.KEKsInUse(sealed))
	if err != nil {
		return nil, err
	}
	return keyring.Open(t.Context(), store, kek, keyring.Options{})
}

func mustOpen(t *testing.T, store keyring.Store, dir string) *keyring.Ring {
	t.Helper()
	ring, err := open(t, store, dir)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// published parses the ring's key set with go-jose.
func published(t *testing.T, ring *keyring.Ring) jose.JSONWebKeySet {
	t.Helper()
	body, _ := ring.JWKS()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(body, &set); err != nil {
		t.Fatal(err)
	}
	return set
}

func TestFirstStartMakesAKeyForEachAlgorithm(t *testing.T) {
	t.Parallel()
	set := published(t, keyringtest.Ring(t))
	if len(set.Keys) != len(keyring.Algorithms()) {
		t.Fatalf("published %d keys, want %d", len(set.Keys), len(keyring.Algorithms()))
	}
	for _, key := range set.Keys {
		switch public := key.Key.(type) {
		case *ecdsa.PublicKey:
			if key.Algorithm != "ES256" || public.Curve.Params().Name != "P-256" {
				t.Errorf("EC key for %s on %s", key.Algorithm, public.Curve.Params().Name)
			}
		case ed25519.PublicKey:
			if key.Algorithm != "EdDSA" {
				t.Errorf("Ed25519 key for %s", key.Algorithm)
			}
		case *rsa.PublicKey:
			if key.Algorithm != "RS256" || public.Size() != 256 {
				t.Errorf("RSA key of %d bytes for %s", public.Size(), key.Algorithm)
			}
		default:
			t.Errorf("unexpected key %T", key.Key)
		}
	}
}

func TestSignedTokenVerifiesWithThePublishedKeys(t *testing.T) {
	t.Parallel()
	ring := keyringtest.Ring(t)
	set := published(t, ring)
	for _, alg := range keyring.Algorithms() {
		for _, typ := range []string{"at+jwt", "other+jwt"} {
			compact, err := ring.Sign(alg, typ, []byte(`{"sub":"alice"}`))
			if err != nil {
				t.Fatal(err)
			}
			parsed, err := jose.ParseSignedCompact(compact, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
			if err != nil {
				t.Fatal(err)
			}
			header := parsed.Signatures[0].Protected
			payload, err := parsed.Verify(set.Key(header.KeyID)[0])
			if err != nil || string(payload) != `{"sub":"alice"}` {
				t.Errorf("%s: payload %q, %v", alg, payload, err)
			}
			if header.ExtraHeaders[jose.HeaderType] != typ {
				t.Errorf("%s: typ = %v, want %s", alg, header.ExtraHeaders[jose.HeaderType], typ)
			}
		}
	}
}

func TestHeaderHasAlgKidAndTypAlone(t *testing.T) {
	t.Parallel()
	compact, err := keyringtest.Ring(t).Sign("ES256", "at+jwt", []byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(compact, ".")
	raw, err := base64.RawURLEncoding.DecodeString(first)
	if err != nil {
		t.Fatal(err)
	}
	var header map[string]any
	if err := json.Unmarshal(raw, &header); err != nil || len(header) != 3 {
		t.Errorf("header = %s, want alg, kid and typ", raw)
	}
}

func TestRejectsAlgorithmWithoutKey(t *testing.T) {
	t.Parallel()
	ring := keyringtest.Ring(t)
	for _, alg := range []string{"", "none", "HS256", "ES384", "es256"} {
		if _, err := ring.Sign(alg, "at+jwt", []byte(`{}`)); err == nil {
			t.Errorf("signed with %q", alg)
		}
	}
}

func TestPublishesNoPrivateMember(t *testing.T) {
	t.Parallel()
	body, _ := keyringtest.Ring(t).JWKS()
	var set struct {
		Keys []map[string]any `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil {
		t.Fatal(err)
	}
	for _, key := range set.Keys {
		if key["use"] != "sig" || key["alg"] == nil || key["kid"] == nil {
			t.Errorf("use, alg and kid of %v are not all there", key["kid"])
		}
		for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
			if _, found := key[private]; found {
				t.Errorf("key %v has the private member %q", key["kid"], private)
			}
		}
	}
}

func TestKidIsTheThumbprint(t *testing.T) {
	t.Parallel()
	ring := keyringtest.Ring(t)
	for _, key := range published(t, ring).Keys {
		sum, err := (&jose.JSONWebKey{Key: key.Key}).Thumbprint(crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		if want := base64.RawURLEncoding.EncodeToString(sum); key.KeyID != want {
			t.Errorf("kid = %s, want %s (RFC 7638)", key.KeyID, want)
		}
		if alg, public, ok := ring.Public(key.KeyID); !ok || alg != key.Algorithm || public == nil {
			t.Errorf("Public(%s) = %s, %v", key.KeyID, alg, ok)
		}
	}
	if _, _, ok := ring.Public("unknown"); ok {
		t.Error("found a key that is not ours")
	}
}

func TestRestartKeepsTheKeys(t *testing.T) {
	t.Parallel()
	store, dir := &keyringtest.Store{}, t.TempDir()
	first := mustOpen(t, store, dir)
	digest, err := first.Digest("a secret of some length")
	if err != nil {
		t.Fatal(err)
	}
	again := mustOpen(t, store, dir)
	body, etag := first.JWKS()
	bodyAgain, etagAgain := again.JWKS()
	if string(body) != string(bodyAgain) || etag != etagAgain {
		t.Error("the key set changed with a restart")
	}
	if !again.Matches(digest, "a secret of some length") {
		t.Error("the pepper changed with a restart")
	}
	if len(files(t, dir)) != 1 {
		t.Error("the restart made another key-encryption key")
	}
}

func TestETagIsStrongAndFollowsTheKeys(t *testing.T) {
	t.Parallel()
	_, one := keyringtest.Ring(t).JWKS()
	_, other := keyringtest.Ring(t).JWKS()
	if one == other {
		t.Error("different keys have the same ETag")
	}
	if !strings.HasPrefix(one, `"`) || !strings.HasSuffix(one, `"`) || len(one) < 20 {
		t.Errorf("ETag = %s, want a quoted hash", one)
	}
}

func TestReplicasThatStartTogetherShareTheirKeys(t *testing.T) {
	t.Parallel()
	store, dir := &keyringtest.Store{}, t.TempDir()
	rings := make([]*keyring.Ring, 4)
	errs := make([]error, len(rings))
	var group sync.WaitGroup
	for i := range rings {
		group.Go(func() { rings[i], errs[i] = open(t, store, dir) })
	}
	group.Wait()
	sealed, _ := store.Sealed(t.Context())
	if len(sealed) != 1+len(keyring.Algorithms()) {
		t.Errorf("%d keys were stored, want %d", len(sealed), 1+len(keyring.Algorithms()))
	}
	for i, ring := range rings {
		if errs[i] != nil {
			t.Fatal(errs[i])
		}
		if _, etag := ring.JWKS(); etag != second(rings[0].JWKS()) {
			t.Errorf("replica %d publishes other keys", i)
		}
	}
}

func second[A, B any](_ A, b B) B { return b }

func TestReplicaWithoutTheKEKNeverAddsKeysOfItsOwn(t *testing.T) {
	t.Parallel()
	store := &keyringtest.Store{}
	winner, loser := t.TempDir(), t.TempDir()
	store.Before = func(keyring.SealedKey) {
		store.Before = nil
		mustOpen(t, store, winner)
	}
	_, err := open(t, store, loser)
	var missing *keyring.MissingKEKError
	if !errors.As(err, &missing) || missing.Dir != loser {
		t.Errorf("error = %v, want the missing key-encryption key and folder %s", err, loser)
	}
	sealed, _ := store.Sealed(t.Context())
	if used := keyring.KEKsInUse(sealed); len(used) != 1 {
		t.Errorf("keys are wrapped by %v, want the winner's alone", used)
	}
	mustOpen(t, store, winner)
}

func TestStartThatWasCutOffIsCompleted(t *testing.T) {
	t.Parallel()
	store, dir := &keyringtest.Store{}, t.TempDir()
	mustOpen(t, store, dir)
	store.Edit(func(keys []keyring.SealedKey) []keyring.SealedKey { return keys[:2] })
	if got := len(published(t, mustOpen(t, store, dir)).Keys); got != len(keyring.Algorithms()) {
		t.Errorf("published %d keys, want %d", got, len(keyring.Algorithms()))
	}
}

func TestRejectsRowsThatWereTamperedWith(t *testing.T) {
	t.Parallel()
	find := func(keys []keyring.SealedKey, id string) *keyring.SealedKey {
		for i := range keys {
			if keys[i].ID == id {
				return &keys[i]
			}
		}
		return nil
	}
	for name, tamper := range map[string]func(keys []keyring.SealedKey){
		"sealed part":              func(k []keyring.SealedKey) { find(k, "ES256-1").Sealed[20] ^= 1 },
		"wrapped data key":         func(k []keyring.SealedKey) { find(k, "ES256-1").WrappedKey[20] ^= 1 },
		"cut short":                func(k []keyring.SealedKey) { find(k, "ES256-1").Sealed = []byte{1} },
		"another id":               func(k []keyring.SealedKey) { find(k, "ES256-1").ID = "ES256-2" },
		"another algorithm":        func(k []keyring.SealedKey) { find(k, "ES256-1").Algorithm = "RS256" },
		"another purpose":          func(k []keyring.SealedKey) { find(k, "ES256-1").Purpose = keyring.PurposePepper },
		"another key's public JWK": func(k []keyring.SealedKey) { find(k, "ES256-1").Public = find(k, "RS256-1").Public },
		"no public JWK":            func(k []keyring.SealedKey) { find(k, "ES256-1").Public = nil },
		"another key's secret": func(k []keyring.SealedKey) {
			from, to := find(k, "EdDSA-1"), find(k, "ES256-1")
			to.Sealed, to.WrappedKey = from.Sealed, from.WrappedKey
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, dir := &keyringtest.Store{}, t.TempDir()
			ring := mustOpen(t, store, dir)
			_, etag := ring.JWKS()
			store.Edit(func(keys []keyring.SealedKey) []keyring.SealedKey { tamper(keys); return keys })
			if _, err := open(t, store, dir); err == nil {
				t.Error("a new start accepted the row")
			} else if !strings.Contains(err.Error(), "ES256-") {
				t.Errorf("error %q does not name the key", err)
			}
			if err := ring.Reload(t.Context()); err == nil {
				t.Error("a reload accepted the row")
			}
			if got := second(ring.JWKS()); got != etag {
				t.Error("a reload that failed changed the ring")
			}
		})
	}
}

func TestReloadTakesANewerKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store := &keyringtest.Store{}
	ring := mustOpen(t, store, dir)
	// Another database of the same folder lends its key, so that it can be
	// opened: that is what a rotation will write.
	lender := &keyringtest.Store{}
	mustOpen(t, lender, dir)
	lent, _ := lender.Sealed(t.Context())
	store.Edit(func(keys []keyring.SealedKey) []keyring.SealedKey {
		for i := range keys {
			if keys[i].ID != "ES256-1" {
				continue
			}
			keys[i].State = keyring.StateRetired
		}
		for _, key := range lent {
			if key.ID == "ES256-1" {
				key.Activated = time.Now().Add(time.Hour)
				keys = append(keys, key)
			}
		}
		return keys
	})
	before := published(t, ring)
	if err := ring.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := len(published(t, ring).Keys), len(before.Keys)+1; got != want {
		t.Errorf("published %d keys, want %d: the retired one and the new one", got, want)
	}
	compact, err := ring.Sign("ES256", "at+jwt", []byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jose.ParseSignedCompact(compact, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	if kid := parsed.Signatures[0].Protected.KeyID; len(before.Key(kid)) != 0 {
		t.Error("the retired key still signs")
	}
}

func TestNextKeyIsPublishedAndDoesNotSign(t *testing.T) {
	t.Parallel()
	store, dir := &keyringtest.Store{}, t.TempDir()
	ring := mustOpen(t, store, dir)
	store.Edit(func(keys []keyring.SealedKey) []keyring.SealedKey {
		for i := range keys {
			if keys[i].ID == "EdDSA-1" {
				keys[i].State = keyring.StateNext
			}
		}
		return keys
	})
	if err := ring.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(published(t, ring).Keys) != len(keyring.Algorithms()) {
		t.Error("the next key is not published")
	}
	if _, err := ring.Sign("EdDSA", "at+jwt", []byte(`{}`)); err == nil {
		t.Error("the next key signs")
	}
}

// brokenStore fails, or swallows what it is given.
type brokenStore struct{ sealedErr, insertErr error }

func (s brokenStore) Sealed(context.Context) ([]keyring.SealedKey, error) { return nil, s.sealedErr }
func (s brokenStore) Insert(context.Context, keyring.SealedKey) error     { return s.insertErr }

func TestStoreThatFailsIsAnError(t *testing.T) {
	t.Parallel()
	down := errors.New("database is down")
	for name, store := range map[string]brokenStore{
		"reading": {sealedErr: down}, "writing": {insertErr: down}, "forgetting": {},
		"always taken": {insertErr: keyring.ErrExists},
	} {
		kek, err := keyring.OpenKEK(t.TempDir(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = keyring.Open(t.Context(), store, kek, keyring.Options{}); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
}

func TestSignsConcurrently(t *testing.T) {
	t.Parallel()
	ring := keyringtest.Ring(t)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 20 {
				if _, err := ring.Sign("ES256", "at+jwt", []byte(`{"a":1}`)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Go(func() {
		for range 5 {
			if err := ring.Reload(t.Context()); err != nil {
				t.Error(err)
			}
		}
	})
	group.Wait()
}

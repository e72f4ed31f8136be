// Package keyringtest gives tests and benchmarks a key ring without a
// database: a [Store] in memory and a [Ring] over it. It must not be used by
// anything that serves.
package keyringtest

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/strait-sts/strait/internal/keyring"
)

// Store is a keyring.Store in memory. The zero value is ready.
type Store struct {
	mu   sync.Mutex
	keys []keyring.SealedKey
	// Before, where set, runs before each Insert, outside the lock: a test's
	// other replica.
	Before func(key keyring.SealedKey)
}

// Sealed gives copies of all keys.
func (s *Store) Sealed(context.Context) ([]keyring.SealedKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.keys), nil
}

// Insert adds a key, or answers keyring.ErrExists.
func (s *Store) Insert(_ context.Context, key keyring.SealedKey) error {
	if s.Before != nil {
		s.Before(key)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.ContainsFunc(s.keys, func(k keyring.SealedKey) bool { return k.ID == key.ID }) {
		return keyring.ErrExists
	}
	s.keys = append(s.keys, key)
	return nil
}

// Edit changes the stored keys in place: a test's database administrator.
func (s *Store) Edit(change func(keys []keyring.SealedKey) []keyring.SealedKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = change(s.keys)
}

// Ring opens a ring with new keys over a store in memory and a keys folder
// that goes with the test.
func Ring(t testing.TB) *keyring.Ring {
	t.Helper()
	kek, err := keyring.OpenKEK(t.TempDir(), nil)
	if err != nil {
		t.Fatalf("key-encryption key: %v", err)
	}
	ring, err := keyring.Open(t.Context(), &Store{}, kek, keyring.Options{})
	if err != nil {
		t.Fatalf("key ring: %v", err)
	}
	return ring
}

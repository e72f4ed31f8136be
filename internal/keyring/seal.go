package keyring

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"fmt"
)

// seal puts secret into key: encrypted under a new data key, that wrapped by
// the current key-encryption key, both bound to what the row says of itself,
// so that no row can be made of parts of others.
func (k *KEK) seal(key *SealedKey, secret []byte) error {
	kek, err := k.key(k.current)
	if err != nil {
		return err
	}
	dataKey := make([]byte, keyBytes)
	defer clear(dataKey)
	_, _ = rand.Read(dataKey) // never fails, by its contract
	bound := binding(key)
	key.KEK = k.current
	if key.Sealed, err = encrypt(dataKey, secret, bound); err != nil {
		return err
	}
	key.WrappedKey, err = encrypt(kek, dataKey, bound)
	return err
}

// open gives the secret in key; the caller clears it.
func (k *KEK) open(key *SealedKey) ([]byte, error) {
	kek, err := k.key(key.KEK)
	if err != nil {
		return nil, fmt.Errorf("key %q: %w", key.ID, err)
	}
	bound := binding(key)
	dataKey, err := decrypt(kek, key.WrappedKey, bound)
	if err != nil {
		return nil, fmt.Errorf("key %q: its data key was not wrapped for it by key-encryption key %s: %w", key.ID, key.KEK, err)
	}
	defer clear(dataKey)
	secret, err := decrypt(dataKey, key.Sealed, bound)
	if err != nil {
		return nil, fmt.Errorf("key %q: its sealed part was not sealed for it: %w", key.ID, err)
	}
	return secret, nil
}

// binding is the additional data of both encryptions. None of the three can
// hold a NUL that a stored row would keep, so they cannot run together.
func binding(key *SealedKey) []byte {
	return []byte("strait key v1\x00" + key.Purpose + "\x00" + key.ID + "\x00" + key.Algorithm)
}

func encrypt(key, plain, bound []byte) ([]byte, error) {
	gcm, err := newGCM(key)
	if err != nil {
		return nil, err
	}
	return gcm.Seal(nil, nil, plain, bound), nil //nolint:gosec // G407: this AEAD draws its nonce itself
}

func decrypt(key, sealed, bound []byte) ([]byte, error) {
	gcm, err := newGCM(key)
	if err != nil {
		return nil, err
	}
	return gcm.Open(nil, nil, sealed, bound)
}

// newGCM is AES-256-GCM that draws each nonce at random and keeps it before
// the ciphertext: each key of ours encrypts far fewer than 2³² times.
func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

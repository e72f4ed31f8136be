package keyring

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// How a key-encryption key lies in its folder: kek-<fingerprint>.key, one line
// of base64url, readable by its owner alone.
const (
	kekPrefix  = "kek-"
	kekSuffix  = ".key"
	kekMode    = 0o600
	folderMode = 0o700
	keyBytes   = 32 // AES-256
)

// MissingKEKError says that the database holds keys that no key-encryption key
// at hand can open. Start with the folder that made them.
type MissingKEKError struct {
	ID  string // fingerprint
	Dir string
}

// Error names the file that is missing.
func (e *MissingKEKError) Error() string {
	return fmt.Sprintf("key-encryption key %s is missing: the database needs %s; restore it from a backup or set STRAIT_KEYS_DIR to its folder",
		e.ID, filepath.Join(e.Dir, kekFile(e.ID)))
}

// KEK is the folder of key-encryption keys, with the one that wraps new keys.
// It is not safe for concurrent use; a [Ring] locks around it.
type KEK struct {
	dir     string
	current string
	keys    map[string][]byte // by fingerprint, as far as they were needed
}

// OpenKEK opens the key-encryption keys in dir that the database needs, by
// fingerprint ([KEKsInUse]); the first wraps new keys. Only where the database
// needs none is one taken that lies there already, or made. It answers
// *[MissingKEKError], and refuses a file that others than its owner may read.
func OpenKEK(dir string, inUse []string) (*KEK, error) {
	kek := &KEK{dir: dir, keys: map[string][]byte{}}
	for _, id := range inUse {
		if _, err := kek.key(id); err != nil {
			return nil, err
		}
	}
	if len(inUse) > 0 {
		kek.current = inUse[0]
		return kek, nil
	}
	return kek, kek.begin()
}

// begin settles on the key that wraps the first keys of a new database: one
// that a former database left in the folder, else a new one.
func (k *KEK) begin() error {
	files, err := filepath.Glob(filepath.Join(k.dir, kekPrefix+"*"+kekSuffix))
	if err != nil {
		return fmt.Errorf("list key-encryption keys in %s: %w", k.dir, err)
	}
	if len(files) > 0 {
		name := filepath.Base(files[0])
		k.current = strings.TrimSuffix(strings.TrimPrefix(name, kekPrefix), kekSuffix)
		_, err = k.key(k.current)
		return err
	}
	key := make([]byte, keyBytes)
	_, _ = rand.Read(key) // never fails, by its contract
	k.current = fingerprint(key)
	k.keys[k.current] = key
	return k.write(k.current, key)
}

// key is the key with this fingerprint, read on first need: another replica
// that shares the folder may have made it a moment ago.
func (k *KEK) key(id string) ([]byte, error) {
	if key, known := k.keys[id]; known {
		return key, nil
	}
	key, err := readKEK(k.dir, id)
	if err != nil {
		return nil, err
	}
	k.keys[id] = key
	return key, nil
}

// use makes the key with this fingerprint the one that wraps new keys.
func (k *KEK) use(id string) error {
	_, err := k.key(id)
	if err == nil {
		k.current = id
	}
	return err
}

func readKEK(dir, id string) ([]byte, error) {
	path := filepath.Join(dir, kekFile(id))
	if filepath.Base(path) != kekFile(id) {
		return nil, fmt.Errorf("key-encryption key %q: the database names an impossible fingerprint", id)
	}
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, &MissingKEKError{ID: id, Dir: dir}
	}
	if err != nil {
		return nil, fmt.Errorf("key-encryption key: %w", err)
	}
	if mode := info.Mode(); !mode.IsRegular() || mode.Perm()&0o077 != 0 {
		return nil, fmt.Errorf("key-encryption key %s has mode %s: others must have no access; run chmod 600 on it", path, mode)
	}
	text, err := os.ReadFile(path) //nolint:gosec // G304: the folder is the operator's, the name was checked
	if err != nil {
		return nil, fmt.Errorf("key-encryption key: %w", err)
	}
	defer clear(text)
	return parseKEK(path, id, text)
}

func parseKEK(path, id string, text []byte) ([]byte, error) {
	key := make([]byte, keyBytes+1)
	n, err := base64.RawURLEncoding.Strict().Decode(key, bytes.TrimSuffix(text[:min(len(text), 44)], []byte("\n")))
	if err != nil || n != keyBytes || len(text) > 44 || fingerprint(key[:n]) != id {
		return nil, fmt.Errorf("key-encryption key %s is damaged: its content is not the key that its name says; restore it from a backup", path)
	}
	return key[:n], nil
}

// write puts the key into its file, which must not be there yet, and makes
// file and name durable before anything is wrapped with it.
func (k *KEK) write(id string, key []byte) error {
	if err := os.MkdirAll(k.dir, folderMode); err != nil {
		return fmt.Errorf("make the keys folder: %w", err)
	}
	path := filepath.Join(k.dir, kekFile(id))
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, kekMode) //nolint:gosec // G304: as in readKEK
	if err != nil {
		return fmt.Errorf("make a key-encryption key: %w", err)
	}
	text := append(base64.RawURLEncoding.AppendEncode(make([]byte, 0, 64), key), '\n')
	_, err = file.Write(text)
	clear(text)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("write key-encryption key %s: %w", path, err)
	}
	return syncFolder(k.dir)
}

func syncFolder(dir string) error {
	folder, err := os.Open(dir) //nolint:gosec // G304: the operator's folder
	if err != nil {
		return fmt.Errorf("make the keys folder durable: %w", err)
	}
	if err = errors.Join(folder.Sync(), folder.Close()); err != nil {
		return fmt.Errorf("make the keys folder durable: %w", err)
	}
	return nil
}

// fingerprint names a key without telling anything of it.
func fingerprint(key []byte) string {
	hash := sha256.New()
	hash.Write([]byte("strait key-encryption key\x00"))
	hash.Write(key)
	return hex.EncodeToString(hash.Sum(nil)[:8])
}

func kekFile(id string) string { return kekPrefix + id + kekSuffix }

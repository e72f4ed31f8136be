package keyring_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/strait-sts/strait/internal/keyring"
)

// files gives the key files in dir.
func files(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "kek-*.key"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// newKEK makes a key in a new folder and gives its folder, file and
// fingerprint.
func newKEK(t *testing.T) (dir, path, id string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "keys")
	if _, err := keyring.OpenKEK(dir, nil); err != nil {
		t.Fatal(err)
	}
	found := files(t, dir)
	if len(found) != 1 {
		t.Fatalf("files = %v, want one", found)
	}
	return dir, found[0], strings.TrimSuffix(strings.TrimPrefix(filepath.Base(found[0]), "kek-"), ".key")
}

func TestKEKIsMadeForItsOwnerAlone(t *testing.T) {
	t.Parallel()
	_, path, _ := newKEK(t)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode = %v, want 0600", info.Mode())
	}
}

func TestKEKIsMadeOnlyForADatabaseWithoutKeys(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := keyring.OpenKEK(dir, []string{"0123456789abcdef"})
	var missing *keyring.MissingKEKError
	if !errors.As(err, &missing) || missing.ID != "0123456789abcdef" || missing.Dir != dir {
		t.Fatalf("error = %v, want *MissingKEKError", err)
	}
	if text := err.Error(); !strings.Contains(text, "0123456789abcdef") || !strings.Contains(text, dir) {
		t.Errorf("error %q names not both id and folder", text)
	}
	if found := files(t, dir); len(found) != 0 {
		t.Errorf("made %v though the database needs another", found)
	}
}

func TestKEKOfAFormerDatabaseServesANewOne(t *testing.T) {
	t.Parallel()
	dir, path, _ := newKEK(t)
	before, _ := os.ReadFile(path)
	if _, err := keyring.OpenKEK(dir, nil); err != nil {
		t.Fatal(err)
	}
	after, _ := os.ReadFile(path)
	if len(files(t, dir)) != 1 || string(before) != string(after) {
		t.Error("the key was replaced or another one made")
	}
}

func TestKEKOpensAgain(t *testing.T) {
	t.Parallel()
	dir, _, id := newKEK(t)
	if _, err := keyring.OpenKEK(dir, []string{id}); err != nil {
		t.Error(err)
	}
}

func TestRejectsKEKThatOthersMayRead(t *testing.T) {
	t.Parallel()
	for _, mode := range []os.FileMode{0o644, 0o640, 0o660, 0o606, 0o601} {
		dir, path, id := newKEK(t)
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		for _, inUse := range [][]string{{id}, nil} {
			if _, err := keyring.OpenKEK(dir, inUse); err == nil || !strings.Contains(err.Error(), "chmod 600") {
				t.Errorf("mode %v: error = %v, want a refusal with its mend", mode, err)
			}
		}
	}
}

func TestRejectsDamagedKEK(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func([]byte) []byte{
		"empty":       func([]byte) []byte { return nil },
		"cut off":     func(b []byte) []byte { return b[:20] },
		"longer":      func(b []byte) []byte { return append(b, 'A') },
		"another key": func(b []byte) []byte { b[0] ^= 1; return b },
		"not base64":  func(b []byte) []byte { b[5] = '!'; return b },
	} {
		dir, path, id := newKEK(t)
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		secret := string(content[:20])
		if err = os.WriteFile(path, damage(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err = keyring.OpenKEK(dir, []string{id})
		if err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("%s: error = %v, want damaged", name, err)
		} else if strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error holds the key", name)
		}
	}
}

func TestRejectsFingerprintThatLeavesTheFolder(t *testing.T) {
	t.Parallel()
	dir, path, id := newKEK(t)
	inside := filepath.Join(dir, "inside")
	if err := os.Mkdir(inside, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path, filepath.Join(dir, "kek-x.key")); err != nil {
		t.Fatal(err)
	}
	for _, hostile := range []string{"../kek-x", "x/../../kek-x", "", id + "/.."} {
		if _, err := keyring.OpenKEK(inside, []string{hostile}); err == nil {
			t.Errorf("fingerprint %q was followed", hostile)
		}
	}
}

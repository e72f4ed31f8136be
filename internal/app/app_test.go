package app

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/config"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/keyring"
	"github.com/strait-sts/strait/internal/postgres"
	"github.com/strait-sts/strait/internal/ststest"
)

// settings is a configuration on free ports with an external database.
func settings(t testing.TB, appURL string) config.Config {
	t.Helper()
	cfg, err := config.Load(func(string) (string, bool) { return "", false }, nil,
		map[string]string{"public-addr": "127.0.0.1:0", "admin-addr": "127.0.0.1:0", "keys-dir": filepath.Join(t.TempDir(), "keys"), "log-level": "error"})
	if err != nil {
		t.Fatal(err)
	}
	cfg.DatabaseURL, cfg.AdminToken = exchange.Secret(appURL), exchange.Secret(benchSecret())
	return cfg
}

func run(t testing.TB, cfg config.Config) *App {
	t.Helper()
	a, err := Start(t.Context(), cfg, Options{Version: "test", Log: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { halt(t, a) })
	return a
}

func halt(t testing.TB, a *App) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := a.Stop(ctx); err != nil && !strings.Contains(err.Error(), "closed") {
		t.Error(err)
	}
}

// fails wants a start to fail with words in its error.
func fails(t *testing.T, cfg config.Config, words ...string) error {
	t.Helper()
	a, err := Start(t.Context(), cfg, Options{Version: "test", Log: io.Discard})
	if err == nil {
		halt(t, a)
		t.Fatal("it started")
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error = %v, want one with %q", err, word)
		}
	}
	return err
}

// TestEveryReplicaDecidesByTheNewestConfiguration: what one replica writes
// decides at once there, and soon on the other.
func TestEveryReplicaDecidesByTheNewestConfiguration(t *testing.T) {
	t.Parallel()
	issuer, secret := ststest.NewIssuer(t, "ES256"), benchSecret()
	first := idle(t, issuer, "ES256", "ES256", secret)
	cfg := first.cfg
	cfg.PublicAddr, cfg.AdminAddr = "127.0.0.1:0", "127.0.0.1:0"
	second := run(t, cfg)
	body := form(issuer.Issue(time.Now(), map[string]any{"iss": "https://idp.example", "aud": "https://gw.example", "sub": "alice", "scope": "orders:read"}))
	ask := func(a *App) int {
		answer := httptest.NewRecorder()
		endpoint(t, a, a.recorder).ServeHTTP(answer, request(body, secret))
		return answer.Code
	}
	if first, second := ask(first), ask(second); first != http.StatusOK || second != http.StatusOK {
		t.Fatalf("before: %d, %d", first, second)
	}
	for _, mode := range []struct {
		catalog.Mode
		want int
	}{{catalog.ModeDisabled, http.StatusBadRequest}, {catalog.ModeEnforce, http.StatusOK}} {
		policy := first.catalog.Current().Policy("p")
		changed, spec := policy.Object, *policy.Spec
		spec.Mode = mode.Mode
		changed.Spec = &spec
		if _, err := (writes{first.catalog, first}).Apply(t.Context(), catalog.ApplyRequest{Objects: []catalog.Object{changed}, By: "test"}); err != nil {
			t.Fatal(err)
		}
		if got := ask(first); got != mode.want {
			t.Errorf("%s, where it was written: %d, want %d", mode.Mode, got, mode.want)
		}
		began := time.Now()
		for ask(second) != mode.want {
			if time.Since(began) > 10*time.Second {
				t.Fatalf("%s has not reached the other replica", mode.Mode)
			}
		}
		t.Logf("%s reached the other replica after %v", mode.Mode, time.Since(began))
	}
}

func TestRefusesToStartBehindTheSchema(t *testing.T) {
	t.Parallel()
	empty := ststest.NewDatabase(t, ststest.Template{Key: "empty"})
	fails(t, settings(t, empty.AppURL), "strait migrate up", "STRAIT_MIGRATE=auto")
}

func TestMigratesByItselfWhenTold(t *testing.T) {
	t.Parallel()
	empty := ststest.NewDatabase(t, ststest.Template{Key: "empty"})
	cfg := settings(t, empty.AppURL)
	cfg.DatabaseOwnerURL, cfg.AutoMigrate = exchange.Secret(empty.OwnerURL), true
	run(t, cfg)
	if pending, err := postgres.Pending(t.Context(), empty.AppURL); err != nil || pending {
		t.Errorf("pending = %v, %v", pending, err)
	}
}

func TestRefusesARoleThatMayChangeRecords(t *testing.T) {
	t.Parallel()
	db := ststest.Migrated(t)
	fails(t, settings(t, db.OwnerURL), "records")
}

// TestMissingKeyEncryptionKeyIsNamed: a database whose keys cannot be opened is
// never given new ones.
func TestMissingKeyEncryptionKeyIsNamed(t *testing.T) {
	t.Parallel()
	cfg := settings(t, ststest.Migrated(t).AppURL)
	halt(t, run(t, cfg))
	files, err := filepath.Glob(filepath.Join(cfg.KeysDir, "kek-*.key"))
	if err != nil || len(files) != 1 {
		t.Fatalf("key-encryption keys: %v, %v", files, err)
	}
	if err := os.Remove(files[0]); err != nil {
		t.Fatal(err)
	}
	err = fails(t, cfg, filepath.Base(files[0]), "STRAIT_KEYS_DIR")
	var missing *keyring.MissingKEKError
	if !errors.As(err, &missing) {
		t.Errorf("error = %v", err)
	}
	if again, _ := filepath.Glob(filepath.Join(cfg.KeysDir, "*")); len(again) != 0 {
		t.Errorf("a key was made in its place: %v", again)
	}
}

func TestTakenPortIsNamed(t *testing.T) {
	t.Parallel()
	db := ststest.Migrated(t)
	first := run(t, settings(t, db.AppURL))
	second := settings(t, db.AppURL)
	second.AdminAddr = first.Addr("admin")
	fails(t, second, "admin listener", first.Addr("admin"))
}

// TestEmbeddedKeepsItsTokenAndKeys: a second start of the embedded default is
// the same Strait, down to the kid.
func TestEmbeddedKeepsItsTokenAndKeys(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "strait-app-") // t.TempDir's parents shut PostgreSQL's user out
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	cfg := settings(t, "")
	cfg.AdminToken, cfg.DataDir = "", filepath.Join(dir, "data")
	first := run(t, cfg)
	token := first.AdminToken().Reveal()
	keys, _ := first.ring.JWKS()
	if !strings.HasPrefix(first.Issuer(), "http://localhost:") || strings.HasSuffix(first.Issuer(), ":0") {
		t.Errorf("issuer = %s, want one with the real port", first.Issuer())
	}
	if info, err := os.Stat(filepath.Join(cfg.DataDir, "admin-token")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("admin-token: %v, %v", info.Mode(), err)
	}
	halt(t, first)
	second := run(t, cfg)
	again, _ := second.ring.JWKS()
	if second.AdminToken().Reveal() != token || string(again) != string(keys) {
		t.Error("the second start has another token or other keys")
	}
}

// TestRunSaysReadyAndEndsGently: one line with the real addresses, and no error
// from an end that was asked for.
func TestRunSaysReadyAndEndsGently(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	out, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- Run(ctx, settings(t, ststest.Migrated(t).AppURL), w, Options{Version: "test", Log: io.Discard})
		_ = w.Close()
	}()
	line := make([]byte, 256)
	n, err := out.Read(line)
	if err != nil {
		t.Fatal(err, <-done)
	}
	var public, admin string
	for word := range strings.FieldsSeq(string(line[:n])) {
		if value, is := strings.CutPrefix(word, "public="); is {
			public = value
		}
		if value, is := strings.CutPrefix(word, "admin="); is {
			admin = value
		}
	}
	for _, address := range []string{"http://" + public + "/.well-known/jwks.json", "http://" + admin + "/readyz"} {
		answer, err := http.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", address, answer.Status)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("the end: %v", err)
	}
}

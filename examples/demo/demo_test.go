package main

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

func TestIdentityProviderIsOneThatLibrariesBelieve(t *testing.T) {
	t.Parallel()
	p, err := startIdentityProvider(true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.stop)
	provider, err := oidc.NewProvider(t.Context(), p.url)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get(p.url + "/alice") //nolint:noctx // a test
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	token, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	verifier := provider.Verifier(&oidc.Config{ClientID: gateway, SupportedSigningAlgs: []string{"ES256"}})
	if _, err := verifier.Verify(t.Context(), string(token)); err != nil {
		t.Error(err)
	}
	stranger := &identityProvider{url: p.url}
	if stranger.key, err = newKey(); err != nil {
		t.Fatal(err)
	}
	forged, err := stranger.sign(stranger.alice(time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := verifier.Verify(t.Context(), forged); err == nil {
		t.Error("a token of another key is believed")
	}
}

func TestSideBySideShowsWhatBecameNarrower(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	before := (&identityProvider{url: "http://localhost:9400"}).alice(time.Unix(1_000_000, 0))
	after := map[string]any{
		"iss": "http://localhost:8080", "sub": "demo:alice", "aud": ordersAudience, "scope": "orders:read",
		"iat": 1_000_000.0, "exp": 1_000_300.0, "client_id": "edge-gateway",
	}
	page{&out}.sideBySide(before, after)
	for _, want := range []string{"narrower: 1 of 6", "narrower: 55 minutes less", "email", "narrower: left behind", "5 minutes"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, &out)
		}
	}
	for line := range strings.Lines(out.String()) {
		if len(line) > 120 || strings.ContainsAny(line, "\x1b\t") {
			t.Errorf("line %q", line)
		}
	}
}

func TestStoryFailsWhereTheTokenIsWider(t *testing.T) {
	t.Parallel()
	p := &identityProvider{url: "http://localhost:9400"}
	good := func() map[string]any {
		return map[string]any{"aud": ordersAudience, "scope": "orders:read", "iat": 0.0, "exp": 300.0, "sub": "demo:alice", "jti": "d"}
	}
	a := answerOfToken{Scope: "orders:read", Decision: "d"}
	if err := narrower(p.alice(time.Now()), good(), a); err != nil {
		t.Fatal(err)
	}
	for claim, wide := range map[string]any{
		"aud": gateway, "scope": "orders:read orders:write", "exp": 3600.0, "sub": "alice", "email": "alice@example.com", "jti": "e",
	} {
		issued := good()
		issued[claim] = wide
		if narrower(p.alice(time.Now()), issued, a) == nil {
			t.Errorf("%s %v is taken for narrower", claim, wide)
		}
	}
}

func TestQuickstartIsWrittenForThisProvider(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "quickstart")
	if err := writeQuickstart(folder, "http://localhost:1234"); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(folder + "/*.yaml")
	if err != nil || len(files) != 5 {
		t.Fatalf("%v, %v", files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil || !strings.Contains(string(text), "issuer: http://localhost:1234 ") || strings.Contains(string(text), quickstartIssuer) {
		t.Errorf("%s %v", text, err)
	}
}

func TestSettingsOfAnotherStraitStayOut(t *testing.T) {
	t.Parallel()
	got := withoutStrait([]string{"PATH=/bin", "STRAIT_DATABASE_URL=postgres://x", "STRAIT_POSTGRES_BIN=/pg", "STRAITS=1"})
	if strings.Join(got, " ") != "PATH=/bin STRAIT_POSTGRES_BIN=/pg STRAITS=1" {
		t.Error(got)
	}
}

func TestWrapKeepsEveryWord(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "a", "openid profile email calendar:write orders:read", strings.Repeat("x", 95)} {
		lines := wrap(text, 30)
		if strings.ReplaceAll(strings.Join(lines, ""), " ", "") != strings.ReplaceAll(text, " ", "") {
			t.Errorf("%q became %q", text, lines)
		}
		for _, line := range lines {
			if len(line) > 30 {
				t.Errorf("%q is too long", line)
			}
		}
	}
}

// TestDataGoesWherePostgreSQLCanFollow: a clone below a closed folder, such as
// root's home, still runs the demo.
func TestDataGoesWherePostgreSQLCanFollow(t *testing.T) {
	closed := t.TempDir()
	if err := os.Chmod(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	wanted := filepath.Join(closed, "demo")
	dir, err := folder(wanted)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if root := os.Geteuid() == 0; root == (dir == wanted) {
		t.Errorf("the data goes to %s", dir)
	}
	if os.Geteuid() == 0 && !open(dir) {
		t.Errorf("%s is closed too", dir)
	}
}

package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/strait-sts/strait/internal/config"
	"github.com/strait-sts/strait/internal/exchange"
)

// run is one command line in this process.
func run(t *testing.T, stdin string, env map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, problems bytes.Buffer
	code = Run(t.Context(), Process{
		Args: args, In: strings.NewReader(stdin), Out: &out, Err: &problems,
		Env:   config.Environment(func(name string) (string, bool) { value, set := env[name]; return value, set }),
		Clock: func() time.Time { return time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC) },
	})
	return code, out.String(), problems.String()
}

func file(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEveryCommandSaysWhatItDoesWithAnExample(t *testing.T) {
	t.Parallel()
	seen := 0
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		seen++
		if cmd.Short == "" || !strings.Contains(cmd.Example, "strait") {
			t.Errorf("%s has no short text or no example", cmd.CommandPath())
		}
		for _, below := range cmd.Commands() {
			walk(below)
		}
	}
	walk(newRoot(&Process{Env: func(string) (string, bool) { return "", false }}))
	if seen < 18 {
		t.Errorf("only %d commands were found", seen)
	}
}

// TestServeSetsTheCollector unless the environment does. It is not parallel,
// since the setting is the process's. A port that is none ends serve at once.
func TestServeSetsTheCollector(t *testing.T) {
	const before = 123
	for env, want := range map[string]int{"": 400, "200": before} {
		old := debug.SetGCPercent(before)
		code, _, problems := run(t, "", map[string]string{"GOGC": env}, "serve", "--public-addr", "127.0.0.1:none", "--data-dir", t.TempDir())
		if got := debug.SetGCPercent(old); got != want || code != 1 || !strings.Contains(problems, "listen") {
			t.Errorf("GOGC=%q: %d, want %d; exit %d: %s", env, got, want, code, problems)
		}
	}
}

func TestNoFlagTakesASecret(t *testing.T) {
	t.Parallel()
	for _, s := range config.Settings() {
		if s.Secret && !strings.HasSuffix(s.Flag(), "-file") {
			t.Errorf("--%s", s.Flag())
		}
	}
}

func TestExchangeSendsWhatRFC8693Says(t *testing.T) {
	t.Parallel()
	var form map[string][]string
	var user, password string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ = r.BasicAuth()
		if err := r.ParseForm(); err != nil || r.URL.RawQuery != "" || r.URL.Path != "/token" {
			t.Errorf("%s: %v", r.URL, err)
		}
		form = r.PostForm
		fmt.Fprint(w, `{"access_token":"t","issued_token_type":"urn:ietf:params:oauth:token-type:access_token","token_type":"Bearer","expires_in":300,"scope":"a b"}`)
	}))
	t.Cleanup(server.Close)
	code, out, problems := run(t, "subject-token\n", nil, "exchange", "--url", server.URL, "--client", "edge:1", "--client-secret-file", file(t, "s&cret/ +\n"),
		"--subject-token", "-", "--actor-token", file(t, "actor-token"), "--actor-token-type", "id_token",
		"--audience", "orders-api", "--audience", "stock-api", "--resource", "https://r.example", "--scope", "a b", "-o", "table")
	if code != 0 {
		t.Fatal(problems)
	}
	want := map[string][]string{
		"grant_type":    {"urn:ietf:params:oauth:grant-type:token-exchange"},
		"subject_token": {"subject-token"}, "subject_token_type": {"urn:ietf:params:oauth:token-type:jwt"},
		"actor_token": {"actor-token"}, "actor_token_type": {"urn:ietf:params:oauth:token-type:id_token"},
		"audience": {"orders-api", "stock-api"}, "resource": {"https://r.example"}, "scope": {"a b"},
	}
	if fmt.Sprint(form) != fmt.Sprint(want) {
		t.Errorf("form %v\nwant %v", form, want)
	}
	if user != "edge%3A1" || password != "s%26cret%2F+%2B" { // RFC 6749 §2.3.1
		t.Errorf("Basic %s %s", user, password)
	}
	if !strings.Contains(out, "Bearer  5m0s        a b    t") {
		t.Error(out)
	}
}

func TestRefusalIsPrintedAndExits1(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"error":"invalid_scope","error_description":"not held","reason":"scope_not_held","decision_id":"0198c1d2-7a10-7c3e-9f00-2b1f6f1d3a55"}`)
	}))
	t.Cleanup(server.Close)
	code, out, problems := run(t, "", nil, "exchange", "--url", server.URL+"/token", "--client", "c", "--client-secret-file", file(t, "s"), "--subject-token", file(t, "t"))
	var answer map[string]string
	if err := json.Unmarshal([]byte(out), &answer); err != nil || code != 1 || answer["reason"] != "scope_not_held" {
		t.Errorf("exit %d, %s", code, out)
	}
	if !strings.Contains(problems, "invalid_scope (scope_not_held): not held; strait audit show 0198c1d2") {
		t.Error(problems)
	}
}

func TestExchangeFollowsNoRedirect(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("secret and token went to another place")
	}))
	t.Cleanup(elsewhere.Close)
	server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	t.Cleanup(server.Close)
	if code, _, _ := run(t, "", nil, "exchange", "--url", server.URL, "--client", "c", "--client-secret-file", file(t, "s"), "--subject-token", file(t, "t")); code != 1 {
		t.Errorf("exit %d", code)
	}
}

func TestClientCredentialsNeedsNoSubject(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.PostFormValue("grant_type") != "client_credentials" || r.PostForm.Has("subject_token") {
			t.Errorf("form %v", r.PostForm)
		}
		fmt.Fprint(w, `{"access_token":"t","expires_in":60}`)
	}))
	t.Cleanup(server.Close)
	env := map[string]string{"STRAIT_ISSUER": server.URL}
	if code, _, problems := run(t, "", env, "exchange", "--grant", "client_credentials", "--client", "c", "--client-secret-file", file(t, "s")); code != 0 {
		t.Error(problems)
	}
}

func TestRoleOfADatabaseURL(t *testing.T) {
	t.Parallel()
	if role, err := roleOf("postgres://strait_app:pw@db/strait"); err != nil || role != "strait_app" {
		t.Error(role, err)
	}
	for _, bad := range []string{"postgres://db/strait", "host=db user=x", "://", ""} {
		if _, err := roleOf(exchange.Secret(bad)); err == nil || strings.Contains(err.Error(), "db/strait") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

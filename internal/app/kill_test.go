package app_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/ststest"
)

var killRounds = flag.Int("kill-rounds", 50, "how often TestKilledStraitLosesNoAnsweredRecord kills")

// The shape of a round: so many callers, a life of up to so long, and every so
// many rounds PostgreSQL is killed too.
const (
	killCallers  = 8
	killLife     = 250 * time.Millisecond
	killDatabase = 5
	shortRounds  = 8
)

// TestKilledStraitLosesNoAnsweredRecord kills the real binary under load with
// SIGKILL at any moment, its PostgreSQL too in some rounds, and starts it
// again, over and over. Every token that any caller received must have its
// record in the end, no record may be there twice, and the log must verify,
// by the server's word and from an export held against the anchor.
func TestKilledStraitLosesNoAnsweredRecord(t *testing.T) {
	t.Parallel()
	rounds := *killRounds
	if testing.Short() {
		rounds = min(rounds, shortRounds)
	}
	s := newSubject(t)
	s.start()
	s.apply()
	received := &jtis{seen: map[string]bool{}}
	began := time.Now()
	for round := range rounds {
		wait := s.load(received, time.Duration(mathrand.Int64N(int64(killLife))))
		if round%killDatabase == killDatabase-1 {
			s.killPostgres()
		}
		s.kill()
		wait()
		s.start()
	}
	took := time.Since(began)
	kept := s.proved()
	for jti := range received.seen {
		if !kept[jti] {
			t.Errorf("token %s was received, and has no record", jti)
		}
	}
	if len(received.seen) < rounds {
		t.Errorf("only %d tokens in %d rounds: nothing was tried", len(received.seen), rounds)
	}
	t.Logf("%d rounds in %v, %d with PostgreSQL: %d tokens received, %d records kept, none lost, none twice",
		rounds, took.Round(time.Second), rounds/killDatabase, len(received.seen), len(kept))
}

// jtis are the ids of the tokens that callers received.
type jtis struct {
	mu   sync.Mutex
	seen map[string]bool
}

func (j *jtis) add(jti string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.seen[jti] = true
}

// subject is the binary under test and what its callers need.
type subject struct {
	t             *testing.T
	program, dir  string
	issuer        *ststest.Issuer
	secret        string
	cmd           *exec.Cmd
	public, admin string
}

func newSubject(t *testing.T) *subject {
	t.Helper()
	dir, err := os.MkdirTemp("", "strait-kill-") // t.TempDir's parents shut PostgreSQL's user out
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s := &subject{t: t, dir: dir, program: filepath.Join(dir, "strait"), issuer: ststest.NewIssuer(t, "ES256"), secret: rand.Text() + rand.Text()}
	t.Cleanup(func() {
		s.end()
		_ = os.RemoveAll(dir)
	})
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", s.program, "../../cmd/strait").CombinedOutput(); err != nil {
		t.Fatalf("build the binary: %v\n%s", err, out)
	}
	return s
}

func (s *subject) path(name string) string { return filepath.Join(s.dir, name) }

// start runs strait serve and waits for its ready line.
func (s *subject) start() {
	s.t.Helper()
	s.cmd = exec.Command(s.program, "serve", "--public-addr=127.0.0.1:0", "--admin-addr=127.0.0.1:0", "--issuer=http://localhost:8080",
		"--data-dir="+s.path("data"), "--keys-dir="+s.path("keys"), "--audit-anchor="+s.path("anchors"), "--log-level=error")
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var log bytes.Buffer
	s.cmd.Stderr = &log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if _, scanErr := fmt.Sscanf(line, "ready public=%s admin=%s", &s.public, &s.admin); err != nil || scanErr != nil {
		_ = s.cmd.Wait()
		s.t.Fatalf("it did not become ready: %q %v\n%s", line, err, log.String())
	}
}

func (s *subject) kill() {
	_ = s.cmd.Process.Kill() // it may have ended by itself, after its PostgreSQL
	_ = s.cmd.Wait()
}

// killPostgres ends the server as a power cut would, all its processes at
// once: its children lead groups of their own.
func (s *subject) killPostgres() {
	s.t.Helper()
	text, err := os.ReadFile(s.path("data/postgres/postmaster.pid"))
	if err != nil {
		s.t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.SplitN(string(text), "\n", 2)[0])
	if err != nil || pid <= 1 {
		s.t.Fatalf("postmaster.pid names %q", text)
	}
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	_ = syscall.Kill(pid, syscall.SIGKILL)
	for _, child := range strings.Fields(string(children)) {
		if pid, err := strconv.Atoi(child); err == nil && pid > 1 {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// end stops strait gently, and with it its PostgreSQL.
func (s *subject) end() {
	if s.cmd == nil || s.cmd.Process == nil {
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	done := make(chan struct{})
	go func() { _ = s.cmd.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		_ = s.cmd.Process.Kill()
	}
}

// strait runs a client command and gives its standard output.
func (s *subject) strait(args ...string) []byte {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), s.program, args...)
	cmd.Env = []string{"STRAIT_DATA_DIR=" + s.path("data"), "STRAIT_ADMIN_URL=http://" + s.admin}
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("strait %v: %v\n%s", args, err, out)
	}
	return out
}

// apply gives the server one policy.
func (s *subject) apply() {
	s.t.Helper()
	review := time.Now().AddDate(0, 1, 0).Format(time.DateOnly)
	manifest := fmt.Sprintf(`
{"kind":"TrustedIssuer","metadata":{"name":"idp"},"governance":{"owner":"o","justification":"j","reviewBy":%q},
 "spec":{"issuer":"https://idp.example","keys":{"jwks":%s},"audiences":["https://gw.example"],"algorithms":["ES256"],"acceptAs":["subject"],
 "claimMappings":{"subject":{"claim":"sub","prefix":"idp:"}}}}
---
{"kind":"Target","metadata":{"name":"orders"},"governance":{"owner":"o"},"spec":{"audience":"https://orders.example","scopes":["orders:read"]}}
---
{"kind":"Client","metadata":{"name":"gw"},"governance":{"owner":"o"},
 "spec":{"authentication":[{"method":"client_secret","secret":%q}],"grants":["token-exchange"]}}
---
{"kind":"ExchangePolicy","metadata":{"name":"p"},"governance":{"owner":"o","justification":"j","reviewBy":%q},
 "spec":{"flow":"downscope","clients":["gw"],"subject":{"issuers":["idp"],"tokenTypes":["jwt"]},"targets":["orders"],
 "scopes":{"allow":["orders:read"]},"issue":{"lifetime":"5m"}}}
`, review, s.issuer.JWKS(), s.secret, review)
	if err := os.WriteFile(s.path("manifest.yaml"), []byte(manifest), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.strait("apply", "-f", s.path("manifest.yaml"))
}

// load has callers exchange for a life, and goes back while they still do:
// what they receive as the server dies counts too. wait ends them.
func (s *subject) load(received *jtis, life time.Duration) (wait func()) {
	now := time.Now()
	form := url.Values{
		"grant_type":         {"urn:ietf:params:oauth:grant-type:token-exchange"},
		"subject_token":      {s.issuer.Issue(now, map[string]any{"iss": "https://idp.example", "aud": "https://gw.example", "sub": "alice", "scope": "orders:read"})},
		"subject_token_type": {"urn:ietf:params:oauth:token-type:jwt"},
		"audience":           {"orders"},
		"scope":              {"orders:read"},
	}.Encode()
	ctx, cancel := context.WithCancel(s.t.Context())
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: killCallers}}
	var callers sync.WaitGroup
	for range killCallers {
		callers.Go(func() {
			for ctx.Err() == nil {
				if jti, ok := s.exchange(ctx, client, form); ok {
					received.add(jti)
				}
			}
		})
	}
	time.Sleep(life)
	return func() {
		cancel()
		callers.Wait()
		client.CloseIdleConnections()
	}
}

// exchange is one call to /token; ok is that a whole token came back.
func (s *subject) exchange(ctx context.Context, client *http.Client, form string) (jti string, ok bool) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.public+"/token", strings.NewReader(form))
	if err != nil {
		return "", false
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth("gw", s.secret)
	resp, err := client.Do(req)
	if err != nil {
		time.Sleep(time.Millisecond)
		return "", false
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return "", false
	}
	var answer struct {
		Token string `json:"access_token"`
	}
	var claims struct {
		JTI string `json:"jti"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return "", false
	}
	parts := strings.Split(answer.Token, ".")
	if len(parts) != 3 {
		return "", false
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	ok = err == nil && json.Unmarshal(payload, &claims) == nil && claims.JTI != ""
	return claims.JTI, ok
}

// proved verifies the log three ways and gives the ids of its records.
func (s *subject) proved() map[string]bool {
	s.t.Helper()
	s.strait("audit", "verify") // exit code 1, and so the end, where anything is found
	s.strait("audit", "export", "-o", s.path("audit.jsonl"))
	resp, err := http.Get("http://" + s.public + "/.well-known/jwks.json")
	if err != nil {
		s.t.Fatal(err)
	}
	keys, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil || os.WriteFile(s.path("jwks.json"), keys, 0o600) != nil {
		s.t.Fatal("the keys cannot be kept")
	}
	s.t.Logf("%s", s.strait("audit", "verify", "--export", s.path("audit.jsonl"), "--jwks", s.path("jwks.json"), "--anchors", s.path("anchors")))
	text, err := os.ReadFile(s.path("audit.jsonl"))
	if err != nil {
		s.t.Fatal(err)
	}
	kept := map[string]bool{}
	for line := range bytes.Lines(text) {
		var record struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal(line, &record); err != nil {
			s.t.Fatal(err)
		}
		if record.ID == "" {
			continue // evidence
		}
		if kept[record.ID] {
			s.t.Errorf("record %s is there twice", record.ID)
		}
		kept[record.ID] = true
	}
	return kept
}

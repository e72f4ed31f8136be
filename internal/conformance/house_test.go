package conformance_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/app"
	"github.com/strait-sts/strait/internal/config"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/ststest"
)

// house is the real program, its database and its clock, and how to talk to it
// as a user would.
type house struct {
	t     testing.TB
	app   *app.App
	db    ststest.Database
	cfg   config.Config
	clock *clock
	log   *capture

	public, admin string // base URLs
	client        *http.Client
}

// clock stands still until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

// newClock shows this instant, or the one that is given.
func newClock(t testing.TB, at string) *clock {
	t.Helper()
	if at == "" {
		return &clock{now: time.Now().UTC().Truncate(time.Second)}
	}
	now, err := time.Parse(time.RFC3339, at)
	if err != nil {
		t.Fatal(err)
	}
	return &clock{now: now}
}

// Now is the instant that the program takes for now.
func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// advance moves the clock.
func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// capture is a log that can be read while it is written.
type capture struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write takes a line.
func (c *capture) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.Write(p)
}

func (c *capture) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.String()
}

// aSecret is a secret of 52 characters that no other run knows.
func aSecret() string { return rand.Text() + rand.Text() }

// flags are settings over the usual ones of a test, as serve's flags; "now" is
// what the clock shows.
type flags map[string]string

// open starts Strait on free ports and a database of the test's own.
func open(t testing.TB, more flags) *house {
	t.Helper()
	return openOn(t, ststest.Migrated(t), more)
}

func openOn(t testing.TB, db ststest.Database, more flags) *house {
	t.Helper()
	settings := map[string]string{
		"public-addr": "127.0.0.1:0", "admin-addr": "127.0.0.1:0", "keys-dir": filepath.Join(t.TempDir(), "keys"),
		"log-level": "debug", "fetch-allow-cidrs": "127.0.0.0/8", "fetch-allow-http": "true",
	}
	maps.Copy(settings, more)
	now := settings["now"]
	delete(settings, "now")
	if settings["issuer"] != "" { // the database's URL is checked before ours is set
		settings["embedded"] = "true"
	}
	cfg, err := config.Load(func(string) (string, bool) { return "", false }, nil, settings)
	if err != nil {
		t.Fatal(err)
	}
	cfg.DatabaseURL, cfg.AdminToken = exchange.Secret(db.AppURL), exchange.Secret(aSecret())
	h := &house{t: t, db: db, cfg: cfg, clock: newClock(t, now), log: &capture{}}
	h.client = &http.Client{Timeout: 15 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	h.start()
	return h
}

// start brings the program up, and down with the test.
func (h *house) start() {
	h.t.Helper()
	a, err := app.Start(h.t.Context(), h.cfg, app.Options{Version: "conformance", Log: h.log, Clock: h.clock.Now})
	if err != nil {
		h.t.Fatal(err)
	}
	h.app, h.public, h.admin = a, "http://"+a.Addr("public"), "http://"+a.Addr("admin")
	h.t.Cleanup(func() {
		h.client.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
		defer cancel()
		_ = a.Stop(ctx) // what it left unwritten, the tests about that ask for
	})
}

// answer is a whole response.
type answer struct {
	t      testing.TB
	status int
	header http.Header
	raw    string
	body   map[string]any // where it is a JSON object
}

// do sends a request and reads the whole answer.
func (h *house) do(t testing.TB, r *http.Request) *answer {
	t.Helper()
	response, err := h.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := &answer{t: t, status: response.StatusCode, header: response.Header, raw: string(text)}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	_ = decoder.Decode(&a.body) // not every answer has a JSON body
	return a
}

// get reads a public path.
func (h *house) get(t testing.TB, path string) *answer {
	t.Helper()
	return h.request(t, http.MethodGet, h.public+path, nil, nil)
}

// request sends a body, a string or something with a JSON form, to a URL.
func (h *house) request(t testing.TB, method, url string, header http.Header, body any) *answer {
	t.Helper()
	var reader io.Reader
	switch body := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(body)
	default:
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		reader = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, url, reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		r.Header[http.CanonicalHeaderKey(name)] = values
	}
	return h.do(t, r)
}

// manage calls the admin API as the bootstrap administrator.
func (h *house) manage(t testing.TB, method, path string, body any, more ...string) *answer {
	t.Helper()
	header := http.Header{"Authorization": {"Bearer " + h.cfg.AdminToken.Reveal()}}
	if body != nil {
		header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(more); i += 2 {
		header.Set(more[i], more[i+1])
	}
	return h.request(t, method, h.admin+"/admin/v1"+path, header, body)
}

// apply applies manifests, all of which must be taken.
func (h *house) apply(t testing.TB, objects ...object) {
	t.Helper()
	if a := h.tryApply(t, objects...); a.status != http.StatusOK {
		t.Fatalf("apply: %d %s", a.status, a.raw)
	}
}

func (h *house) tryApply(t testing.TB, objects ...object) *answer {
	t.Helper()
	return h.manage(t, http.MethodPost, "/apply", map[string]any{"objects": objects})
}

// record is the audit record of a decision.
func (h *house) record(t testing.TB, id string) map[string]any {
	t.Helper()
	a := h.manage(t, http.MethodGet, "/exchanges/"+id, nil)
	if a.status != http.StatusOK {
		t.Fatalf("record %q: %d %s", id, a.status, a.raw)
	}
	return a.body
}

// recordsOf are the records of one request by its id, of the newest hundred.
func (h *house) recordsOf(t testing.TB, requestID string) []map[string]any {
	t.Helper()
	a := h.manage(t, http.MethodGet, "/exchanges?limit=100", nil)
	items, isList := a.body["items"].([]any)
	if !isList {
		t.Fatalf("records: %d %s", a.status, a.raw)
	}
	var found []map[string]any
	for _, item := range items {
		if record, is := item.(map[string]any); is && record["requestId"] == requestID {
			found = append(found, record)
		}
	}
	return found
}

// text is a member that is a string.
func (a *answer) text(name string) string {
	s, _ := a.body[name].(string)
	return s
}

// token is the issued token, decoded without verification.
func (a *answer) token() (header, claims map[string]any) {
	a.t.Helper()
	return decode(a.t, a.text("access_token"))
}

// decode reads header and claims of a compact JWS (RFC 7515 §7.1).
func decode(t testing.TB, compact string) (header, claims map[string]any) {
	t.Helper()
	parts := strings.Split(compact, ".")
	if len(parts) != 3 {
		t.Fatalf("not a compact JWS of three parts, but of %d", len(parts))
	}
	for i, into := range []*map[string]any{&header, &claims} {
		decoder := json.NewDecoder(bytes.NewReader(unbase64(t, parts[i])))
		decoder.UseNumber()
		if err := decoder.Decode(into); err != nil {
			t.Fatal(err)
		}
	}
	return header, claims
}

// mustIssue holds what is so in every success (RFC 8693 §2.2.1, RFC 6749 §5.1).
func (a *answer) mustIssue() *answer {
	a.t.Helper()
	if a.status != http.StatusOK || a.text("access_token") == "" {
		a.t.Fatalf("not issued: %d %s", a.status, a.raw)
	}
	a.mustNotBeKept()
	return a
}

// mustRefuse holds what is so in every refusal (RFC 6749 §5.2).
func (a *answer) mustRefuse(status int, code, reason string) *answer {
	a.t.Helper()
	if a.status != status || a.text("error") != code || a.text("reason") != reason {
		a.t.Fatalf("%d %s, want %d %s (%s)", a.status, a.raw, status, code, reason)
	}
	if _, leaks := a.body["access_token"]; leaks {
		a.t.Errorf("a refusal with a token: %s", a.raw)
	}
	a.mustNotBeKept()
	return a
}

func (a *answer) mustNotBeKept() {
	a.t.Helper()
	if a.header.Get("Cache-Control") != "no-store" || a.header.Get("Pragma") != "no-cache" {
		a.t.Errorf("Cache-Control %q, Pragma %q", a.header.Get("Cache-Control"), a.header.Get("Pragma"))
	}
}

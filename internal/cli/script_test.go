package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/strait-sts/strait/internal/admin"
	"github.com/strait-sts/strait/internal/analysis"
	"github.com/strait-sts/strait/internal/audit"
	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/schema"
)

// TestMain makes strait a command of the scripts: this test's own binary, run
// anew for each command, so that the scripts see real processes and exit codes.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"strait": func() { os.Exit(Main()) }})
}

// adminToken is the token of the admin APIs that scripts start; it admits to
// nothing else.
const adminToken = "script-script-script-script-script-script"

// TestScripts runs the transcripts in testdata/script. They can:
//
//	admin           start an admin API over a catalogue in memory
//	server          start strait serve, whole, with a database of its own
//	idp             start an identity provider; $IDP is its issuer
//	sign NAME JSON  have it sign claims into the file NAME
//	exits N COMMAND want this exit code
//	expand FILE     replace ${NAME} in it by the variable
//	relies FILE AUD verify the token of an answer as a service with this audience does
//	ends            end the server with SIGTERM; it must exit 0 (stop is a word of testscript)
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: false,
		Setup: func(env *testscript.Env) error {
			env.Setenv("STRAIT_ADMIN_TOKEN", "")
			env.Setenv("STRAIT_DATA_DIR", filepath.Join(env.WorkDir, "data"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"admin": startAdmin, "server": startServer, "ends": stopServer, "idp": startIDP, "sign": sign, "exits": exits, "expand": expand, "relies": relies,
			"decision": decision,
		},
	})
}

// exits runs a command and wants its exit code.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want := args[0]
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = strconv.Itoa(exit.ExitCode())
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("%v: exit code %s, want %s", args[1:], got, want)
	}
}

// decision sets a variable to the id of the newest record of an outcome.
func decision(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(ts.Exec("strait", "audit", "list", "--decision", args[1], "-o", "json"))
	id := regexp.MustCompile(`"id": "([0-9a-f-]{36})"`).FindStringSubmatch(ts.ReadFile("stdout"))
	if id == nil {
		ts.Fatalf("there is no record that was %s", args[1])
	}
	ts.Setenv(args[0], id[1])
}

// expand replaces ${NAME} in a file by the script's variable.
func expand(ts *testscript.TestScript, _ bool, args []string) {
	text := os.Expand(ts.ReadFile(args[0]), ts.Getenv)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

// startAdmin serves the admin API over a catalogue in memory.
func startAdmin(ts *testscript.TestScript, _ bool, _ []string) {
	store := &memory{rows: map[catalog.Ref]catalog.Row{}}
	objects := catalog.New(catalog.Options{
		Store: store, Clock: time.Now, Decode: schema.DecodeJSON,
		Checkers: []catalog.Checker{schema.Check(schema.Identity{Issuer: "http://localhost:8080", AdminAudience: "http://localhost:8080/admin/v1"})},
		Digest:   func(secret string) (string, error) { return strings.ToUpper(secret), nil },
		Matches:  func(digest, secret string) bool { return digest == strings.ToUpper(secret) },
	})
	claims, err := analysis.NewClaims()
	ts.Check(err)
	routes := http.NewServeMux()
	routes.Handle(admin.Root+"/", admin.New(admin.Options{
		Token: adminToken, Catalog: objects, Decode: schema.DecodeJSON, Records: store,
		Changes: func(context.Context, int64, int) ([]catalog.Change, error) { return nil, nil },
		Keys: func(context.Context) ([]admin.Key, error) {
			return []admin.Key{{ID: "thumbprint", Algorithm: "ES256", State: "active", Created: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)}}, nil
		},
		Claims:    claims,
		RequestID: func(*http.Request) string { return "req-7" },
		Logger:    slog.New(slog.DiscardHandler),
	}))
	routes.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	server := httptest.NewServer(routes)
	ts.Defer(server.Close)
	ts.Setenv("STRAIT_ADMIN_URL", server.URL)
	ts.Setenv("STRAIT_ADMIN_TOKEN", adminToken)
}

// memory is a catalog.Store and an audit log without a database.
type memory struct {
	mu       sync.Mutex
	revision int64
	rows     map[catalog.Ref]catalog.Row
}

func (m *memory) Load(context.Context) (int64, []catalog.Row, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	rows := make([]catalog.Row, 0, len(m.rows))
	for _, row := range m.rows {
		rows = append(rows, row)
	}
	return m.revision, rows, nil
}

func (m *memory) Commit(_ context.Context, base int64, c catalog.Commit) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if base != m.revision {
		return 0, catalog.ErrMoved
	}
	m.revision++
	for _, row := range c.Puts {
		row.Revision = m.revision
		m.rows[row.Ref()] = row
	}
	for _, ref := range c.Deletes {
		delete(m.rows, ref)
	}
	return m.revision, nil
}

// scriptRecords are two records as the audit log has them, newest first.
func scriptRecords() []audit.Row {
	row := func(id, rest string) audit.Row {
		return audit.Row{Copies: audit.Copies{ID: id, Client: "edge"}, Body: fmt.Appendf(nil,
			`{"client":"edge","configRevision":3,"id":%q,"lifetime":{},"subject":{"issuer":"idp","sub":"alice"},"targets":["orders-api"],"time":"2026-11-24T12:00:00Z",%s}`, id, rest)}
	}
	return []audit.Row{
		row("0198c1d2-7a10-7c3e-9f00-2b1f6f1d3a52", `"decision":"denied","reason":"scope_not_held","scopes":{"requested":["orders:refund"]}`),
		row("0198c1d2-7a10-7c3e-9f00-2b1f6f1d3a51", `"decision":"issued","policy":"staff-orders","scopes":{"issued":["orders:read"]}`),
	}
}

// scriptFamily is the tree of the second of the two.
func scriptFamily() []audit.Row {
	row := func(end, rest string) audit.Row {
		return audit.Row{Body: fmt.Appendf(nil, `{"configRevision":3,"id":"0198c1d2-7a10-7c3e-9f00-2b1f6f1d3a%s","time":"2026-11-24T12:00:00Z",%s}`, end, rest)}
	}
	const parent = `"parent":"0198c1d2-7a10-7c3e-9f00-2b1f6f1d3a51"`
	return []audit.Row{
		row("51", `"client":"edge","decision":"issued","flow":"downscope","policy":"staff-orders","lifetime":{"issued":300,"subject":1800},`+
			`"narrowed":{"lifetime":1500,"scopes":["orders:refund"]},"scopes":{"issued":["orders:read","orders:write"]},"subject":{"issuer":"idp","sub":"idp|alice"},"targets":["orders-api"]`),
		row("61", `"actor":{"issuer":"self","sub":"client:orders"},"client":"orders","decision":"issued","flow":"delegation","policy":"orders-billing",`+
			`"lifetime":{"issued":60,"subject":300},"scopes":{"issued":["billing:read"]},"subject":{"issuer":"self","sub":"idp|alice"},"targets":["billing-api"],`+parent),
		row("71", `"client":"orders","decision":"denied","reason":"scope_not_held","lifetime":{},"scopes":{"requested":["billing:pay"]},`+
			`"subject":{"issuer":"self","sub":"idp|alice"},"targets":["billing-api"],`+parent),
	}
}

func (m *memory) Records(_ context.Context, f audit.Filter, limit int, _ string) (page []audit.Row, next string, err error) {
	for _, row := range scriptRecords() {
		if (f.Decision == "" || strings.Contains(string(row.Body), f.Decision)) && len(page) < limit {
			page = append(page, row)
		}
	}
	return page, "", nil
}

func (m *memory) Record(_ context.Context, id string) (audit.Row, error) {
	for _, row := range scriptRecords() {
		if row.ID == id {
			return row, nil
		}
	}
	return audit.Row{}, admin.ErrNoRecord
}

// Lineage has a tree of its own, with a root, what came of it and a denial.
func (m *memory) Lineage(_ context.Context, id string, _, _ int) ([]audit.Row, error) {
	if id != "0198c1d2-7a10-7c3e-9f00-2b1f6f1d3a51" {
		return nil, admin.ErrNoRecord
	}
	return scriptFamily(), nil
}

// running is the server that a script started.
type running struct {
	cmd  *exec.Cmd
	done chan error
	log  string
}

var readyLine = regexp.MustCompile(`^ready public=(\S+) admin=(\S+)$`)

// servers finds a script's server again, to stop it.
var servers sync.Map

// startServer runs strait serve as the scripts' command does, waits for its
// ready line and tells the other commands where it is. PostgreSQL may run as
// another user, so its folder is one that others can enter.
func startServer(ts *testscript.TestScript, _ bool, args []string) {
	data, err := os.MkdirTemp("", "strait-script-")
	ts.Check(err)
	ts.Defer(func() { _ = os.RemoveAll(data) })
	ts.Check(os.Chmod(data, 0o755))
	ts.Setenv("STRAIT_DATA_DIR", filepath.Join(data, "data"))
	ts.Setenv("STRAIT_KEYS_DIR", filepath.Join(data, "keys"))
	program, err := exec.LookPath("strait")
	ts.Check(err)
	s := &running{done: make(chan error, 1), log: ts.MkAbs("server.log")}
	log, err := os.Create(s.log)
	ts.Check(err)
	s.cmd = exec.Command(program, append([]string{
		"serve", "--public-addr=127.0.0.1:0", "--admin-addr=127.0.0.1:0",
		"--data-dir=" + filepath.Join(data, "data"), "--keys-dir=" + filepath.Join(data, "keys"),
		"--fetch-allow-cidrs=127.0.0.0/8,::1/128", "--fetch-allow-http=true",
	}, args...)...)
	s.cmd.Env = append(os.Environ(), "STRAIT_ADMIN_TOKEN=")
	s.cmd.Stderr = log
	out, err := s.cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(s.cmd.Start())
	servers.Store(ts, s)
	ts.Defer(func() { s.end(); _ = log.Close() })
	found := make(chan []string, 1)
	go s.watch(out, found)
	select {
	case addresses := <-found:
		ts.Setenv("ISSUER", "http://localhost:"+port(addresses[1]))
		ts.Setenv("STRAIT_ADMIN_URL", "http://"+addresses[2])
	case err := <-s.done:
		text, _ := os.ReadFile(s.log)
		ts.Fatalf("strait serve ended: %v\n%s", err, text)
	case <-time.After(time.Minute):
		ts.Fatalf("strait serve is not ready after a minute")
	}
}

func (s *running) watch(out io.Reader, found chan<- []string) {
	scanner := bufio.NewScanner(out)
	for scanner.Scan() {
		if match := readyLine.FindStringSubmatch(scanner.Text()); match != nil {
			found <- match
		}
	}
	s.done <- s.cmd.Wait()
}

// end asks the server to stop and gives how it ended.
func (s *running) end() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	select {
	case err := <-s.done:
		return err
	case <-time.After(30 * time.Second):
		_ = s.cmd.Process.Kill()
		return errors.New("it did not end on SIGTERM")
	}
}

func port(address string) string { return address[strings.LastIndexByte(address, ':')+1:] }

func stopServer(ts *testscript.TestScript, _ bool, _ []string) {
	s, ok := servers.Load(ts)
	if !ok {
		ts.Fatalf("no server was started")
	}
	ts.Check(s.(*running).end())
}

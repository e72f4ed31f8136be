package ststest

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/strait-sts/strait/internal/pgserver"
)

// Template is a database that tests get copies of: Build fills it once, as the
// owner, and Key tells templates apart.
type Template struct {
	Key   string
	Build func(ctx context.Context, ownerURL string) error
}

// Database is a test's own database and the ways of the two roles to it.
type Database struct{ OwnerURL, AppURL, Name string }

// Exec runs a statement at url, as its role, and says how many rows it met.
func (d Database) Exec(t testing.TB, url, statement string) (rows int64, err error) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close(t.Context()) }()
	tag, err := conn.Exec(t.Context(), statement)
	return tag.RowsAffected(), err
}

// shared is the server of this test process, and what it has made.
var shared struct {
	once sync.Once
	*PrivateServer
	err error
}

// NewDatabase gives the test a database of its own, copied from the template,
// on the server of this test process. It fails, never skips, where there is
// no PostgreSQL.
func NewDatabase(t testing.TB, template Template) Database {
	t.Helper()
	shared.once.Do(func() {
		shared.PrivateServer, shared.err = newServer(roomy(), map[string]string{"fsync": "off", "max_connections": "400"})
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.Database(t, template)
}

// PrivateServer is a PostgreSQL that tests may stop, start and kill.
type PrivateServer struct {
	dir      string
	settings map[string]string
	server   *pgserver.Server
	alive    io.Closer // the pipe that guard's shell waits on; collected, it would close

	mu        sync.Mutex
	templates map[string]error
	count     atomic.Int64
}

// StartServer gives the test a whole server of its own, which ends with it.
func StartServer(t testing.TB) *PrivateServer {
	t.Helper()
	return StartServerIn(t, roomy())
}

// StartServerIn is like StartServer, with the data in a folder: what is
// measured on a disk must not be in memory.
func StartServerIn(t testing.TB, folder string) *PrivateServer {
	t.Helper()
	p, err := newServer(folder, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = p.server.Stop(ctx)
		_ = os.RemoveAll(p.dir)
	})
	return p
}

// newServer makes a cluster in the folder, and sees to it that the server ends
// when this process does, however it ends.
func newServer(folder string, settings map[string]string) (*PrivateServer, error) {
	dir, err := os.MkdirTemp(folder, "strait-test-")
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		return nil, err
	}
	p := &PrivateServer{dir: dir, settings: settings, templates: map[string]error{}}
	if err := p.start(); err != nil {
		return nil, err
	}
	return p, p.guard()
}

// roomy is a folder in memory with a gigabyte to spare, else the usual one.
func roomy() string {
	var fs syscall.Statfs_t
	if syscall.Statfs("/dev/shm", &fs) == nil && fs.Bavail*uint64(fs.Bsize) > 1<<30 {
		return "/dev/shm"
	}
	return ""
}

// guard leaves a shell waiting on a pipe that only this process holds: when it
// ends, the shell ends the server and removes its folder.
func (p *PrivateServer) guard() error {
	script := `read -r _; pid=$(head -n 1 "$1/postgres/postmaster.pid" 2>/dev/null) && kill -QUIT "$pid"; sleep 1; rm -rf "$1"`
	cmd := exec.Command("sh", "-c", script, "sh", p.dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var err error
	if p.alive, err = cmd.StdinPipe(); err != nil {
		return err
	}
	return cmd.Start()
}

func (p *PrivateServer) start() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	server, err := pgserver.Start(ctx, pgserver.Config{DataDir: p.dir, BinDir: os.Getenv("STRAIT_POSTGRES_BIN"), Settings: p.settings})
	if err != nil {
		return fmt.Errorf("tests need PostgreSQL: %w", err)
	}
	p.server = server
	return nil
}

// Start brings a stopped or killed server up again, on the same data.
func (p *PrivateServer) Start(t testing.TB) {
	t.Helper()
	if err := p.start(); err != nil {
		t.Fatal(err)
	}
}

// Stop ends the server as an administrator would; connections are cut.
func (p *PrivateServer) Stop(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := p.server.Stop(ctx); err != nil {
		t.Fatal(err)
	}
}

// Kill ends the server as a power cut would, all its processes at once.
func (p *PrivateServer) Kill(t testing.TB) {
	t.Helper()
	// PostgreSQL's children lead groups of their own; one that outlives the
	// postmaster holds its shared memory, and a new start would be refused.
	for _, pid := range p.processes(t) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_ = p.server.Stop(ctx) // lets go of the lock
}

// processes are the postmaster's pid and those of its children.
func (p *PrivateServer) processes(t testing.TB) []int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(p.dir, "postgres", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.SplitN(string(text), "\n", 2)[0])
	if err != nil || pid <= 1 {
		t.Fatalf("postmaster.pid names %q", text)
	}
	pids := []int{pid}
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	for _, child := range strings.Fields(string(children)) {
		if pid, err := strconv.Atoi(child); err == nil && pid > 1 {
			pids = append(pids, pid)
		}
	}
	return pids
}

// CPU is the time that the server's processes have used, those that have ended
// included. Linux counts it in hundredths of a second.
func (p *PrivateServer) CPU(t testing.TB) time.Duration {
	t.Helper()
	const utime, cutime, cstime = 11, 13, 14 // places behind the name in proc(5)
	ticks := 0
	for i, pid := range p.processes(t) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue // it has ended meanwhile
		}
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		last := cutime
		if i == 0 {
			last = cstime + 1 // the postmaster's own children, once they have ended
		}
		for _, field := range fields[utime:last] {
			n, err := strconv.Atoi(field)
			if err != nil {
				t.Fatal(err)
			}
			ticks += n
		}
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// Database gives the test a database on this server, copied from the template.
func (p *PrivateServer) Database(t testing.TB, template Template) Database {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	source, err := p.template(ctx, template)
	if err != nil {
		t.Fatalf("build the template database: %v", err)
	}
	name := "t" + strconv.FormatInt(p.count.Add(1), 10)
	if err := p.admin(ctx, "CREATE DATABASE "+name+" TEMPLATE "+source+" OWNER "+pgserver.Owner); err != nil {
		t.Fatalf("copy the template database: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = p.admin(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)") // a killed server drops nothing
	})
	return Database{OwnerURL: p.server.URL(pgserver.Owner, name), AppURL: p.server.URL(pgserver.App, name), Name: name}
}

// template builds the database that the others are copied from, once a key.
func (p *PrivateServer) template(ctx context.Context, template Template) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	name := "template_" + strconv.FormatUint(fnv(template.Key), 16)
	if err, built := p.templates[name]; built {
		return name, err
	}
	err := p.admin(ctx, "CREATE DATABASE "+name+" OWNER "+pgserver.Owner)
	if err == nil && template.Build != nil {
		err = template.Build(ctx, p.server.URL(pgserver.Owner, name))
	}
	p.templates[name] = err
	return name, err
}

// admin runs one statement as the superuser.
func (p *PrivateServer) admin(ctx context.Context, statement string) error {
	conn, err := pgx.Connect(ctx, p.server.URL("postgres", "postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, statement)
	return err
}

// fnv names a template by its key (FNV-1a).
func fnv(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

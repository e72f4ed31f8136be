package pgserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Config says what to start.
type Config struct {
	DataDir  string            // STRAIT_DATA_DIR; made if it is not there
	BinDir   string            // STRAIT_POSTGRES_BIN; empty: found
	Settings map[string]string // of PostgreSQL, beside ours; tests turn fsync off
	Logger   *slog.Logger
}

// Server is a running private PostgreSQL.
type Server struct {
	at     layout
	pid    int
	child  *exec.Cmd // nil for a server that was adopted
	exited chan struct{}
	lock   *os.File
	log    *slog.Logger
}

// Start makes the cluster if there is none, and starts the server, or adopts
// the one that a killed Strait left running. It returns once the server takes
// connections. A data folder that another Strait holds is refused.
func Start(ctx context.Context, c Config) (*Server, error) {
	who, err := chooseAccount()
	if err != nil {
		return nil, err
	}
	programs, err := Find(c.BinDir)
	if err != nil {
		return nil, err
	}
	at, err := plan(c.DataDir, who)
	if err != nil {
		return nil, err
	}
	s := &Server{at: at, exited: make(chan struct{}), log: c.Logger}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.lock, err = hold(at.lock); err != nil {
		return nil, err
	}
	if err := s.bringUp(ctx, programs, who, c.Settings); err != nil {
		_ = s.lock.Close()
		return nil, err
	}
	return s, nil
}

func (s *Server) bringUp(ctx context.Context, p Programs, who account, settings map[string]string) error {
	if err := s.at.ensure(ctx, p, who); err != nil {
		return err
	}
	if s.adopt() {
		s.log.Info("adopted a running PostgreSQL", "pid", s.pid, "data", s.at.root)
		return nil
	}
	if err := s.launch(p, who, settings); err != nil {
		return err
	}
	if err := s.await(ctx); err != nil {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = s.end(stop)
		return err
	}
	s.log.Info("started PostgreSQL", "version", p.Major, "pid", s.pid, "data", s.at.root)
	return nil
}

// launch starts the server as a child whose output goes to the log file.
func (s *Server) launch(p Programs, who account, settings map[string]string) error {
	logFile, err := os.OpenFile(s.at.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open PostgreSQL's log: %w", err)
	}
	defer func() { _ = logFile.Close() }() // the child has its own
	args := []string{"-D", s.at.cluster}
	all := map[string]string{
		"listen_addresses": "", "unix_socket_directories": s.at.sockets, "unix_socket_permissions": "0700",
		"max_connections": "60", "shared_buffers": "64MB", "fsync": "on", "full_page_writes": "on",
		"timezone": "UTC", "log_timezone": "UTC", "logging_collector": "off",
	}
	maps.Copy(all, settings)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		args = append(args, "-c", name+"="+all[name])
	}
	cmd := exec.Command(p.path("postgres"), args...) //nolint:gosec,noctx // G204: the programs that were found; it outlives the context of Start
	cmd.SysProcAttr, cmd.Dir, cmd.Stdout, cmd.Stderr = who.attributes(), "/", logFile, logFile
	cmd.Env = []string{"LC_ALL=C", "TZ=UTC", "PATH=/usr/bin:/bin"}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start PostgreSQL as %s: %w", who.name, err)
	}
	s.child, s.pid = cmd, cmd.Process.Pid
	go func() {
		_ = cmd.Wait() // how it ended is in its log
		close(s.exited)
	}()
	return nil
}

// adopt takes over the server that postmaster.pid names, if it runs on this
// cluster and answers on our socket.
func (s *Server) adopt() bool {
	pid, status := s.postmaster()
	if pid == 0 || syscall.Kill(pid, 0) != nil {
		return false
	}
	for range 50 {
		if status == "ready" && s.answers() {
			s.pid = pid
			return true
		}
		time.Sleep(100 * time.Millisecond)
		again, now := s.postmaster()
		if again != pid || syscall.Kill(pid, 0) != nil {
			return false
		}
		status = now
	}
	return false // the pid is a stranger's, or the server hangs: PostgreSQL itself decides at its start
}

// postmaster reads the cluster's postmaster.pid: line 1 is the pid, line 2 the
// data folder, line 8 the status.
func (s *Server) postmaster() (pid int, status string) {
	text, err := os.ReadFile(filepath.Join(s.at.cluster, "postmaster.pid"))
	if err != nil {
		return 0, ""
	}
	lines := strings.Split(string(text), "\n")
	if len(lines) < 8 || lines[1] != s.at.cluster {
		return 0, ""
	}
	pid, err = strconv.Atoi(lines[0])
	if err != nil || pid <= 1 {
		return 0, ""
	}
	return pid, strings.TrimSpace(lines[7])
}

func (s *Server) answers() bool {
	conn, err := net.DialTimeout("unix", s.at.socket(), time.Second)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// await waits until the server takes connections, up to a minute: it may have
// to recover first.
func (s *Server) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		if pid, status := s.postmaster(); pid == s.pid && status == "ready" && s.answers() {
			return nil
		}
		select {
		case <-s.exited:
			return fmt.Errorf("PostgreSQL ended as it started; the end of %s: %s", s.at.log, s.logTail())
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL did not become ready: %w; the end of %s: %s", ctx.Err(), s.at.log, s.logTail())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (s *Server) logTail() string {
	text, err := os.ReadFile(s.at.log)
	if err != nil {
		return err.Error()
	}
	return tail(string(text))
}

// URL is how a role reaches a database of the server: over the socket, without
// a password.
func (s *Server) URL(role, database string) string {
	u := url.URL{Scheme: "postgres", User: url.User(role), Path: "/" + database}
	u.RawQuery = url.Values{"host": {s.at.sockets}, "sslmode": {"disable"}}.Encode()
	return u.String()
}

// OwnerURL is the owner's way to Strait's database.
func (s *Server) OwnerURL() string { return s.URL(Owner, Database) }

// AppURL is the application's way to Strait's database.
func (s *Server) AppURL() string { return s.URL(App, Database) }

// Exited is closed when a server that we started has ended by itself. It never
// is for one that was adopted.
func (s *Server) Exited() <-chan struct{} { return s.exited }

// Stop ends the server: fast while ctx lasts, then at once, which the next
// start recovers from. Connections that are still open are cut.
func (s *Server) Stop(ctx context.Context) error {
	err := s.end(ctx)
	return errors.Join(err, s.lock.Close())
}

func (s *Server) end(ctx context.Context) error {
	if s.ended() {
		return nil
	}
	if err := syscall.Kill(s.pid, syscall.SIGINT); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("stop PostgreSQL: %w", err)
	}
	for !s.ended() {
		select {
		case <-ctx.Done():
			_ = syscall.Kill(s.pid, syscall.SIGQUIT)
			return fmt.Errorf("PostgreSQL did not stop in time and was cut off; the next start recovers: %w", ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}

func (s *Server) ended() bool {
	select {
	case <-s.exited:
		return true
	default:
		return s.child == nil && syscall.Kill(s.pid, 0) != nil
	}
}

//go:build linux || darwin

package pgserver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// Server is a running private PostgreSQL.
type Server struct {
	at     layout
	pid    int
	child  *exec.Cmd // nil for a server that was adopted
	exited chan struct{}
	lock   *os.File
	log    *slog.Logger
	quoted int64 // of postgres.log: where the part of this start begins
}

// maxLog is the size from which a start begins a new postgres.log.
const maxLog = 16 << 20

// errEnded says that the server ended before it was ready.
var errEnded = errors.New("PostgreSQL ended as it started")

// Start makes the cluster if there is none, and starts the server, or adopts
// the one that a killed Strait left running. It returns once the server takes
// connections. A data folder that another Strait holds is refused.
func Start(ctx context.Context, c Config) (*Server, error) {
	who, err := chooseAccount()
	if err != nil {
		return nil, err
	}
	made, err := madeBy(filepath.Join(c.DataDir, "postgres"))
	if err != nil {
		return nil, err
	}
	programs, err := find(ctx, c.BinDir, made)
	if err != nil {
		return nil, err
	}
	at, err := plan(c.DataDir, who)
	if err != nil {
		return nil, err
	}
	s := &Server{at: at, exited: make(chan struct{}), log: cmp.Or(c.Logger, slog.New(slog.DiscardHandler))}
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
	var err error
	for range 10 {
		var adopted bool
		if adopted, err = s.adopt(ctx); adopted || err != nil {
			return err
		}
		stale := s.named()
		if err = s.run(ctx, p, who, settings, stale); stale == 0 || !errors.Is(err, errEnded) {
			return err
		}
		// The children of a killed server need a moment to notice.
		if waitErr := wait(ctx, 300*time.Millisecond); waitErr != nil {
			return err
		}
	}
	return err
}

// run launches the server and waits until it is ready.
func (s *Server) run(ctx context.Context, p Programs, who account, settings map[string]string, stale int) error {
	if err := s.launch(p, who, settings, stale); err != nil {
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

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// launch starts the server as a child whose output goes to the log file. A
// stale pid is that of a postmaster.pid whose server is gone: PostgreSQL must
// not take whoever has it now, often ourselves in a container, for that server.
// It goes on checking that nothing is attached to the server's shared memory.
func (s *Server) launch(p Programs, who account, settings map[string]string, stale int) error {
	logFile, err := s.openLog()
	if err != nil {
		return err
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
	if stale != 0 {
		cmd.Env = append(cmd.Env, "PG_GRANDPARENT_PID="+strconv.Itoa(stale))
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start PostgreSQL as %s: %w", who.name, err)
	}
	exited := make(chan struct{})
	s.child, s.pid, s.exited = cmd, cmd.Process.Pid, exited
	go func() {
		_ = cmd.Wait() // how it ended is in its log
		close(exited)
	}()
	return nil
}

// openLog opens postgres.log for appending; one that grew large makes room.
func (s *Server) openLog() (*os.File, error) {
	if info, err := os.Stat(s.at.log); err == nil && info.Size() > maxLog {
		_ = os.Rename(s.at.log, s.at.log+".1")
	}
	file, err := os.OpenFile(s.at.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open PostgreSQL's log: %w", err)
	}
	if info, err := file.Stat(); err == nil {
		s.quoted = info.Size()
	}
	return file, nil
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
			return fmt.Errorf("%w; the end of %s: %s", errEnded, s.at.log, s.logTail())
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL did not become ready: %w; the end of %s: %s", ctx.Err(), s.at.log, s.logTail())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// logTail is the end of what the server said since this start.
func (s *Server) logTail() string {
	file, err := os.Open(s.at.log)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.NewSectionReader(file, s.quoted, maxLog))
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
	if filepath.Dir(s.at.sockets) != s.at.root && err == nil {
		_ = os.Remove(s.at.sockets) // the next start makes it again
	}
	return errors.Join(err, s.lock.Close())
}

func (s *Server) end(ctx context.Context) error {
	if s.ended() {
		return nil
	}
	if err := syscall.Kill(s.pid, syscall.SIGINT); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("stop PostgreSQL: %w", err)
	}
	for gone := 0; !s.ended() && gone < 20; {
		if s.child == nil && s.named() != s.pid {
			gone++ // an adopted server may stay a zombie where nobody collects it
		}
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

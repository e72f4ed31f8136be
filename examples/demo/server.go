package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// ready is the line that serve prints once, when it can answer.
var ready = regexp.MustCompile(`^ready public=(\S+) admin=(\S+)$`)

// server is the strait binary, run as a child process.
type server struct {
	binary, dir   string
	env           []string // of the child and of the commands that call it
	issuer, admin string   // URLs
	process       *exec.Cmd
	log           string
	ended         chan struct{} // closed when the process is gone
	err           error         // how it ended; read after ended
}

// startServer starts strait serve with an embedded database below o.dir and
// waits for its ready line.
func startServer(ctx context.Context, o options) (*server, error) {
	binary, err := exec.LookPath(o.strait)
	if err != nil {
		return nil, fmt.Errorf("%w (make build makes it; -strait names another)", err)
	}
	dir, err := folder(o.dir)
	if err != nil {
		return nil, err
	}
	public, admin, err := addresses(o.ports)
	if err != nil {
		return nil, err
	}
	s := &server{binary: binary, dir: dir, log: filepath.Join(dir, "strait.log"), ended: make(chan struct{})}
	s.env = append(withoutStrait(os.Environ()),
		"STRAIT_DATA_DIR="+filepath.Join(dir, "data"), "STRAIT_KEYS_DIR="+filepath.Join(dir, "keys"),
		"STRAIT_PUBLIC_ADDR="+public, "STRAIT_ADMIN_ADDR="+admin,
		// The identity provider of this demo is on this machine, without TLS.
		"STRAIT_FETCH_ALLOW_CIDRS=127.0.0.0/8,::1/128", "STRAIT_FETCH_ALLOW_HTTP=true")
	return s, s.start(ctx)
}

// folder makes the folder of the demo's data. Root's PostgreSQL runs as another
// user, which a clone below /root shuts out: then the data goes to a temporary
// folder.
func folder(wanted string) (string, error) {
	dir, err := filepath.Abs(wanted)
	if err != nil {
		return "", err
	}
	if os.Geteuid() == 0 && !open(dir) {
		if dir, err = os.MkdirTemp("", "strait-demo-"); err != nil {
			return "", err
		}
		return dir, os.Chmod(dir, 0o711) //nolint:gosec // G302: as above, PostgreSQL's user passes through
	}
	return dir, os.MkdirAll(dir, 0o755) //nolint:gosec // G301: as above
}

// open says whether everybody can pass through the folders on the way to dir,
// as far as they exist.
func open(dir string) bool {
	info, err := os.Stat(dir)
	passable := err != nil || info.Mode()&0o001 != 0
	return passable && (dir == filepath.Dir(dir) || open(filepath.Dir(dir)))
}

// addresses says where the server shall listen; taken ports are told before
// anything is started.
func addresses(ports string) (public, admin string, err error) {
	if ports == "free" {
		return "127.0.0.1:0", "127.0.0.1:0", nil
	}
	public, admin = "127.0.0.1:8080", "127.0.0.1:8081"
	for _, address := range []string{public, admin} {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			return "", "", fmt.Errorf("%s is taken; `make demo PORTS=free` picks free ports", address)
		}
		_ = listener.Close()
	}
	return public, admin, nil
}

// withoutStrait is the environment without the settings of another Strait.
func withoutStrait(env []string) []string {
	var kept []string
	for _, pair := range env {
		if !strings.HasPrefix(pair, "STRAIT_") || strings.HasPrefix(pair, "STRAIT_POSTGRES_BIN=") {
			kept = append(kept, pair)
		}
	}
	return kept
}

func (s *server) start(ctx context.Context) error {
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	s.process = exec.Command(s.binary, "serve") //nolint:gosec,noctx // G204: it is ended by stop, gently
	s.process.Env, s.process.Stderr = s.env, log
	s.process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for the demo, which ends its child
	stdout, err := s.process.StdoutPipe()
	if err != nil {
		return err
	}
	if err := s.process.Start(); err != nil {
		return err
	}
	lines := make(chan []string, 1)
	go s.watch(stdout, lines)
	select {
	case addresses := <-lines:
		s.issuer, s.admin = local(addresses[1]), "http://"+addresses[2]
		s.env = append(s.env, "STRAIT_ADMIN_URL="+s.admin)
		return nil
	case <-s.ended:
		return s.died()
	case <-time.After(2 * time.Minute):
		return errors.Join(errors.New("strait serve is not ready after two minutes"), s.stop())
	case <-ctx.Done():
		return errors.Join(ctx.Err(), s.stop())
	}
}

// watch hands over the addresses of the ready line and waits for the end.
func (s *server) watch(stdout io.Reader, lines chan<- []string) {
	scanner := bufio.NewScanner(stdout)
	for scanner.Scan() {
		if match := ready.FindStringSubmatch(scanner.Text()); match != nil {
			lines <- match
			break
		}
	}
	_, _ = io.Copy(io.Discard, stdout)
	s.err = s.process.Wait()
	close(s.ended)
}

// local is the URL by which this machine finds an address: the issuer where
// none is set.
func local(address string) string {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return "http://" + address
	}
	return "http://localhost:" + port
}

// stop ends the child as operators do, with SIGTERM, and waits for it.
func (s *server) stop() error {
	select {
	case <-s.ended:
		return nil
	default:
	}
	if err := s.process.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("end strait: %w", err)
	}
	select {
	case <-s.ended:
		return s.err
	case <-time.After(30 * time.Second):
		return errors.Join(errors.New("strait did not end on SIGTERM in 30 s"), s.process.Process.Kill())
	}
}

// died says how the child ended, with the end of its log.
func (s *server) died() error {
	text, err := os.ReadFile(s.log)
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	last := strings.Join(lines[max(0, len(lines)-8):], "\n  ")
	how := "somebody asked it to stop"
	if s.err != nil {
		how = s.err.Error()
	}
	return fmt.Errorf("strait serve ended: %s\n  %s", how, last)
}

// command runs a strait command as a user would, and gives what it prints.
func (s *server) command(ctx context.Context, extra []string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, s.binary, args...) //nolint:gosec // G204: our own binary
	cmd.Env = slices.Concat(s.env, extra)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("strait %s: %w\n%s", strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

//go:build linux || darwin

package pgserver

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

const (
	superuser = "postgres"
	// socketLimit is the longest path of a unix socket: 107 bytes on Linux, 103 on macOS.
	socketLimit = 103
	socketName  = ".s.PGSQL.5432"
)

// layout is where things are in the data folder.
type layout struct {
	root, cluster, sockets, log, lock string
}

// plan settles the layout of the data folder dir, which it makes.
func plan(dir string, who account) (layout, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return layout{}, fmt.Errorf("data folder: %w", err)
	}
	if err := who.makeRoot(dir); err != nil {
		return layout{}, err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil { // postmaster.pid must name one spelling
		return layout{}, fmt.Errorf("data folder: %w", err)
	}
	l := layout{
		root: dir, cluster: filepath.Join(dir, "postgres"), sockets: filepath.Join(dir, "run"),
		log: filepath.Join(dir, "postgres.log"), lock: filepath.Join(dir, "lock"),
	}
	if len(l.socket()) > socketLimit {
		sum := sha256.Sum256([]byte(dir))
		l.sockets = filepath.Join(os.TempDir(), "strait-"+hex.EncodeToString(sum[:6]))
	}
	if len(l.socket()) > socketLimit {
		return layout{}, fmt.Errorf("the path of the socket, %s, is longer than %d bytes: name a shorter STRAIT_DATA_DIR", l.socket(), socketLimit)
	}
	if err := who.mayEnter(filepath.Dir(l.sockets)); err != nil {
		return layout{}, err
	}
	return l, who.makeFolder(l.sockets)
}

func (l layout) socket() string { return filepath.Join(l.sockets, socketName) }

// madeBy is the major version that the cluster in dir was made by; empty if
// there is none.
func madeBy(dir string) (string, error) {
	version, err := os.ReadFile(filepath.Join(dir, "PG_VERSION")) //nolint:gosec // G304: in the data folder
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("look at the database: %w", err)
	}
	return strings.TrimSpace(string(version)), nil
}

// ensure makes the cluster if there is none, and refuses one of another major
// version. It is made beside its place and moved there when it is whole.
func (l layout) ensure(ctx context.Context, p Programs, who account) error {
	have, err := madeBy(l.cluster)
	if err != nil {
		return err
	}
	if have != "" && have != strconv.Itoa(p.Major) {
		return fmt.Errorf("the database in %s was made by PostgreSQL %s and the programs in %s are %d: name those of %s in STRAIT_POSTGRES_BIN, or upgrade the folder with pg_upgrade", l.cluster, have, p.Dir, p.Major, have)
	}
	if have != "" {
		return nil
	}
	fresh := l.cluster + ".new"
	if err := os.RemoveAll(fresh); err != nil {
		return fmt.Errorf("remove an unfinished database: %w", err)
	}
	if err := who.makeFolder(fresh); err != nil {
		return err
	}
	if err := run(ctx, who, "", p.path("initdb"), "-D", fresh, "-U", superuser, "--auth=trust", "--encoding=UTF8", "--locale=C", "--data-checksums", "--no-instructions"); err != nil {
		return err
	}
	if err := run(ctx, who, bootstrap(), p.path("postgres"), "--single", "-D", fresh, superuser); err != nil {
		return err
	}
	if err := os.Rename(fresh, l.cluster); err != nil {
		return fmt.Errorf("move the new database into place: %w", err)
	}
	return nil
}

// bootstrap is the SQL of a new cluster, a statement a line as single-user
// mode reads it.
func bootstrap() string {
	return strings.Join([]string{
		"CREATE ROLE " + Owner + " LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE",
		"CREATE ROLE " + App + " LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE",
		"CREATE DATABASE " + Database + " OWNER " + Owner,
		"REVOKE ALL ON DATABASE " + Database + " FROM PUBLIC",
		"GRANT CONNECT ON DATABASE " + Database + " TO " + App,
	}, "\n") + "\n"
}

// run runs one program as the account, and tells what it said if it fails.
// Single-user mode exits with 0 after a failed statement, so its ERROR lines
// count too.
func run(ctx context.Context, who account, stdin, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...) //nolint:gosec // G204: the programs that were found
	cmd.SysProcAttr, cmd.Dir, cmd.Stdin = who.attributes(), "/", strings.NewReader(stdin)
	cmd.Env = []string{"LC_ALL=C", "TZ=UTC", "PATH=/usr/bin:/bin"}
	out, err := cmd.CombinedOutput()
	if err == nil && strings.Contains(string(out), "ERROR:") {
		err = errors.New("a statement failed")
	}
	if err != nil {
		return fmt.Errorf("%s as %s: %w: %s", filepath.Base(program), who.name, err, tail(string(out)))
	}
	return nil
}

// tail is the last lines of what a program said.
func tail(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], " | ")
}

package pgserver

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// MinVersion is the oldest major version of PostgreSQL that Strait works with.
const MinVersion = 15

// Programs is one installation of PostgreSQL.
type Programs struct {
	Dir   string // absolute; holds initdb and postgres
	Major int    // 15, 16, …
}

func (p Programs) path(program string) string { return filepath.Join(p.Dir, program) }

// Find looks for PostgreSQL's programs: in bin (STRAIT_POSTGRES_BIN) and
// nowhere else if it is not empty; else on PATH, where pg_config points, and
// in the usual places, the newest first. It answers ErrNotFound, or an error
// that names an installation too old if there is no other.
func Find(bin string) (Programs, error) { return find(context.Background(), bin, "") }

// find is like Find, and prefers the major version that a cluster was made by.
func find(ctx context.Context, bin, made string) (Programs, error) {
	if bin != "" {
		if !complete(bin) {
			return Programs{}, fmt.Errorf("STRAIT_POSTGRES_BIN: %s does not hold initdb and postgres", bin)
		}
		return inspect(ctx, bin)
	}
	return choose(ctx, append(fromPath(ctx), usualPlaces(runtime.GOOS)...), made)
}

// choose takes the first installation of the wanted version, else the first
// that will do; an error if there is none.
func choose(ctx context.Context, dirs []string, made string) (Programs, error) {
	var first Programs
	fault := fmt.Errorf("%w; install them with: %s — or name their folder in STRAIT_POSTGRES_BIN", ErrNotFound, InstallCommand(exec.LookPath))
	for _, dir := range dirs {
		if !complete(dir) {
			continue
		}
		p, err := inspect(ctx, dir)
		switch {
		case err != nil:
			fault = err
		case made == "" || made == strconv.Itoa(p.Major):
			return p, nil
		case first.Dir == "":
			first = p
		}
	}
	if first.Dir != "" {
		return first, nil
	}
	return Programs{}, fault
}

// fromPath is the folder of initdb on PATH, its links followed since initdb
// looks for postgres beside itself, then what pg_config says.
func fromPath(ctx context.Context) []string {
	var dirs []string
	if initdb, err := exec.LookPath("initdb"); err == nil {
		if target, err := filepath.EvalSymlinks(initdb); err == nil {
			initdb = target
		}
		dirs = append(dirs, filepath.Dir(initdb))
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output(); err == nil {
		dirs = append(dirs, strings.TrimSpace(string(out)))
	}
	return dirs
}

// usualPlaces lists where packages of the system put the programs, newest
// version first.
func usualPlaces(system string) []string {
	patterns := []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin"}
	if system == "darwin" {
		patterns = []string{
			"/opt/homebrew/opt/postgresql*/bin", "/usr/local/opt/postgresql*/bin",
			"/Applications/Postgres.app/Contents/Versions/*/bin",
		}
	}
	var dirs []string
	for _, pattern := range patterns {
		found, _ := filepath.Glob(pattern) // the patterns are well-formed
		slices.SortFunc(found, func(a, b string) int { return versionIn(b) - versionIn(a) })
		dirs = append(dirs, found...)
	}
	return dirs
}

var digits = regexp.MustCompile(`\d+`)

// versionIn is the first number in a path: 17 in /usr/lib/postgresql/17/bin.
func versionIn(path string) int {
	n, _ := strconv.Atoi(digits.FindString(path))
	return n
}

func complete(dir string) bool {
	for _, program := range []string{"initdb", "postgres"} {
		info, err := os.Stat(filepath.Join(dir, program))
		if err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
			return false
		}
	}
	return true
}

// inspect asks the programs for their version.
func inspect(ctx context.Context, dir string) (Programs, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Programs{}, fmt.Errorf("find PostgreSQL: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, filepath.Join(dir, "postgres"), "--version").Output() //nolint:gosec // G204: the programs that were found
	if err != nil {
		return Programs{}, fmt.Errorf("ask %s for its version: %w", filepath.Join(dir, "postgres"), err)
	}
	p := Programs{Dir: dir, Major: versionIn(string(out))}
	if p.Major < MinVersion {
		return Programs{}, fmt.Errorf("PostgreSQL %d in %s is too old: %d or newer is needed", p.Major, dir, MinVersion)
	}
	return p, nil
}

// InstallCommand is the one command that installs PostgreSQL's programs on
// this system, by the package manager that look finds; with sudo unless we are
// root, who may not have it.
func InstallCommand(look func(program string) (string, error)) string {
	sudo := "sudo "
	if os.Geteuid() == 0 {
		sudo = ""
	}
	for _, manager := range []struct{ program, command string }{
		{"apt-get", sudo + "apt-get install -y postgresql"},
		{"dnf", sudo + "dnf install -y postgresql-server"},
		{"yum", sudo + "yum install -y postgresql-server"},
		{"zypper", sudo + "zypper install -y postgresql-server"},
		{"apk", sudo + "apk add postgresql"},
		{"pacman", sudo + "pacman -S --noconfirm postgresql"},
		{"brew", "brew install postgresql@17"},
	} {
		if _, err := look(manager.program); err == nil {
			return manager.command
		}
	}
	return "the package manager of your system (PostgreSQL 15 or newer)"
}

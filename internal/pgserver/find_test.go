package pgserver_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/strait-sts/strait/internal/pgserver"
)

// installation makes a folder with programs that claim a version.
func installation(t *testing.T, version string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"initdb", "postgres"} {
		script := "#!/bin/sh\necho '" + name + " (PostgreSQL) " + version + "'\n"
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestNamedFolderWinsOverPath(t *testing.T) {
	named, path := installation(t, "17.2"), installation(t, "16.1")
	t.Setenv("PATH", path+":"+os.Getenv("PATH"))
	found, err := pgserver.Find(named)
	if err != nil || found.Dir != named || found.Major != 17 {
		t.Errorf("found %+v, %v", found, err)
	}
}

func TestNamedFolderWithoutProgramsIsAnError(t *testing.T) {
	_, err := pgserver.Find(t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "STRAIT_POSTGRES_BIN") {
		t.Errorf("error = %v", err)
	}
}

func TestPathWinsOverTheUsualPlaces(t *testing.T) {
	path := installation(t, "18.0")
	t.Setenv("PATH", path+":"+os.Getenv("PATH"))
	found, err := pgserver.Find("")
	if err != nil || found.Dir != path || found.Major != 18 {
		t.Errorf("found %+v, %v", found, err)
	}
}

func TestFollowsLinksToTheRealFolder(t *testing.T) {
	target, links := installation(t, "16.4"), t.TempDir()
	if err := os.Symlink(filepath.Join(target, "initdb"), filepath.Join(links, "initdb")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", links+":"+os.Getenv("PATH"))
	found, err := pgserver.Find("")
	if err != nil || found.Dir != target {
		t.Errorf("found %+v, %v, want %s", found, err, target)
	}
}

func TestOldPostgreSQLIsRefused(t *testing.T) {
	_, err := pgserver.Find(installation(t, "14.11"))
	if err == nil || !strings.Contains(err.Error(), "15 or newer") {
		t.Errorf("error = %v", err)
	}
}

func TestOldPostgreSQLOnPathHidesNoNewerOne(t *testing.T) {
	t.Setenv("PATH", installation(t, "14.11")+":"+os.Getenv("PATH"))
	found, err := pgserver.Find("")
	if err != nil || found.Major < pgserver.MinVersion {
		t.Errorf("found %+v, %v", found, err)
	}
}

func TestInstallCommandFitsTheSystem(t *testing.T) {
	only := func(program string) func(string) (string, error) {
		return func(asked string) (string, error) {
			if asked == program {
				return "/usr/bin/" + program, nil
			}
			return "", exec.ErrNotFound
		}
	}
	for program, want := range map[string]string{"apt-get": "apt-get install -y postgresql", "dnf": "dnf install", "brew": "brew install", "": "package manager"} {
		if got := pgserver.InstallCommand(only(program)); !strings.Contains(got, want) {
			t.Errorf("with %q: %q", program, got)
		}
	}
}

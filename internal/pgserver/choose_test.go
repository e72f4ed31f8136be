package pgserver

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// fake makes a folder with programs that claim a version.
func fake(t *testing.T, version string) string {
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

func TestChoosesTheVersionOfTheCluster(t *testing.T) {
	t.Parallel()
	dirs := []string{t.TempDir(), fake(t, "14.2"), fake(t, "17.1"), fake(t, "16.3")}
	for made, want := range map[string]int{"": 17, "17": 17, "16": 16, "15": 17} {
		if p, err := choose(t.Context(), dirs, made); err != nil || p.Major != want {
			t.Errorf("made by %q: chose %+v, %v; want %d", made, p, err, want)
		}
	}
}

func TestMissingProgramsNameTheCommand(t *testing.T) {
	t.Parallel()
	_, err := choose(t.Context(), []string{t.TempDir()}, "")
	if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), InstallCommand(exec.LookPath)) {
		t.Errorf("error = %v, want the command that installs PostgreSQL", err)
	}
}

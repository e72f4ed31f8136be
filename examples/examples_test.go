package examples_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/cli"
)

// written is when the examples were: their reviews are due one day.
func written() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

// eachExample runs a strait command on each folder of manifests, as a reader
// would, and gives what it printed to the test.
func eachExample(t *testing.T, check func(t *testing.T, out string), command ...string) {
	t.Helper()
	folders, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	var ran []string
	for _, folder := range folders {
		manifests, err := filepath.Glob(filepath.Join(folder.Name(), "*.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		if !folder.IsDir() || len(manifests) == 0 {
			continue
		}
		ran = append(ran, folder.Name())
		t.Run(folder.Name(), func(t *testing.T) {
			t.Parallel()
			var out, wrong bytes.Buffer
			code := cli.Run(context.Background(), cli.Process{
				Args: append(slices.Clone(command), "-f", folder.Name()), Env: func(string) (string, bool) { return "", false },
				Out: &out, Err: &wrong, Clock: written,
			})
			if code != 0 {
				t.Errorf("exit code %d\n%s%s", code, out.String(), wrong.String())
			}
			check(t, out.String())
		})
	}
	for _, flow := range []string{"downscope", "federation", "delegation", "agents", "client", "quickstart"} {
		if !slices.Contains(ran, flow) {
			t.Errorf("there is no example %s", flow)
		}
	}
}

// Each example has tests of its own, of every policy, allowed and denied.
func TestExamplesDoWhatTheirTestsSay(t *testing.T) {
	t.Parallel()
	eachExample(t, func(t *testing.T, out string) {
		t.Helper()
		if strings.Contains(out, "without a test") {
			t.Error(out)
		}
	}, "test")
}

// Lint finds nothing in an example, or says in the example why that is well.
func TestExamplesHaveNoFindings(t *testing.T) {
	t.Parallel()
	eachExample(t, func(t *testing.T, out string) {
		t.Helper()
		if !strings.HasPrefix(out, "0 errors, 0 warnings, 0 notes;") {
			t.Error(out)
		}
	}, "lint", "--strict")
}

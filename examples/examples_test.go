package examples_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/cli"
)

// TestExamplesDoWhatTheirTestsSay runs `strait test` on each folder of manifests,
// as a reader would. Each has tests of its own, of every policy, allowed and
// denied.
func TestExamplesDoWhatTheirTestsSay(t *testing.T) {
	t.Parallel()
	folders, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, folder := range folders {
		manifests, err := filepath.Glob(filepath.Join(folder.Name(), "*.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		if !folder.IsDir() || len(manifests) == 0 {
			continue
		}
		ran++
		t.Run(folder.Name(), func(t *testing.T) {
			t.Parallel()
			var out, wrong bytes.Buffer
			code := cli.Run(context.Background(), cli.Process{
				Args: []string{"test", "-f", folder.Name()}, Env: func(string) (string, bool) { return "", false },
				Out: &out, Err: &wrong, Clock: time.Now,
			})
			if code != 0 || strings.Contains(out.String(), "without a test") {
				t.Errorf("exit code %d\n%s%s", code, out.String(), wrong.String())
			}
		})
	}
	if ran == 0 {
		t.Error("there is no folder with manifests")
	}
}

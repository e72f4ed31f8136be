package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestDocumentedCommandsExist finds each command of the documentation, and of the
// help of the commands themselves, with the flags that are written behind it.
func TestDocumentedCommandsExist(t *testing.T) {
	t.Parallel()
	root := newRoot(&Process{Env: func(string) (string, bool) { return "", false }})
	found := 0
	for where, text := range documentation(t, root) {
		for _, m := range regexp.MustCompile("(?:^|[\\s`(/])strait ([a-z]+[^`|;&#()\n]*)").FindAllStringSubmatch(text, -1) {
			words := strings.Fields(strings.TrimPrefix(m[1], "strait ")) // docker compose exec strait strait …
			cmd, rest, err := root.Find(words)
			if err != nil || cmd == root {
				t.Errorf("%s: there is no command strait %s", where, m[1])
				continue
			}
			found++
			for _, word := range rest {
				name, isFlag := strings.CutPrefix(word, "--")
				if name, _, _ = strings.Cut(name, "="); !isFlag || name == "help" {
					continue
				}
				if cmd.Flags().Lookup(strings.TrimRight(name, ".,:")) == nil {
					t.Errorf("%s: %s has no flag %s", where, cmd.CommandPath(), word)
				}
			}
		}
	}
	if found < 100 {
		t.Errorf("only %d commands were found", found)
	}
}

// documentation is the text of the pages and of each command's help.
func documentation(t *testing.T, root *cobra.Command) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/adr/*.md", "examples/*.md"} {
		paths, err := filepath.Glob(filepath.Join("../..", pattern))
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: %v, %v", pattern, paths, err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			all[path] = string(text)
		}
	}
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		all[cmd.CommandPath()+" --help"] = cmd.Long + "\n" + cmd.Example
		for _, below := range cmd.Commands() {
			walk(below)
		}
	}
	walk(root)
	return all
}

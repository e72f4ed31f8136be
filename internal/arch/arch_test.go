package arch_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/strait-sts/strait/"

// layout is every folder with Go code and the packages of ours that it may
// import; "*" for the two that wire everything.
var layout = map[string][]string{
	"cmd/strait":                   {"internal/cli"},
	"api":                          {},
	"migrations":                   {},
	"examples":                     {},
	"examples/demo":                {"examples"},
	"internal/exchange":            {},
	"internal/jws":                 {},
	"internal/fetch":               {},
	"internal/catalog":             {"internal/exchange"},
	"internal/catalog/catalogtest": {"internal/catalog", "internal/exchange"},
	"internal/keyring/keyringtest": {"internal/keyring"},
	"internal/schema":              {"internal/catalog", "internal/exchange"},
	"internal/manifest":            {"internal/catalog", "internal/schema", "internal/exchange"},
	"internal/keyring":             {"internal/exchange"},
	"internal/expr":                {"internal/exchange"},
	"internal/keysource":           {"internal/jws", "internal/fetch"},
	"internal/introspect":          {"internal/exchange", "internal/jws", "internal/fetch"},
	"internal/trust":               {"internal/exchange", "internal/catalog", "internal/jws", "internal/fetch", "internal/keysource", "internal/introspect"},
	"internal/policy":              {"internal/exchange", "internal/catalog", "internal/expr"},
	"internal/mint":                {"internal/exchange", "internal/jws"},
	"internal/audit":               {"internal/exchange"},
	"internal/revocation":          {"internal/exchange"},
	"internal/rehearsal":           {"internal/exchange", "internal/catalog", "internal/mint"},
	"internal/rehearsal/suite":     {"internal/exchange", "internal/catalog", "internal/manifest", "internal/rehearsal"},
	"internal/rehearsal/replay":    {"internal/exchange", "internal/rehearsal"},
	"internal/lineage":             {"internal/exchange"},
	"internal/postgres":            {"internal/exchange", "internal/catalog", "internal/keyring", "internal/audit", "internal/revocation", "migrations"},
	"internal/pgserver":            {},
	"internal/oauth":               {"internal/exchange"},
	"internal/limit":               {},
	"internal/server":              {},
	"internal/reach":               {"internal/exchange", "internal/catalog"},
	"internal/analysis":            {"internal/exchange", "internal/catalog", "internal/expr", "internal/reach"},
	"internal/admin":               {"internal/lineage", "internal/exchange", "internal/catalog", "internal/audit", "internal/revocation", "internal/analysis", "internal/reach", "internal/rehearsal", "api"},
	"internal/client":              {"internal/exchange", "internal/catalog"},
	"internal/cli":                 {"internal/app", "internal/cli/console", "internal/cli/judge", "internal/cli/objects", "internal/cli/records", "internal/config", "internal/exchange", "internal/pgserver", "internal/postgres"},
	"internal/cli/console":         {"internal/catalog", "internal/client", "internal/config", "internal/exchange", "internal/manifest"},
	"internal/cli/objects":         {"internal/catalog", "internal/cli/console", "internal/cli/judge", "internal/client", "internal/manifest"},
	"internal/cli/judge":           {"internal/analysis", "internal/app", "internal/audit", "internal/catalog", "internal/cli/console", "internal/client", "internal/exchange", "internal/manifest", "internal/reach", "internal/rehearsal", "internal/rehearsal/replay", "internal/rehearsal/suite"},
	"internal/cli/records":         {"internal/app", "internal/audit", "internal/cli/console", "internal/client", "internal/exchange", "internal/lineage", "internal/postgres"},
	"internal/config":              {"internal/exchange"},
	"internal/telemetry":           {"internal/exchange"},
	"internal/app":                 {"*"},
	"internal/ststest":             {"*"},
	"internal/conformance":         {},
	"internal/arch":                {},
}

// fences is who alone may import a library outside its tests.
var fences = map[string][]string{
	"github.com/jackc/pgx/":      {"internal/postgres", "internal/ststest"},
	"github.com/pressly/goose/":  {"internal/postgres"},
	"github.com/ory/fosite":      {"internal/oauth"},
	"github.com/gorilla/mux":     {"internal/server", "internal/admin"},
	"github.com/go-jose/":        {"internal/keyring", "internal/ststest", "examples/demo"},
	"github.com/prometheus/":     {"internal/telemetry"},
	"cel.dev/cel-go/":            {"internal/expr"},
	"github.com/spf13/cobra":     {"internal/cli", "internal/cli/console", "internal/cli/objects", "internal/cli/judge", "internal/cli/records"},
	"go.yaml.in/yaml/":           {"internal/manifest"},
	"github.com/coreos/go-oidc/": {"examples/demo", "internal/ststest"},
	"database/sql":               {"internal/postgres", "internal/ststest"},
	"net/http/httptest":          {"internal/ststest"},
	"testing":                    {"internal/ststest", "internal/catalog/catalogtest", "internal/keyring/keyringtest"},
}

// source is one Go file of the tree.
type source struct {
	dir, name string
	file      *ast.File
	lines     int
}

func (s source) test() bool { return strings.HasSuffix(s.name, "_test.go") }

// tree parses every Go file below the module's root.
func tree(t *testing.T) []source {
	t.Helper()
	root := filepath.Join("..", "..")
	var files []source
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		hidden := entry.Name() != ".." && strings.HasPrefix(entry.Name(), ".") && rel != "."
		if entry.IsDir() && (hidden || entry.Name() == "testdata") {
			return filepath.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(path, ".go") {
			return nil
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		files = append(files, source{filepath.ToSlash(filepath.Dir(rel)), entry.Name(), file, set.File(file.Pos()).LineCount()})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 50 {
		t.Fatalf("only %d files found: the test looks at the wrong folder", len(files))
	}
	return files
}

func imports(s source) []string {
	var paths []string
	for _, spec := range s.file.Imports {
		path, _ := strconv.Unquote(spec.Path.Value)
		paths = append(paths, path)
	}
	return paths
}

func TestEveryFolderIsInTheLayout(t *testing.T) {
	found := map[string]bool{}
	for _, s := range tree(t) {
		found[s.dir] = true
	}
	for dir := range found {
		if _, planned := layout[dir]; !planned {
			t.Errorf("%s is not in the layout: give it a room in internal/arch and docs/architecture.md, or move it", dir)
		}
	}
	for dir := range layout {
		if !found[dir] {
			t.Errorf("%s is in the layout and does not exist", dir)
		}
	}
}

func TestImportsFollowTheLayout(t *testing.T) {
	for _, s := range tree(t) {
		if s.test() || slices.Contains(layout[s.dir], "*") {
			continue
		}
		for _, path := range imports(s) {
			own, ours := strings.CutPrefix(path, module)
			if ours && !slices.Contains(layout[s.dir], own) {
				t.Errorf("%s/%s imports %s, which its room does not allow", s.dir, s.name, own)
			}
		}
	}
}

// TestTheFourNeverMeet: trust, policy, mint and audit meet in exchange alone,
// in their tests too.
func TestTheFourNeverMeet(t *testing.T) {
	four := []string{"internal/trust", "internal/policy", "internal/mint", "internal/audit"}
	for _, s := range tree(t) {
		if !slices.Contains(four, s.dir) {
			continue
		}
		for _, path := range imports(s) {
			own := strings.TrimPrefix(path, module)
			if own != s.dir && slices.Contains(four, own) {
				t.Errorf("%s/%s imports %s", s.dir, s.name, own)
			}
		}
	}
}

func TestLibrariesStayBehindTheirFences(t *testing.T) {
	for _, s := range tree(t) {
		if s.test() {
			continue
		}
		for _, path := range imports(s) {
			for _, library := range slices.Sorted(maps.Keys(fences)) {
				behind := path == library || strings.HasPrefix(path, library) && strings.HasSuffix(library, "/")
				if behind && !slices.Contains(fences[library], s.dir) {
					t.Errorf("%s/%s imports %s; only %v may", s.dir, s.name, path, fences[library])
				}
			}
		}
	}
}

// TestRehearsalsReachNoSigner: what explains and tests policies cannot sign,
// since no way of imports leads from it to the keys.
func TestRehearsalsReachNoSigner(t *testing.T) {
	uses := map[string][]string{}
	for _, s := range tree(t) {
		if !s.test() {
			uses[s.dir] = append(uses[s.dir], imports(s)...)
		}
	}
	reached, next := map[string]bool{}, []string{"internal/rehearsal", "internal/rehearsal/suite", "internal/rehearsal/replay"}
	for len(next) > 0 {
		dir := next[0]
		next = next[1:]
		for _, path := range uses[dir] {
			if own, ours := strings.CutPrefix(path, module); ours && !reached[own] {
				reached[own] = true
				next = append(next, own)
			}
		}
	}
	if reached["internal/keyring"] || !reached["internal/mint"] {
		t.Errorf("rehearsals reach %v", slices.Sorted(maps.Keys(reached)))
	}
}

// TestTheKitIsForTests: nothing that ships imports the test kit.
func TestTheKitIsForTests(t *testing.T) {
	for _, s := range tree(t) {
		if !s.test() && s.dir != "internal/ststest" && slices.Contains(imports(s), module+"internal/ststest") {
			t.Errorf("%s/%s imports the test kit", s.dir, s.name)
		}
	}
}

func TestEveryPackageSaysWhatItAnswers(t *testing.T) {
	comments := map[string]string{}
	for _, s := range tree(t) {
		if !s.test() {
			comments[s.dir] += s.file.Doc.Text()
		}
	}
	for dir, comment := range comments {
		if len(strings.Fields(comment)) < 10 {
			t.Errorf("%s: the package comment says too little: %q", dir, comment)
		}
	}
}

func TestNoInitFunctions(t *testing.T) {
	for _, s := range tree(t) {
		for _, decl := range s.file.Decls {
			if f, is := decl.(*ast.FuncDecl); is && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s/%s has an init function", s.dir, s.name)
			}
		}
	}
}

// TestOnlyConfigReadsTheEnvironment, and nothing decides by the wall clock:
// package exchange and the four take the time as an argument.
func TestOnlyConfigReadsTheEnvironment(t *testing.T) {
	for _, s := range tree(t) {
		if s.test() || s.dir == "internal/config" || s.dir == "internal/ststest" || s.dir == "examples/demo" {
			continue
		}
		for _, call := range calls(s.file) {
			if strings.HasPrefix(call, "os.Getenv") || call == "os.LookupEnv" || call == "os.Environ" {
				t.Errorf("%s/%s calls %s", s.dir, s.name, call)
			}
		}
	}
}

func TestDecisionsTakeTheTimeAsAnArgument(t *testing.T) {
	timeless := []string{"internal/exchange", "internal/reach", "internal/analysis", "internal/limit", "internal/policy", "internal/mint", "internal/jws", "internal/catalog", "internal/trust", "internal/keysource", "internal/introspect", "internal/oauth"}
	for _, s := range tree(t) {
		if s.test() || !slices.Contains(timeless, s.dir) {
			continue
		}
		for _, call := range calls(s.file) {
			if call == "time.Now" || call == "time.Since" || call == "time.Until" {
				t.Errorf("%s/%s calls %s", s.dir, s.name, call)
			}
		}
	}
}

// calls lists the selectors that a file uses: "time.Now".
func calls(file *ast.File) []string {
	var names []string
	ast.Inspect(file, func(n ast.Node) bool {
		if selector, is := n.(*ast.SelectorExpr); is {
			if pkg, is := selector.X.(*ast.Ident); is {
				names = append(names, pkg.Name+"."+selector.Sel.Name)
			}
		}
		return true
	})
	return names
}

func TestFilesStayReadable(t *testing.T) {
	for _, s := range tree(t) {
		limit := 600
		if s.dir == "cmd/strait" {
			limit = 80
		}
		if s.lines > limit && !s.test() {
			t.Errorf("%s/%s has %d lines; think again about its shape (at most %d)", s.dir, s.name, s.lines, limit)
		}
	}
}

// TestArchitecturePageNamesEveryPackage holds the prose to the layout.
func TestArchitecturePageNamesEveryPackage(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	for dir := range layout {
		if name := path.Base(dir); strings.HasPrefix(dir, "internal/") && !strings.Contains(string(page), "`"+name+"`") {
			t.Errorf("docs/architecture.md does not name `%s`", name)
		}
	}
}

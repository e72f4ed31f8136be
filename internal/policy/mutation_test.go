package policy_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// mutate runs every mutant instead of a sample: make mutate.
var mutate = flag.Bool("mutate", false, "run every mutant of the engine")

// sample is how many mutants there are to one that runs in every test run.
const sample = 70

// mutatedFiles are the engine: where scopes, times, chains, actors and policies
// are compared.
var mutatedFiles = []string{
	"../exchange/grant.go", "../exchange/token.go", "../exchange/exchange.go",
	"actors.go", "choose.go", "conditions.go", "decide.go", "guardrails.go", "index.go", "rule.go", "compile.go",
}

// mutant is one comparison, turned.
type mutant struct {
	file, what string
	source     []byte
}

// turned is what each operator becomes.
var turned = map[token.Token]string{
	token.EQL: "!=", token.NEQ: "==", token.LSS: ">=", token.GEQ: "<", token.GTR: "<=", token.LEQ: ">", token.LAND: "||", token.LOR: "&&",
}

// asks are the functions that compare, which a "!" turns.
var asks = map[string]bool{
	"Contains": true, "ContainsFunc": true, "Before": true, "After": true, "Own": true, "Of": true, "IsZero": true, "Permits": true,
	"covers": true, "usable": true, "open": true, "reaches": true, "among": true, "sameParty": true, "takesAudience": true, "allows": true, "proves": true, "bound": true,
}

// mutantsOf turns each comparison of a file, one at a time.
func mutantsOf(t *testing.T, file string) (all []mutant) {
	t.Helper()
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, file, source, 0)
	if err != nil {
		t.Fatal(err)
	}
	at := func(p token.Pos) int { return set.Position(p).Offset }
	change := func(n ast.Node, from, to int, by string) {
		text := string(source[at(n.Pos()):at(n.End())])
		body := string(source[:from]) + by + string(source[to:])
		all = append(all, mutant{file, fmt.Sprintf("%s:%d: %s", filepath.Base(file), set.Position(n.Pos()).Line, text), []byte(body)})
	}
	ast.Inspect(tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BinaryExpr:
			if by, compares := turned[n.Op]; compares {
				change(n, at(n.OpPos), at(n.OpPos)+len(n.Op.String()), by)
			}
		case *ast.CallExpr:
			if asks[called(n)] {
				change(n, at(n.Pos()), at(n.Pos()), "!")
			}
		}
		return true
	})
	return all
}

func called(n *ast.CallExpr) string {
	switch f := n.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

// survives runs the tests of the engine with the mutant in the place of its
// file, and says whether none of them fails.
func survives(t *testing.T, m mutant) bool {
	t.Helper()
	dir := t.TempDir()
	original, err := filepath.Abs(m.file)
	if err != nil {
		t.Fatal(err)
	}
	changed, overlay := filepath.Join(dir, "mutant.go"), filepath.Join(dir, "overlay.json")
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{original: changed}})
	if err != nil {
		t.Fatal(err)
	}
	for path, body := range map[string][]byte{changed: m.source, overlay: replace} {
		if err := os.WriteFile(path, body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.CommandContext(t.Context(), "go", "test", "-overlay", overlay, "-short", "-failfast", "-skip", "Mutant", "../exchange", ".").CombinedOutput()
	if strings.Contains(string(out), "[build failed]") || strings.Contains(string(out), "setup failed") {
		return false // no program, so no engine that is wrong
	}
	return err == nil
}

// Breaking any one comparison in the engine turns a test red. A sample runs
// with all tests; make mutate runs every one.
func TestEveryMutantIsCaught(t *testing.T) {
	t.Parallel()
	var all []mutant
	for _, file := range mutatedFiles {
		all = append(all, mutantsOf(t, file)...)
	}
	if len(all) < 100 {
		t.Fatalf("%d mutants: the engine compares more than that", len(all))
	}
	for i, m := range all {
		if !*mutate && i%sample != 0 {
			continue
		}
		if survives(t, m) {
			t.Errorf("nothing notices that %s is turned", m.what)
		}
	}
}

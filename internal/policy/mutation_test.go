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
	"regexp"
	"strings"
	"testing"
)

// mutate picks the mutants to run instead of a sample: make mutate says ".".
var mutate = flag.String("mutate", "", "run the mutants of the engine whose \"file:line: comparison\" this matches")

// sample is how many mutants there are to one that runs in every test run.
const sample = 90

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

// fate is what becomes of a mutant.
type fate string

const (
	caught    fate = "caught"
	survived  fate = "survived"
	stillborn fate = "stillborn" // it does not compile: no engine that is wrong
)

// fateOf runs the tests of the engine with the mutant in the place of its file.
func fateOf(t *testing.T, m mutant) fate {
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
	out, err := exec.CommandContext(t.Context(), "go", "test", "-overlay", overlay, "-short", "-failfast", "-timeout", "3m", "-skip", "Mutant", "../exchange", ".").CombinedOutput()
	switch {
	case err == nil:
		return survived
	case strings.Contains(string(out), "[build failed]"), strings.Contains(string(out), "setup failed"):
		return stillborn
	}
	return caught
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
	picked := regexp.MustCompile(*mutate)
	fates := map[fate]int{}
	for i, m := range all {
		if *mutate == "" && i%sample != 0 || !picked.MatchString(m.what) {
			continue
		}
		f := fateOf(t, m)
		fates[f]++
		t.Log(f, m.what)
		if f == survived {
			t.Errorf("nothing notices that %s is turned", m.what)
		}
	}
	if fates[caught] == 0 || fates[stillborn] > fates[caught]/10 {
		t.Errorf("%v of %d mutants: the run says little", fates, len(all))
	}
	t.Log(len(all), fates)
}

package expr

import (
	"fmt"
	"sync"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
)

// Compiler compiles, and remembers what it compiled: a new revision of ten
// thousand policies compiles only what changed. One is made at start, and is
// safe for concurrent use.
type Compiler struct {
	environments map[Kind]*cel.Env
	size         int

	mu          sync.Mutex
	young, aged map[cacheKey]*Program
}

type cacheKey struct {
	kind   Kind
	source string
}

// NewCompiler makes a compiler that remembers the programs used last: at least
// size of them, at most twice as many.
func NewCompiler(size int) (*Compiler, error) {
	c := &Compiler{environments: map[Kind]*cel.Env{}, size: max(size, 1), young: map[cacheKey]*Program{}}
	for kind := range kindNames {
		env, err := newEnvironment(kind)
		if err != nil {
			return nil, fmt.Errorf("expr: environment of %s: %w", kind, err)
		}
		c.environments[kind] = env
	}
	return c, nil
}

// Compile checks a source and makes it ready to evaluate. A source that cannot
// be one is a *CompileError.
func (c *Compiler) Compile(kind Kind, source string) (*Program, error) {
	key := cacheKey{kind, source}
	if p := c.recall(key); p != nil {
		return p, nil
	}
	p, err := c.compile(kind, source)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keep(key, p)
	return p, nil
}

// recall finds a program, and moves it among the young.
func (c *Compiler) recall(key cacheKey) *Program {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p, found := c.young[key]; found {
		return p
	}
	p, found := c.aged[key]
	if found {
		c.keep(key, p)
	}
	return p
}

// keep adds to the young; when they are too many they are the aged, and those
// who were are forgotten.
func (c *Compiler) keep(key cacheKey, p *Program) {
	if len(c.young) >= c.size {
		c.aged, c.young = c.young, make(map[cacheKey]*Program, c.size)
	}
	c.young[key] = p
}

func (c *Compiler) compile(kind Kind, source string) (*Program, error) {
	env, known := c.environments[kind]
	if !known {
		return nil, fmt.Errorf("expr: no kind %d", int(kind))
	}
	if err := readable(source); err != nil {
		return nil, err
	}
	checked, issues := env.Compile(source)
	if issues.Err() != nil {
		return nil, issue(issues, kind)
	}
	if err, found := restrict(checked.NativeRep()); found {
		return nil, err
	}
	if err := kind.accepts(checked.OutputType()); err != nil {
		return nil, &CompileError{Message: err.Error()}
	}
	run, err := plan(env, checked)
	if err != nil {
		return nil, &CompileError{Message: err.Error()}
	}
	return describe(kind, source, run, checked.NativeRep()), nil
}

// readable refuses what is not worth parsing.
func readable(source string) error {
	switch {
	case source == "":
		return &CompileError{Message: "the expression is empty"}
	case len(source) > maxSource:
		return &CompileError{Message: fmt.Sprintf("the expression has %d bytes, at most %d are read", len(source), maxSource)}
	case !utf8.ValidString(source):
		return &CompileError{Message: "the expression is not UTF-8"}
	}
	return nil
}

// describe keeps of the checked expression what errors, records and lint need.
func describe(kind Kind, source string, run cel.Program, checked *ast.AST) *Program {
	p := &Program{kind: kind, source: source, run: run, names: namesOf(checked), vacuous: vacuousIn(checked), places: map[int64]place{}, words: map[string]bool{}}
	ast.PostOrderVisit(checked.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		at := checked.SourceInfo().GetStartLocation(e.ID())
		p.places[e.ID()] = place{at.Line(), at.Column() + 1}
		if word, spelled := wordOf(e); spelled {
			p.words[word] = true
		}
	}))
	return p
}

// wordOf is the field or the text that a node spells.
func wordOf(e ast.Expr) (string, bool) {
	if e.Kind() == ast.SelectKind {
		return e.AsSelect().FieldName(), true
	}
	if e.Kind() != ast.LiteralKind {
		return "", false
	}
	text, ok := e.AsLiteral().(types.String)
	return string(text), ok
}

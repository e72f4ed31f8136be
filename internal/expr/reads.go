package expr

import (
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/strait-sts/strait/internal/exchange"
)

// Read is a claim that an expression names, evaluated or not: what a record
// keeps of a token's claims, and what lint knows of a condition.
type Read struct {
	// Of is whose claims: RoleSubject, RoleActor, or "" for the one token of a
	// rule, a mapping or an admin condition.
	Of exchange.Role
	// Path leads to the claim: ["address", "country"]. It ends where the source
	// no longer says what is read; empty, it is all claims.
	Path []string
}

// Whole says whether any claim may be read.
func (r Read) Whole() bool { return len(r.Path) == 0 }

// In is the claim's value in a token's payload; false where it has none.
func (r Read) In(claims exchange.Claims) (any, bool) {
	var value any = map[string]any(claims)
	for _, step := range r.Path {
		object, ok := value.(map[string]any)
		if !ok {
			return nil, false
		}
		if value, ok = object[step]; !ok {
			return nil, false
		}
	}
	return value, true
}

// names is what an expression names of tokens.
type names struct {
	reads    []Read
	subjects []exchange.Role
}

// Reads is what the program names of claims, sorted, none within another.
func (p *Program) Reads() []Read { return slices.Clone(p.names.reads) }

// Subjects is whose mapped subject the program names: subject.sub, actor.sub.
func (p *Program) Subjects() []exchange.Role { return slices.Clone(p.names.subjects) }

// Claims is Reads as records know them; a program that did not compile, nil, has
// none.
func (p *Program) Claims() []exchange.ClaimPath {
	if p == nil {
		return nil
	}
	all := make([]exchange.ClaimPath, len(p.names.reads))
	for i, read := range p.names.reads {
		all[i] = exchange.NewClaimPath(read.Of, read.Path)
	}
	return all
}

// namesOf collects them. A comprehension's variable with the name of one of
// ours counts as ours: a claim too many, never one too few.
func namesOf(checked *ast.AST) names {
	var all names
	collect(checked.Expr(), &all)
	slices.Sort(all.subjects)
	return names{widest(all.reads), slices.Compact(all.subjects)}
}

// widest sorts the reads and leaves out those within another.
func widest(all []Read) []Read {
	slices.SortFunc(all, func(a, b Read) int {
		if c := strings.Compare(string(a.Of), string(b.Of)); c != 0 {
			return c
		}
		return slices.Compare(a.Path, b.Path)
	})
	var kept []Read
	for _, read := range all {
		if len(kept) == 0 || !kept[len(kept)-1].covers(read) {
			kept = append(kept, read)
		}
	}
	return kept
}

func (r Read) covers(other Read) bool {
	return r.Of == other.Of && len(r.Path) <= len(other.Path) && slices.Equal(r.Path, other.Path[:len(r.Path)])
}

// collect visits e: a chain of selections is one read, and what indexes it is
// visited for itself.
func collect(e ast.Expr, all *names) {
	c := chainOf(e)
	if c.root == "" {
		for _, child := range children(e) {
			collect(child, all)
		}
		return
	}
	if read, found := c.read(); found {
		all.reads = append(all.reads, read)
	}
	if c.root != varClaims && len(c.steps) > 0 && c.steps[0] == "sub" {
		all.subjects = append(all.subjects, exchange.Role(c.root))
	}
	for _, index := range c.indices {
		collect(index, all)
	}
}

// chain is a variable and the selections behind it.
type chain struct {
	root    string
	steps   []string
	open    bool // the steps end before the selections do
	indices []ast.Expr
}

// read is the claim that the chain leads to, if it leads to claims.
func (c chain) read() (Read, bool) {
	switch c.root {
	case varClaims:
		return Read{Path: c.steps}, true
	case varSubject, varActor:
		if len(c.steps) > 0 && c.steps[0] == varClaims {
			return Read{Of: exchange.Role(c.root), Path: c.steps[1:]}, true
		}
	}
	return Read{}, false
}

// then is the chain with one more selection; key is nil where it is not known
// before evaluation.
func (c chain) then(key *string) chain {
	switch {
	case c.root == "" || c.open:
	case key == nil:
		c.open = true
	default:
		c.steps = append(c.steps, *key)
	}
	return c
}

func chainOf(e ast.Expr) chain {
	switch e.Kind() {
	case ast.IdentKind:
		name := strings.TrimPrefix(e.AsIdent(), ".")
		if name == varClaims || name == varSubject || name == varActor {
			return chain{root: name}
		}
	case ast.SelectKind:
		name := e.AsSelect().FieldName()
		return chainOf(e.AsSelect().Operand()).then(&name)
	case ast.CallKind:
		return indexed(e)
	default:
	}
	return chain{}
}

// indexed is the chain of claims["x"], claims[?"x"], claims.?x and "x" in
// claims.
func indexed(e ast.Expr) chain {
	name, args := called(e)
	switch name {
	case operators.Index, operators.OptIndex, operators.OptSelect:
	case operators.In:
		return member(args[0], args[1])
	default:
		return chain{}
	}
	c := chainOf(args[0])
	if c.root == "" {
		return chain{}
	}
	if args[1].Kind() == ast.LiteralKind {
		if key, ok := args[1].AsLiteral().(types.String); ok {
			text := string(key)
			return c.then(&text)
		}
		return c.then(nil)
	}
	c = c.then(nil)
	c.indices = append(c.indices, args[1])
	return c
}

// member is the chain of "x" in claims, which reads no other claim. Further
// down, `in` may as well ask a list: that reads all of it.
func member(key, of ast.Expr) chain {
	c := chainOf(of)
	read, found := c.read()
	if !found || c.open || !read.Whole() || key.Kind() != ast.LiteralKind {
		return chain{}
	}
	text, _ := key.AsLiteral().(types.String)
	name := string(text)
	return c.then(&name)
}

// children are the nodes below one.
func children(e ast.Expr) []ast.Expr {
	switch e.Kind() {
	case ast.CallKind:
		_, args := called(e)
		return args
	case ast.SelectKind:
		return []ast.Expr{e.AsSelect().Operand()}
	case ast.ListKind:
		return e.AsList().Elements()
	case ast.MapKind:
		var all []ast.Expr
		for _, entry := range e.AsMap().Entries() {
			all = append(all, entry.AsMapEntry().Key(), entry.AsMapEntry().Value())
		}
		return all
	case ast.ComprehensionKind:
		c := e.AsComprehension()
		return []ast.Expr{c.IterRange(), c.AccuInit(), c.LoopCondition(), c.LoopStep(), c.Result()}
	default:
		return nil
	}
}

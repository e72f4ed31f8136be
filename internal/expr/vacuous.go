package expr

import (
	"slices"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// Vacuous is the claims of which the program asks all(…), and nothing that an
// empty list would not pass: size, exists, in or a member of it. all(…) of an
// empty list is true.
func (p *Program) Vacuous() []Read { return slices.Clone(p.vacuous) }

func vacuousIn(checked *ast.AST) []Read {
	var alls, members []Read
	ast.PostOrderVisit(checked.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		read, found := asked(e)
		switch {
		case !found:
		case isAll(e):
			alls = append(alls, read)
		default:
			members = append(members, read)
		}
	}))
	return slices.DeleteFunc(alls, func(of Read) bool {
		return slices.ContainsFunc(members, func(m Read) bool { return of.covers(m) && m.covers(of) })
	})
}

// isAll: the macro all begins with true, exists with false.
func isAll(e ast.Expr) bool {
	if e.Kind() != ast.ComprehensionKind {
		return false
	}
	begins := e.AsComprehension().AccuInit()
	return begins.Kind() == ast.LiteralKind && begins.AsLiteral() == types.True
}

// asked is the list of claims that e asks about: by a macro, its size, or a
// member.
func asked(e ast.Expr) (Read, bool) {
	name, args := called(e)
	switch {
	case e.Kind() == ast.ComprehensionKind:
		return unwrapped(e.AsComprehension().IterRange()).read()
	case name == "size", name == operators.Index:
		return unwrapped(args[0]).read()
	case name == operators.In:
		return unwrapped(args[1]).read()
	}
	return Read{}, false
}

// unwrapped is the chain of a claim, or of an optional one with something in its
// place: claims.?groups.orValue([]).
func unwrapped(e ast.Expr) chain {
	if name, args := called(e); name == "orValue" || name == "value" {
		return chainOf(args[0])
	}
	return chainOf(e)
}

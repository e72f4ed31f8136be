package expr

import (
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// functions is everything that an expression may call, beside operators and
// macros. Left out are: what can grow a text past all limits before its cost
// is known (replace, format), what reads the host's time zones, bytes, and
// what compares every element with every other.
var functions = []string{
	"size", "contains", "startsWith", "endsWith", "matches",
	"lowerAscii", "upperAscii", "trim", "split", "join", "substring", "indexOf", "lastIndexOf",
	"bool", "int", "uint", "double", "string", "timestamp", "duration", "dyn", "type",
	"getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear",
	"getHours", "getMinutes", "getSeconds", "getMilliseconds",
	"optional.of", "optional.none", "optional.ofNonZeroValue", "hasValue", "value", "or", "orValue",
}

// Functions are the names of the functions that expressions may call.
func Functions() []string { return slices.Clone(functions) }

// restriction is a rule of ours that a type-checked expression must keep.
type restriction func(ast.NavigableExpr) error

var restrictions = []restriction{onlyListed, onlyUTC, literalPattern, textKeys, noMessages, noWholeRecord}

// restrict finds the first node that breaks a restriction.
func restrict(checked *ast.AST) (*CompileError, bool) {
	for _, node := range ast.MatchDescendants(ast.NavigateAST(checked), ast.AllMatcher()) {
		for _, rule := range restrictions {
			if err := rule(node); err != nil {
				at := checked.SourceInfo().GetStartLocation(node.ID())
				return &CompileError{Line: at.Line(), Column: at.Column() + 1, Message: err.Error()}, true
			}
		}
	}
	return nil, false
}

// called is the function that a node calls, and with what; the receiver of a
// method is its first argument.
func called(node ast.Expr) (name string, args []ast.Expr) {
	if node.Kind() != ast.CallKind {
		return "", nil
	}
	call := node.AsCall()
	if call.IsMemberFunction() {
		args = append(args, call.Target())
	}
	return call.FunctionName(), append(args, call.Args()...)
}

// onlyListed holds to the list of functions. Operators are no names.
func onlyListed(node ast.NavigableExpr) error {
	name, _ := called(node)
	if name == "" || strings.ContainsAny(name[:1], "_@!-") || slices.Contains(functions, name) {
		return nil
	}
	return fmt.Errorf("function %q is not available", name)
}

// onlyUTC refuses a time zone: those come from the host, and differ.
func onlyUTC(node ast.NavigableExpr) error {
	name, args := called(node)
	if strings.HasPrefix(name, "get") && len(args) > 1 {
		return fmt.Errorf("%s takes no time zone: times are UTC; add a duration instead", name)
	}
	return nil
}

// literalPattern refuses a pattern that a token could write.
func literalPattern(node ast.NavigableExpr) error {
	if name, args := called(node); name == "matches" && args[len(args)-1].Kind() != ast.LiteralKind {
		return fmt.Errorf("matches takes a literal pattern")
	}
	return nil
}

// textKeys refuses a map that could be no JSON object.
func textKeys(node ast.NavigableExpr) error {
	if node.Kind() != ast.MapKind || len(node.AsMap().Entries()) == 0 {
		return nil
	}
	switch key := node.Type().Parameters()[0]; key.Kind() {
	case types.StringKind, types.DynKind:
		return nil
	default:
		return fmt.Errorf("the keys of a map are strings, not %s", typeName(key))
	}
}

// noMessages refuses literals of messages: there are none to build.
func noMessages(node ast.NavigableExpr) error {
	if node.Kind() == ast.StructKind {
		return fmt.Errorf("%q cannot be built here", node.AsStruct().TypeName())
	}
	return nil
}

// noWholeRecord wants a field of a record named: subject == actor compares
// two payloads, which nobody means. Hops are small, and may be compared.
func noWholeRecord(node ast.NavigableExpr) error {
	kind, found := records[node.Type().TypeName()]
	parent, nested := node.Parent()
	switch {
	case !found, kind == hopRecord, nested && parent.Kind() == ast.SelectKind:
		return nil
	}
	if nested {
		if name, _ := called(parent); name == operators.OptSelect {
			return nil
		}
	}
	return fmt.Errorf("name a field of it: %s", strings.Join(fieldNames(kind), ", "))
}

func fieldNames(kind *recordType) []string {
	var names []string
	for name := range kind.fields {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// builds says whether an expression can make lists of lists of itself: it
// keeps something from one step of a loop, or names a value to use it twice.
func builds(checked *ast.AST) bool {
	for _, loop := range ast.MatchDescendants(ast.NavigateAST(checked), ast.KindMatcher(ast.ComprehensionKind)) {
		init := loop.AsComprehension().AccuInit()
		if init.Kind() != ast.LiteralKind {
			return true
		}
	}
	return false
}

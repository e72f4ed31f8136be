package expr

import (
	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/ext"
	"cel.dev/cel-go/interpreter"
)

// The limits of an expression. Cost is cel-go's unit, about one step or ten
// bytes of a string: a token of 16 KiB can be walked once or a few times, not
// once for each of its members. The memory limit is for those that build lists
// (see builds): a list of lists of itself costs nothing and has no end.
const (
	maxSource = 4 << 10 // bytes
	maxDepth  = 64      // of the source's nesting
	maxNodes  = 2000    // after macros
	maxLoops  = 3       // comprehensions within or behind each other
	maxRegexp = 1000    // instructions
	maxCost   = 100_000
	maxMemory = 100_000 // values
)

// newEnvironment is what a kind's expressions are checked against. Versions of
// the extensions are pinned: a new cel-go must not change what is stored.
func newEnvironment(kind Kind) (*cel.Env, error) {
	options := []cel.EnvOption{
		cel.OptionalTypes(cel.OptionalTypesVersion(1)),
		ext.Strings(ext.StringsVersion(5)),
		withRecords,
		cel.DefaultUTCTimeZone(true),
		cel.EnableErrorOnBadPresenceTest(true), // has(claims.dept.x) of a text is an error, not false
		cel.ParserRecursionLimit(maxDepth),
		cel.ParserErrorRecoveryLimit(1),
		cel.ExpressionNodeLimit(maxNodes),
		cel.RegexProgramSizeLimit(maxRegexp),
		cel.ASTValidators(
			cel.ValidateDurationLiterals(), cel.ValidateTimestampLiterals(), cel.ValidateRegexLiterals(),
			cel.ValidateComprehensionNestingLimit(maxLoops),
		),
	}
	for _, name := range kind.Variables() {
		options = append(options, cel.Variable(name, variableTypes[name]))
	}
	return cel.NewEnv(options...)
}

// withRecords puts our records before the types that env knows so far.
func withRecords(env *cel.Env) (*cel.Env, error) {
	return cel.CustomTypeProvider(provider{env.CELTypeProvider()})(env)
}

// plan makes a checked expression ready to run.
func plan(env *cel.Env, checked *cel.Ast) (cel.Program, error) {
	options := []cel.ProgramOption{
		cel.EvalOptions(cel.OptOptimize),
		cel.CostTracking(operatorCosts{}),
		cel.CostLimit(maxCost),
		cel.CustomDecoratorV2(sortMaps),
	}
	if builds(checked.NativeRep()) {
		options = append(options, cel.MemoryLimit(maxMemory), cel.MemoryTracking(types.MemoryTrackerSizeCalculator(sizes)))
	}
	return env.Program(checked, options...)
}

// sortMaps makes every map literal an object, whose keys have an order.
func sortMaps(i interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
	if literal, ok := i.(interpreter.InterpretableConstructor); ok && literal.Type() == types.MapType {
		return &sortedMap{literal}, nil
	}
	return i, nil
}

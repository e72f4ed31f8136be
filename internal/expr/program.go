package expr

import (
	"fmt"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// Program is a compiled expression. It does not change; many goroutines may
// use one, each with an Activation of its own.
type Program struct {
	kind    Kind
	source  string
	run     cel.Program
	names   names
	vacuous []Read
	places  map[int64]place // where each node stands in the source
	words   map[string]bool // the keys that the source itself spells
}

type place struct{ line, column int }

// Kind is where the expression stands.
func (p *Program) Kind() Kind { return p.kind }

// Source is the expression as it was written.
func (p *Program) Source() string { return p.source }

// True says whether a condition or rule holds. With an error, which wraps one
// of this package's, it does not: whoever asked denies. It takes no context:
// the cost limit ends an evaluation within milliseconds.
func (p *Program) True(a *Activation) (bool, error) {
	value, err := p.evaluate(a)
	if err != nil {
		return false, err
	}
	holds, ok := value.(types.Bool)
	if !ok {
		return false, p.wrong(value)
	}
	return bool(holds), nil
}

// Text is the value of a subject mapping.
func (p *Program) Text(a *Activation) (string, error) {
	value, err := p.evaluate(a)
	if err != nil {
		return "", err
	}
	text, ok := value.(types.String)
	if !ok {
		return "", p.wrong(value)
	}
	return string(text), nil
}

// Value is a claim's value, as exchange.Claims holds values; present is false
// for an optional without one: the claim is to be left out. A value is at most
// 4 KiB and 16 levels deep.
func (p *Program) Value(a *Activation) (value any, present bool, err error) {
	result, err := p.evaluate(a)
	if err != nil {
		return nil, false, err
	}
	if optional, ok := result.(*types.Optional); ok {
		if !optional.HasValue() {
			return nil, false, nil
		}
		result = optional.GetValue()
	}
	var w writer
	if value, err = w.value(result, 0); err != nil {
		return nil, false, err
	}
	return value, true, nil
}

func (p *Program) evaluate(a *Activation) (ref.Val, error) {
	value, _, err := p.run.Eval(a)
	if err != nil {
		return nil, p.evalError(err)
	}
	return value, nil
}

func (p *Program) wrong(value ref.Val) error {
	return fmt.Errorf("expr: %w: %s came to a %s", ErrType, p.kind, value.Type().TypeName())
}

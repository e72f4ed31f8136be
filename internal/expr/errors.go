package expr

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/interpreter"
)

// What an evaluation can fail with. Each denies; the error that wraps one says
// where in the source it happened, and nothing that a token said.
var (
	ErrAbsent    = errors.New("a claim or key is absent")
	ErrType      = errors.New("a value has the wrong type")
	ErrTooCostly = errors.New("the evaluation costs too much")
	ErrTooLarge  = errors.New("the value is too large")
	ErrNumber    = errors.New("a number cannot be held exactly")
	ErrFailed    = errors.New("the evaluation failed")
)

// cel-go keeps two errors for every evaluation in the process, and writes into
// each the first place where it happened: a data race, and a wrong place for
// everybody else. They are given one here, before there are goroutines, that
// no source has.
var _ = []any{
	types.LabelErrNode(-1, types.NoSuchOverloadErr()),
	types.LabelErrNode(-1, types.Int(math.MaxInt64).ConvertToType(types.TimestampType)),
}

// CompileError says why a source is refused, and where.
type CompileError struct {
	Line, Column int // from 1; 0 where the fault is the whole's
	Message      string
}

// Error is the message, after its place where it has one.
func (e *CompileError) Error() string {
	if e.Line == 0 {
		return e.Message
	}
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Message)
}

// issue is the first of what cel-go found wrong, in our words.
func issue(issues *cel.Issues, kind Kind) *CompileError {
	found := issues.Errors()
	if len(found) == 0 {
		return &CompileError{Message: issues.Err().Error()}
	}
	first := found[0]
	e := &CompileError{Message: plain(first.Message, kind)}
	if line := first.Location.Line(); line > 0 {
		e.Line, e.Column = line, first.Location.Column()+1
	}
	return e
}

// plain takes the parser's furniture from a message, and names the variables
// where one was misspelt.
func plain(message string, kind Kind) string {
	message = strings.ReplaceAll(message, " (in container '')", "")
	message = strings.TrimPrefix(message, "Syntax error: ")
	message, _, _ = strings.Cut(message, "\n")
	if strings.HasPrefix(message, "undeclared reference") {
		message += "; " + kind.String() + " has " + strings.Join(kind.Variables(), ", ")
	}
	return message
}

// evalError is what cel-go answered, as one of our errors with its place.
func (p *Program) evalError(err error) error {
	var cancelled interpreter.EvalCancelledError
	if errors.As(err, &cancelled) {
		return fmt.Errorf("expr: %w", ErrTooCostly)
	}
	var failure *types.Err
	if !errors.As(err, &failure) {
		return fmt.Errorf("expr: %w", ErrFailed)
	}
	place := ""
	if at, found := p.places[failure.NodeID()]; found {
		place = fmt.Sprintf(" at line %d, column %d", at.line, at.column)
	}
	return fmt.Errorf("expr: %w%s%s", classify(err), p.named(failure.Error()), place)
}

// classify tells cel-go's errors apart for whoever reads them; nothing is
// decided by it.
func classify(err error) error {
	for _, ours := range []error{ErrNumber, ErrTooLarge, ErrType} {
		if errors.Is(err, ours) {
			return ours
		}
	}
	text := err.Error()
	switch {
	case strings.HasPrefix(text, "no such key"), strings.HasPrefix(text, "index out of bounds"), strings.Contains(text, "optional.none() dereference"):
		return ErrAbsent
	case strings.HasPrefix(text, "no such overload"), strings.Contains(text, "type conversion error"), strings.HasPrefix(text, "unsupported index type"):
		return ErrType
	default:
		return ErrFailed
	}
}

// named is the key that was absent, if the source itself spells it: one that
// came from a claim stays unsaid.
func (p *Program) named(text string) string {
	key, absent := strings.CutPrefix(text, "no such key: ")
	if !absent || !p.words[key] {
		return ""
	}
	return ": " + strconv.Quote(key)
}

package catalog

import (
	"fmt"
	"strings"
)

// The codes of a [FieldError]: the closed list of the admin API.
const (
	CodeUnreadable     = "unreadable"      // not JSON or YAML at all
	CodeUnknownField   = "unknown_field"   // no such field
	CodeRequired       = "required"        // missing or empty
	CodeType           = "type"            // a number where a string belongs, say
	CodeValue          = "value"           // outside what the field can hold
	CodeDuplicate      = "duplicate"       // written twice, or claimed by another object
	CodeReference      = "reference"       // names something that is not there
	CodeConflict       = "conflict"        // cannot stand beside another field or object
	CodeExpression     = "expression"      // CEL that does not compile
	CodeNotImplemented = "not_implemented" // known, without effect yet, so refused
	CodeTooLarge       = "too_large"       // over a limit of size
)

// FieldError is one reason why a write is refused. Pointer is a JSON Pointer
// (RFC 6901) into the object that Kind and Name give. File and Line are set
// where the object came from a file. The message names the mend and never holds
// a secret.
type FieldError struct {
	Kind    Kind
	Name    string
	Pointer string
	Code    string
	Message string
	File    string
	Line    int
}

// Error gives place and message in a line, as compilers do.
func (e FieldError) Error() string {
	var text strings.Builder
	if e.File != "" {
		fmt.Fprintf(&text, "%s:%d: ", e.File, e.Line)
	}
	if e.Name != "" {
		fmt.Fprintf(&text, "%s/%s: ", e.Kind, e.Name)
	}
	if e.Pointer != "" {
		text.WriteString(e.Pointer + ": ")
	}
	return text.String() + e.Message
}

// Invalid is the error of a write that is refused as a whole.
type Invalid struct{ Errors []FieldError }

// Error gives one line an error.
func (e *Invalid) Error() string {
	lines := make([]string, len(e.Errors))
	for i, fault := range e.Errors {
		lines[i] = fault.Error()
	}
	return strings.Join(lines, "\n")
}

// Fault makes a FieldError of an object.
func (o Object) Fault(pointer, code, format string, args ...any) FieldError {
	return FieldError{Kind: o.Kind, Name: o.Metadata.Name, Pointer: pointer, Code: code, Message: fmt.Sprintf(format, args...)}
}

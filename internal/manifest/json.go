package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/strait-sts/strait/internal/catalog"
)

// readJSON reads one JSON value after another (RFC 8259 §2).
func readJSON(data []byte) ([]document, []catalog.FieldError) {
	var documents []document
	lines, decoder := countLines(data), jsontext.NewDecoder(bytes.NewReader(data))
	for {
		body, err := decoder.ReadValue()
		if errors.Is(err, io.EOF) {
			return documents, nil
		}
		if err != nil {
			return documents, []catalog.FieldError{notJSON(err, lines)}
		}
		end := int(decoder.InputOffset())
		documents = append(documents, document{slices.Clone(body), lines.ofValues(body, end-len(body))})
	}
}

// notJSON is the fault of a file that cannot be read on.
func notJSON(err error, lines lineIndex) catalog.FieldError {
	fault := catalog.FieldError{Line: 1, Code: catalog.CodeUnreadable, Message: "is not JSON"}
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		fault.Line = lines.of(int(syntax.ByteOffset))
		fault.Pointer = string(syntax.JSONPointer)
		fault.Message = fmt.Sprintf("is not JSON: %v", syntax.Err)
	}
	if errors.Is(err, jsontext.ErrDuplicateName) {
		fault.Code, fault.Message = catalog.CodeDuplicate, "is written twice; keep one"
	}
	return fault
}

// lineIndex is where each line of a file begins, but for the first.
type lineIndex []int

func countLines(data []byte) lineIndex {
	var starts lineIndex
	for i, b := range data {
		if b == '\n' {
			starts = append(starts, i+1)
		}
	}
	return starts
}

// of is the line that holds the offset, from 1.
func (l lineIndex) of(offset int) int {
	after, _ := slices.BinarySearch(l, offset+1)
	return after + 1
}

// ofValues is the line of each value of the document, which begins at start;
// of a member, that of its name.
func (l lineIndex) ofValues(body []byte, start int) map[string]int {
	lines := map[string]int{}
	decoder := jsontext.NewDecoder(bytes.NewReader(body))
	for {
		token, err := decoder.ReadToken()
		if err != nil {
			return lines
		}
		pointer := string(decoder.StackPointer())
		if _, seen := lines[pointer]; !seen && token.Kind() != '}' && token.Kind() != ']' {
			lines[pointer] = l.of(start + int(decoder.InputOffset()) - 1)
		}
	}
}

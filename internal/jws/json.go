package jws

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// The numbers that are read: a literal of this many characters at most, its
// exponent of this many digits. 1e131071 is eight bytes here and 131 KB once a
// database has stored it.
const (
	maxNumberLength   = 32
	maxExponentDigits = 2
)

// Why JSON is refused. The decoder's own errors quote its input, which may be a
// secret, so they are never passed on.
var (
	errSyntax    = errors.New("not valid JSON (RFC 8259 §2) in UTF-8")
	errDuplicate = errors.New("an object has a member twice")
	errNotObject = errors.New("not a JSON object")
	errTrailing  = errors.New("something follows the JSON object")
	errDepth     = errors.New("nested too deep")
	errNUL       = errors.New("a string contains NUL")
	errNumber    = fmt.Errorf("a number is longer than %d characters or has an exponent of more than %d digits",
		maxNumberLength, maxExponentDigits)
)

// readObject reads data as one JSON object (RFC 8259), nested at most maxDepth
// deep, itself counted. Members are strings, bools, nil, json.Number, []any and
// map[string]any. Duplicate members, invalid UTF-8, lone surrogates and NUL are
// refused at every level (RFC 7515 §4, RFC 7519 §4).
func readObject(data []byte, maxDepth int) (map[string]any, error) {
	r := reader{dec: jsontext.NewDecoder(bytes.NewBuffer(data)), maxDepth: maxDepth}
	tok, err := r.dec.ReadToken()
	switch {
	case err != nil:
		return nil, errSyntax
	case tok.Kind() != '{':
		return nil, errNotObject
	}
	object, err := r.object()
	if err != nil {
		return nil, err
	}
	if _, err := r.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errTrailing
	}
	return object, nil
}

// reader builds values from the tokens of one JSON text.
type reader struct {
	dec      *jsontext.Decoder
	maxDepth int
}

// next is the next token; its errors carry nothing of the input.
func (r *reader) next() (jsontext.Token, error) {
	tok, err := r.dec.ReadToken()
	switch {
	case err == nil:
		return tok, nil
	case errors.Is(err, jsontext.ErrDuplicateName):
		return tok, errDuplicate
	}
	return tok, errSyntax
}

// object reads the members up to the closing brace; the opening one is read.
func (r *reader) object() (map[string]any, error) {
	if r.dec.StackDepth() > r.maxDepth {
		return nil, errDepth
	}
	members := map[string]any{}
	for {
		tok, err := r.next()
		if err != nil {
			return nil, err
		}
		if tok.Kind() == '}' {
			return members, nil
		}
		name, err := text(tok)
		if err != nil {
			return nil, err
		}
		if members[name], err = r.value(); err != nil {
			return nil, err
		}
	}
}

// array reads the elements up to the closing bracket; the opening one is read.
func (r *reader) array() ([]any, error) {
	if r.dec.StackDepth() > r.maxDepth {
		return nil, errDepth
	}
	elements := []any{}
	for r.dec.PeekKind() != ']' {
		v, err := r.value()
		if err != nil {
			return nil, err
		}
		elements = append(elements, v)
	}
	_, err := r.next()
	return elements, err
}

// value reads one value of any kind.
func (r *reader) value() (any, error) {
	tok, err := r.next()
	if err != nil {
		return nil, err
	}
	switch tok.Kind() {
	case '{':
		return r.object()
	case '[':
		return r.array()
	case '"':
		return text(tok)
	case '0':
		return number(tok)
	case 't', 'f':
		return tok.Bool(), nil
	case 'n':
		return nil, nil
	default: // a closing bracket in the place of a value; the decoder refuses it before
		return nil, errSyntax
	}
}

// text is the string that tok spells. NUL is refused since PostgreSQL cannot
// store it, and since C code behind us would cut the string there.
func text(tok jsontext.Token) (string, error) {
	s := tok.String()
	if strings.IndexByte(s, 0) >= 0 {
		return "", errNUL
	}
	return s, nil
}

// number is the literal of tok, exact.
func number(tok jsontext.Token) (json.Number, error) {
	literal := tok.String()
	_, exponent, _ := strings.Cut(strings.ToLower(literal), "e")
	if len(literal) > maxNumberLength || len(strings.TrimLeft(exponent, "+-")) > maxExponentDigits {
		return "", errNumber
	}
	return json.Number(literal), nil
}

// ParseObject reads one JSON object that is no token, such as an introspection
// answer (RFC 7662 §2.2), as strictly as a token's payload. The error wraps
// ErrMalformed.
func ParseObject(data []byte, l Limits) (map[string]any, error) {
	l = l.orDefault()
	if len(data) > l.MaxBytes {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrMalformed, l.MaxBytes)
	}
	object, err := readObject(data, l.MaxDepth)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return object, nil
}

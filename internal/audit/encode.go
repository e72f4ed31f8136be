package audit

import (
	"cmp"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/strait-sts/strait/internal/exchange"
)

// Each exchange waits for its record's canonical JSON, so that it is written at
// once, in the order of RFC 8785 §3.2.3, from a plan that is made once from the
// types and their json tags. What the plan has no short way for goes through
// encoding/json and is brought into canonical form then; the outcome is always
// that of the long way, byte for byte.

// encoder writes records.
type encoder struct{ record plan }

func newEncoder() *encoder { return &encoder{planOf(reflect.TypeFor[exchange.Record]())} }

// plan are the members of a struct, sorted as they are written.
type plan []member

type member struct {
	name  string
	key   string                     // the name as it is written, with quotes and colon
	index []int                      // of the field, through embedded structs
	omit  func(v reflect.Value) bool // nil: never
	value appender
}

// appender appends the canonical JSON of an addressable value.
type appender func(to []byte, v reflect.Value) ([]byte, error)

// planOf reads the fields of a struct as encoding/json does. A field that it
// cannot read so ends the program when it starts, and its tests.
func planOf(of reflect.Type) (p plan) {
	for _, f := range reflect.VisibleFields(of) {
		tag := f.Tag.Get("json")
		if tag == "-" || !f.IsExported() || f.Anonymous && f.Type.Kind() == reflect.Struct && tag == "" {
			continue // the members of an embedded struct are visible themselves
		}
		name, option, _ := strings.Cut(tag, ",")
		omit, known := map[string]func(reflect.Value) bool{"": nil, "omitempty": empty, "omitzero": reflect.Value.IsZero}[option]
		if name == "" || f.Anonymous || !known {
			panic(fmt.Sprintf("%s.%s: no record can be written with the json tag %q", of, f.Name, tag))
		}
		p = append(p, member{name, quoted(name) + ":", f.Index, omit, appenderOf(f.Type)})
	}
	slices.SortFunc(p, func(a, b member) int { return cmp.Compare(a.name, b.name) }) // all are ASCII
	return p
}

// appenderOf is the short way for a type, if there is one.
func appenderOf(of reflect.Type) appender {
	if of == reflect.TypeFor[time.Time]() {
		return appendTime
	}
	for _, own := range []reflect.Type{reflect.TypeFor[json.Marshaler](), reflect.TypeFor[encoding.TextMarshaler]()} {
		if reflect.PointerTo(of).Implements(own) { // of's own methods are among them
			return appendAny
		}
	}
	switch of.Kind() { //nolint:exhaustive // all others have the long way
	case reflect.String:
		return func(to []byte, v reflect.Value) ([]byte, error) { return appendString(to, v.String()), nil }
	case reflect.Int64:
		return appendInteger
	case reflect.Struct:
		return planOf(of).append
	case reflect.Pointer:
		return appendPointer(appenderOf(of.Elem()))
	case reflect.Slice:
		if of.Elem().Kind() == reflect.String || of.Elem().Kind() == reflect.Struct {
			return appendList(appenderOf(of.Elem()))
		}
	}
	return appendAny
}

func appendPointer(value appender) appender {
	return func(to []byte, v reflect.Value) ([]byte, error) {
		if v.IsNil() {
			return append(to, "null"...), nil
		}
		return value(to, v.Elem())
	}
}

func appendList(item appender) appender {
	return func(to []byte, v reflect.Value) (_ []byte, err error) {
		if v.IsNil() {
			return append(to, "null"...), nil
		}
		to = append(to, '[')
		for i := range v.Len() {
			if i > 0 {
				to = append(to, ',')
			}
			if to, err = item(to, v.Index(i)); err != nil {
				return to, err
			}
		}
		return append(to, ']'), nil
	}
}

func (p plan) append(to []byte, v reflect.Value) ([]byte, error) {
	return p.each(to, v, func(string, int) {})
}

// each appends an object and tells where each of its members starts.
func (p plan) each(to []byte, v reflect.Value, starts func(name string, at int)) (_ []byte, err error) {
	to = append(to, '{')
	open := len(to)
	for i := range p {
		m := &p[i]
		field := v.FieldByIndex(m.index)
		if m.omit != nil && m.omit(field) {
			continue
		}
		if len(to) > open {
			to = append(to, ',')
		}
		starts(m.name, len(to))
		if to, err = m.value(append(to, m.key...), field); err != nil {
			return to, err
		}
	}
	return append(to, '}'), nil
}

// empty is what omitempty leaves out.
func empty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.String, reflect.Slice, reflect.Map, reflect.Array:
		return v.Len() == 0
	case reflect.Struct:
		return false
	default:
		return v.IsZero()
	}
}

// encode writes a record, and tells where link puts its members.
func (e *encoder) encode(rec *exchange.Record) ([]byte, cuts, error) {
	var c cuts
	names, places, found := [...]string{"prevHash", "seq", "writer"}, [...]*int{&c.prevHash, &c.seq, &c.writer}, 0
	const usual = 1024
	text, err := e.record.each(make([]byte, 0, usual), reflect.ValueOf(rec).Elem(), func(name string, at int) {
		for ; found < len(names) && name > names[found]; found++ {
			*places[found] = at
		}
	})
	for ; found < len(names); found++ {
		*places[found] = len(text) - 1
	}
	return text, c, err
}

// appendAny is the long way.
func appendAny(to []byte, v reflect.Value) ([]byte, error) {
	text, err := json.Marshal(v.Interface())
	if err != nil {
		return to, err
	}
	canonical := jsontext.Value(text)
	if err := canonical.Canonicalize(); err != nil {
		return to, err
	}
	return append(to, canonical...), nil
}

// appendTime takes the short way for a time as records have it.
func appendTime(to []byte, v reflect.Value) ([]byte, error) {
	at, ok := v.Addr().Interface().(*time.Time)
	if !ok || at.Location() != time.UTC || at.Year() < 0 || at.Year() > 9999 {
		return appendAny(to, v)
	}
	return append(at.AppendFormat(append(to, '"'), time.RFC3339Nano), '"'), nil
}

// appendInteger takes the short way for one that is exact in any case.
func appendInteger(to []byte, v reflect.Value) ([]byte, error) {
	const exactly = 1_000_000_000_000_000
	if n := v.Int(); -exactly < n && n < exactly {
		return strconv.AppendInt(to, n, 10), nil
	}
	return appendAny(to, v)
}

// appendString escapes what RFC 8785 §3.2.2.2 does and nothing else; what is
// not UTF-8 becomes U+FFFD.
func appendString(to []byte, s string) []byte {
	to = append(to, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		size := 1
		var instead string
		if c >= utf8.RuneSelf {
			var r rune
			if r, size = utf8.DecodeRuneInString(s[i:]); r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
			instead = "\uFFFD"
		} else {
			instead = escape(c)
		}
		to = append(append(to, s[from:i]...), instead...)
		i += size
		from = i
	}
	return append(append(to, s[from:]...), '"')
}

func escape(c byte) string {
	const short = "b\bt\tn\nf\fr\r"
	switch at := strings.IndexByte(short, c); {
	case c == '"' || c == '\\':
		return `\` + string(c)
	case at > 0:
		return `\` + short[at-1:at]
	}
	return fmt.Sprintf(`\u%04x`, c)
}

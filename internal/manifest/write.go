package manifest

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/rogpeppe/go-internal/diff"

	"github.com/strait-sts/strait/internal/catalog"
)

// plain is a string that YAML reads as itself without quotes, at least where a
// string is wanted: words, addresses, scopes, durations and dates. The words
// that it reads as something else are spoken.
var plain = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9_./@+-]*(:[A-Za-z0-9_./@+-]+)*( [A-Za-z0-9_./@+-]+)*|([0-9]+[hms])+|[0-9]{4}-[0-9]{2}-[0-9]{2})$`)

// spoken is the words that one YAML or another reads as a bool or as nothing.
var spoken = []string{"true", "false", "yes", "no", "on", "off", "null", "y", "n"}

// MarshalYAML is the object as a YAML document in the contract's order of
// fields, with its defaults and without secrets. Parse reads it back to the
// same object.
func MarshalYAML(o catalog.Object) []byte { return FromJSON(o.Canonical()) }

// FromJSON is a JSON value as YAML, its members in their order.
func FromJSON(body []byte) []byte {
	w := yamlWriter{decoder: jsontext.NewDecoder(bytes.NewReader(body))}
	w.value(0, false)
	return bytes.TrimLeft(w.out, " \n")
}

// yamlWriter turns JSON into YAML in block style.
type yamlWriter struct {
	decoder *jsontext.Decoder
	out     []byte
}

func (w *yamlWriter) add(texts ...string) {
	for _, text := range texts {
		w.out = append(w.out, text...)
	}
}

// value writes the next value, which stands after a name or a dash.
func (w *yamlWriter) value(indent int, dash bool) {
	switch w.decoder.PeekKind() {
	case '{':
		w.group(indent, dash, " {}\n")
	case '[':
		w.group(indent, dash, " []\n")
	case '"':
		token, _ := w.decoder.ReadToken()
		w.add(" ", word(token.String()), "\n")
	default:
		value, _ := w.decoder.ReadValue()
		w.add(" ", string(value), "\n")
	}
}

// group writes an object or a list, a line a member. After a dash the first
// member stands on the dash's line.
func (w *yamlWriter) group(indent int, dash bool, empty string) {
	open, _ := w.decoder.ReadToken()
	if !w.more() {
		w.add(empty)
	} else if !dash {
		w.add("\n")
	}
	for first := true; w.more(); first = false {
		if first && dash {
			w.add(" ")
		} else {
			w.add(strings.Repeat("  ", indent))
		}
		w.member(indent, open.Kind() == '[')
	}
	_, _ = w.decoder.ReadToken()
}

func (w *yamlWriter) more() bool {
	kind := w.decoder.PeekKind()
	return kind != '}' && kind != ']' && kind > 0
}

func (w *yamlWriter) member(indent int, item bool) {
	if item {
		w.add("-")
	} else {
		name, _ := w.decoder.ReadToken()
		w.add(word(name.String()), ":")
	}
	w.value(indent+1, item)
}

// word writes a string without quotes where all YAML parsers agree on it, else
// as JSON does, which is YAML too (YAML 1.2.2 §7.3.1).
func word(s string) string {
	if plain.MatchString(s) && !slices.Contains(spoken, strings.ToLower(s)) {
		return s
	}
	quoted, _ := jsontext.AppendQuote(nil, s)
	return string(quoted)
}

// Diff is how the proposed objects differ from the current ones, as a unified
// diff of their YAML; empty where they do not. Secrets are in neither.
func Diff(current, proposed []catalog.Object) []byte {
	before, after := texts(current), texts(proposed)
	var out []byte
	for _, ref := range union(current, proposed) {
		name := ref.String()
		if !bytes.Equal(before[ref], after[ref]) {
			out = append(out, diff.Diff("current/"+name, before[ref], "proposed/"+name, after[ref])...)
		}
	}
	return out
}

func texts(objects []catalog.Object) map[catalog.Ref][]byte {
	texts := make(map[catalog.Ref][]byte, len(objects))
	for _, o := range objects {
		texts[o.Ref()] = MarshalYAML(o)
	}
	return texts
}

// union is the names of all objects in the order of kinds, then names.
func union(a, b []catalog.Object) []catalog.Ref {
	var refs []catalog.Ref
	for _, o := range slices.Concat(a, b) {
		refs = append(refs, o.Ref())
	}
	slices.SortFunc(refs, catalog.Ref.Compare)
	return slices.Compact(refs)
}

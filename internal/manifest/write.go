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

// plain is a string that YAML reads as itself without quotes: words, addresses,
// scopes and durations. The words that it reads as something else are spoken.
var plain = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9_./@+-]*(:[A-Za-z0-9_./@+-]+)*( [A-Za-z0-9_./@+-]+)*|([0-9]+[hms])+)$`)

// spoken is the words that one YAML or another reads as a bool or as nothing.
var spoken = []string{"true", "false", "yes", "no", "on", "off", "null", "y", "n"}

// MarshalYAML is the object as a YAML document in the contract's order of
// fields, with its defaults and without secrets. Parse reads it back to the
// same object.
func MarshalYAML(o catalog.Object) []byte {
	w := yamlWriter{decoder: jsontext.NewDecoder(bytes.NewReader(o.Canonical()))}
	w.value(0)
	return bytes.TrimLeft(w.out, "\n")
}

// yamlWriter turns JSON into YAML in block style.
type yamlWriter struct {
	decoder *jsontext.Decoder
	out     []byte
}

// value writes the next value, which stands after a name or a dash.
func (w *yamlWriter) value(indent int) {
	switch kind := w.decoder.PeekKind(); kind {
	case '{', '[':
		w.group(indent, kind)
	case '"':
		token, _ := w.decoder.ReadToken()
		w.out = append(w.out, ' ')
		w.out = append(append(w.out, word(token.String())...), '\n')
	default:
		value, _ := w.decoder.ReadValue()
		w.out = append(append(append(w.out, ' '), value...), '\n')
	}
}

// group writes an object or a list, a line a member.
func (w *yamlWriter) group(indent int, kind jsontext.Kind) {
	_, _ = w.decoder.ReadToken()
	if next := w.decoder.PeekKind(); next == '}' || next == ']' {
		_, _ = w.decoder.ReadToken()
		w.out = append(w.out, map[jsontext.Kind]string{'{': " {}\n", '[': " []\n"}[kind]...)
		return
	}
	w.out = append(w.out, '\n')
	for next := w.decoder.PeekKind(); next != '}' && next != ']' && next != 0; next = w.decoder.PeekKind() {
		w.out = append(w.out, strings.Repeat("  ", indent)...)
		if kind == '{' {
			name, _ := w.decoder.ReadToken()
			w.out = append(append(w.out, word(name.String())...), ':')
		} else {
			w.out = append(w.out, '-')
		}
		w.value(indent + 1)
	}
	_, _ = w.decoder.ReadToken()
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

package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/strait-sts/strait/internal/exchange"
)

const (
	// maxRecord bounds a record, in bytes of its canonical JSON without its
	// place in the chain.
	maxRecord = 16 << 10
	// maxExact is the digits of an integer that is surely within ±2^53, which
	// RFC 8785 §3.2.2.3 keeps exact.
	maxExact = 15
	idLength = 36
)

// bounds are tried one after the other until a record fits: bytes of a string,
// members of a list or an object.
var bounds = []struct{ text, items int }{{1024, 256}, {512, 64}, {128, 24}, {64, 8}}

// draft is a record in canonical form, ready for its place in a chain.
type draft struct {
	canonical []byte
	cuts      cuts
	copies    Copies
	rec       *exchange.Record // for its claims, and for newer revocations
}

// draft normalises a record: canonical JSON (RFC 8785), UTF-8 without NUL,
// each string and the whole bounded, an integer beyond ±2^53 a string. What
// had to be shortened says so in the member "truncated". Almost no record
// needs any of that, so it is looked for first.
func (e *encoder) draft(rec *exchange.Record) (*draft, error) {
	if err := checkID(rec.ID); err != nil {
		return nil, err
	}
	canonical, cuts, err := e.encode(rec)
	if err != nil {
		return nil, fmt.Errorf("record %s: %w", rec.ID, err)
	}
	if plain(canonical) {
		return &draft{canonical: canonical, cuts: cuts, copies: copiesOf(rec), rec: rec}, nil
	}
	raw, err := json.Marshal(rec)
	if err != nil {
		return nil, fmt.Errorf("record %s: %w", rec.ID, err)
	}
	d, err := shortened(raw)
	if err != nil {
		return nil, err
	}
	d.rec = rec
	return d, nil
}

// checkID wants the 36 characters of a UUID: the store could not keep another,
// and would refuse it together with the innocent records of its batch.
func checkID(id exchange.ID) error {
	hyphens := len(id) == idLength && id[8] == '-' && id[13] == '-' && id[18] == '-' && id[23] == '-'
	digits := strings.ReplaceAll(string(id), "-", "")
	if !hyphens || len(digits) != idLength-4 || strings.Trim(digits, "0123456789abcdef") != "" {
		return errors.New("a record's id must be a UUID in lower case")
	}
	return nil
}

func copiesOf(rec *exchange.Record) Copies {
	c := Copies{
		ID: string(rec.ID), Time: rec.Time, Decision: string(rec.Decision), Reason: string(rec.Reason), Client: rec.Client,
		Policy: rec.Policy, Targets: rec.Targets, JTI: rec.JTI, Parent: rec.Parent, Txn: rec.Txn,
		Expires: expiry(rec.Time, rec.Lifetime.Issued), Key: rec.Key, ActorParent: rec.ActorParent,
	}
	if rec.Subject != nil {
		c.Issuer, c.Subject, c.SubjectJTI = rec.Subject.Issuer, rec.Subject.Subject, rec.Subject.JTI
	}
	if rec.Actor != nil {
		c.ActorIssuer, c.Actor, c.ActorJTI = rec.Actor.Issuer, rec.Actor.Subject, rec.Actor.JTI
	}
	return c
}

// plain says whether canonical JSON is within the first bounds as it is: short,
// no string too long, no escaped control character, nothing that was not UTF-8
// (it has become U+FFFD here, but not yet in the copies), no long number.
func plain(canonical []byte) bool {
	if len(canonical) > maxRecord || odd(canonical) {
		return false
	}
	digits := 0
	for i := 0; i < len(canonical); i++ {
		switch c := canonical[i]; {
		case c == '"':
			end := stringEnd(canonical, i)
			if end-i > bounds[0].text {
				return false
			}
			i, digits = end, 0
		case c >= '0' && c <= '9':
			if digits++; digits > maxExact {
				return false
			}
		default:
			digits = 0
		}
	}
	return true
}

func odd(text []byte) bool {
	return bytes.Contains(text, []byte(`\u`)) || bytes.Contains(text, []byte("\uFFFD"))
}

// shortened brings a record into its bounds by the slow way.
func shortened(raw []byte) (*draft, error) {
	for _, bound := range bounds {
		var object map[string]any
		decoder := json.NewDecoder(bytes.NewReader(raw))
		decoder.UseNumber()
		if err := decoder.Decode(&object); err != nil {
			return nil, fmt.Errorf("normalise a record: %w", err)
		}
		s := shortener{text: bound.text, items: bound.items}
		s.record(object)
		if s.cut {
			object["truncated"] = true
		}
		canonical, err := canonicalOf(object)
		if err != nil {
			return nil, err
		}
		if len(canonical) <= maxRecord {
			return redrafted(canonical)
		}
	}
	return nil, errors.New("a record does not fit into its bounds")
}

func canonicalOf(object map[string]any) (jsontext.Value, error) {
	text, err := json.Marshal(object)
	if err != nil {
		return nil, fmt.Errorf("normalise a record: %w", err)
	}
	canonical := jsontext.Value(text)
	if err := canonical.Canonicalize(); err != nil {
		return nil, fmt.Errorf("normalise a record: %w", err)
	}
	return canonical, nil
}

// redrafted takes the copies from the canonical form, which is not quite the
// record any more.
func redrafted(canonical []byte) (*draft, error) {
	told, err := read(withMember(canonical, "prevHash", quoted(Hash{}.String())))
	if err != nil {
		return nil, err
	}
	return &draft{canonical: canonical, cuts: cutsOf(canonical), copies: told.Copies}, nil
}

// shortener normalises a JSON value in place and remembers whether it cut.
type shortener struct {
	text, items int
	cut         bool
}

func (s *shortener) value(v any) any {
	switch v := v.(type) {
	case string:
		return s.string(v)
	case json.Number:
		return exact(v)
	case []any:
		return s.list(v)
	case map[string]any:
		s.object(v)
	}
	return v
}

// string replaces NUL, which PostgreSQL's text cannot hold, and cuts at the
// bound, between characters.
func (s *shortener) string(text string) string {
	text = strings.ReplaceAll(text, "\x00", "\uFFFD")
	if len(text) <= s.text {
		return text
	}
	s.cut = true
	end := s.text
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}

func (s *shortener) list(list []any) []any {
	if len(list) > s.items {
		s.cut = true
		list = list[:s.items]
	}
	for i, v := range list {
		list[i] = s.value(v)
	}
	return list
}

// record shortens the members of a record. Each of them stays, since they are
// ours and few, and so do the names that revocations find a token by.
func (s *shortener) record(object map[string]any) {
	whole := shortener{text: bounds[0].text, items: bounds[0].items}
	for name, value := range object {
		switch v := value.(type) {
		case string:
			if name == "detail" {
				object[name] = s.string(v)
				continue
			}
			object[name] = whole.string(v)
		case map[string]any:
			s.party(&whole, v)
		default:
			object[name] = s.value(v)
		}
	}
	s.cut = s.cut || whole.cut
}

// party shortens an object and keeps who it is of, where it says so.
func (s *shortener) party(whole *shortener, object map[string]any) {
	names := map[string]string{}
	for _, name := range []string{"issuer", "sub", "jti"} {
		if text, said := object[name].(string); said {
			names[name] = whole.string(text)
			delete(object, name)
		}
	}
	s.object(object)
	for name, text := range names {
		object[name] = text
	}
}

// object leaves out the members beyond the bound, the last by name first, so
// that the same record is always cut in the same way.
func (s *shortener) object(object map[string]any) {
	kept := 0
	for _, name := range slices.Sorted(maps.Keys(object)) {
		value := object[name]
		delete(object, name)
		if kept++; kept > s.items {
			s.cut = true
			continue
		}
		object[s.string(name)] = s.value(value)
	}
}

// exact is a number that survives RFC 8785, or its digits as a string.
func exact(n json.Number) any {
	digits := strings.TrimLeft(n.String(), "-")
	if strings.Trim(digits, "0123456789") == "" && len(digits) > maxExact {
		if i, err := n.Int64(); err != nil || i > 1<<53 || i < -(1<<53) {
			return n.String()
		}
	}
	if f, err := n.Float64(); err != nil || f != f {
		return n.String()
	}
	return n
}

package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// plain matches the strings that YAML reads as that string without quotes:
// words, URLs, durations and dates that no reader takes for something else.
var plain = regexp.MustCompile(`^([A-Za-z_/][A-Za-z0-9_./@+-]*(:[A-Za-z0-9_./@+-]+)*|([0-9]+(ms|h|m|s))+|[0-9]{4}-[0-9]{2}-[0-9]{2})$`)

// reserved matches the words that YAML 1.1 or 1.2 reads as no string.
var reserved = regexp.MustCompile(`^(?i:true|false|yes|no|on|off|y|n|null)$`)

// printable matches text that needs no escapes between single quotes.
var printable = regexp.MustCompile(`^[\x20-\x7e]*$`)

// printYAML prints a JSON value as YAML, members in the order in which they
// came. Every JSON string in quotes is a YAML string too (YAML 1.2 §1.3), so
// that only what is surely safe goes without quotes.
func printYAML(w io.Writer, raw json.RawMessage) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	y := &yamlPrinter{dec: dec}
	if err := y.value(0, "\n"); err != nil {
		return fmt.Errorf("print as YAML: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("print as YAML: more than one JSON value")
	}
	_, err := io.WriteString(w, strings.TrimPrefix(y.out.String(), "\n"))
	return err
}

// yamlPrinter walks the tokens of a JSON value.
type yamlPrinter struct {
	dec *json.Decoder
	out strings.Builder
}

// value prints the next value. lead is what stands between a collection and
// the key or dash before it: a new line, or nothing after a dash.
func (y *yamlPrinter) value(depth int, lead string) error {
	token, err := y.dec.Token()
	if err != nil {
		return err
	}
	delim, collection := token.(json.Delim)
	if !collection {
		y.scalar(token)
		return nil
	}
	if !y.dec.More() {
		y.out.WriteString(map[json.Delim]string{'{': " {}\n", '[': " []\n"}[delim])
	} else if err := y.members(delim, depth, lead); err != nil {
		return err
	}
	_, err = y.dec.Token() // the closing delimiter
	return err
}

// members prints what is in a collection, a line each.
func (y *yamlPrinter) members(delim json.Delim, depth int, lead string) error {
	indent := strings.Repeat("  ", depth)
	if lead == "" {
		y.out.WriteString(" ")
	} else {
		y.out.WriteString(lead + indent)
	}
	for first := true; y.dec.More(); first = false {
		if !first {
			y.out.WriteString(indent)
		}
		if err := y.member(delim, depth); err != nil {
			return err
		}
	}
	return nil
}

func (y *yamlPrinter) member(delim json.Delim, depth int) error {
	if delim == '[' {
		y.out.WriteString("-")
		return y.value(depth+1, "")
	}
	key, err := y.dec.Token()
	if err != nil {
		return err
	}
	y.out.WriteString(text(key.(string)) + ":")
	return y.value(depth+1, "\n")
}

func (y *yamlPrinter) scalar(token json.Token) {
	y.out.WriteString(" ")
	switch v := token.(type) {
	case nil:
		y.out.WriteString("null")
	case string:
		y.out.WriteString(text(v))
	default:
		fmt.Fprint(&y.out, v)
	}
	y.out.WriteString("\n")
}

// text is a string as YAML writes it: plain, in single quotes where that saves
// escapes, else as JSON.
func text(s string) string {
	switch {
	case plain.MatchString(s) && !reserved.MatchString(s):
		return s
	case strings.ContainsAny(s, `"\`) && printable.MatchString(s):
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	}
	var quoted strings.Builder
	quoted.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			quoted.WriteRune('\\')
			quoted.WriteRune(r)
		case r == '\n':
			quoted.WriteString(`\n`)
		case r < 0x20 || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 || r == 0xfeff:
			fmt.Fprintf(&quoted, `\u%04x`, r)
		default:
			quoted.WriteRune(r)
		}
	}
	quoted.WriteByte('"')
	return quoted.String()
}

package console

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestTerminalShowsRatherThanObeys(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := Table(&b, []string{"A", "B"}, [][]string{{"\x1b[31mred\x07", "tab\there"}, {"", "\u009b2J"}}); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(b.String(), "\x1b\x07\u009b\t") {
		t.Errorf("%q", b.String())
	}
	if !strings.Contains(b.String(), "-") {
		t.Error("an empty cell is not shown")
	}
}

func TestJSONAndYAMLShowRatherThanObey(t *testing.T) {
	t.Parallel()
	raw := json.RawMessage(`{"client":"a\u001b[2J","subject":"b` + "\u009b" + `2J` + "\x7f" + `","name":"Zoë"}`)
	for _, f := range []Format{FormatJSON, FormatYAML} {
		var b bytes.Buffer
		if err := PrintOne(&b, f, raw); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsAny(b.String(), "\x1b\u009b\x7f") || !strings.Contains(b.String(), "Zoë") {
			t.Errorf("%s: %q", f, b.String())
		}
	}
}

func TestManyYAMLDocumentsAreDivided(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	items := []json.RawMessage{[]byte(`{"a":1}`), []byte(`{"b":["x"]}`)}
	if err := PrintMany(&b, FormatYAML, items); err != nil {
		t.Fatal(err)
	}
	if b.String() != "a: 1\n---\nb:\n  - x\n" {
		t.Errorf("%q", b.String())
	}
	b.Reset()
	if err := PrintMany(&b, FormatJSON, nil); err != nil || b.String() != "[]\n" {
		t.Errorf("%q, %v", b.String(), err)
	}
}

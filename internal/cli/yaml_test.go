package cli

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"pgregory.net/rapid"
)

func asYAML(t interface{ Fatalf(string, ...any) }, raw string) string {
	var b bytes.Buffer
	if err := printYAML(&b, json.RawMessage(raw)); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return b.String()
}

func TestYAMLIsAsPeopleWriteIt(t *testing.T) {
	t.Parallel()
	got := asYAML(t, `{"kind":"Client","metadata":{"name":"edge","labels":{}},"spec":{"authentication":[{"method":"client_secret","count":1}],
		"grants":["token-exchange"],"none":[],"lifetime":"5m","reviewBy":"2027-03-01","issuer":"https://idp.example.com:8443/a",
		"expression":"\"staff\" in claims.groups","scope":"a b","yes":"yes","number":"12","prefix":"demo:","empty":"","pem":"a\nb","on":true,"nothing":null}}`)
	want := `kind: Client
metadata:
  name: edge
  labels: {}
spec:
  authentication:
    - method: client_secret
      count: 1
  grants:
    - token-exchange
  none: []
  lifetime: 5m
  reviewBy: 2027-03-01
  issuer: https://idp.example.com:8443/a
  expression: '"staff" in claims.groups'
  scope: "a b"
  "yes": "yes"
  number: "12"
  prefix: "demo:"
  empty: ""
  pem: "a\nb"
  "on": true
  nothing: null
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestYAMLReadsBack(t *testing.T) {
	t.Parallel()
	scalar := rapid.OneOf(
		rapid.Map(rapid.String(), func(s string) any { return s }),
		rapid.Map(rapid.SampledFrom([]string{"true", "No", "~", "null", "1e3", "0x1f", "1_000", "2027-03-01", "5m", "12:30:45", "- a", "a: b", "#c", "'", `"`, `\`, "a #b", ".inf", "=", "<<", "*a", "&a", "!t", "%d", "@x", "`", "\ufeff", "\u0085", "\u2028", "?", "|", ">"}),
			func(s string) any { return s }),
		rapid.Map(rapid.Bool(), func(b bool) any { return b }),
	)
	object := rapid.MapOf(rapid.String(), rapid.OneOf(scalar, rapid.Map(rapid.SliceOf(scalar), func(list []any) any {
		if list == nil {
			return []any{}
		}
		return list
	})))
	rapid.Check(t, func(t *rapid.T) {
		want := map[string]any{"outer": []any{object.Draw(t, "object"), []any{}, []any{"x", map[string]any{"k": "v"}}}}
		raw, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var sent, got map[string]any
		if err := json.Unmarshal(raw, &sent); err != nil {
			t.Fatal(err)
		}
		text := asYAML(t, string(raw))
		if err := yaml.Unmarshal([]byte(text), &got); err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		if !reflect.DeepEqual(got, sent) {
			t.Fatalf("%v became %v by\n%s", sent, got, text)
		}
	})
}

func TestYAMLRefusesWhatIsNoJSON(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"", "{", `{"a":}`, "1 2", `{"a":1} x`} {
		if err := printYAML(&bytes.Buffer{}, json.RawMessage(raw)); err == nil {
			t.Errorf("%q is printed", raw)
		}
	}
}

func TestTerminalShowsRatherThanObeys(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := table(&b, []string{"A", "B"}, [][]string{{"\x1b[31mred\x07", "tab\there"}, {"", "\u009b2J"}}); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(b.String(), "\x1b\x07\u009b\t") {
		t.Errorf("%q", b.String())
	}
	if !strings.Contains(b.String(), "-") {
		t.Error("an empty cell is not shown")
	}
}

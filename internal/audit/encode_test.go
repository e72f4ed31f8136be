package audit

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"

	"github.com/strait-sts/strait/internal/exchange"
)

// fill draws every field that a struct shows, whatever fields it has by now.
func fill(t *rapid.T, v reflect.Value, name string) {
	texts := rapid.OneOf(rapid.SampledFrom([]string{"", "orders:read", "a\xffb", "\x00\x1f\x7f\b\t\n\f\r", `"\/`, "\u2028<&>é\U0001F600\uFFFD", "\xed\xa0\x80"}), rapid.String())
	switch v.Interface().(type) {
	case time.Time:
		zones := []*time.Location{time.UTC, time.FixedZone("", 3600), nil}
		at := time.Unix(rapid.Int64Range(0, 1e10).Draw(t, name), rapid.Int64Range(0, 1e9-1).Draw(t, "ns"))
		if zone := rapid.SampledFrom(zones).Draw(t, "zone"); zone != nil {
			at = at.In(zone)
		}
		v.Set(reflect.ValueOf(at))
		return
	case json.RawMessage:
		v.SetBytes([]byte(rapid.SampledFrom([]string{`null`, `{"b":1,"a":[1e3,"\u0041"]}`}).Draw(t, name)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(texts.Draw(t, name))
	case reflect.Int64:
		v.SetInt(rapid.OneOf(rapid.Int64(), rapid.Int64Range(-3, 300)).Draw(t, name))
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && f.Tag.Get("json") != "-" {
				fill(t, v.Field(i), f.Name)
			}
		}
	case reflect.Pointer:
		if rapid.Bool().Draw(t, "has "+name) {
			v.Set(reflect.New(v.Type().Elem()))
			fill(t, v.Elem(), name)
		}
	case reflect.Slice:
		if n := rapid.IntRange(-1, 3).Draw(t, "length of "+name); n >= 0 {
			v.Set(reflect.MakeSlice(v.Type(), n, n))
			for i := range n {
				fill(t, v.Index(i), name)
			}
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range rapid.IntRange(0, 3).Draw(t, "length of "+name) {
			value := reflect.New(v.Type().Elem()).Elem()
			fill(t, value, name)
			v.SetMapIndex(reflect.ValueOf(texts.Draw(t, "key")).Convert(v.Type().Key()), value)
		}
	case reflect.Interface:
		v.Set(reflect.ValueOf(rapid.SampledFrom([]any{"x", 1.5, true, map[string]any{"b": nil, "a": []any{"é"}}}).Draw(t, name)))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, name))
	default:
		t.Fatalf("%s: draw a %s too", name, v.Type())
	}
}

// longWay is encoding/json and then RFC 8785.
func longWay(t *rapid.T, v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	canonical := jsontext.Value(text)
	if err := canonical.Canonicalize(); err != nil {
		t.Fatal(err)
	}
	return canonical
}

func encodedAsTheLongWay(t *rapid.T) {
	var rec exchange.Record
	fill(t, reflect.ValueOf(&rec).Elem(), "record")
	got, places, err := newEncoder().encode(&rec)
	if want := longWay(t, &rec); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%v\n%s, want\n%s", err, got, want)
	}
	if want := cutsOf(got); places != want {
		t.Fatalf("places %+v, want %+v", places, want)
	}
}

// TestRecordIsEncodedAsTheLongWayDoes: whatever fields a record has, the plan's
// bytes are those of encoding/json in canonical form.
func TestRecordIsEncodedAsTheLongWayDoes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, encodedAsTheLongWay)
}

func FuzzEncode(f *testing.F) { f.Fuzz(rapid.MakeFuzz(encodedAsTheLongWay)) }

// odds are what records do not have today.
type odds struct {
	odd3
	Raw    json.RawMessage   `json:"raw,omitempty"`
	Any    any               `json:"any,omitempty"`
	Map    map[string]any    `json:"map,omitempty"`
	Names  map[string]string `json:"names"`
	Nested [][]string        `json:"nested,omitempty"`
	Zero   time.Time         `json:"zero,omitzero"`
	Bool   bool              `json:"bool,omitempty"`
	List   []string          `json:"list"`
	Party  *odd2             `json:"party"`
	At     *time.Time        `json:"at,omitempty"`
}

// odd3 is embedded: its members are those of the whole.
type odd3 struct {
	M string `json:"m,omitempty"`
	B int64  `json:"b"`
}

type odd2 struct {
	Z string `json:"z"`
	A int64  `json:"a,omitempty"`
}

func TestMembersOfAnyKindTakeTheLongWay(t *testing.T) {
	t.Parallel()
	p := planOf(reflect.TypeFor[odds]())
	rapid.Check(t, func(t *rapid.T) {
		var o odds
		fill(t, reflect.ValueOf(&o).Elem(), "odds")
		got, err := p.append(nil, reflect.ValueOf(&o).Elem())
		if want := longWay(t, &o); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%v\n%s, want\n%s", err, got, want)
		}
	})
}

// TestFieldsThatCannotBeReadSoAreFoundAtOnce: no record is ever written
// without a member that it has.
func TestFieldsThatCannotBeReadSoAreFoundAtOnce(t *testing.T) {
	t.Parallel()
	for name, of := range map[string]reflect.Type{
		"pointer":  reflect.TypeFor[struct{ *exchange.RecordLife }](),
		"embedded": reflect.TypeFor[struct{ json.RawMessage }](),
		"no name":  reflect.TypeFor[struct{ A string }](),
		"string": reflect.TypeFor[struct {
			A int64 `json:"a,string"`
		}](),
	} {
		refused := func() (refused bool) {
			defer func() { refused = recover() != nil }()
			planOf(of)
			return false
		}()
		if !refused {
			t.Errorf("%s: a plan was made", name)
		}
	}
}

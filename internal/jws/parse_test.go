package jws

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

const plainHeader = `{"alg":"ES256","typ":"JWT","kid":"a1"}`

// unsigned is a token of these two texts; its signature is of no key.
func unsigned(header, payload string) string {
	return encode([]byte(header)) + "." + encode([]byte(payload)) + "." + encode(make([]byte, 64))
}

// RFC 7519 §3.1 and RFC 7515 App. A.3 agree on this payload; the line breaks
// inside it are the RFC's own.
func TestReadsTheExampleOfRFC7515AppendixA3(t *testing.T) {
	const example = "eyJhbGciOiJFUzI1NiJ9" +
		".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ" +
		".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
	set, err := ParseKeySet([]byte(`{"keys":[{"kty":"EC","crv":"P-256",
		"x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	o, err := Parse(example, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"iss": "joe", "exp": json.Number("1300819380"), "http://example.com/is_root": true}
	if !reflect.DeepEqual(o.Claims, want) {
		t.Errorf("claims = %v, want %v", o.Claims, want)
	}
	if err := o.Verify(set.Keys[0]); err != nil {
		t.Error(err)
	}
}

func TestReadsHeaderAndClaimsAsTheyAreWritten(t *testing.T) {
	o, err := Parse(unsigned(
		`{"alg":"Ed25519","typ":"application/at+jwt","kid":"é","cty":"json","jku":"https://evil.test","x":[1]}`,
		`{"sub":"a\u0301","n":9007199254740993,"f":1999999999.5,"big":-0.1e-99,"a":[null,false,"x",{"b":[]}]}`), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	h := o.Header
	if h.Algorithm != EdDSA || h.Type != "application/at+jwt" || h.KeyID != "é" || h.ContentType != "json" {
		t.Errorf("header = %+v", h)
	}
	want := map[string]any{
		"sub": "a\u0301", "n": json.Number("9007199254740993"), "f": json.Number("1999999999.5"),
		"big": json.Number("-0.1e-99"), "a": []any{nil, false, "x", map[string]any{"b": []any{}}},
	}
	if !reflect.DeepEqual(o.Claims, want) {
		t.Errorf("claims = %#v\nwant     %#v", o.Claims, want)
	}
}

func TestRejectsOtherSpellings(t *testing.T) {
	good := unsigned(plainHeader, `{"sub":"a"}`)
	if _, err := Parse(good, Limits{}); err != nil {
		t.Fatalf("positive control: %v", err)
	}
	part := strings.Split(good, ".")
	for name, spelling := range map[string]string{
		"empty":                   "",
		"one part":                part[0],
		"two parts":               part[0] + "." + part[1],
		"four parts":              good + ".x",
		"five parts, a JWE":       good + ".x.x",
		"dots alone":              strings.Repeat(".", 15000),
		"padding":                 good + "=",
		"newline after":           good + "\n",
		"carriage return within":  part[0] + ".\r" + part[1] + "." + part[2],
		"newline in the header":   part[0][:4] + "\n" + part[0][4:] + "." + part[1] + "." + part[2],
		"space before":            " " + good,
		"standard alphabet":       part[0] + "." + part[1] + "." + strings.Repeat("+/", 43),
		"unused bits set":         good[:len(good)-1] + "B",
		"one character too many":  good + "AAA",
		"NUL":                     part[0] + "\x00." + part[1] + "." + part[2],
		"one dot leader":          part[0] + "\u2024" + part[1] + "." + part[2],
		"percent-encoded dots":    strings.ReplaceAll(good, ".", "%2E"),
		"JSON serialization":      `{"payload":"` + part[1] + `","signature":"` + part[2] + `"}`,
		"longer than the maximum": good + strings.Repeat("A", DefaultMaxBytes),
	} {
		if _, err := Parse(spelling, Limits{}); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v, want ErrMalformed", name, err)
		}
	}
}

func TestRejectsHeaders(t *testing.T) {
	for header, want := range map[string]error{
		``:                                        ErrMalformed,
		`[]`:                                      ErrMalformed,
		`"x"`:                                     ErrMalformed,
		`{}`:                                      ErrMalformed,
		`{"alg":null}`:                            ErrMalformed,
		`{"alg":256}`:                             ErrMalformed,
		`{"ALG":"ES256"}`:                         ErrMalformed,
		`{"alg":"ES256"}{}`:                       ErrMalformed,
		`{"alg":"ES256",}`:                        ErrMalformed,
		"\ufeff" + `{"alg":"ES256"}`:              ErrMalformed,
		"{\"alg\":\"ES256\",\"x\":\"\xff\"}":      ErrMalformed,
		"\xff\xfe{\x00}\x00":                      ErrMalformed,
		`{"alg":"ES256","alg":"none"}`:            ErrMalformed,
		`{"alg":"ES256","\u0061lg":"ES256"}`:      ErrMalformed,
		`{"alg":"ES256","x":{"y":1,"y":2}}`:       ErrMalformed,
		`{"alg":"ES256","kid":""}`:                ErrMalformed,
		`{"alg":"ES256","kid":null}`:              ErrMalformed,
		`{"alg":"ES256","kid":["a1"]}`:            ErrMalformed,
		`{"alg":"ES256","kid":"a\u0000"}`:         ErrMalformed,
		`{"alg":"ES256","typ":1}`:                 ErrMalformed,
		`{"alg":"ES256","typ":""}`:                ErrMalformed,
		`{"alg":"ES256","cty":{}}`:                ErrMalformed,
		`{"alg":"ES256","cty":"JWT"}`:             ErrMalformed,
		`{"alg":"ES256","cty":"application/jwt"}`: ErrMalformed,
		`{"alg":"ES256","crit":[]}`:               ErrMalformed,
		`{"alg":"ES256","crit":["exp"],"exp":1}`:  ErrMalformed,
		`{"alg":"ES256","crit":null}`:             ErrMalformed,
		`{"alg":"ES256","b64":true}`:              ErrMalformed,
		`{"alg":"ES256","zip":"DEF"}`:             ErrMalformed,
		`{"alg":"ES256","enc":"A128GCM"}`:         ErrMalformed,
		`{"alg":"ES256","x":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `}`: ErrMalformed,
		`{"alg":"none"}`:         ErrAlgorithm,
		`{"alg":"NONE"}`:         ErrAlgorithm,
		`{"alg":""}`:             ErrAlgorithm,
		`{"alg":"es256"}`:        ErrAlgorithm,
		`{"alg":"ES256 "}`:       ErrAlgorithm,
		`{"alg":"HS256"}`:        ErrAlgorithm,
		`{"alg":"ES256K"}`:       ErrAlgorithm,
		`{"alg":"Ed448"}`:        ErrAlgorithm,
		`{"alg":"RSA-OAEP-256"}`: ErrAlgorithm,
	} {
		if _, err := Parse(unsigned(header, `{}`), Limits{}); !errors.Is(err, want) {
			t.Errorf("header %.60q: %v, want %v", header, err, want)
		}
	}
}

func TestRejectsPayloads(t *testing.T) {
	for _, payload := range []string{
		``, ` `, `"x"`, `1`, `null`, `[]`, `{`, `{}}`, `{}{}`, `{"a":1,}`, `{"a"/**/:1}`, `{'a':1}`,
		"\ufeff{}", "{\"a\":\"\xff\"}", "{\x00\"\x00a\x00\"\x00", `{"a":NaN}`, `{"a":01}`, `{"a":"` + "\n" + `"}`,
		`{"a":1,"a":1}`, `{"a":{"b":1,"\u0062":2}}`, `{"a":[{"b":1,"b":2}]}`,
		`{"a":"\u0000"}`, `{"\u0000":1}`, `{"a":"\ud800"}`, `{"a":"\udc00\ud800"}`, `{"\udfff":1}`,
		`{"a":1e100}`, `{"a":1E-100}`, `{"a":1e131071}`, `{"a":1e000}`, `{"a":[` + strings.Repeat("1", 33) + `]}`,
		`{"a":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `}`,
		strings.Repeat(`{"a":`, 33) + `1` + strings.Repeat(`}`, 33),
		`{"a":` + strings.Repeat("[", 6000),
	} {
		if _, err := Parse(unsigned(plainHeader, payload), Limits{}); !errors.Is(err, ErrMalformed) {
			t.Errorf("payload %.60q: %v, want ErrMalformed", payload, err)
		}
	}
}

func TestAcceptsWhatIsJustWithinItsBounds(t *testing.T) {
	for _, payload := range []string{
		`{}`, " {\n} ", `{"a":"\ud83d\ude00"}`, `{"A":1,"a":2}`, `{"a":1e99}`, `{"a":` + strings.Repeat("1", 32) + `}`,
		`{"a":` + strings.Repeat("[", 31) + strings.Repeat("]", 31) + `}`,
		strings.Repeat(`{"a":`, 32) + `1` + strings.Repeat(`}`, 32),
	} {
		if _, err := Parse(unsigned(plainHeader, payload), Limits{}); err != nil {
			t.Errorf("payload %.60q: %v", payload, err)
		}
	}
}

func TestLimitsCanBeTightened(t *testing.T) {
	compact := unsigned(plainHeader, `{"a":[1]}`)
	if _, err := Parse(compact, Limits{MaxBytes: len(compact), MaxDepth: 2}); err != nil {
		t.Fatal(err)
	}
	for _, l := range []Limits{{MaxBytes: len(compact) - 1}, {MaxDepth: 1}} {
		if _, err := Parse(compact, l); !errors.Is(err, ErrMalformed) {
			t.Errorf("%+v: %v, want ErrMalformed", l, err)
		}
	}
}

func TestErrorsHoldNothingOfTheToken(t *testing.T) {
	const secret = "hunter2"
	for _, compact := range []string{
		unsigned(`{"alg":"`+secret+`"}`, `{}`),
		unsigned(`{"alg":"ES256","`+secret+`":1,"`+secret+`":2}`, `{}`),
		unsigned(plainHeader, `{"`+secret+`":`+secret+`}`),
		unsigned(plainHeader, `{"`+secret+`":1,"`+secret+`":1}`),
		secret + "." + secret + "!." + secret,
	} {
		_, err := Parse(compact, Limits{})
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%v: want an error without the token's text", err)
		}
	}
}

func TestParseStaysCheapOnHostileShapes(t *testing.T) {
	dots := strings.Repeat(".", 15000)
	if n := testing.AllocsPerRun(10, func() { _, _ = Parse(dots, Limits{}) }); n > 5 {
		t.Errorf("15000 dots cost %v allocations", n)
	}
}

func TestTypeMatches(t *testing.T) {
	for _, c := range []struct {
		typ, want string
		match     bool
	}{
		{"at+jwt", "at+jwt", true}, {"AT+JWT", "at+jwt", true}, {"application/AT+jwt", "at+jwt", true},
		{"at+jwt", "application/at+jwt", true}, {"JWT", "jwt", true}, {"", "", true},
		{"at+jwt", "JWT", false}, {"", "JWT", false}, {"JWT", "", false}, {"text/jwt", "jwt", false},
		{"application/text/jwt", "text/jwt", false}, {"dpop+jwt", "at+jwt", false},
		{" jwt", "jwt", false}, {"\u212aey", "key", false}, {"to\u212aen", "token", false},
	} {
		if got := TypeMatches(c.typ, c.want); got != c.match {
			t.Errorf("TypeMatches(%q, %q) = %v", c.typ, c.want, got)
		}
	}
}

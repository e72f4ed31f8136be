package oauth

import (
	"encoding/base64"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/strait-sts/strait/internal/exchange"
)

// FuzzForm: whatever the bytes, a form is whole and without doubt, or refused;
// and what it says, the standard library's lenient reader says too.
func FuzzForm(f *testing.F) {
	for _, seed := range []string{
		"grant_type=client_credentials", "grant_type=x&audience=a&audience=b&scope=", "grant_type=a&grant_type=b",
		"token=x&token_type_hint=", "token=x&token=x&grant_type=y", "grant_type=x&scope=%ff", "grant_type=x&y=%zz", "grant_type=x&a;b=c", "=&=", "grant_type=x&%00=1", "a+b=c+d&grant_type=%61",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		for _, v := range []vocabulary{tokenWords, tokenInHand} {
			form, err := v.parseForm(body)
			if err != nil && form != nil {
				t.Fatal("a refused form is handed on")
			}
			if err == nil {
				holdForm(t, v, body, form)
			}
		}
	})
}

// holdForm: what the form says is there once, and said by the body.
func holdForm(t *testing.T, v vocabulary, body string, form url.Values) {
	t.Helper()
	lenient, _ := url.ParseQuery(strings.ReplaceAll(body, ";", "%3B"))
	for name, values := range form {
		if len(values) != 1 && !v.known[name].repeats {
			t.Fatalf("%q has %d values", name, len(values))
		}
		for _, value := range values {
			if value == "" || !utf8.ValidString(name+value) || strings.Contains(name+value, "\x00") {
				t.Fatalf("%q=%q", name, value)
			}
		}
		if values[0] != firstFilled(lenient[name]) {
			t.Fatalf("%q is %q, and leniently %q", name, values, lenient[name])
		}
	}
	if again, err := v.parseForm(form.Encode()); !form.Has(v.needed) || err != nil || again.Encode() != form.Encode() {
		t.Fatalf("%q is not what it was: %v", form.Encode(), err)
	}
}

func firstFilled(values []string) string {
	for _, value := range values {
		if value != "" {
			return value
		}
	}
	return ""
}

// FuzzBasic: an accepted header has one spelling, up to the case of its
// scheme, and at most two readings of its secret.
func FuzzBasic(f *testing.F) {
	for _, seed := range []string{"Basic YTpi", "basic YTpi", "Basic YTpi=", "Basic  YTpi", "Basic YTo=", "Basic OmI=", "Bearer x", "Basic YSUzQWI6cCUyNQ=="} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		c, ok := parseBasic(header)
		if !ok {
			return
		}
		if c.id == "" || !c.byHeader || len(c.secrets) == 0 || len(c.secrets) > 2 {
			t.Fatalf("%+v", c)
		}
		raw, err := base64.StdEncoding.DecodeString(header[len("Basic "):])
		if err != nil || !strings.EqualFold(header, "Basic "+base64.StdEncoding.EncodeToString(raw)) || header[6:] != base64.StdEncoding.EncodeToString(raw) {
			t.Fatalf("%q is not the one spelling", header)
		}
		if _, secret, _ := strings.Cut(string(raw), ":"); c.secrets[len(c.secrets)-1] != secret {
			t.Fatalf("the raw secret is not the last reading of %q", raw)
		}
	})
}

// TestBasicComesBack: what a client encodes as RFC 6749 §2.3.1 says, comes out
// as it was.
func TestBasicComesBack(t *testing.T) {
	t.Parallel()
	printable := rapid.StringMatching(`[ -~é]{1,40}`)
	rapid.Check(t, func(t *rapid.T) {
		id, secret := printable.Draw(t, "id"), printable.Draw(t, "secret")
		header := "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))
		c, ok := parseBasic(header)
		if !ok || c.id != id || c.secrets[0] != secret {
			t.Fatalf("%q:%q came as %+v", id, secret, c)
		}
	})
}

// TestFormComesBack: every form that says each thing once comes out as it went
// in.
func TestFormComesBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		form := url.Values{"grant_type": {"g"}}
		for name, value := range rapid.MapOfN(rapid.StringMatching(`[a-zé;_\[\]]{1,12}`), rapid.StringMatching(`[ -~é&=;%+]{1,40}`), 0, 20).Draw(t, "form") {
			form.Set(name, value)
		}
		form["audience"] = rapid.SliceOfN(rapid.StringMatching(`[a-z:/]{1,20}`), 1, 10).Draw(t, "audience")
		read, err := tokenWords.parseForm(form.Encode())
		if err != nil || read.Encode() != form.Encode() {
			t.Fatalf("%s came as %s, %v", form.Encode(), read.Encode(), err)
		}
	})
}

// TestRefusalsNameNoSecret: a detail names known parameters only, since a
// token may stand anywhere in a body that is no form.
func TestRefusalsNameNoSecret(t *testing.T) {
	t.Parallel()
	const secret = "eyJhbGciOiJFUzI1NiJ9"
	for _, body := range []string{
		secret, secret + "=1&" + secret + "=2", "grant_type=x&client_secret=%" + secret, "grant_type=" + secret + "\x00",
		"grant_type=x&client_secret=" + secret + "&client_secret=" + secret, `{"` + secret + `":"%zz"}`, secret + "\xff=1",
	} {
		_, err := tokenWords.parseForm(body)
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%q: %v", body, err)
		}
	}
	for _, query := range []string{"x=%" + secret, "client_secret=" + secret} {
		if err := tokenWords.checkQuery(query); err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%q: %v", query, err)
		}
	}
}

// TestControlCharacters: none where RFC 6749 App. A has none; what has a
// grammar of its own is left to its judge, but for NUL.
func TestControlCharacters(t *testing.T) {
	t.Parallel()
	for _, v := range []vocabulary{tokenWords, tokenInHand} {
		for name, known := range v.known {
			for _, c := range []string{"%00", "%0a", "%1f", "%7f"} {
				body := name + "=a" + c + "b"
				if name != v.needed {
					body += "&" + v.needed + "=x"
				}
				_, err := v.parseForm(body)
				if refused := err != nil; refused != (c == "%00" || !known.judged) {
					t.Errorf("%s: %v", body, err)
				}
			}
		}
	}
}

// TestFositesOwnAuthenticationIsShutOff: if anything of it were asked after
// all, it would accept nobody.
func TestFositesOwnAuthenticationIsShutOff(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	_, found := store{}.GetClient(ctx, "svc-gateway")
	_, hashed := noHasher{}.Hash(ctx, nil)
	for name, err := range map[string]error{
		"GetClient": found, "Hash": hashed, "Compare": noHasher{}.Compare(ctx, nil, nil),
		"ClientAssertionJWTValid": store{}.ClientAssertionJWTValid(ctx, "jti"),
		"SetClientAssertionJWT":   store{}.SetClientAssertionJWT(ctx, "jti", time.Time{}),
	} {
		if !errors.Is(err, errNotOurs) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if c := new(call); c.Clone() != c {
		t.Error("a call was copied")
	}
}

// TestReasonsOfFosite: what of fosite's errors could come through is our
// fault, and keeps its words inside.
func TestReasonsOfFosite(t *testing.T) {
	t.Parallel()
	for _, err := range []error{errNotOurs, &refusal{cause: exchange.Unavailable(exchange.Overloaded, errNotOurs)}} {
		if no := asRefusal(err); no.statusCode() != 503 || !no.cause.OurFault() {
			t.Errorf("%v: %d", err, no.statusCode())
		}
	}
	if no := asRefusal(exchange.Refuse(exchange.ScopeNotHeld, "x")); no.statusCode() != 400 {
		t.Errorf("%d", no.statusCode())
	}
}

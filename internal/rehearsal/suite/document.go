package suite

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/manifest"
)

// Document is one ExchangeTest.
type Document struct {
	APIVersion string           `json:"apiVersion"`
	Kind       catalog.Kind     `json:"kind"`
	Metadata   catalog.Metadata `json:"metadata"`
	Now        time.Time        `json:"now"`
	Tokens     map[string]Token `json:"tokens"`
	Tests      []Test           `json:"tests"`
	// Unlisted says what becomes of requests that no test lists: "denied", which
	// is usual, or "ignored".
	Unlisted string `json:"unlisted"`

	manifest manifest.Manifest
}

// Token is a fixture: what a token would say.
type Token struct {
	Issuer    string           `json:"issuer"` // a TrustedIssuer's name, or self
	Type      string           `json:"type"`   // short; default jwt
	ExpiresIn catalog.Duration `json:"expiresIn"`
	Claims    jsontext.Value   `json:"claims"`

	claims exchange.Claims
}

// Test is a request, or a matrix of them, and what each is expected to come to.
type Test struct {
	Name    string  `json:"name"`
	Request Request `json:"request"`
	Expect  Expect  `json:"expect"`
}

// Request is what is asked. Several words in client, subject, audience or scope
// stand for a request each; subject and actor name tokens of the document. A
// request for several targets at once is a list within the list of audience.
type Request struct {
	Client             Words     `json:"client"`
	Subject            Words     `json:"subject"`
	Actor              string    `json:"actor"`
	Audience           Audiences `json:"audience"`
	Resource           Words     `json:"resource"` // all of them in each request
	Scope              Words     `json:"scope"`
	RequestedTokenType string    `json:"requestedTokenType"`
	Grant              string    `json:"grant"`
}

// Expect is issued or denied; neither means denied, for whatever reason.
type Expect struct {
	Issued *Issued `json:"issued"`
	Denied string  `json:"denied"` // a reason, or any
}

// Issued is what is expected of an issued token; what is not written is not
// looked at.
type Issued struct {
	Policy   string                    `json:"policy"`
	Scope    *string                   `json:"scope"`
	Lifetime *catalog.Duration         `json:"lifetime"`
	Claims   map[string]jsontext.Value `json:"claims"` // null: must be absent
	Act      jsontext.Value            `json:"act"`
}

// Words is a string or a list of strings.
type Words []string

// UnmarshalJSONFrom reads either form.
func (w *Words) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() == '[' {
		return json.UnmarshalDecode(d, (*[]string)(w))
	}
	*w = make([]string, 1)
	return json.UnmarshalDecode(d, &(*w)[0])
}

// all says that the words are "*".
func (w Words) all() bool { return len(w) == 1 && w[0] == "*" }

// Audiences is [Words] whose members may be lists: the targets of one request.
type Audiences []Words

// UnmarshalJSONFrom reads either form.
func (a *Audiences) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() == '[' {
		return json.UnmarshalDecode(d, (*[]Words)(a))
	}
	*a = make([]Words, 1)
	return json.UnmarshalDecode(d, &(*a)[0])
}

// all says that the audiences are "*".
func (a Audiences) all() bool { return len(a) == 1 && a[0].all() }

// Read reads an ExchangeTest. Faults have the file and line where they stand.
func Read(m manifest.Manifest) (*Document, []catalog.FieldError) {
	doc := &Document{manifest: m}
	if fault := doc.decode(m.JSON); fault != nil {
		return nil, []catalog.FieldError{*fault}
	}
	c := checker{doc: doc}
	c.head()
	c.tokens()
	c.tests()
	return doc, c.faults
}

// decode reads the JSON strictly: no unknown field, none twice.
func (d *Document) decode(body []byte) *catalog.FieldError {
	err := json.Unmarshal(body, d, json.RejectUnknownMembers(true))
	var meaning *json.SemanticError
	var syntax *jsontext.SyntacticError
	var fault catalog.FieldError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, json.ErrUnknownName) && errors.As(err, &meaning):
		fault = d.manifest.Fault(string(meaning.JSONPointer), catalog.CodeUnknownField, "an ExchangeTest has no field %q here", meaning.JSONPointer.LastToken())
	case errors.As(err, &meaning) && meaning.Err != nil && meaning.JSONKind == '"':
		fault = d.manifest.Fault(string(meaning.JSONPointer), catalog.CodeValue, "%v", meaning.Err)
	case errors.As(err, &meaning):
		fault = d.manifest.Fault(string(meaning.JSONPointer), catalog.CodeType, "this field does not take %s", kindWord(meaning.JSONKind))
	case errors.As(err, &syntax) && errors.Is(err, jsontext.ErrDuplicateName):
		fault = d.manifest.Fault(string(syntax.JSONPointer), catalog.CodeDuplicate, "is written twice; keep one")
	default:
		fault = d.manifest.Fault("", catalog.CodeUnreadable, "is not readable")
	}
	return &fault
}

// kindWord names a kind of JSON value.
func kindWord(k jsontext.Kind) string {
	for kind, word := range map[jsontext.Kind]string{'"': "a string", '0': "a number", '{': "an object", '[': "a list", 'n': "null"} {
		if kind == k {
			return word
		}
	}
	return "true or false"
}

// pointer joins a JSON Pointer (RFC 6901 §3).
func pointer(tokens ...any) string {
	var text strings.Builder
	for _, t := range tokens {
		text.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(fmt.Sprint(t)))
	}
	return text.String()
}

package oauth

import (
	"bytes"
	"errors"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/strait-sts/strait/internal/exchange"
)

// The limits of a request.
const (
	maxBody       = 64 << 10
	maxParameters = 64
)

const formType = "application/x-www-form-urlencoded"

// parameter is how a known parameter may be spelled.
type parameter struct {
	repeats bool // may occur more than once (RFC 8693 §2.1, RFC 8707 §2)
	judged  bool // has a grammar that is judged later, with an error of its own
}

// vocabulary is the parameters that an endpoint reads. Others are ignored.
type vocabulary struct {
	needed string // must be there
	known  map[string]parameter
}

// tokenWords are the parameters of the token endpoint (RFC 6749 §3.2, RFC 8693
// §2.1, RFC 7521 §4.2).
var tokenWords = vocabulary{"grant_type", map[string]parameter{
	"grant_type":            {},
	"client_id":             {},
	"client_secret":         {},
	"client_assertion":      {},
	"client_assertion_type": {},
	"subject_token":         {judged: true},
	"subject_token_type":    {},
	"actor_token":           {judged: true},
	"actor_token_type":      {},
	"requested_token_type":  {},
	"scope":                 {judged: true},
	"audience":              {judged: true, repeats: true},
	"resource":              {judged: true, repeats: true},
}}

// tokenInHand are the parameters of the endpoints for one token (RFC 7662 §2.1,
// RFC 7009 §2.1). All tokens are looked through whatever the hint says.
var tokenInHand = vocabulary{"token", map[string]parameter{
	"token":                 {judged: true},
	"token_type_hint":       {judged: true},
	"client_id":             {},
	"client_secret":         {},
	"client_assertion":      {},
	"client_assertion_type": {},
}}

// carriers are further parameters that carry a credential or a token somewhere
// or other; in a query they are as wrong as our own (RFC 9700 §4.3.2).
var carriers = map[string]bool{
	"access_token": true, "assertion": true, "code": true, "password": true,
	"refresh_token": true, "subject_token": true, "actor_token": true, "token": true, "username": true,
}

// readForm is the only reading of a request's form: whole and without doubt,
// or refused. Bytes are read before the content type is judged, so that a
// body that cannot be read is a bad request whatever it claims to be.
func (v vocabulary) readForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	if r.Method != http.MethodPost {
		return nil, &refusal{cause: malformed("method is not POST"), status: http.StatusMethodNotAllowed, allow: http.MethodPost}
	}
	body, err := readBody(w, r)
	if err != nil {
		return nil, err
	}
	if !isForm(r.Header.Values("Content-Type")) {
		return nil, &refusal{cause: malformed("content type is not %s in UTF-8", formType), status: http.StatusUnsupportedMediaType}
	}
	if err := v.checkQuery(r.URL.RawQuery); err != nil {
		return nil, err
	}
	return v.parseForm(body)
}

func malformed(format string, args ...any) *exchange.Error {
	return exchange.Refuse(exchange.MalformedRequest, format, args...)
}

func readBody(w http.ResponseWriter, r *http.Request) (string, error) {
	var body bytes.Buffer
	body.Grow(int(min(max(r.ContentLength, 0), maxBody)) + bytes.MinRead)
	_, err := body.ReadFrom(http.MaxBytesReader(innermost(w), r.Body, maxBody))
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return "", &refusal{cause: malformed("body is over %d bytes", maxBody), status: http.StatusRequestEntityTooLarge}
	}
	if err != nil {
		return "", malformed("body could not be read to its end")
	}
	return body.String(), nil
}

// innermost is the writer of net/http itself: told of a body that is too
// large, it lingers for the answer to arrive before it cuts the sender off.
func innermost(w http.ResponseWriter) http.ResponseWriter {
	for {
		outer, wraps := w.(interface{ Unwrap() http.ResponseWriter })
		if !wraps {
			return w
		}
		w = outer.Unwrap()
	}
}

// isForm: exactly one header, exactly the form type, in UTF-8 if it says.
func isForm(values []string) bool {
	if len(values) != 1 {
		return false
	}
	if values[0] == formType {
		return true
	}
	media, options, err := mime.ParseMediaType(values[0])
	charset, named := options["charset"]
	delete(options, "charset")
	return err == nil && media == formType && len(options) == 0 && (!named || strings.EqualFold(charset, "utf-8"))
}

// checkQuery refuses credentials and parameters in the URL, where logs and
// histories keep them (RFC 6749 §2.3.1). Anything else there is not ours.
func (v vocabulary) checkQuery(query string) error {
	if query == "" {
		return nil
	}
	for pair := range strings.SplitSeq(query, "&") {
		name, _, err := unescape(pair)
		if err != nil {
			return err
		}
		if _, known := v.known[name]; known || carriers[name] {
			return malformed("%s is in the query; parameters belong in the body", name)
		}
	}
	return nil
}

// parseForm reads a urlencoded body (RFC 6749 App. B). A name occurs once,
// empty or not, known or not, unless it may repeat; then an empty value is an
// absent one (RFC 6749 §3.2).
func (v vocabulary) parseForm(body string) (url.Values, error) {
	form := make(url.Values, 8)
	count := 0
	for pair := range strings.SplitSeq(body, "&") {
		if pair == "" {
			continue
		}
		if count++; count > maxParameters {
			return nil, malformed("more than %d parameters", maxParameters)
		}
		if err := v.addPair(form, pair); err != nil {
			return nil, err
		}
	}
	maps.DeleteFunc(form, func(_ string, values []string) bool { return len(values) == 0 })
	if !form.Has(v.needed) {
		return nil, malformed("%s is missing", v.needed)
	}
	return form, nil
}

// addPair adds one name=value. An empty value leaves the bare name behind, for
// the next of that name to be seen as a repetition.
func (v vocabulary) addPair(form url.Values, pair string) error {
	name, value, err := unescape(pair)
	if err != nil {
		return err
	}
	values, again := form[name]
	switch {
	case again && !v.known[name].repeats:
		return malformed("%s occurs twice", v.called(name))
	case !v.wellFormed(name, value):
		return malformed("%s is not UTF-8, or has a control character", v.called(name))
	}
	if value != "" {
		values = append(values, value)
	}
	form[name] = values
	return nil
}

// called is the name as a detail may give it: known names only, since in a
// body that is no form a token may stand where a name should.
func (v vocabulary) called(name string) string {
	if _, known := v.known[name]; known {
		return name
	}
	return "an unknown parameter"
}

// wellFormed: UTF-8 without NUL everywhere, and without control characters
// where RFC 6749 App. A has none and nobody else judges the value.
func (v vocabulary) wellFormed(name, value string) bool {
	for _, s := range []string{name, value} {
		if !utf8.ValidString(s) || strings.Contains(s, "\x00") {
			return false
		}
	}
	known, isKnown := v.known[name]
	return !isKnown || known.judged || !strings.ContainsFunc(value, control)
}

func control(r rune) bool { return r < 0x20 || r == 0x7f }

func unescape(pair string) (name, value string, err error) {
	escapedName, escapedValue, _ := strings.Cut(pair, "=")
	name, nameErr := url.QueryUnescape(escapedName)
	value, valueErr := url.QueryUnescape(escapedValue)
	if nameErr != nil || valueErr != nil {
		// The cause would quote the escape, which may be a piece of a secret.
		return "", "", malformed("a percent escape is broken")
	}
	return name, value, nil
}

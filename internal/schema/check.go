package schema

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
)

// clientIDPattern keeps client ids to what survives HTTP Basic in both of its
// spellings (RFC 6749 §2.3.1) but for a colon.
var clientIDPattern = regexp.MustCompile(`^[A-Za-z0-9._~:/-]{1,200}$`)

// complaint is a rule for one value: empty where the value obeys it.
type complaint func(value string) string

// text holds that a required value is there and obeys the rule.
func (r *report) text(pointer, value string, rule complaint) {
	if value == "" {
		r.add(pointer, catalog.CodeRequired, "is required")
	} else if wrong := rule(value); wrong != "" {
		r.add(pointer, catalog.CodeValue, "%s", wrong)
	}
}

// list holds that a required list has members, each once, each by the rule.
func (r *report) list(pointer string, values []string, rule complaint) {
	if len(values) == 0 {
		r.add(pointer, catalog.CodeRequired, "is required and must not be empty: an empty list would mean nothing")
	}
	r.each(pointer, values, rule)
}

// each is list for one that may be empty.
func (r *report) each(pointer string, values []string, rule complaint) {
	for i, value := range values {
		at := below(pointer, i)
		if slices.Contains(values[:i], value) {
			r.add(at, catalog.CodeDuplicate, "%q is in the list twice; keep one", value)
			continue
		}
		r.text(at, value, rule)
	}
}

// word holds that a value is one of a few.
func (r *report) word(pointer, value string, known ...string) {
	r.text(pointer, value, oneOf(known...))
}

// span holds that a time is whole seconds, at least one, at most limit.
func (r *report) span(pointer string, d catalog.Duration, limit time.Duration) {
	switch span := time.Duration(d); {
	case span < time.Second:
		r.add(pointer, catalog.CodeValue, "must be at least 1s: 0s is none at all")
	case span%time.Second != 0:
		r.add(pointer, catalog.CodeValue, "must be whole seconds")
	case span > limit:
		r.add(pointer, catalog.CodeValue, "must be at most %s", catalog.Duration(limit))
	}
}

func oneOf(known ...string) complaint {
	return func(value string) string {
		if slices.Contains(known, value) {
			return ""
		}
		return quoted(value) + " is not a word for this" + hint(value, known)
	}
}

func quoted(value string) string {
	if len(value) > 80 {
		value = value[:80] + "…"
	}
	return `"` + strings.ToValidUTF8(value, "?") + `"`
}

func matches(pattern *regexp.Regexp, want string) complaint {
	return func(value string) string {
		if pattern.MatchString(value) {
			return ""
		}
		return quoted(value) + " does not match " + want
	}
}

// aName is the rule for names of objects.
func aName(value string) string {
	if catalog.ValidName(value) {
		return ""
	}
	return quoted(value) + " is not a name: [a-z0-9]([a-z0-9-]{0,62})"
}

// aScope is the rule for scope tokens (RFC 6749 §3.3).
func aScope(value string) string {
	if exchange.ValidScope(value) {
		return ""
	}
	return quoted(value) + " is not one scope token: at most 200 characters of printable ASCII without space, quote and backslash"
}

// aLine is the rule for words that people read: one line of at most 1,000 bytes.
func aLine(value string) string {
	switch {
	case len(value) > 1000:
		return "must be at most 1000 bytes"
	case strings.TrimSpace(value) == "":
		return "must say something"
	case !printable(value):
		return "must be one line without control characters"
	}
	return ""
}

func printable(value string) bool {
	return utf8.ValidString(value) && !strings.ContainsFunc(value, unicode.IsControl)
}

// aToken is the rule for values that are compared byte for byte: visible ASCII.
func aToken(value string) string {
	for i := range len(value) {
		if value[i] <= ' ' || value[i] > '~' {
			return "must be ASCII without spaces: it is compared byte for byte"
		}
	}
	if len(value) > 1000 {
		return "must be at most 1000 bytes"
	}
	return ""
}

// aURI is the rule for absolute URIs without a fragment (RFC 8707 §2).
func aURI(value string) string {
	if wrong := aToken(value); wrong != "" {
		return wrong
	}
	u, err := url.Parse(value)
	if err != nil || !u.IsAbs() || strings.Contains(value, "#") {
		return quoted(value) + " is not an absolute URI without a fragment"
	}
	return ""
}

// aURL is the rule for what is fetched: http or https with a host, without user
// and fragment. Whether it may be fetched from here is
// for package trust.
func aURL(value string) string {
	if wrong := aURI(value); wrong != "" {
		return wrong
	}
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil {
		return quoted(value) + " is not an https URL with a host and without user and password"
	}
	return ""
}

// anIssuer is aURL without a query (RFC 8414 §2).
func anIssuer(value string) string {
	if strings.Contains(value, "?") {
		return "must have no query (RFC 8414 §2)"
	}
	return aURL(value)
}

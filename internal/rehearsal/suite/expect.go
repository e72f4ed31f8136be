package suite

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/rehearsal"
)

// String says what is expected.
func (e Expect) String() string {
	switch {
	case e.Issued == nil && (e.Denied == "" || e.Denied == anyReason):
		return "denied"
	case e.Issued == nil:
		return "denied: " + e.Denied
	case e.Issued.Policy != "":
		return "issued by " + e.Issued.Policy
	}
	return "issued"
}

// told says what a rehearsal came to.
func told(a *rehearsal.Answer) string {
	if a.Decision != exchange.OutcomeIssued {
		return string(a.Decision) + ": " + string(a.Reason)
	}
	text := "issued by " + a.Policy
	if len(a.Scopes.Issued) > 0 {
		text += " with scope " + strings.Join(a.Scopes.Issued, " ")
	}
	return text
}

// wordsOf is what the rehearsal has to say about it.
func wordsOf(a *rehearsal.Answer) []string {
	var lines []string
	if a.Detail != "" {
		lines = append(lines, a.Detail)
	}
	if a.Mend != "" {
		lines = append(lines, "mend: "+a.Mend)
	}
	return lines
}

// differences are the lines in which the answer is not what was expected; none
// where it is.
func (e Expect) differences(a *rehearsal.Answer) []string {
	if e.Issued == nil {
		return e.refused(a)
	}
	if a.Decision != exchange.OutcomeIssued {
		return []string{"it was not issued"}
	}
	return e.Issued.differences(a)
}

// refused: a fault of ours is no denial.
func (e Expect) refused(a *rehearsal.Answer) []string {
	switch {
	case a.Decision != exchange.OutcomeDenied:
		return []string{"it was not denied"}
	case e.Denied != "" && e.Denied != anyReason && e.Denied != string(a.Reason):
		return []string{"it was denied for another reason"}
	}
	return nil
}

func (i *Issued) differences(a *rehearsal.Answer) []string {
	var lines []string
	differ := func(what, want, got string) {
		if want != got {
			lines = append(lines, fmt.Sprintf("%s: want %s, got %s", what, shown(want), shown(got)))
		}
	}
	if i.Policy != "" {
		differ("policy", i.Policy, a.Policy)
	}
	if i.Scope != nil {
		differ("scope", sorted(strings.Fields(*i.Scope)), sorted(a.Scopes.Issued))
	}
	if i.Lifetime != nil {
		differ("lifetime", i.Lifetime.String(), catalog.Duration(time.Duration(a.Preview.ExpiresIn)*time.Second).String())
	}
	return append(lines, i.claims(a.Preview.Claims)...)
}

func shown(value string) string {
	if value == "" {
		return "none"
	}
	return value
}

func sorted(words []string) string {
	return strings.Join(slices.Sorted(slices.Values(words)), " ")
}

// claims compares the claims that the test names, and act.
func (i *Issued) claims(preview []byte) []string {
	got, err := rehearsal.ReadClaims(preview)
	if err != nil {
		return []string{err.Error()}
	}
	want := maps.Clone(i.Claims)
	if i.Act != nil {
		if want == nil {
			want = map[string]jsontext.Value{}
		}
		want["act"] = i.Act
	}
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if value, present := got[name]; !same(want[name], value, present) {
			text, _ := json.Marshal(value) // of JSON
			lines = append(lines, fmt.Sprintf("claim %s: want %s, got %s", name, want[name], text))
		}
	}
	return lines
}

// same compares JSON values, numbers as they are written; a null means that the
// claim must be absent.
func same(want []byte, got any, present bool) bool {
	claims, err := rehearsal.ReadClaims(fmt.Appendf(nil, `{"value":%s}`, want))
	if err != nil {
		return false
	}
	if claims["value"] == nil {
		return !present
	}
	return reflect.DeepEqual(claims["value"], got)
}

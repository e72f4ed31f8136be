package analysis

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/strait-sts/strait/internal/catalog"
)

// Severity says how bad a finding is.
type Severity string

// The severities, worst first. Error: somebody can most likely obtain what nobody
// meant to give. Warning: it is wrong or will be. Info: know about it.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
	Info    Severity = "info"
)

// rank orders severities, worst first.
func (s Severity) rank() int { return slices.Index([]Severity{Error, Warning, Info}, s) }

// Finding is one thing that a lint found. It is comparable.
type Finding struct {
	Severity Severity `json:"severity"`
	Code     string   `json:"code"`
	Object   string   `json:"object"` // as commands print it: ExchangePolicy/staff-orders
	Path     string   `json:"path"`   // JSON Pointer (RFC 6901) into the object; "" is all of it
	Message  string   `json:"message"`
	Fix      string   `json:"fix"`

	ref catalog.Ref
}

// Ref names the object that the finding is about.
func (f Finding) Ref() catalog.Ref { return f.ref }

// compare orders findings: worst first, then by object, code and place.
func (f Finding) compare(other Finding) int {
	return cmp.Or(
		cmp.Compare(f.Severity.rank(), other.Severity.rank()), f.ref.Compare(other.ref),
		strings.Compare(f.Code, other.Code), strings.Compare(f.Path, other.Path), strings.Compare(f.Message, other.Message),
	)
}

// Report is what [Lint] found in a revision at an instant.
type Report struct {
	Revision   int64     `json:"revision"`
	Time       time.Time `json:"time"`
	Findings   []Finding `json:"findings"`   // worst first; never nil
	Suppressed int       `json:"suppressed"` // findings that annotations hide
	// Usage is the time that findings about usage look at; nil where the log was
	// not asked.
	Usage *UsageWindow `json:"usage,omitempty"`
}

// Count is how many findings have the severity.
func (r *Report) Count(s Severity) int {
	n := 0
	for _, f := range r.Findings {
		if f.Severity == s {
			n++
		}
	}
	return n
}

// NewSince is the findings that before does not have, whatever their words: what
// a change brings.
func (r *Report) NewSince(before *Report) []Finding {
	type place struct{ code, object, path string }
	known := make(map[place]bool, len(before.Findings))
	for _, f := range before.Findings {
		known[place{f.Code, f.Object, f.Path}] = true
	}
	brought := []Finding{}
	for _, f := range r.Findings {
		if !known[place{f.Code, f.Object, f.Path}] {
			brought = append(brought, f)
		}
	}
	return brought
}

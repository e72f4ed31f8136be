package rehearsal

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/strait-sts/strait/internal/exchange"
)

// Answer is what an exchange would come to. As JSON it is the answer of
// POST /admin/v1/explain.
type Answer struct {
	Decision exchange.Outcome `json:"decision"`
	Reason   exchange.Reason  `json:"reason,omitempty"`
	Error    exchange.Code    `json:"error,omitempty"`
	Detail   string           `json:"detail,omitempty"` // what was found, for administrators
	Policy   string           `json:"policy,omitempty"` // the one that decided, as far as it came to that
	Flow     exchange.Flow    `json:"flow,omitempty"`
	Targets  []string         `json:"targets,omitempty"` // names
	Scopes   Scopes           `json:"scopes"`
	Checks   []Check          `json:"checks"` // in the order in which they are made
	// Candidates are the policies that were weighed, the one that came closest
	// first.
	Candidates []Candidate `json:"candidates"`
	Preview    *Preview    `json:"preview,omitempty"` // of an issued one
	// Mend is the smallest change that would allow a denied one.
	Mend string `json:"mend,omitempty"`
	// Missing is what the question leaves out and the decision asks for;
	// Assumed is what was taken in its place.
	Missing []string `json:"missing,omitempty"`
	Assumed []string `json:"assumed,omitempty"`
	// Unknown is why a recorded exchange cannot be decided again; its Decision is
	// then OutcomeUnknown.
	Unknown string `json:"unknown,omitempty"`

	question Question
	trace    exchange.Trace
	record   *exchange.Record
	phase    phase
}

// OutcomeUnknown is the decision about a recorded exchange whose record does not
// tell what the answer turns on.
const OutcomeUnknown exchange.Outcome = "unknown"

// Scopes is the way of the scopes through the exchange.
type Scopes struct {
	Held      []string `json:"held,omitempty"`
	Requested []string `json:"requested,omitempty"`
	Issued    []string `json:"issued,omitempty"`
}

// Preview is the token that would be issued, without what makes it one.
type Preview struct {
	Claims    json.RawMessage `json:"claims"`
	ExpiresIn int64           `json:"expiresIn"` // seconds
}

// Check is one thing that is looked at. Skipped are those that an earlier one
// had decided before, or that had nothing to look at.
type Check struct {
	ID       string          `json:"id"`
	Result   exchange.Result `json:"result"`
	Detail   string          `json:"detail,omitempty"`
	Expected []string        `json:"expected,omitempty"`
	Actual   []string        `json:"actual,omitempty"`
}

// Candidate is a policy that was weighed, with the first thing that stands in
// its way; Failed is empty where it holds.
type Candidate struct {
	Policy   string   `json:"policy"`
	Failed   string   `json:"failed,omitempty"` // a check
	Detail   string   `json:"detail,omitempty"`
	Expected []string `json:"expected,omitempty"`
	Actual   []string `json:"actual,omitempty"`
	Shadow   bool     `json:"shadow,omitempty"` // it is weighed and never issues
}

// Record makes an Answer the Recorder of its rehearsal: what would be kept is
// looked at, and nothing is kept. No replay claim is used up.
func (a *Answer) Record(_ context.Context, rec *exchange.Record) error {
	a.record = rec
	return nil
}

// conclude fills in the answer from how the exchange ended and from the record
// that /token would keep of it.
func (a *Answer) conclude(err error) {
	a.Decision = exchange.OutcomeIssued
	var refusal *exchange.Error
	if errors.As(err, &refusal) {
		a.Decision, a.Preview = exchange.OutcomeDenied, nil
		a.Reason, a.Error, a.Detail = refusal.Reason, refusal.Code, refusal.Detail
		if refusal.OurFault() {
			a.Decision = exchange.OutcomeError
		}
		if a.Detail == "" && refusal.Err != nil {
			a.Detail = refusal.Err.Error()
		}
	}
	if rec := a.record; rec != nil {
		a.Policy, a.Flow, a.Targets = rec.Policy, rec.Flow, rec.Targets
		a.Scopes = Scopes{rec.Scopes.Held, rec.Scopes.Requested, rec.Scopes.Issued}
	}
	if missing := notKept(err); missing != nil {
		a.Decision, a.Reason, a.Error, a.Detail, a.Unknown = OutcomeUnknown, "", "", "", missing.Error()
	}
	if a.question.brief {
		return
	}
	a.Checks = a.listChecks()
	if a.Unknown == "" {
		a.Mend, a.Missing = a.advise()
	}
}

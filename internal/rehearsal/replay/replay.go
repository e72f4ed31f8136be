package replay

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/rehearsal"
)

// Change is what becomes of a recorded exchange.
type Change string

// The changes, in the order in which they are told.
const (
	Denied    Change = "denied"    // it was issued, and would be refused
	Allowed   Change = "allowed"   // it was refused, and would be issued
	Otherwise Change = "otherwise" // it would be issued, but not the same
	Unknown   Change = "unknown"   // the record does not tell what the answer turns on
	same      Change = "same"
	skipped   Change = "skipped" // no rule decided it then
)

// rank orders changes.
func (c Change) rank() int { return slices.Index([]Change{Denied, Allowed, Otherwise, Unknown}, c) }

// The bounds of a report: groups, and decision ids of each.
const (
	maxGroups   = 1000
	maxExamples = 3
)

// Report is what a replay came to.
type Report struct {
	Records   int       `json:"records"`
	Since     time.Time `json:"since,omitzero"` // the time of the oldest record
	Until     time.Time `json:"until,omitzero"` // … and of the newest
	Same      int       `json:"same"`           // decided as they were, or refused for another reason
	Denied    int       `json:"denied"`
	Allowed   int       `json:"allowed"`
	Otherwise int       `json:"otherwise"`
	Unknown   int       `json:"unknown"`
	Skipped   int       `json:"skipped"` // no rule decided them: unreadable requests, faults of ours
	Groups    []Group   `json:"groups"`  // what changes first, the most records first; never nil
	Ungrouped int       `json:"ungrouped,omitempty"`
}

// Changes says whether anything would be decided otherwise.
func (r *Report) Changes() bool { return r.Denied+r.Allowed+r.Otherwise > 0 }

// Group is records that change in the same way.
type Group struct {
	Change Change `json:"change"`
	Client string `json:"client"`
	// Policy is the one that would decide; of what is newly denied, the one that
	// has.
	Policy  string   `json:"policy,omitempty"`
	Targets []string `json:"targets,omitempty"`
	// Why is the reason that would be answered; of what is newly allowed, the one
	// that was; else what differs, or what is not kept.
	Why      string        `json:"why"`
	Count    int           `json:"count"`
	Examples []exchange.ID `json:"examples"` // decision ids, the oldest
}

// compare orders groups.
func (g Group) compare(other Group) int {
	return cmp.Or(
		cmp.Compare(g.Change.rank(), other.Change.rank()), cmp.Compare(other.Count, g.Count), strings.Compare(g.Client, other.Client),
		strings.Compare(g.Policy, other.Policy), slices.Compare(g.Targets, other.Targets), strings.Compare(g.Why, other.Why),
	)
}

// key is what makes records one group.
type key struct {
	change                       Change
	client, policy, targets, why string
}

// Records are read one by one, each or the error that ends them.
type Records = iter.Seq2[*rehearsal.Recorded, error]

// Run decides the records again on a stage. The error is that of the records, or
// ctx's.
func Run(ctx context.Context, stage *rehearsal.Stage, records Records) (*Report, error) {
	r := &run{report: &Report{}, groups: map[key]*Group{}}
	for rec, err := range records {
		if err != nil {
			return nil, err
		}
		again, err := stage.DecideAgain(ctx, rec)
		if err != nil {
			return nil, err
		}
		r.take(rec, again)
	}
	r.report.Groups = make([]Group, 0, len(r.groups))
	for _, g := range r.groups {
		r.report.Groups = append(r.report.Groups, *g)
	}
	slices.SortFunc(r.report.Groups, Group.compare)
	return r.report, nil
}

// run is a replay under way.
type run struct {
	report *Report
	groups map[key]*Group
}

// take counts one record.
func (r *run) take(rec *rehearsal.Recorded, again *rehearsal.Again) {
	report := r.report
	report.Records++
	if report.Since.IsZero() || rec.Time.Before(report.Since) {
		report.Since = rec.Time
	}
	if rec.Time.After(report.Until) {
		report.Until = rec.Time
	}
	change, why := changeOf(again)
	switch change {
	case same:
		report.Same++
	case skipped:
		report.Skipped++
	case Denied:
		report.Denied++
	case Allowed:
		report.Allowed++
	case Otherwise:
		report.Otherwise++
	case Unknown:
		report.Unknown++
	}
	if change.rank() >= 0 {
		r.group(rec, again, change, why)
	}
}

// group puts a record to those like it.
func (r *run) group(rec *rehearsal.Recorded, again *rehearsal.Again, change Change, why string) {
	targets := again.Targets
	if len(targets) == 0 {
		targets = rec.Targets
	}
	policy := again.Policy
	if change == Denied || change == Unknown {
		policy = rec.Policy
	}
	k := key{change, rec.Client, policy, strings.Join(targets, " "), why}
	g := r.groups[k]
	if g == nil {
		if len(r.groups) == maxGroups {
			r.report.Ungrouped++
			return
		}
		g = &Group{Change: change, Client: k.client, Policy: k.policy, Targets: targets, Why: why}
		r.groups[k] = g
	}
	if g.Count++; len(g.Examples) < maxExamples {
		g.Examples = append(g.Examples, rec.ID)
	}
}

// changeOf is what becomes of a record, and why. Who was refused and still is
// gains and loses nothing by another reason.
func changeOf(a *rehearsal.Again) (Change, string) {
	was, is := a.Recorded.Decision == exchange.OutcomeIssued, a.Decision == exchange.OutcomeIssued
	switch {
	case a.Unasked:
		return skipped, ""
	case a.Decision != exchange.OutcomeIssued && a.Decision != exchange.OutcomeDenied:
		return Unknown, cmp.Or(a.Unknown, string(a.Reason))
	case was && !is:
		return Denied, string(a.Reason)
	case !was && is:
		return Allowed, string(a.Recorded.Reason)
	case is && !a.Agrees:
		return Otherwise, strings.Join(a.Differences(), ", ")
	}
	return same, ""
}

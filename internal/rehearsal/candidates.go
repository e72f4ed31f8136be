package rehearsal

import (
	"cmp"
	"context"
	"slices"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
)

// maxCandidates bounds the policies that are weighed one by one.
const maxCandidates = 25

// Explain is [Stage.Rehearse] with the candidates: each policy that speaks of
// the client or of a target asked for, rehearsed as if it were the only one. So
// what is said of a policy is what the engine says, and the first thing that
// stands in its way is exact. Those in mode shadow follow, as the exchange itself
// weighed them.
func (s *Stage) Explain(ctx context.Context, q Question) (*Answer, error) {
	known := map[exchange.Role]belief{}
	a, err := s.rehearse(ctx, q, s.World.Decider, known)
	if err != nil || a.phase < atTargets || s.Snapshot == nil || s.Compile == nil {
		return a, err
	}
	type weighed struct {
		Candidate
		came int // checks that were passed
	}
	var all []weighed
	for _, name := range s.rivals(q) {
		alone, err := s.rehearse(ctx, q, s.Compile(s.alone(name)), known)
		if err != nil {
			return nil, err
		}
		w := weighed{Candidate{Policy: name}, len(alone.Checks)}
		if c := alone.failed(); c != nil {
			w.Candidate = Candidate{Policy: name, Failed: c.ID, Detail: c.Detail, Expected: c.Expected, Actual: c.Actual}
			w.came = slices.IndexFunc(alone.Checks, func(c Check) bool { return c.Result == exchange.Failed })
		}
		all = append(all, w)
	}
	slices.SortStableFunc(all, func(a, b weighed) int { return cmp.Compare(b.came, a.came) })
	for _, w := range all {
		a.Candidates = append(a.Candidates, w.Candidate)
	}
	for _, c := range a.trace.Candidates {
		if c.Mode == string(catalog.ModeShadow) {
			a.Candidates = append(a.Candidates, Candidate{Policy: c.Policy, Failed: c.FailedCheck, Detail: c.Detail, Shadow: true})
		}
	}
	return a, nil
}

// rivals are the enforced policies worth weighing: those of the client first,
// then by how many of the targets they name, priority and name.
func (s *Stage) rivals(q Question) []string {
	wanted := s.targets(q)
	type rival struct {
		name            string
		score, priority int
	}
	var all []rival
	for _, p := range s.Snapshot.Policies() {
		r := rival{name: p.Metadata.Name, priority: p.Spec.Priority}
		if slices.Contains(p.Spec.Clients, q.Client) {
			r.score = len(wanted) + 1
		}
		for _, target := range wanted {
			if slices.Contains(p.Spec.Targets, target) {
				r.score++
			}
		}
		fits := (exchange.Flow(p.Spec.Flow) == exchange.FlowClient) == (q.grant() == exchange.GrantClientCredentials)
		if r.score > 0 && fits && p.Spec.Mode == catalog.ModeEnforce {
			all = append(all, r)
		}
	}
	slices.SortStableFunc(all, func(a, b rival) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(b.priority, a.priority))
	})
	var names []string
	for _, r := range all[:min(len(all), maxCandidates)] {
		names = append(names, r.name)
	}
	return names
}

// targets are the names of the targets that are asked for, as far as there are
// such.
func (s *Stage) targets(q Question) []string {
	var names []string
	for _, t := range s.Snapshot.Targets() {
		means := func(value string) bool {
			return value == t.Metadata.Name || value == t.Spec.Audience || slices.Contains(t.Spec.Resources, value)
		}
		if slices.ContainsFunc(q.Audiences, means) || slices.ContainsFunc(q.Resources, means) {
			names = append(names, t.Metadata.Name)
		}
	}
	return names
}

// alone is the snapshot with one policy.
func (s *Stage) alone(policy string) *catalog.Snapshot {
	var entries []*catalog.Entry
	for _, e := range s.Snapshot.Objects {
		if e.Kind != catalog.KindExchangePolicy || e.Metadata.Name == policy {
			entries = append(entries, e)
		}
	}
	return catalog.NewSnapshot(s.Snapshot.Revision, entries...)
}

package suite

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/rehearsal"
)

// maxAsks bounds the requests of a document, matrix and unlisted ones.
const maxAsks = 500_000

// Report is what a run came to.
type Report struct {
	Cases    []Case     `json:"cases"`
	Passed   int        `json:"passed"`
	Failed   int        `json:"failed"`
	Unlisted int        `json:"unlisted"` // requests that no test lists, rehearsed too
	Coverage []Coverage `json:"coverage"` // every enforced policy, by name
}

// Case is one request and what it came to.
type Case struct {
	Document string           `json:"document"`
	Name     string           `json:"name"` // the test's; "unlisted" where none lists the request
	File     string           `json:"file"`
	Line     int              `json:"line"`
	Request  Ask              `json:"request"`
	Passed   bool             `json:"passed"`
	Want     string           `json:"want"`
	Got      string           `json:"got"`
	Why      []string         `json:"why,omitempty"` // what differs, and the rehearsal's words
	Decision exchange.Outcome `json:"decision"`
	Reason   exchange.Reason  `json:"reason,omitempty"`
	Policy   string           `json:"policy,omitempty"`
}

// Coverage says which sorts of test a policy has: one that it issues in, and one
// that it is weighed in and denied.
type Coverage struct {
	Policy string `json:"policy"`
	Allow  bool   `json:"allow"`
	Deny   bool   `json:"deny"`
}

// run is a run under way.
type run struct {
	stage  rehearsal.Stage
	report *Report
	allow  map[string]bool
	deny   map[string]bool
}

// Run rehearses every request of the documents on a stage, which needs its
// Snapshot. The error is ctx's, or says that a document stands for too many
// requests.
func Run(ctx context.Context, stage rehearsal.Stage, documents []*Document) (*Report, error) {
	r := &run{stage: stage, report: &Report{Cases: []Case{}, Coverage: []Coverage{}}, allow: map[string]bool{}, deny: map[string]bool{}}
	for _, d := range documents {
		if err := r.document(ctx, d); err != nil {
			return nil, fmt.Errorf("%s:%d: ExchangeTest/%s: %w", d.manifest.File, d.manifest.Line, d.Metadata.Name, err)
		}
	}
	for _, p := range stage.Snapshot.Policies() {
		if name := p.Metadata.Name; p.Spec.Mode == catalog.ModeEnforce {
			r.report.Coverage = append(r.report.Coverage, Coverage{name, r.allow[name], r.deny[name]})
		}
	}
	return r.report, nil
}

// listed is what a document's tests expect to be issued: whatever else is issued
// is a failure.
type listed struct {
	ask    Ask
	answer *rehearsal.Answer
}

func (r *run) document(ctx context.Context, d *Document) error {
	r.stage.Now = d.Now
	s := r.space(d)
	var issued []listed
	named := map[string]bool{}
	for i, t := range d.Tests {
		asks := s.asks(t.Request)
		if len(asks) > maxAsks {
			return fmt.Errorf("test %q stands for more than %d requests", t.Name, maxAsks)
		}
		if len(asks) == 0 {
			r.add(d.empty(i))
		}
		for _, ask := range asks {
			named[ask.String()] = true
			answer, err := r.listed(ctx, d, i, ask)
			if err != nil {
				return err
			}
			if t.Expect.Issued != nil && answer != nil {
				issued = append(issued, listed{ask, answer})
			}
		}
	}
	if d.Unlisted == unlistedIgnored {
		return nil
	}
	return r.unlisted(ctx, d, without(s.sweep(d), named), issued)
}

// space is what "*" stands for in the document.
func (r *run) space(d *Document) *space {
	s := &space{targets: r.stage.Snapshot.Targets(), tokens: slices.Sorted(maps.Keys(d.Tokens))}
	for _, c := range r.stage.Snapshot.Clients() {
		s.clients = append(s.clients, c.Metadata.Name)
	}
	return s
}

// empty is the case of a test that stands for no request at all.
func (d *Document) empty(i int) Case {
	c := d.newCase(i, Ask{})
	c.Got = "the test stands for no request: there is nothing that its * could mean"
	return c
}

func (d *Document) newCase(i int, ask Ask) Case {
	t, at := d.Tests[i], d.manifest.Fault(pointer("tests", i), "", "")
	return Case{Document: d.Metadata.Name, Name: t.Name, File: at.File, Line: at.Line, Request: ask, Want: t.Expect.String()}
}

// listed rehearses a request of a test; the answer is nil where the client does
// not exist.
func (r *run) listed(ctx context.Context, d *Document, i int, ask Ask) (*rehearsal.Answer, error) {
	c := d.newCase(i, ask)
	answer, err := r.stage.Rehearse(ctx, d.question(ask))
	if errors.Is(err, rehearsal.ErrNoClient) {
		c.Got = fmt.Sprintf("there is no client %q among the manifests", ask.Client)
		r.add(c)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c.fill(answer)
	c.Why = d.Tests[i].Expect.differences(answer)
	c.Passed = len(c.Why) == 0
	if !c.Passed {
		c.Why = append(c.Why, wordsOf(answer)...)
	}
	r.add(c)
	return answer, r.cover(ctx, d, ask, answer)
}

func (c *Case) fill(a *rehearsal.Answer) {
	c.Decision, c.Reason, c.Policy, c.Got = a.Decision, a.Reason, a.Policy, told(a)
}

func (r *run) add(c Case) {
	if c.Passed {
		r.report.Passed++
	} else {
		r.report.Failed++
	}
	r.report.Cases = append(r.report.Cases, c)
}

// cover notes which policies the answer is a test of. A refusal is one of the
// policy that decided, else of the one that came closest.
func (r *run) cover(ctx context.Context, d *Document, ask Ask, a *rehearsal.Answer) error {
	switch {
	case a.Decision == exchange.OutcomeIssued:
		r.allow[a.Policy] = true
		return nil
	case a.Policy != "":
		r.deny[a.Policy] = true
		return nil
	case len(r.deny) == len(r.stage.Snapshot.Policies()):
		return nil
	}
	closest, err := r.stage.Explain(ctx, d.question(ask))
	if err == nil && len(closest.Candidates) > 0 {
		r.deny[closest.Candidates[0].Policy] = true
	}
	return err
}

// unlisted rehearses what no test lists. Whatever is issued there is a failure.
func (r *run) unlisted(ctx context.Context, d *Document, asks []Ask, issued []listed) error {
	if len(asks) > maxAsks {
		return fmt.Errorf("it stands for more than %d unlisted requests; split it, or say unlisted: ignored", maxAsks)
	}
	r.report.Unlisted += len(asks)
	for _, ask := range asks {
		answer, err := r.stage.Rehearse(ctx, d.question(ask))
		if err != nil {
			return err
		}
		if answer.Decision != exchange.OutcomeIssued || covered(ask, answer, issued) {
			continue
		}
		c := Case{Document: d.Metadata.Name, Name: "unlisted", File: d.manifest.File, Line: d.manifest.Line, Request: ask, Want: "denied, since no test lists it"}
		c.fill(answer)
		r.add(c)
	}
	return nil
}

// without leaves out the requests that a test names.
func without(asks []Ask, named map[string]bool) []Ask {
	return slices.DeleteFunc(asks, func(a Ask) bool { return named[a.String()] })
}

// sweep is every request for one target and at most one scope: each client with
// each token and each actor that the document has, and for a token of its own
// where the document asks for such.
func (s *space) sweep(d *Document) []Ask {
	actors := []string{""}
	all := Request{Client: Words{"*"}, Subject: Words{"*"}, Audience: Audiences{{"*"}}, Scope: Words{"*"}}
	own := false
	for _, t := range d.Tests {
		if !slices.Contains(actors, t.Request.Actor) {
			actors = append(actors, t.Request.Actor)
		}
		own = own || t.Request.grant() == exchange.GrantClientCredentials
	}
	var asks []Ask
	for _, actor := range actors {
		all.Actor = actor
		asks = append(asks, s.asks(all)...)
	}
	if own {
		all.Actor, all.Subject, all.Grant = "", nil, string(exchange.GrantClientCredentials)
		asks = append(asks, s.asks(all)...)
	}
	return asks
}

// covered: a test lists the same client, tokens and target, with at least these
// scopes.
func covered(ask Ask, answer *rehearsal.Answer, issued []listed) bool {
	return slices.ContainsFunc(issued, func(l listed) bool {
		return l.ask.Client == ask.Client && l.ask.Subject == ask.Subject && l.ask.Actor == ask.Actor && l.ask.Grant == ask.Grant &&
			within(answer.Targets, l.answer.Targets) && within(answer.Scopes.Issued, l.answer.Scopes.Issued)
	})
}

func within(some, all []string) bool {
	return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(all, s) })
}

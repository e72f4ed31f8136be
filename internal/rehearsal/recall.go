package rehearsal

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/strait-sts/strait/internal/exchange"
)

// Recaller is a Verifier that can judge once more a token that a record tells
// of. The one of package trust is.
type Recaller interface {
	// Recall judges what the record tells of the token in the role, with its
	// scopes. An error that wraps *exchange.NotKeptError says what it does not
	// tell.
	Recall(req *exchange.Request, role exchange.Role, of *exchange.RecordParty, held []string) (*exchange.Token, error)
}

// Recorded is a record as it was kept.
type Recorded struct {
	exchange.Record

	Truncated bool `json:"truncated"` // parts of it are missing
}

// ReadRecord reads a record's JSON. Numbers among its claims stay exact.
func ReadRecord(text []byte) (*Recorded, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	rec := &Recorded{}
	if err := decoder.Decode(rec); err != nil || rec.ID == "" {
		return nil, fmt.Errorf("this is not a record of an exchange: %w", cmp.Or(err, errNoRecord))
	}
	return rec, nil
}

var errNoRecord = errors.New("it has no id")

// Again is a recorded exchange, decided once more: at the instant of its record,
// by the World of a Stage.
type Again struct {
	Answer

	Exchange exchange.ID `json:"exchange"`
	Revision int64       `json:"revision"` // of the configuration that decided here
	Recorded Then        `json:"recorded"`
	Agrees   bool        `json:"agrees"` // the same came of it
	// Unasked: no rule was asked then, so that none can answer otherwise.
	Unasked bool `json:"-"`
}

// Then is what the record says came of it.
type Then struct {
	Time     time.Time        `json:"time"`
	Revision int64            `json:"revision"`
	Client   string           `json:"client,omitempty"`
	Decision exchange.Outcome `json:"decision"`
	Reason   exchange.Reason  `json:"reason,omitempty"`
	Policy   string           `json:"policy,omitempty"`
	Flow     exchange.Flow    `json:"flow,omitempty"`
	Targets  []string         `json:"targets,omitempty"`
	Scopes   []string         `json:"scopes,omitempty"`
	Lifetime int64            `json:"lifetime,omitempty"` // seconds
}

// ExplainAgain explains a recorded exchange: what [Stage.Explain] says of it, and
// whether that is what the record says.
func (s *Stage) ExplainAgain(ctx context.Context, rec *Recorded) (*Again, error) {
	return s.again(ctx, rec, (*Stage).Explain)
}

// DecideAgain is ExplainAgain without checks, candidates and mend, for many.
func (s *Stage) DecideAgain(ctx context.Context, rec *Recorded) (*Again, error) {
	return s.again(ctx, rec, func(s *Stage, ctx context.Context, q Question) (*Answer, error) {
		q.brief = true
		return s.Rehearse(ctx, q)
	})
}

func (s *Stage) again(ctx context.Context, rec *Recorded, decide func(*Stage, context.Context, Question) (*Answer, error)) (*Again, error) {
	if why := rec.unasked(); why != "" {
		again := rec.Undecided(s.World.Revision, why)
		again.Unasked = true
		return again, nil
	}
	if why := rec.lacking(); why != "" {
		return rec.Undecided(s.World.Revision, why), nil
	}
	again := rec.Undecided(s.World.Revision, "")
	stage := *s
	stage.Now = rec.Time
	answer, err := decide(&stage, ctx, rec.question())
	switch {
	case errors.Is(err, ErrNoClient):
		answer = &Answer{Decision: exchange.OutcomeDenied, Reason: exchange.ClientAuthenticationFailed, Error: exchange.InvalidClient, Detail: "there is no such client", Checks: []Check{}, Candidates: []Candidate{}}
	case err != nil:
		return nil, err
	}
	again.Answer = *answer
	rec.settle(&again.Answer)
	again.Agrees = len(again.Differences()) == 0
	return again, nil
}

// Undecided is a record that cannot be decided again, and why.
func (r *Recorded) Undecided(revision int64, why string) *Again {
	return &Again{Answer: unknown(why), Exchange: r.ID, Revision: revision, Recorded: Then{
		Time: r.Time, Revision: r.ConfigRevision, Client: r.Client, Decision: r.Decision, Reason: r.Reason,
		Policy: r.Policy, Flow: r.Flow, Targets: r.Targets, Scopes: r.Scopes.Issued, Lifetime: r.Lifetime.Issued,
	}}
}

func unknown(why string) Answer {
	return Answer{Decision: OutcomeUnknown, Unknown: why, Checks: []Check{}, Candidates: []Candidate{}}
}

// Differences are the members of the record that came out otherwise.
func (a *Again) Differences() []string {
	then, life := a.Recorded, int64(0)
	if a.Preview != nil {
		life = a.Preview.ExpiresIn
	}
	var all []string
	for _, member := range []struct {
		name string
		same bool
	}{
		{"decision", a.Decision == then.Decision},
		{"reason", a.Reason == then.Reason},
		{"policy", a.Policy == then.Policy},
		{"flow", a.Flow == then.Flow},
		{"targets", slices.Equal(a.Targets, then.Targets)},
		{"scopes", slices.Equal(a.Scopes.Issued, then.Scopes)},
		{"lifetime", life == then.Lifetime},
	} {
		if !member.same {
			all = append(all, member.name)
		}
	}
	return all
}

// unasked is why no rule decided the exchange; "" where one did.
func (r *Recorded) unasked() string {
	early := []exchange.Reason{exchange.MalformedRequest, exchange.ScopeMalformed, exchange.ClientAuthenticationFailed, exchange.RateLimited}
	switch {
	case r.Decision == exchange.OutcomeError:
		return "it was not decided: " + string(r.Reason)
	case slices.Contains(early, r.Reason), r.Reason == exchange.UnsupportedTokenType && r.Asked == nil:
		return "it was refused before any rule was asked: " + string(r.Reason)
	}
	return ""
}

// lacking is what of the request the record does not tell; "" for nothing.
func (r *Recorded) lacking() string {
	switch {
	case r.Truncated:
		return "the record had to be shortened"
	case r.Asked == nil && r.Reason != exchange.GrantNotAllowed:
		return "the record is of a version that did not keep what was asked"
	}
	return ""
}

// question asks what the record says was asked.
func (r *Recorded) question() Question {
	q := Question{
		Client: r.Client, Grant: r.Grant, Scope: strings.Join(append(slices.Clone(r.Scopes.Requested), r.Scopes.Ignored...), " "),
	}
	if r.Asked != nil {
		q.Audiences, q.Resources = r.Asked.Audience, r.Asked.Resource
		if r.Asked.TokenType != "" {
			q.RequestedType = exchange.TypeOf(r.Asked.TokenType)
		}
	}
	if r.Grant == exchange.GrantClientCredentials {
		return q
	}
	q.Subject = r.party(r.Subject)
	if r.Actor != nil && r.Actor.TokenHash != "" { // else the client acted
		q.Actor = r.party(r.Actor)
	}
	return q
}

func (r *Recorded) party(of *exchange.RecordParty) Party {
	if of == nil {
		return Party{}
	}
	return Party{Type: exchange.TypeOf(of.Type), recorded: r}
}

// lasting are faults of a token that no configuration mends.
func lasting() []exchange.Fault {
	return []exchange.Fault{exchange.Expired, exchange.Revoked, exchange.Replayed, exchange.Inactive}
}

// verify judges the token of the record in the role. One that was never believed
// has nothing to be judged by; but what lay in the token itself still does.
func (r *Recorded) verify(v exchange.Verifier, req *exchange.Request, role exchange.Role) (*exchange.Token, error) {
	of, held := r.Subject, r.Scopes.Held
	if role == exchange.RoleActor {
		of, held = r.Actor, r.Actor.Scopes
	}
	if of.Issuer == "" {
		return nil, r.neverBelieved(role)
	}
	recaller, can := v.(Recaller)
	if !can {
		return nil, exchange.Unavailable(exchange.IssuerKeysUnavailable, errNoJudge)
	}
	token, err := recaller.Recall(req, role, of, held)
	if err != nil {
		return nil, err
	}
	if r.Reason == role.Reason(exchange.Revoked) {
		return nil, role.Refuse(exchange.Revoked, "as the record says")
	}
	if role == exchange.RoleSubject && token.Own() {
		token.Txn = r.Txn
	}
	return token, nil
}

func (r *Recorded) neverBelieved(role exchange.Role) error {
	for _, fault := range lasting() {
		if r.Reason == role.Reason(fault) {
			return role.Refuse(fault, "as the record says")
		}
	}
	return &exchange.NotKeptError{Of: role}
}

// settle adds to an answer what the record alone decides: a token that was used
// before, or stopped while it was being issued, a request that was refused before it was read.
func (r *Recorded) settle(a *Answer) {
	switch {
	case r.Reason == exchange.GrantNotAllowed && a.Reason != r.Reason && a.phase >= atParameters:
		*a = unknown("it was refused before targets and scopes were read, and the record keeps none")
	case r.Reason == exchange.TargetUnknown && r.Policy == "" && a.phase >= atTargets:
		*a = unknown("the record does not keep targets that were not registered")
	case a.Decision == exchange.OutcomeIssued:
		for _, role := range []exchange.Role{exchange.RoleSubject, exchange.RoleActor} {
			if r.Reason == role.Reason(exchange.Replayed) || r.Reason == role.Reason(exchange.Revoked) {
				a.Decision, a.Reason, a.Preview, a.Scopes.Issued = exchange.OutcomeDenied, r.Reason, nil, nil
			}
		}
	}
}

// notKept finds in an error what a record does not tell.
func notKept(err error) *exchange.NotKeptError {
	var missing *exchange.NotKeptError
	if errors.As(err, &missing) {
		return missing
	}
	return nil
}

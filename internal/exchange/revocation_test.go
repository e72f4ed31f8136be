package exchange_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/strait-sts/strait/internal/exchange"
)

// revoked is a state that knows of some tokens and of what to stop.
type revoked struct {
	revision int64
	tokens   []*exchange.Token
	stopped  bool
	alone    bool
	err      error
}

func (r *revoked) State() (exchange.RevocationState, error) {
	if r.err != nil {
		return nil, r.err
	}
	return r, nil
}
func (r *revoked) Revision() int64                { return r.revision }
func (r *revoked) Revoked(t *exchange.Token) bool { return slices.Contains(r.tokens, t) }
func (r *revoked) Stopped(*exchange.Record) bool  { return r.stopped }
func (r *revoked) Alone() bool                    { return r.alone }

// delegated is a story with an actor token, both tokens ours.
func delegated() *story {
	s := newStory()
	s.req.Actor = exchange.Presented{Token: "actor-token-bytes", Type: exchange.TypeJWT}
	for id, token := range map[string]*exchange.Token{"0198-subject": s.subject, "0198-actor": s.actor} {
		token.Issuer, token.IssuerURL, token.JTI = exchange.SelfIssuer, ourIssuer, id
	}
	return s
}

func TestARevokedTokenIsNotExchanged(t *testing.T) {
	t.Parallel()
	for _, role := range []exchange.Role{exchange.RoleSubject, exchange.RoleActor} {
		s := delegated()
		token := map[exchange.Role]*exchange.Token{exchange.RoleSubject: s.subject, exchange.RoleActor: s.actor}[role]
		s.service.Revocations = &revoked{revision: 3, tokens: []*exchange.Token{token}}
		issued, err := s.service.Exchange(t.Context(), s.req)
		if issued != nil || reasonOf(err) != role.Reason(exchange.Revoked) {
			t.Errorf("%s: issued %v, %v", role, issued, err)
		}
		rec := s.records[0]
		if party := map[exchange.Role]*exchange.RecordParty{exchange.RoleSubject: rec.Subject, exchange.RoleActor: rec.Actor}[role]; party.JTI != token.JTI {
			t.Errorf("the record does not say which %s token: %+v", role, party)
		}
	}
}

// INT-021: what was revoked is not known for certain, so nothing is issued.
func TestUnconfirmedRevocationsIssueNothing(t *testing.T) {
	t.Parallel()
	s := newStory()
	s.service.Revocations = &revoked{err: errors.New("not confirmed for 10 s")}
	issued, err := s.service.Exchange(t.Context(), s.req)
	if issued != nil || reasonOf(err) != exchange.DatabaseUnavailable || slices.Contains(s.steps, "subject") {
		t.Errorf("issued %v, %v after %v", issued, err, s.steps)
	}
}

// An order for a policy or a key reaches what came before it, also where the
// exchange has read a state that knows the order: what is recorded by the newest
// revision would not be compared again.
func TestAnOrderThatIsKnownStopsWhatItReaches(t *testing.T) {
	t.Parallel()
	s := newStory()
	s.service.Revocations = &revoked{revision: 3, stopped: true}
	issued, err := s.service.Exchange(t.Context(), s.req)
	if issued != nil || reasonOf(err) != "subject_revoked" {
		t.Errorf("issued %v, %v", issued, err)
	}
	rec := s.records[0]
	if len(s.records) != 1 || rec.Decision != exchange.OutcomeDenied || rec.JTI != "" || rec.Key != "" || len(rec.Scopes.Issued) != 0 {
		t.Errorf("recorded %+v", rec)
	}
}

// A recorder that finds a revocation which was kept meanwhile is believed: the
// token does not leave, and the denial is what is recorded.
func TestARevocationOvertakesAnExchange(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		newer func(s *story) *revoked
		want  exchange.Reason
	}{
		"of the subject token":  {func(s *story) *revoked { return &revoked{revision: 4, tokens: []*exchange.Token{s.subject}} }, "subject_revoked"},
		"of the actor token":    {func(s *story) *revoked { return &revoked{revision: 4, tokens: []*exchange.Token{s.actor}} }, "actor_revoked"},
		"of all of a client":    {func(*story) *revoked { return &revoked{revision: 4, stopped: true} }, "subject_revoked"},
		"of something else":     {func(*story) *revoked { return &revoked{revision: 4} }, ""},
		"nothing since it came": {func(*story) *revoked { return &revoked{revision: 3} }, ""},
	} {
		s := delegated()
		s.service.Revocations = &revoked{revision: 3}
		newer := c.newer(s)
		s.service.Recorder = recorderFunc(func(rec *exchange.Record) error {
			s.records = append(s.records, rec)
			if revision, issues := rec.Judged(); !issues || revision == newer.revision {
				return nil
			}
			return rec.Rejudge(newer)
		})
		issued, err := s.service.Exchange(t.Context(), s.req)
		if (issued == nil) != (c.want != "") || reasonOf(err) != c.want {
			t.Errorf("%s: issued %v, %v", name, issued, err)
		}
		rec := s.records[len(s.records)-1]
		if c.want != "" && (rec.Decision != exchange.OutcomeDenied || rec.JTI != "" || rec.Parent != "0198-subject" || rec.ActorParent != "0198-actor") {
			t.Errorf("%s: recorded %+v", name, rec)
		}
	}
}

// The token of a client for itself is one of the subject client:ID: an order for
// that subject finds it by its record, as it does any other.
func TestAClientsOwnTokenIsRecordedWithItsSubject(t *testing.T) {
	t.Parallel()
	s := newStory()
	s.req.Grant, s.req.Subject = exchange.GrantClientCredentials, exchange.Presented{}
	s.req.Client.Grants = []exchange.GrantType{exchange.GrantClientCredentials}
	s.ceiling.Policy.Flow = exchange.FlowClient
	if _, err := s.service.Exchange(t.Context(), s.req); err != nil {
		t.Fatal(err)
	}
	rec := s.records[0]
	if rec.Subject == nil || rec.Subject.Issuer != exchange.SelfIssuer || rec.Subject.Subject != "client:edge-1" {
		t.Errorf("recorded for %+v", rec.Subject)
	}
	if issued := rec.IssuedToken(); issued.Subject != "client:edge-1" {
		t.Errorf("the issued token is of %q", issued.Subject)
	}
}

// A revoked token is shown to no policy, not to one in shadow either.
func TestARevokedTokenCastsNoShadow(t *testing.T) {
	t.Parallel()
	for name, tokens := range map[string]func(*story) []*exchange.Token{
		"revoked": func(s *story) []*exchange.Token { return []*exchange.Token{s.subject} },
		"held":    func(*story) []*exchange.Token { return nil },
	} {
		s := newStory()
		s.shadow, s.shadowed = []exchange.Shadow{{Policy: "tried", Decision: exchange.OutcomeIssued}}, true
		s.fail["admit"] = exchange.RefuseClient("nobody names it")
		s.service.Revocations = &revoked{revision: 3, tokens: tokens(s)}
		if _, err := s.service.Exchange(t.Context(), s.req); reasonOf(err) != exchange.NoPolicy {
			t.Errorf("%s: %v", name, err)
		}
		if shadows := len(s.records[0].Shadow); (shadows == 0) != (name == "revoked") {
			t.Errorf("%s: %d shadows", name, shadows)
		}
	}
}

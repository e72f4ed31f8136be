package exchange

import (
	"context"
	"errors"
	"time"
)

// World is one revision of the configuration, ready to decide with. It never
// changes; a new revision is a new World. A request is decided by the one it
// was met with at the door.
type World struct {
	Revision int64
	Clients  map[string]*Client // by client_id
	Verifier Verifier
	Decider  Decider
}

// Verifier believes a presented token or does not (package trust).
type Verifier interface {
	// Verify checks the token that req presents in the role: its form, issuer,
	// signature, audience, times and type. A refusal is an *Error. For another
	// purpose than an exchange only tokens of ours are believed, and nobody is
	// asked about any other.
	Verify(ctx context.Context, req *Request, role Role) (*Token, error)
}

// Decider says what may be issued (package policy).
type Decider interface {
	// Admit resolves the targets and finds the policies that name the client
	// and all of them, before any token is read. A refusal is an *Error:
	// target_unknown, target_not_allowed, target_ambiguous or no_policy. A Case
	// beside a refusal is there for shadow policies: what it decides is their
	// Decision.Shadow and nothing else.
	Admit(req *Request) (Case, error)
}

// Case is an admitted request: known targets, at least one policy.
type Case interface {
	// Targets are those that were asked for, each once; none where the
	// policy's default is to decide.
	Targets() []*Target
	// Issuers are the names of the issuers that the policies found take
	// subjects of, each once, SelfIssuer among them.
	Issuers() []string
	// Decide chooses the policy and computes the grant. The decision names the
	// policy and targets as far as they were found, also beside a refusal.
	Decide(subject, actor *Token) (Decision, error)
}

// Decision is what a Case came to.
type Decision struct {
	Policy    *Policy
	Targets   []*Target
	Grant     *Grant   // nil beside a refusal
	Guardrail string   // the one that forbids it
	Shadow    []Shadow // what policies come to that are tried and do not decide
	// Reads are the claims that the policies and guardrails read that could
	// decide, whether they did or not: for the record.
	Reads []ClaimPath
}

// Shadow is what a policy in mode shadow would have decided.
type Shadow struct {
	Policy   string  `json:"policy"`
	Decision Outcome `json:"decision"` // issued or denied
	Reason   Reason  `json:"reason,omitempty"`
}

// Minter signs what was granted, after it has checked once more that nothing
// is wider than the grant (package mint).
type Minter interface {
	Mint(ctx context.Context, req *Request, g *Grant) (*Issued, error)
}

// Issued is a signed token and what the answer says of it (RFC 8693 §2.2.1).
type Issued struct {
	Token     Secret
	KeyID     string // kid of the key that signed it (RFC 7515 §4.1.4)
	Type      TokenType
	TokenType string // "Bearer"
	ExpiresIn time.Duration
	Scopes    []string
	Claims    []string // names of the claims in the token, sorted
}

// Recorder keeps what happened (package audit).
type Recorder interface {
	// Record returns once the record is durable, and the claims of an issued
	// one with it. An error means that it may not be, and that no token may
	// leave. Two of them are refusals, "replayed" and "revoked": a claim was
	// taken already, or a revocation that was kept meanwhile reaches the record
	// ([Record.Rejudge]); nothing of the record was kept.
	Record(ctx context.Context, rec *Record) error
}

// Service runs exchanges. Its parts outlive every World.
type Service struct {
	Minter      Minter
	Recorder    Recorder
	Revocations Revocations // nil: none are known, in a rehearsal
	Revoker     Revoker     // nil: nothing can be revoked here
	Issuer      string      // our issuer identifier
	KeepClaims  bool        // records keep the claims that rules read
}

// Exchange trades the tokens in req for a new one (RFC 8693 §2). The order is
// the design.
//
//  1. Believe: subject and actor, by the trust list.
//  2. Decide: what policy grants, never more than was asked.
//  3. Mint what was granted, narrow by construction.
//  4. Record: durable, or no token.
//  5. Answer.
//
// A refusal is an *Error, and it has its record like an issued token.
func (s *Service) Exchange(ctx context.Context, req *Request) (*Issued, error) {
	rec := NewRecord(req)
	rec.claims = s.KeepClaims
	issued, refusal := s.attempt(ctx, req, rec)
	if refusal != nil {
		refusal = asError(refusal, Overloaded) // a deadline, say: undecided, so not the caller's fault
	}
	rec.conclude(issued, refusal)
	err := s.Recorder.Record(ctx, rec)
	if late := overtaken(err); late != nil {
		issued, refusal = nil, late
		rec.withdraw(late)
		err = s.Recorder.Record(ctx, rec)
	}
	if err != nil {
		return nil, asError(err, AuditUnavailable)
	}
	return issued, refusal
}

// overtaken is the refusal of a recorder that found a token used or revoked
// since it was believed; nil for any other error.
func overtaken(err error) *Error {
	var refusal *Error
	if !errors.As(err, &refusal) {
		return nil
	}
	for _, role := range []Role{RoleSubject, RoleActor} {
		if refusal.Reason == role.Reason(Replayed) || refusal.Reason == role.Reason(Revoked) {
			return refusal
		}
	}
	return nil
}

// attempt is steps 1 to 3. Parameters, targets and the client's policies are
// judged before any token is read: who may not ask learns nothing of tokens,
// and costs no cryptography.
func (s *Service) attempt(ctx context.Context, req *Request, rec *Record) (*Issued, error) {
	if err := req.check(); err != nil {
		return nil, err
	}
	rec.asked(req)
	if s.Revocations != nil {
		var err error
		if rec.revocations, err = s.revoked(); err != nil {
			return nil, err
		}
	}
	admitted, err := req.World.Decider.Admit(req)
	if err != nil {
		s.overshadow(ctx, req, rec, admitted)
		return nil, err
	}
	rec.admitted(admitted.Targets())
	req.Issuers = admitted.Issuers
	subject, actor, err := s.believe(ctx, req, rec)
	if err != nil {
		return nil, err
	}
	decision, err := admitted.Decide(subject, actor)
	rec.decided(decision)
	if err != nil {
		return nil, err
	}
	issued, err := s.Minter.Mint(ctx, req, decision.Grant)
	if err != nil {
		return nil, asError(err, SignerUnavailable)
	}
	rec.minted(decision.Grant, issued)
	if err := rec.stopped(); err != nil {
		return nil, err
	}
	return issued, nil
}

// overshadow shows the tokens of a request that is refused already to the
// shadow policies for it, for the record alone. Nothing that happens here
// changes the answer.
func (s *Service) overshadow(ctx context.Context, req *Request, rec *Record, shadows Case) {
	if shadows == nil {
		return
	}
	unseen := *req
	unseen.Trace, unseen.Issuers = nil, shadows.Issuers
	subject, actor, err := s.believe(ctx, &unseen, rec)
	if err != nil {
		return
	}
	decision, _ := shadows.Decide(subject, actor) // the refusal is the answer already
	rec.read(decision.Reads)
	rec.Shadow = decision.Shadow
}

// believe verifies the tokens that came, the subject's first, and holds the
// request to the subject's may_act.
func (s *Service) believe(ctx context.Context, req *Request, rec *Record) (subject, actor *Token, err error) {
	if req.Grant == GrantClientCredentials {
		return nil, nil, nil
	}
	if subject, err = s.verify(ctx, req, rec, RoleSubject); err != nil {
		return nil, nil, err
	}
	if req.Actor.Token != "" {
		if actor, err = s.verify(ctx, req, rec, RoleActor); err != nil {
			return nil, nil, err
		}
	}
	if err = s.mayAct(req, subject, actor); err != nil {
		return nil, nil, err
	}
	return subject, actor, nil
}

func (s *Service) verify(ctx context.Context, req *Request, rec *Record, role Role) (*Token, error) {
	token, err := req.World.Verifier.Verify(ctx, req, role)
	if err == nil {
		rec.believed(role, token)
		if rec.revocations != nil && rec.revocations.Revoked(token) {
			err = role.Refuse(Revoked, "the token, or one that it descends from, was revoked")
		}
	}
	req.Trace.Ended(string(role), err)
	if err != nil {
		return nil, err
	}
	return token, nil
}

// mayAct holds a request to the subject token's may_act, whatever else was
// sent: the party that it names is the actor token's, or else the client (RFC
// 8693 §4.4). An actor token of the client's own speaks of the client.
func (s *Service) mayAct(req *Request, subject, actor *Token) error {
	if subject.MayAct == nil {
		req.Trace.Skip(CheckMayAct, "the subject token has none")
		return nil
	}
	party, clientID := req.Client.Party(s.Issuer), req.Client.ID
	if actor != nil && !actor.Of(req.Client) {
		party, clientID = actor.Party(), ""
	}
	if !subject.MayAct.Permits(subject.IssuerURL, party, clientID) {
		err := Refuse(MayActMismatch, "the subject token's may_act names another party")
		req.Trace.Ended(CheckMayAct, err)
		return err
	}
	req.Trace.Pass(CheckMayAct)
	return nil
}

// Reject records a request that never became an exchange: its form could not
// be read, or its client not authenticated. The refusal is the answer.
func (s *Service) Reject(ctx context.Context, req *Request, refusal *Error) error {
	rec := NewRecord(req)
	rec.conclude(nil, refusal)
	return s.Recorder.Record(ctx, rec)
}

// asError is err as a refusal; one that is none becomes a fault of ours.
func asError(err error, reason Reason) *Error {
	var refusal *Error
	if errors.As(err, &refusal) {
		return refusal
	}
	return Unavailable(reason, err)
}

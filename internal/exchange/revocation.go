package exchange

import (
	"context"
	"time"
)

// Revocations is what no longer holds, as far as this replica knows (package
// revocation).
type Revocations interface {
	// State is the newest state. An error says that it could not be confirmed
	// lately, so that nothing may be decided by it.
	State() (RevocationState, error)
}

// RevocationState is what was revoked up to a revision. What it says never
// changes; a later revocation makes a state with a higher revision.
type RevocationState interface {
	// Revision counts the revocations that the state knows of.
	Revision() int64
	// Revoked says whether a token that was believed holds no more: an order
	// names it, or it descends from one that an order names.
	Revoked(t *Token) bool
	// Alone says that tokens of ours were revoked without what was made from
	// them, and may still have children: of those, Revoked tells nothing.
	Alone() bool
	// Stopped says whether an order reaches what rec is about to issue, other
	// than by its subject and actor token: an order for its client or policy,
	// say, that was given while the exchange was under way.
	Stopped(rec *Record) bool
}

// Judged is the revision of revocations that the exchange was decided by. Not
// issues: the record issues nothing, so that no revocation matters to it.
func (r *Record) Judged() (revision int64, issues bool) {
	if r.Decision != OutcomeIssued || r.revocations == nil {
		return 0, false
	}
	return r.revocations.Revision(), true
}

// Rejudge holds an issued record to a newer state, since revocations were kept
// after the exchange was decided and before its record was. It is the refusal
// where one reaches it, else nil, and the record counts as decided by that
// state: a revocation stops what is under way until its record is kept.
func (r *Record) Rejudge(state RevocationState) error {
	if r.subject != nil && state.Revoked(r.subject) {
		return RoleSubject.Refuse(Revoked, "the token was revoked while it was being exchanged")
	}
	if r.actor != nil && state.Revoked(r.actor) {
		return RoleActor.Refuse(Revoked, "the token was revoked while it was being exchanged")
	}
	if state.Stopped(r) {
		return RoleSubject.Refuse(Revoked, "what was to be issued was revoked while it was being issued")
	}
	r.revocations = state
	return nil
}

// stopped holds what was minted to the state that the exchange was begun with:
// only now is it known whether an order for a policy or a key reaches it. What
// an order that the state knows of reaches would not be compared again.
func (r *Record) stopped() error {
	if r.revocations == nil {
		return nil
	}
	refusal := overtaken(r.Rejudge(r.revocations))
	if refusal == nil {
		return nil
	}
	r.withdraw(refusal)
	return refusal
}

// IssuedToken is the token that an issued record, or one that was read back, is
// of, as far as revocations look at it.
func (r *Record) IssuedToken() *Token {
	t := &Token{Issuer: SelfIssuer, JTI: r.JTI, KeyID: r.Key, Txn: r.Txn, IssuedAt: r.Time.Truncate(time.Second)}
	t.Expires = t.IssuedAt.Add(time.Duration(r.Lifetime.Issued) * time.Second)
	if r.Subject != nil {
		t.Subject = r.Subject.Subject
	}
	return t
}

// Revocation is an order of an administrator's, or of a client about a token of
// its own (RFC 7009), that something holds no more. Exactly one of Token,
// Exchange, Subject, Client, Policy, Issuer and Key is set; each reaches what
// was issued, or says that it was issued, up to Before.
type Revocation struct {
	ID        ID        // of the order
	Time      time.Time // when it was given
	By        string    // who gave it: an administrator, or "client:" and a client's name
	Reason    string    // in the words of who gave it
	RequestID string

	Token    *RevokedToken   // one token
	Exchange ID              // the token that this exchange issued
	Subject  *RevokedSubject // all tokens of a person or a workload
	Client   string          // all that was issued to a client, by its name
	Policy   string          // all that was issued under a policy
	Issuer   string          // all tokens of a trusted issuer, or SelfIssuer
	Key      string          // all tokens that a key of ours signed, by its kid

	Before  time.Time // tokens with a later iat are not meant
	Cascade bool      // what was derived from them holds no more either
}

// RevokedToken names one token.
type RevokedToken struct {
	Issuer string `json:"issuer"` // a trusted issuer's name, or SelfIssuer
	JTI    string `json:"jti"`
}

// RevokedSubject names a mapped subject of a trusted issuer.
type RevokedSubject struct {
	Issuer  string `json:"issuer"`
	Subject string `json:"sub"`
}

// RevocationResult is what an order came to.
type RevocationResult struct {
	Revision int64 // of revocations; every state from this one on knows the order
	Tokens   int   // unexpired tokens of ours that hold no more by it
}

// Revoker keeps revocations.
type Revoker interface {
	// Revoke returns once the order is durable and in force on this replica;
	// revoking what is revoked already, or what never was, is no error. An
	// error means that nothing may have been revoked.
	Revoke(ctx context.Context, order Revocation) (RevocationResult, error)
}

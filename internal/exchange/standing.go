package exchange

import (
	"context"
	"errors"
	"slices"
)

// Standing is what a resource server may learn of a token that holds.
type Standing struct {
	Token *Token
	// Scopes are those of the token that mean something at the targets which
	// the caller serves (RFC 7662 §2.2).
	Scopes []string
}

// Introspect says what the token of ours that req presents stands for, to a
// client that serves a target of it (RFC 7662 §2). It passes the same gate as a
// subject token of an exchange:
//
//  1. What was revoked is known of late, or nothing is said: an error.
//  2. Believe: by the trust list, for this purpose.
//  3. It was not revoked, nor what it descends from.
//
// nil means that it is not active, for whatever reason: unknown, another's,
// malformed, expired, revoked, of a party that is disabled.
func (s *Service) Introspect(ctx context.Context, req *Request) (*Standing, error) {
	state, err := s.revoked()
	if err != nil {
		return nil, err
	}
	req.Purpose = ToIntrospect
	token, err := req.World.Verifier.Verify(ctx, req, RoleSubject)
	if err != nil {
		return nil, asFault(err)
	}
	if state.Revoked(token) {
		return nil, nil
	}
	return &Standing{Token: token, Scopes: token.scopesAt(token.Served)}, nil
}

// RevokeToken revokes the token of ours that req presents, and all that was
// made from it, for the client that it was issued to (RFC 7009 §2). Nothing is
// done, and done is false, where there is nothing to do: the token is none of
// ours that holds, or was revoked already with all its children. A token of another client is refused
// (token_of_another_client). Any other error means that nothing may have been
// revoked.
//
// The signature is proved before anything is kept: a jti that was guessed, or
// seen in a log, revokes nothing.
func (s *Service) RevokeToken(ctx context.Context, req *Request) (done bool, err error) {
	req.Purpose = ToRevoke
	token, err := req.World.Verifier.Verify(ctx, req, RoleSubject)
	state, unconfirmed := s.revoked()
	if err != nil {
		switch refusal := asError(err, Overloaded); {
		case refusal.Reason == RoleSubject.Reason(AudienceMismatch):
			return false, Refuse(TokenOfAnother, "%s", refusal.Detail)
		case refusal.Reason == RoleSubject.Reason(SignatureInvalid) && unconfirmed != nil:
			return false, unconfirmed // a key that this replica could not hear of may have signed it
		case refusal.Reason == RoleSubject.Reason(NotYetValid): // and will be: our signature is proved
			return false, Unavailable(Overloaded, errors.New("the token is of a replica whose clock is ahead of this one's; it can be revoked in a moment"))
		}
		return false, asFault(err)
	}
	// A state that is not confirmed may lack an order, and has none too many.
	if unconfirmed == nil && state.Revoked(token) && !state.Alone() {
		return false, nil
	}
	if s.Revoker == nil || token.JTI == "" {
		return false, Unavailable(DatabaseUnavailable, errors.New("nothing keeps revocations here, or the token has no jti to name it by"))
	}
	if _, err := s.Revoker.Revoke(ctx, orderOf(req, token)); err != nil {
		return false, asError(err, DatabaseUnavailable)
	}
	return true, nil
}

// orderOf is the client's order about its token. The token may come from a
// replica whose clock is ahead of ours.
func orderOf(req *Request, token *Token) Revocation {
	before := req.Time
	if token.IssuedAt.After(before) {
		before = token.IssuedAt
	}
	return Revocation{
		ID: req.ID, Time: req.Time.UTC(), By: ClientSubjectPrefix + req.Client.Name,
		Reason: "revoked by the client that it was issued to", RequestID: req.Origin.RequestID,
		Exchange: ID(token.JTI), Before: before.UTC(), Cascade: true,
	}
}

// revoked is what was revoked, as far as it is confirmed. Where nobody keeps
// revocations nothing is confirmed.
func (s *Service) revoked() (RevocationState, error) {
	if s.Revocations == nil {
		return nil, Unavailable(DatabaseUnavailable, errors.New("nothing keeps revocations here"))
	}
	state, err := s.Revocations.State()
	if err != nil {
		return nil, asError(err, DatabaseUnavailable)
	}
	return state, nil
}

// asFault is the error if it is a fault of ours; what is wrong with the token
// is none.
func asFault(err error) error {
	if refusal := asError(err, Overloaded); refusal.OurFault() {
		return refusal
	}
	return nil
}

// scopesAt are the token's scopes that at least one of the targets has in its
// catalogue.
func (t *Token) scopesAt(targets []*Target) []string {
	return slices.DeleteFunc(slices.Clone(t.Scopes), func(scope string) bool {
		return !slices.ContainsFunc(targets, func(target *Target) bool { return slices.Contains(target.Scopes, scope) })
	})
}

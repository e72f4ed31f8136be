package exchange_test

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/exchange"
)

// shown is a story in which a token of ours is shown to be asked about or
// revoked; orders are what was kept.
func shown() (s *story, state *revoked, orders *[]exchange.Revocation) {
	s, state, orders = newStory(), &revoked{revision: 3}, new([]exchange.Revocation)
	s.subject.Issuer, s.subject.JTI, s.subject.IssuedAt = exchange.SelfIssuer, "0198-shown", now.Add(-time.Minute)
	s.subject.Served = []*exchange.Target{{Name: "orders", Scopes: []string{"orders:read", "x"}}, {Name: "billing", Scopes: []string{"billing:read"}}}
	s.service.Revocations, s.service.Revoker = state, revokerFunc(func(o exchange.Revocation) error {
		*orders = append(*orders, o)
		return s.step("revoke")
	})
	return s, state, orders
}

type revokerFunc func(exchange.Revocation) error

func (f revokerFunc) Revoke(_ context.Context, o exchange.Revocation) (exchange.RevocationResult, error) {
	return exchange.RevocationResult{}, f(o)
}

// IN-07: a resource server is told the scopes that its targets know, and the
// token keeps those that it has.
func TestIntrospectionTellsTheScopesOfTheCallersTargets(t *testing.T) {
	t.Parallel()
	s, _, _ := shown()
	s.subject.Scopes = []string{"orders:write", "orders:read", "billing:read"}
	standing, err := s.service.Introspect(t.Context(), s.req)
	if err != nil || standing == nil || standing.Token != s.subject {
		t.Fatalf("%+v, %v", standing, err)
	}
	if want := []string{"orders:read", "billing:read"}; !reflect.DeepEqual(standing.Scopes, want) || len(s.subject.Scopes) != 3 {
		t.Errorf("scopes %v of %v, want %v", standing.Scopes, s.subject.Scopes, want)
	}
	if s.req.Purpose != exchange.ToIntrospect || len(s.records) != 0 {
		t.Errorf("purpose %d, %d records", s.req.Purpose, len(s.records))
	}
}

// IN-05, IN-06, INT-021: whatever is wrong with the token it is not active; what
// is wrong with us is said, and active is never said without the revocations.
func TestIntrospectionIsSilentAboutWhy(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*story, *revoked)
		want   exchange.Reason
	}{
		"not for the caller": {func(s *story, _ *revoked) {
			s.fail["subject"] = exchange.RoleSubject.Refuse(exchange.AudienceMismatch, "")
		}, ""},
		"expired":       {func(s *story, _ *revoked) { s.fail["subject"] = exchange.RoleSubject.Refuse(exchange.Expired, "") }, ""},
		"revoked":       {func(s *story, r *revoked) { r.tokens = []*exchange.Token{s.subject} }, ""},
		"not confirmed": {func(_ *story, r *revoked) { r.err = errors.New("not for 10 s") }, exchange.DatabaseUnavailable},
		"not kept here": {func(s *story, _ *revoked) { s.service.Revocations = nil }, exchange.DatabaseUnavailable},
		"a fault of ours": {func(s *story, _ *revoked) {
			s.fail["subject"] = exchange.Unavailable(exchange.IssuerKeysUnavailable, errors.New("down"))
		}, exchange.IssuerKeysUnavailable},
		"something unforeseen": {func(s *story, _ *revoked) { s.fail["subject"] = context.DeadlineExceeded }, exchange.Overloaded},
	} {
		s, state, _ := shown()
		c.change(s, state)
		standing, err := s.service.Introspect(t.Context(), s.req)
		if standing != nil || reasonOf(err) != c.want || (err == nil) != (c.want == "") {
			t.Errorf("%s: %+v, %v", name, standing, err)
		}
	}
}

func TestRevokeTokenOrdersTheTokenAndWhatCameOfIt(t *testing.T) {
	t.Parallel()
	s, state, orders := shown()
	done, err := s.service.RevokeToken(t.Context(), s.req)
	if err != nil || !done || len(*orders) != 1 || s.req.Purpose != exchange.ToRevoke {
		t.Fatalf("%v, %v, %v", done, err, *orders)
	}
	want := exchange.Revocation{
		ID: "0198-decision", Time: now, By: "client:edge", Reason: "revoked by the client that it was issued to", RequestID: "r-1",
		Exchange: "0198-shown", Before: now, Cascade: true,
	}
	if (*orders)[0] != want {
		t.Errorf("ordered %+v, want %+v", (*orders)[0], want)
	}
	s.subject.IssuedAt = now.Add(2 * time.Second) // by a replica whose clock is ahead
	if _, err := s.service.RevokeToken(t.Context(), s.req); err != nil || !(*orders)[1].Before.Equal(s.subject.IssuedAt) {
		t.Errorf("%v, before %v", err, (*orders)[1].Before)
	}
	state.tokens = []*exchange.Token{s.subject}
	if done, err := s.service.RevokeToken(t.Context(), s.req); done || err != nil || len(*orders) != 2 {
		t.Errorf("revoked twice: %v, %v, %d orders", done, err, len(*orders))
	}
	state.err = errors.New("not for 10 s") // an order that may be one too many does no harm
	if done, err := s.service.RevokeToken(t.Context(), s.req); !done || err != nil {
		t.Errorf("not confirmed: %v, %v", done, err)
	}
}

// RV-02, RV-03, RV-06: nothing is kept but by the client that the token was
// issued to, with its signature proved, and nothing is said to be kept that is
// not.
func TestRevokeTokenKeepsNothingElse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*story)
		want   exchange.Reason
		kept   int
	}{
		"another client's": {func(s *story) { s.fail["subject"] = exchange.RoleSubject.Refuse(exchange.AudienceMismatch, "") }, exchange.TokenOfAnother, 0},
		"a guessed jti":    {func(s *story) { s.fail["subject"] = exchange.RoleSubject.Refuse(exchange.SignatureInvalid, "") }, "", 0},
		"expired":          {func(s *story) { s.fail["subject"] = exchange.RoleSubject.Refuse(exchange.Expired, "") }, "", 0},
		"not valid yet":    {func(s *story) { s.fail["subject"] = exchange.RoleSubject.Refuse(exchange.NotYetValid, "") }, exchange.Overloaded, 0},
		"a fault of ours":  {func(s *story) { s.fail["subject"] = errors.New("out of memory") }, exchange.Overloaded, 0},
		"not stored":       {func(s *story) { s.fail["revoke"] = errors.New("connection refused") }, exchange.DatabaseUnavailable, 1},
		"nobody to store":  {func(s *story) { s.service.Revoker = nil }, exchange.DatabaseUnavailable, 0},
		"no jti":           {func(s *story) { s.subject.JTI = "" }, exchange.DatabaseUnavailable, 0},
	} {
		s, _, orders := shown()
		c.change(s)
		done, err := s.service.RevokeToken(t.Context(), s.req)
		if done || reasonOf(err) != c.want || (err == nil) != (c.want == "") || len(*orders) != c.kept {
			t.Errorf("%s: %v, %v, %d orders", name, done, err, len(*orders))
		}
	}
}

// RV-06: a replica that is cut off does not know the keys that were made since. A
// signature that it cannot prove may be good, so that nothing is said to be done.
func TestACutOffReplicaDoesNotCallAnUnknownSignatureRevoked(t *testing.T) {
	t.Parallel()
	s, state, orders := shown()
	s.fail["subject"] = exchange.RoleSubject.Refuse(exchange.SignatureInvalid, "no key")
	state.err = errors.New("not for 10 s")
	done, err := s.service.RevokeToken(t.Context(), s.req)
	if done || reasonOf(err) != exchange.DatabaseUnavailable || len(*orders) != 0 {
		t.Errorf("%v, %v, %d orders", done, err, len(*orders))
	}
}

// A token that an administrator revoked alone is revoked once more by its client,
// since its children are still to be reached.
func TestATokenThatWasRevokedAloneIsRevokedWithItsChildren(t *testing.T) {
	t.Parallel()
	s, state, orders := shown()
	state.tokens, state.alone = []*exchange.Token{s.subject}, true
	if done, err := s.service.RevokeToken(t.Context(), s.req); !done || err != nil || len(*orders) != 1 || !(*orders)[0].Cascade {
		t.Errorf("%v, %v, %v", done, err, *orders)
	}
}

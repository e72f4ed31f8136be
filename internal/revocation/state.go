package revocation

import (
	"hash/maphash"
	"maps"
	"time"

	"github.com/strait-sts/strait/internal/exchange"
)

// state is what is revoked at a revision. It never changes.
type state struct {
	revision int64
	read     time.Time // by the steady clock: the store had shown it before
	seed     maphash.Seed
	tokens   layers
	rules    rules
	alone    int64 // until then there may be children of a token that was revoked alone
}

// rule is what the orders with one selector come to: the latest wins.
type rule struct {
	before time.Time // what has a later iat is not meant
	// present is the newest revision of an order for all that there was when it
	// was given: what was decided without knowing it is meant, whatever its time,
	// since the clocks of replicas differ.
	present int64
	until   time.Time // from then on it reaches nothing
}

// Revision counts the orders that the state knows of.
func (s *state) Revision() int64 { return s.revision }

// Revoked says whether a token that was believed holds no more. One without iat
// (RFC 7662 §2.2) is taken for as old as any.
func (s *state) Revoked(t *exchange.Token) bool {
	if !t.Own() {
		_, named := s.rules[Selector{KindToken, t.Issuer, t.JTI}] // by its jti, whatever its iat
		return named || s.before(Selector{KindSubject, t.Issuer, t.Subject}, t.IssuedAt) ||
			s.before(Selector{KindIssuer, "", t.Issuer}, t.IssuedAt)
	}
	return s.has(t.JTI) || s.before(Selector{KindKey, "", t.KeyID}, t.IssuedAt) ||
		s.before(Selector{KindSubject, exchange.SelfIssuer, t.Subject}, t.IssuedAt) ||
		s.before(Selector{KindIssuer, "", exchange.SelfIssuer}, t.IssuedAt)
}

// Alone says that a token may have been revoked without its children.
func (s *state) Alone() bool { return s.alone > 0 }

// Stopped says whether an order reaches what rec is about to issue, other than
// by its subject and actor token.
func (s *state) Stopped(rec *exchange.Record) bool {
	if s.has(string(rec.ID)) {
		return true
	}
	if len(s.rules) == 0 {
		return false
	}
	if rec.Subject != nil && s.stops(Selector{KindSubject, exchange.SelfIssuer, rec.Subject.Subject}, rec) {
		return true // the new token would speak of the same subject
	}
	if rec.Actor != nil && rec.Actor.Issuer == exchange.SelfIssuer && s.stops(Selector{KindSubject, exchange.SelfIssuer, rec.Actor.Subject}, rec) {
		return true // a client that acts itself shows no token
	}
	return s.stops(Selector{KindClient, "", rec.Client}, rec) || s.stops(Selector{KindPolicy, "", rec.Policy}, rec) ||
		s.stops(Selector{KindKey, "", rec.Key}, rec) || s.stops(Selector{KindIssuer, "", exchange.SelfIssuer}, rec)
}

func (s *state) has(jti string) bool {
	id, isID := parseID(jti)
	return isID && s.tokens.has(s.seed, &id)
}

// before says whether a rule for the selector reaches what was issued then.
func (s *state) before(selector Selector, issued time.Time) bool {
	r, found := s.rules[selector]
	return found && !issued.After(r.before)
}

// stops says whether a rule for the selector reaches what rec issues.
func (s *state) stops(selector Selector, rec *exchange.Record) bool {
	r, found := s.rules[selector]
	if !found {
		return false
	}
	judged, issues := rec.Judged()
	return !rec.Time.After(r.before) || issues && judged < r.present
}

// with is the state after an increment; s stays as it is.
func (s *state) with(in Increment, now time.Time) *state {
	next := *s
	next.revision = in.Revision
	next.tokens = s.tokens.with(s.seed, in.Tokens, now.Unix())
	for _, token := range in.Tokens {
		if token.Alone {
			next.alone = max(next.alone, token.Until)
		}
	}
	if len(in.Orders) > 0 {
		next.rules = maps.Clone(s.rules)
		if next.rules == nil {
			next.rules = rules{}
		}
		for _, order := range in.Orders {
			next.rules.add(order)
		}
	}
	return &next
}

// rewound is the state of a store that has lost its newest revisions: what was
// revoked stays so, and revisions above the one it is at now mean others.
func (s *state) rewound(revision int64) *state {
	next := *s
	next.revision, next.rules = revision, maps.Clone(s.rules)
	for selector, r := range next.rules {
		if r.present > revision {
			r.present = 0
			next.rules[selector] = r
		}
	}
	return &next
}

// pruned is the state without what reaches nothing any more.
func (s *state) pruned(now time.Time) *state {
	next := *s
	next.tokens = s.tokens.pruned(s.seed, now.Unix())
	if next.alone <= now.Unix() {
		next.alone = 0
	}
	next.rules = maps.Clone(s.rules)
	maps.DeleteFunc(next.rules, func(_ Selector, r rule) bool { return !r.until.After(now) })
	return &next
}

// rules are the orders that more than ids follow from.
type rules map[Selector]rule

// add puts an order beside those with its selector: of each bound the latest
// counts. Orders that name a token of ours are ids, no rules.
func (r rules) add(order Order) {
	if _, named := order.Selector.Names(); named {
		return
	}
	merged := r[order.Selector]
	if order.Before.After(merged.before) {
		merged.before = order.Before
	}
	if !order.Before.Before(order.Time) {
		merged.present = max(merged.present, order.Revision)
	}
	if order.Until.After(merged.until) {
		merged.until = order.Until
	}
	r[order.Selector] = merged
}

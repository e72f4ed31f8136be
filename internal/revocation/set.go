package revocation

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/strait-sts/strait/internal/exchange"
)

// Trusted is how long a state is good for after the database was last known to
// have no newer one.
const Trusted = 10 * time.Second

// errBehind is a store that does not show what it was said to have.
var errBehind = errors.New("the store does not show the newest revocations")

// Options shape a [Set]; all are required.
type Options struct {
	Store Store
	Clock func() time.Time // the time of orders
	// Steady is a clock for the age of what is known, which must not jump: what
	// time.Now gives, by its monotonic reading.
	Steady func() time.Time
	Rand   io.Reader // of the ids of orders that come without one
}

// Set is what was revoked, as far as this replica knows. It is safe for
// concurrent use; readers wait for nobody.
type Set struct {
	o         Options
	began     time.Time // by the steady clock
	state     atomic.Pointer[state]
	confirmed atomic.Int64 // nanoseconds since began: then the state was the newest
	loading   sync.Mutex   // held while a newer state is made
}

// New makes a set that knows nothing, and says so, until Load.
func New(o Options) *Set {
	s := &Set{o: o, began: o.Steady()}
	s.confirmed.Store(int64(-Trusted - 1))
	s.state.Store(&state{seed: maphash.MakeSeed()})
	return s
}

// State is the newest state known. Where that it is the newest was not confirmed
// within [Trusted], it is an *exchange.Error, database_unavailable: something may
// have been revoked since. The age is that of the steady clock.
func (s *Set) State() (exchange.RevocationState, error) {
	if age := s.age(); age > Trusted { // before the state, which can only be newer
		return nil, exchange.Unavailable(exchange.DatabaseUnavailable,
			fmt.Errorf("revocations were last confirmed %s ago, at most %s will do", age.Round(time.Millisecond), Trusted))
	}
	return s.state.Load(), nil
}

// age is how long ago the state was last known to be the newest.
func (s *Set) age() time.Duration {
	return s.o.Steady().Sub(s.began) - time.Duration(s.confirmed.Load())
}

// Ready says why nothing can be decided by the set now.
func (s *Set) Ready(context.Context) error {
	_, err := s.State()
	return err
}

// Load reads what is new in the store.
func (s *Set) Load(ctx context.Context) error {
	s.loading.Lock()
	defer s.loading.Unlock()
	return s.load(ctx)
}

func (s *Set) load(ctx context.Context) error {
	asked, now, known := s.o.Steady(), s.o.Clock(), s.state.Load()
	in, err := s.o.Store.Since(ctx, known.revision, now)
	if err != nil {
		return err
	}
	if in.Revision > known.revision {
		s.learn(known, in, now)
	}
	s.confirm(asked)
	return nil
}

// learn puts what the store has shown in force.
func (s *Set) learn(known *state, in Increment, now time.Time) {
	next := known.with(in, now)
	next.read = s.o.Steady()
	s.state.Store(next)
}

// relearn reads the store from its beginning, since it has lost revisions that it
// had shown: one that was put in the place of the old, and lagged behind. Orders
// that it keeps now have their numbers again, and would be taken for known.
func (s *Set) relearn(ctx context.Context) error {
	s.loading.Lock()
	defer s.loading.Unlock()
	now := s.o.Clock()
	in, err := s.o.Store.Since(ctx, 0, now)
	if err != nil {
		return err
	}
	s.learn(s.state.Load().rewound(in.Revision), in, now)
	return nil
}

// CatchUp is a state of at least the revision, read from the store where it is
// not known yet.
func (s *Set) CatchUp(ctx context.Context, atLeast int64) (exchange.RevocationState, error) {
	if known := s.state.Load(); known.revision >= atLeast {
		return known, nil
	}
	s.loading.Lock()
	defer s.loading.Unlock()
	if s.state.Load().revision < atLeast { // nobody did while we waited
		if err := s.load(ctx); err != nil {
			return nil, err
		}
	}
	known := s.state.Load()
	if known.revision < atLeast {
		return nil, errBehind
	}
	return known, nil
}

// Seen is told that the store was at the revision at some time after the
// instant, one of the steady clock. Where the set knows that revision, it is
// confirmed; else it catches up, also with a store that has gone back.
func (s *Set) Seen(ctx context.Context, revision int64, asked time.Time) error {
	switch known := s.state.Load(); {
	case known.revision < revision:
		if _, err := s.CatchUp(ctx, revision); err != nil {
			return err
		}
	case known.revision > revision && known.read.Before(asked):
		if err := s.relearn(ctx); err != nil {
			return err
		}
	}
	s.confirm(asked)
	return nil
}

// confirm moves the time of the last confirmation, never back.
func (s *Set) confirm(asked time.Time) {
	for at := int64(asked.Sub(s.began)); ; {
		before := s.confirmed.Load()
		if before >= at || s.confirmed.CompareAndSwap(before, at) {
			return
		}
	}
}

// Revoke keeps the order and has it in force here when it returns. What the
// order does not say of itself is filled in: an id, now for its time, and its
// time for Before. An error is one of the order (it names not exactly one thing)
// or of the store; in the latter case the order may be kept all the same.
func (s *Set) Revoke(ctx context.Context, order exchange.Revocation) (exchange.RevocationResult, error) {
	selector, err := SelectorOf(order)
	if err != nil {
		return exchange.RevocationResult{}, err
	}
	if order.Time.IsZero() {
		order.Time = s.o.Clock()
	}
	if order.Before.IsZero() {
		order.Before = order.Time
	}
	if order.ID == "" {
		if order.ID, err = exchange.NewID(order.Time, s.o.Rand); err != nil {
			return exchange.RevocationResult{}, err
		}
	}
	result, err := s.o.Store.Revoke(ctx, Order{Revocation: order, Selector: selector, Until: until(order, selector)})
	if err != nil {
		return exchange.RevocationResult{}, err
	}
	if _, err := s.CatchUp(ctx, result.Revision); err != nil {
		return exchange.RevocationResult{}, fmt.Errorf("the revocation is kept and not yet in force here: %w", err)
	}
	return result, nil
}

// Prune lets go of what reaches nothing any more.
func (s *Set) Prune() {
	s.loading.Lock()
	defer s.loading.Unlock()
	s.state.Store(s.state.Load().pruned(s.o.Clock()))
}

// Stats are the figures of the set, for metrics.
type Stats struct {
	Revision int64
	Tokens   int           // ids that are held
	Rules    int           // beside them
	Age      time.Duration // since the state was last known to be the newest
}

// Stats reads the figures.
func (s *Set) Stats() Stats {
	known := s.state.Load()
	return Stats{Revision: known.revision, Tokens: known.tokens.count(), Rules: len(known.rules), Age: s.age()}
}

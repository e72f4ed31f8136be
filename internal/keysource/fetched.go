package keysource

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/strait-sts/strait/internal/jws"
)

// The times of fetched keys. A refresh follows what Cache-Control asks for, as
// long as that is between minFresh and maxFresh (RFC 9111 §5.2.2.1).
const (
	usualFresh = 5 * time.Minute  // where Cache-Control says nothing
	minFresh   = time.Minute      // not sooner, whatever it says
	maxFresh   = 24 * time.Hour   // not later
	jitter     = 0.1              // share of that time by which refreshes are spread
	coolDown   = 30 * time.Second // between two fetches for unknown kids, and after a failure
	maxWait    = 3 * time.Second  // that a request waits for a fetch
	strangeFor = 5 * time.Minute  // that a kid is remembered as strange
	maxStrange = 1024             // kids so remembered
	usualStale = time.Hour        // that keys serve while they cannot be refreshed
)

// keyDocument is what one fetch brought.
type keyDocument struct {
	set       jws.KeySet
	fresh     time.Duration // what Cache-Control asks for
	hasFresh  bool          // whether it does
	unchanged bool          // the keys that we have are the newest; set is empty
}

// loader fetches an issuer's keys once. It ends by itself, soon, and is never
// called by two at once.
type loader func(ctx context.Context) (keyDocument, error)

// fetchedKeys keeps one issuer's keys.
//
// A request reads the state, an atomic pointer. Beside the requests there is at
// most one fetch at a time, the flight, and these are the rules for the next
// one: a refresh is due; there are no keys; a kid is unknown, once a cool-down;
// and never within a cool-down of a failure. So the rate is bounded, whatever
// the tokens say.
type fetchedKeys struct {
	load     loader
	clock    func() time.Time
	random   func() float64 // in [0, 1)
	maxStale time.Duration
	wait     time.Duration // maxWait
	told     observer

	state   atomic.Pointer[keyState]
	unknown atomic.Uint64 // tokens with a kid that the state did not have
	used    moment        // by a request

	mu       sync.Mutex
	flight   *flight
	failure  error                // of the last fetch
	failures uint64               // ever
	retry    time.Time            // no fetch before, after a failure
	searched time.Time            // when a fetch for an unknown kid last began
	strange  map[string]time.Time // kids that such a fetch did not bring, until when
	seen     sightings
}

// keyState is what the last successful fetch left. It never changes.
type keyState struct {
	set        jws.KeySet
	generation uint64    // counts the changes
	fetched    time.Time // or found unchanged
	due        time.Time // of the refresh
}

// flight is a fetch under way. err may be read once done is closed.
type flight struct {
	done chan struct{}
	err  error
}

// key reads the state, and waits for a fetch only where it must.
func (k *fetchedKeys) Key(ctx context.Context, kid string, alg jws.Algorithm) (*jws.Key, error) {
	state, err := k.usable(ctx)
	if err != nil {
		return nil, err
	}
	key, err := state.set.Select(kid, alg)
	if kid == "" || !errors.Is(err, jws.ErrNoKey) {
		return key, err
	}
	if err := k.search(ctx, kid); err != nil {
		return nil, err
	}
	return k.state.Load().set.Select(kid, alg)
}

// usable is the state as long as it may be used: until its refresh is due, and
// maxStale beyond where that fails (stale-if-error, RFC 5861 §4). A refresh that
// is due is begun, not waited for.
func (k *fetchedKeys) usable(ctx context.Context) (*keyState, error) {
	now := k.clock()
	k.used.mark(now)
	if state := k.state.Load(); state != nil && now.Before(state.due) {
		return state, nil
	}
	begun := k.refresh(ctx, now)
	// Read anew: a fetch may have ended since.
	if state := k.state.Load(); state != nil && now.Before(state.due.Add(k.maxStale)) {
		return state, nil
	}
	if err := k.await(ctx, begun); err != nil {
		return nil, err
	}
	return k.state.Load(), nil
}

// search looks for a kid that the state does not have. Without an error the
// state is worth a second look. A kid that a search did not bring is strange,
// and costs no other one for a while: so a caller with an old token does not
// use up the one search of a cool-down that a new key needs.
func (k *fetchedKeys) search(ctx context.Context, kid string) error {
	k.unknown.Add(1)
	ctx, cancel := context.WithTimeout(ctx, k.wait)
	defer cancel()
	for range 2 { // the fetch under way may have begun before the key was published
		begun, mine, failure := k.beginSearch(ctx, kid, k.clock())
		if begun == nil {
			return failure
		}
		if err := k.await(ctx, begun); err != nil || k.has(kid) {
			return err
		}
		if mine {
			k.remember(kid, k.clock())
			return nil
		}
	}
	return nil
}

// has: the state has a key with this kid, for whatever alg.
func (k *fetchedKeys) has(kid string) bool {
	_, err := k.state.Load().set.Select(kid, "")
	return !errors.Is(err, jws.ErrNoKey)
}

// beginSearch begins a fetch for a kid, or joins one. There is none for a
// strange kid or within the cool-down; failure then says whether the last fetch
// failed, so that nobody can tell what the issuer has by now.
func (k *fetchedKeys) beginSearch(ctx context.Context, kid string, now time.Time) (begun *flight, mine bool, failure error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.failure != nil {
		failure = fmt.Errorf("%w: %w", ErrUnavailable, k.failure)
	}
	if now.Before(k.strange[kid]) {
		return nil, false, failure
	}
	if k.flight != nil {
		return k.flight, false, nil
	}
	if now.Before(k.searched.Add(coolDown)) {
		return nil, false, failure
	}
	if begun = k.begin(ctx, now); begun != nil {
		k.searched = now
	}
	return begun, true, failure
}

// remember a strange kid. Their number is bounded; forgetting all of them costs
// at most one fetch a cool-down.
func (k *fetchedKeys) remember(kid string, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.strange) >= maxStrange || k.strange == nil {
		k.strange = map[string]time.Time{}
	}
	k.strange[kid] = now.Add(strangeFor)
}

// refresh begins a fetch where one is due; nil where none is under way then.
func (k *fetchedKeys) refresh(ctx context.Context, now time.Time) *flight {
	k.mu.Lock()
	defer k.mu.Unlock()
	if state := k.state.Load(); state != nil && now.Before(state.due) {
		return k.flight
	}
	return k.begin(ctx, now)
}

// isDue: refresh has something to do, or would have but for a cool-down.
func (k *fetchedKeys) isDue(now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	state := k.state.Load()
	return k.flight == nil && (state == nil || !now.Before(state.due))
}

// begin starts a fetch, or joins the one under way; nil within the cool-down
// after a failure. The fetch belongs to no request: the first who waits may go
// away without failing those who wait beside it. The lock is held.
func (k *fetchedKeys) begin(ctx context.Context, now time.Time) *flight {
	if k.flight == nil && !now.Before(k.retry) {
		k.flight = &flight{done: make(chan struct{})}
		go k.fly(context.WithoutCancel(ctx), k.flight)
	}
	return k.flight
}

// fly does the fetch.
func (k *fetchedKeys) fly(ctx context.Context, f *flight) {
	document, err := k.loadSafely(ctx)
	now := k.clock()
	k.mu.Lock()
	f.err = k.land(document, err, now)
	k.flight = nil
	k.mu.Unlock()
	close(f.done)
}

// loadSafely makes an error of a panic: one issuer's document must not end the
// server for all the others.
func (k *fetchedKeys) loadSafely(ctx context.Context) (document keyDocument, err error) {
	defer func() {
		if recovered := recover(); recovered != nil {
			err = fmt.Errorf("reading the keys failed: %v", recovered)
		}
	}()
	return k.load(ctx)
}

// land keeps what a fetch came to, and says whether that is good. The lock is
// held.
func (k *fetchedKeys) land(document keyDocument, err error, now time.Time) error {
	old := k.state.Load()
	if err == nil && document.unchanged && old == nil {
		err = errors.New("the answer is 304 though nothing was fetched before")
	}
	k.failure = err
	k.told.fetched(err)
	if err != nil {
		k.failures++
		k.retry = now.Add(k.spread(coolDown))
		return err
	}
	state := &keyState{set: document.set, fetched: now, due: now.Add(k.spread(document.freshFor()))}
	if old != nil {
		state.generation = old.generation
	}
	if document.unchanged {
		state.set = old.set
	} else {
		state.generation++
	}
	for _, kid := range k.seen.see(state.set, now) {
		k.told.newKey(kid)
	}
	k.state.Store(state)
	return nil
}

// freshFor is how long the document is fresh, within our bounds.
func (d keyDocument) freshFor() time.Duration {
	if !d.hasFresh {
		return usualFresh
	}
	return min(max(d.fresh, minFresh), maxFresh)
}

// spread varies a time so that replicas and issuers do not refresh together. It
// stays within our bounds.
func (k *fetchedKeys) spread(d time.Duration) time.Duration {
	share := time.Duration(jitter * float64(d))
	low := max(d-share, min(d, minFresh))
	return low + time.Duration(k.random()*float64(share))
}

// await waits for a fetch, as long as the request may.
func (k *fetchedKeys) await(ctx context.Context, f *flight) error {
	if f == nil {
		return fmt.Errorf("%w: the last fetch failed a moment ago", ErrUnavailable)
	}
	ctx, cancel := context.WithTimeout(ctx, k.wait)
	defer cancel()
	select {
	case <-f.done:
	case <-ctx.Done():
		return fmt.Errorf("%w: waiting for them: %w", ErrUnavailable, ctx.Err())
	}
	if f.err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, f.err)
	}
	return nil
}

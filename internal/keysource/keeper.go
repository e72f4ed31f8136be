package keysource

import (
	"context"
	"encoding/json"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// The pace of background fetches: how often Run looks for what is due, how soon
// again where some had to wait, and how many may be under way together.
const (
	lookEvery  = time.Second
	lookSooner = 50 * time.Millisecond
	maxFlights = 64
)

// Metrics counts what happens to keys (package telemetry).
type Metrics interface {
	// KeysFetched counts a fetch of an issuer's keys; result is "ok" or "failed".
	KeysFetched(result string)
}

// Options is what a Keeper needs. Fetch and Clock must be set.
type Options struct {
	Fetch   Fetcher
	Clock   func() time.Time
	Logger  *slog.Logger // nil: none
	Metrics Metrics      // nil: none
}

// Keeper owns the key sources of the entries on a trust list, across its
// versions. It may be used by many at once.
type Keeper struct {
	options Options
	slots   chan struct{} // one for each background fetch under way

	mu   sync.Mutex
	kept []kept // of the latest list
}

// kept is a source with what it was made of.
type kept struct {
	spec   Spec
	id     string
	source Source
}

// New makes a Keeper of no sources. [Keeper.Use] gives it some, and
// [Keeper.Run] keeps their keys fresh.
func New(o Options) *Keeper {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = noMetrics{}
	}
	return &Keeper{options: o, slots: make(chan struct{}, maxFlights)}
}

// Use makes these the entries whose keys are kept fresh, gives a source for
// each, in their order, and begins to fetch what is missing. The source of an
// entry that was there before with the same spec is taken over as it is.
// Sources of former lists work on, and fetch on demand.
func (k *Keeper) Use(specs []Spec) []Source {
	sources := make([]Source, len(specs))
	k.mu.Lock()
	known := make(map[string]Source, len(k.kept))
	for _, old := range k.kept {
		known[old.id] = old.source
	}
	k.kept = make([]kept, len(specs))
	for i, spec := range specs {
		id := spec.id()
		source, found := known[id]
		if !found {
			source = k.source(spec)
		}
		sources[i], k.kept[i] = source, kept{spec, id, source}
	}
	k.mu.Unlock()
	k.refreshDue(context.Background())
	return sources
}

// id is all that decides which keys an entry has.
func (s Spec) id() string {
	id, err := json.Marshal(s)
	if err != nil { // not with these types, but for JSON that is none; a source of its own does no harm
		return s.Name
	}
	return string(id)
}

// source makes the source that the spec describes.
func (k *Keeper) source(spec Spec) Source {
	if spec.JWKS != nil {
		return newInlineKeys(spec.JWKS)
	}
	remote, err := newRemote(spec, k.options.Fetch)
	if err != nil {
		return &inlineKeys{err: err}
	}
	maxStale := spec.MaxStale
	if maxStale <= 0 {
		maxStale = usualStale
	}
	return &fetchedKeys{
		load: remote.load, clock: k.options.Clock, maxStale: maxStale, wait: maxWait,
		random: rand.Float64, // it spreads refreshes and keeps no secret
		told:   observer{spec.Name, k.options.Logger, k.options.Metrics},
	}
}

// Run fetches keys before they are needed, until ctx ends.
func (k *Keeper) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if k.refreshDue(ctx) {
			timer.Reset(lookEvery)
		} else {
			timer.Reset(lookSooner)
		}
	}
}

// refreshDue begins the fetches that are due, as many as may be under way
// together; all is false where some have to wait for their turn. Each has its
// own time limit, so that issuers that hang hold up others for seconds at most,
// and no request.
func (k *Keeper) refreshDue(ctx context.Context) (all bool) {
	k.mu.Lock()
	entries := slices.Clone(k.kept)
	k.mu.Unlock()
	now := k.options.Clock()
	for _, e := range entries {
		keys, isFetched := e.source.(*fetchedKeys)
		if !isFetched || e.spec.expired(now) || !keys.isDue(now) {
			continue
		}
		select {
		case k.slots <- struct{}{}:
			go k.hold(keys.refresh(ctx, now))
		default:
			return false
		}
	}
	return true
}

// hold gives the slot back once the fetch has ended.
func (k *Keeper) hold(f *flight) {
	if f != nil {
		<-f.done
	}
	<-k.slots
}

// noMetrics counts nothing.
type noMetrics struct{}

func (noMetrics) KeysFetched(string) {}

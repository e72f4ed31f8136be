package trust

import (
	"context"
	"encoding/json"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
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

// Options is what a Trust needs. Issuer, Fetch and Clock must be set; so must
// Own, or no token of ours is believed.
type Options struct {
	Fetch   Fetcher
	Own     OwnKeys
	Issuer  string // our issuer identifier
	Clock   func() time.Time
	Skew    time.Duration // leeway for nbf and iat where an entry has no clockSkew
	Logger  *slog.Logger  // nil: none
	Metrics Metrics       // nil: none
}

// Trust owns the key sets of the issuers on the trust list, across snapshots. It
// may be used by many at once.
type Trust struct {
	options Options
	own     *ownKeys
	slots   chan struct{} // one for each background fetch under way

	mu      sync.Mutex
	sources map[string]keySource // of the latest snapshot, by what makes a source another one
	entries []*entry             // of the latest snapshot, by name
}

// New makes a Trust without entries. [Trust.Verifier] gives it some, and
// [Trust.Run] keeps their keys fresh.
func New(o Options) *Trust {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = noMetrics{}
	}
	return &Trust{options: o, own: &ownKeys{ring: o.Own}, slots: make(chan struct{}, maxFlights)}
}

// Verifier is the trust list of a snapshot, and begins to fetch the keys that it
// needs and has not. Keys of entries whose issuer and keys did not change are
// taken over as they are. From then on they are kept fresh for this snapshot;
// Verifiers of earlier ones work on, and fetch on demand.
func (t *Trust) Verifier(s *catalog.Snapshot) exchange.Verifier {
	t.mu.Lock()
	v := &verifier{issuers: map[string]*entry{}, own: newOwn(s, t.options, t.own)}
	sources, all := map[string]keySource{}, newPrefixes(s.Issuers())
	t.entries = nil
	for _, o := range s.Issuers() {
		var keys keySource
		if o.Spec.Mode != catalog.ModeDisabled {
			id := sourceID(o)
			keys = t.source(id, o)
			sources[id] = keys
		}
		e := newEntry(o, keys, t.options, all)
		v.issuers[o.Spec.Issuer] = e
		t.entries = append(t.entries, e)
	}
	t.sources = sources
	t.mu.Unlock()
	t.refreshDue(context.Background())
	return v
}

// sourceID is all that decides which keys an entry has: two entries with the
// same keys have two sources, and an entry with new ones another than before.
func sourceID(o *catalog.Of[catalog.TrustedIssuer]) string {
	id, err := json.Marshal([]any{
		o.Metadata.Name, o.Spec.Issuer, o.Spec.Keys, o.Spec.CertificateAuthority, o.Spec.MaxStale, o.Governance.ExpiresAt,
	})
	if err != nil { // not with these types; a source of its own does no harm
		return o.Metadata.Name
	}
	return string(id)
}

// source is the entry's key source, the one of the last snapshot if it is the
// same.
func (t *Trust) source(id string, o *catalog.Of[catalog.TrustedIssuer]) keySource {
	if known, found := t.sources[id]; found {
		return known
	}
	if o.Spec.Keys.JWKS != nil {
		return newInlineKeys(o.Spec.Keys.JWKS)
	}
	remote, err := newRemote(o.Spec, t.options.Fetch)
	if err != nil {
		return &inlineKeys{err: err}
	}
	maxStale := time.Duration(o.Spec.MaxStale)
	if maxStale <= 0 {
		maxStale = usualStale
	}
	return &fetchedKeys{
		load: remote.load, clock: t.options.Clock, maxStale: maxStale, wait: maxWait,
		random: rand.Float64, // it spreads refreshes and keeps no secret
		told:   observer{o.Metadata.Name, t.options.Logger, t.options.Metrics},
	}
}

// Run fetches keys before they are needed, until ctx ends.
func (t *Trust) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if t.refreshDue(ctx) {
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
func (t *Trust) refreshDue(ctx context.Context) (all bool) {
	t.mu.Lock()
	entries := slices.Clone(t.entries)
	t.mu.Unlock()
	now := t.options.Clock()
	for _, e := range entries {
		keys, isFetched := e.keys.(*fetchedKeys)
		if !isFetched || e.object.Expired(now) || !keys.isDue(now) {
			continue
		}
		select {
		case t.slots <- struct{}{}:
			go t.hold(keys.refresh(ctx, now))
		default:
			return false
		}
	}
	return true
}

// hold gives the slot back once the fetch has ended.
func (t *Trust) hold(f *flight) {
	if f != nil {
		<-f.done
	}
	<-t.slots
}

// Status is the state of each issuer of the latest snapshot, by the entry's
// name.
func (t *Trust) Status() []Status {
	t.mu.Lock()
	entries := slices.Clone(t.entries)
	t.mu.Unlock()
	all := make([]Status, len(entries))
	for i, e := range entries {
		all[i] = Status{Name: e.name, Issuer: e.issuer, KeyStatus: KeyStatus{State: Disabled}}
		if e.keys != nil {
			all[i].KeyStatus = e.keys.status()
		}
	}
	return all
}

// noMetrics counts nothing.
type noMetrics struct{}

func (noMetrics) KeysFetched(string) {}

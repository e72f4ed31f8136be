package keysource

import (
	"cmp"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/strait-sts/strait/internal/jws"
)

// State is how an entry's keys are.
type State string

// The states of an entry's keys.
const (
	Healthy      State = "healthy"      // fresh, or written in the entry
	Stale        State = "stale"        // serving, though the last refresh failed
	Failing      State = "failing"      // no keys that may be used, and the last fetch failed
	NeverFetched State = "neverFetched" // the first fetch has not ended yet
	Disabled     State = "disabled"     // the entry is disabled, so nothing is fetched for it
)

// Status is the state of an issuer's keys at one moment. Times are zero where
// nothing happened yet, and for inline keys.
type Status struct {
	State       State            `json:"state"`
	Keys        []SeenKey        `json:"keys,omitempty"`       // by kid; those that were gone at the last fetch too
	Ignored     []jws.IgnoredKey `json:"ignored,omitempty"`    // members of the key set that cannot be used
	Generation  uint64           `json:"generation,omitzero"`  // counts the changes of the key set
	Fetched     time.Time        `json:"fetched,omitzero"`     // the last success
	NextRefresh time.Time        `json:"nextRefresh,omitzero"` // before it, only an unknown kid leads to a fetch
	LastUsed    time.Time        `json:"lastUsed,omitzero"`    // when a token last asked for a key, to the second
	LastError   string           `json:"lastError,omitempty"`  // of the last fetch; names hosts, never tokens
	UnknownKids uint64           `json:"unknownKids"`          // tokens whose kid was not among the keys
	Failures    uint64           `json:"failures"`             // fetches that failed
}

// SeenKey says when a key was in the issuer's key set, as far as we looked.
type SeenKey struct {
	ID        string    `json:"kid"`
	FirstSeen time.Time `json:"firstSeen,omitzero"`
	LastSeen  time.Time `json:"lastSeen,omitzero"`
}

// Status tells how the keys are.
func (k *fetchedKeys) Status() Status {
	now := k.clock()
	k.mu.Lock()
	defer k.mu.Unlock()
	state := k.state.Load()
	s := Status{
		State: k.stateAt(now), Keys: k.seen.list(), NextRefresh: k.retry, LastUsed: k.used.last(),
		UnknownKids: k.unknown.Load(), Failures: k.failures,
	}
	if k.failure != nil {
		s.LastError = k.failure.Error()
	}
	if state == nil {
		return s
	}
	s.Ignored, s.Generation, s.Fetched = state.set.Ignored, state.generation, state.fetched
	if k.failure == nil {
		s.NextRefresh = state.due
	}
	return s
}

// stateAt sums up. The lock is held.
func (k *fetchedKeys) stateAt(now time.Time) State {
	state := k.state.Load()
	switch {
	case state == nil && k.failure == nil:
		return NeverFetched
	case state == nil, !now.Before(state.due.Add(k.maxStale)):
		return Failing
	case k.failure != nil:
		return Stale
	}
	return Healthy
}

// moment is the last time that something happened, to the second, cheap enough
// for each request.
type moment struct{ seconds atomic.Int64 }

func (m *moment) mark(now time.Time) {
	if seconds := now.Unix(); m.seconds.Load() != seconds {
		m.seconds.Store(seconds)
	}
}

func (m *moment) last() time.Time {
	if seconds := m.seconds.Load(); seconds != 0 {
		return time.Unix(seconds, 0).UTC()
	}
	return time.Time{}
}

// maxSightings bounds the kids that are remembered; a key set has at most
// jws.MaxKeys of them.
const maxSightings = 2 * jws.MaxKeys

// sightings is when each kid was seen first and last.
type sightings map[string]SeenKey

// see notes the keys of a set and returns the kids that are new. The longest
// unseen are forgotten where there are too many.
func (s *sightings) see(set jws.KeySet, now time.Time) (fresh []string) {
	if *s == nil {
		*s = sightings{}
	}
	for _, key := range set.Keys {
		seen, known := (*s)[key.ID()]
		if !known {
			seen = SeenKey{ID: key.ID(), FirstSeen: now}
			fresh = append(fresh, key.ID())
		}
		seen.LastSeen = now
		(*s)[key.ID()] = seen
	}
	if len(*s) > maxSightings {
		for _, old := range s.oldest()[:len(*s)-maxSightings] {
			delete(*s, old.ID)
		}
	}
	return fresh
}

func (s sightings) oldest() []SeenKey {
	all := s.list()
	slices.SortStableFunc(all, func(a, b SeenKey) int { return a.LastSeen.Compare(b.LastSeen) })
	return all
}

// list is all sightings, by kid.
func (s sightings) list() []SeenKey {
	all := make([]SeenKey, 0, len(s))
	for _, seen := range s {
		all = append(all, seen)
	}
	slices.SortFunc(all, func(a, b SeenKey) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// observer tells log and metrics what happens to an entry's keys.
type observer struct {
	entry   string
	logger  *slog.Logger
	metrics Metrics
}

func (o observer) fetched(err error) {
	if err != nil {
		o.metrics.KeysFetched("failed")
		o.logger.Warn("fetching an issuer's keys failed", "issuer", o.entry, "error", err)
		return
	}
	o.metrics.KeysFetched("ok")
}

// newKey: whoever can add a key to an issuer's set can speak for its people, so
// each first sight leaves a trace.
func (o observer) newKey(kid string) {
	o.logger.Info("new key of an issuer", "issuer", o.entry, "kid", kid)
}

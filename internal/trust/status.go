package trust

import (
	"cmp"
	"log/slog"
	"slices"
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

// Status is the state of one trusted issuer, for administrators.
type Status struct {
	Name   string // of the entry
	Issuer string
	KeyStatus
}

// KeyStatus is the state of an issuer's keys at one moment. Times are zero where
// nothing happened yet, and for inline keys.
type KeyStatus struct {
	State       State
	Keys        []SeenKey        // by kid; those that were gone at the last fetch too
	Ignored     []jws.IgnoredKey // members of the key set that cannot be used
	Generation  uint64           // counts the changes of the key set
	Fetched     time.Time        // the last success
	NextRefresh time.Time        // before it, only an unknown kid leads to a fetch
	LastError   string           // of the last fetch; names hosts, never tokens
	UnknownKids uint64           // tokens whose kid was not among the keys
}

// SeenKey says when a key was in the issuer's key set, as far as we looked.
type SeenKey struct {
	ID        string
	FirstSeen time.Time
	LastSeen  time.Time
}

func (k *fetchedKeys) status() KeyStatus {
	now := k.clock()
	k.mu.Lock()
	defer k.mu.Unlock()
	s := KeyStatus{Keys: k.seen.list(), UnknownKids: k.unknown.Load(), NextRefresh: k.retry}
	if k.failure != nil {
		s.LastError = k.failure.Error()
	}
	state := k.state.Load()
	if state != nil {
		s.Ignored, s.Generation, s.Fetched = state.set.Ignored, state.generation, state.fetched
		if k.failure == nil {
			s.NextRefresh = state.due
		}
	}
	switch {
	case state == nil && k.failure == nil:
		s.State = NeverFetched
	case state == nil, !now.Before(state.due.Add(k.maxStale)):
		s.State = Failing
	case k.failure != nil:
		s.State = Stale
	default:
		s.State = Healthy
	}
	return s
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

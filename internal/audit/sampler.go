package audit

import (
	"sync/atomic"

	"golang.org/x/time/rate"
)

// Sampler bounds the records of requests that nobody has authenticated, so
// that strangers cannot fill the table: up to a rate they are recorded, beyond
// it only counted. A request with an authenticated client never asks it.
type Sampler struct {
	limiter *rate.Limiter
	seen    atomic.Uint64
	skipped atomic.Uint64
}

// NewSampler allows perSecond records a second and burst at once.
func NewSampler(perSecond float64, burst int) *Sampler {
	return &Sampler{limiter: rate.NewLimiter(rate.Limit(perSecond), burst)}
}

// Allow counts a refusal of an unauthenticated request and says whether it is
// to be recorded.
func (s *Sampler) Allow() bool {
	s.seen.Add(1)
	if s.limiter.Allow() {
		return true
	}
	s.skipped.Add(1)
	return false
}

// Counts says how many were seen, and how many of these have no record.
func (s *Sampler) Counts() (seen, skipped uint64) { return s.seen.Load(), s.skipped.Load() }

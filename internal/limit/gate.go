package limit

import (
	"hash/maphash"
	"math"
	"sync"
	"time"
)

const (
	// shards keep callers out of each other's way.
	shards = 16
	// maxKeys bounds the keys of a gate; see shard.makeRoom.
	maxKeys = 1 << 16
)

// Rate is how much a gate lets through: PerSecond in the long run, Burst at
// once. The zero Rate is no limit.
type Rate struct {
	PerSecond float64
	Burst     int
}

// Gate limits each of many keys to a [Rate]. It keeps a time a key, that at
// which the key will have all of its burst back (the generic cell rate
// algorithm): the key waits while that time lies further ahead than the burst
// allows. It is safe for concurrent use.
type Gate struct {
	cost   time.Duration // of one
	burst  time.Duration // of the whole burst; 0: no limit
	seed   maphash.Seed
	shards [shards]shard
}

type shard struct {
	mu   sync.Mutex
	full map[uint64]time.Time // when the key will have its whole burst again
}

// NewGate makes a gate at which nobody has asked for anything yet.
func NewGate(r Rate) *Gate {
	g := &Gate{seed: maphash.MakeSeed()}
	if r.PerSecond > 0 && r.Burst > 0 {
		g.cost = time.Duration(math.Ceil(float64(time.Second) / r.PerSecond))
		g.burst = g.cost * time.Duration(r.Burst)
	}
	for i := range g.shards {
		g.shards[i].full = map[uint64]time.Time{}
	}
	return g
}

// Wait is how long the key has to wait before it may ask again; 0: it may now.
// Asking changes nothing.
func (g *Gate) Wait(now time.Time, key string) time.Duration {
	if g.burst == 0 {
		return 0
	}
	hash, s := g.find(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	return g.over(now, s.full[hash])
}

// Spend counts one against the key, whether or not it should have waited, but
// never makes it wait longer than for its turn.
func (g *Gate) Spend(now time.Time, key string) {
	if g.burst == 0 {
		return
	}
	hash, s := g.find(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	g.spend(now, s, hash)
}

// Take is Wait, and Spend where there is nothing to wait for.
func (g *Gate) Take(now time.Time, key string) time.Duration {
	if g.burst == 0 {
		return 0
	}
	hash, s := g.find(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if wait := g.over(now, s.full[hash]); wait > 0 {
		return wait
	}
	g.spend(now, s, hash)
	return 0
}

// over is by how much one more would exceed the burst.
func (g *Gate) over(now, full time.Time) time.Duration {
	debt := max(0, full.Sub(now))
	return max(0, debt+g.cost-g.burst)
}

func (g *Gate) spend(now time.Time, s *shard, key uint64) {
	full, known := s.full[key]
	if !known && len(s.full) >= maxKeys/shards {
		s.makeRoom(now)
	}
	if full.Before(now) {
		full = now
	}
	if full = full.Add(g.cost); full.Sub(now) > g.burst {
		full = now.Add(g.burst)
	}
	s.full[key] = full
}

// makeRoom forgets every key that has its whole burst back, which says nothing
// any more; where all are in debt, it forgets a sixteenth of them, whichever
// they are. Who can speak from that many addresses has as many bursts anyway.
func (s *shard) makeRoom(now time.Time) {
	for key, full := range s.full {
		if !full.After(now) {
			delete(s.full, key)
		}
	}
	surplus := len(s.full) - maxKeys/shards + maxKeys/shards/16
	for key := range s.full {
		if surplus--; surplus < 0 {
			return
		}
		delete(s.full, key)
	}
}

// find hashes a key, which a stranger may have chosen, with a seed that nobody
// knows: keys cannot be made to meet, and a long one takes no more room.
func (g *Gate) find(key string) (uint64, *shard) {
	hash := maphash.String(g.seed, key)
	return hash, &g.shards[hash%shards]
}

// Keys is how many keys are remembered.
func (g *Gate) Keys() int {
	n := 0
	for i := range g.shards {
		s := &g.shards[i]
		s.mu.Lock()
		n += len(s.full)
		s.mu.Unlock()
	}
	return n
}

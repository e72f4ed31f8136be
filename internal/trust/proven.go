package trust

import (
	"crypto/sha256"
	"sync"
	"time"

	"github.com/strait-sts/strait/internal/jws"
)

// The bounds of what is remembered of verified tokens.
const (
	provenFor   = 30 * time.Second
	provenBytes = 8 << 20 // of tokens; what was read of one is a few times its size
)

// proven remembers, for a moment, which key has signed which bytes, so that a
// token that is exchanged for one target after the other costs its signature
// once. Nothing else is remembered: entry, header, claims and policy are judged
// anew at each use, and the key that kid names now must be the very one that
// proved the signature. So a key that was withdrawn, or belongs to another
// generation of the issuer's set, proves nothing any more.
type proven struct {
	limit int // bytes of a generation; two are kept

	mu         sync.RWMutex
	young, old map[digest]proof
	bytes      int       // of the young
	began      time.Time // when they did
}

// digest is the SHA-256 of a token's exact bytes: another spelling is another
// token.
type digest [sha256.Size]byte

// proof is a token that was read, with the key that signed it.
type proof struct {
	object *jws.Object
	key    *jws.Key
	until  time.Time
}

// newProven makes a memory of so many bytes; nil for none.
func newProven(bytes int) *proven {
	switch {
	case bytes < 0:
		return nil
	case bytes == 0:
		bytes = provenBytes
	}
	return &proven{limit: bytes / 2, young: map[digest]proof{}}
}

// recall finds a token that was verified less than 30 s ago.
func (m *proven) recall(id digest, now time.Time) (p proof, found bool) {
	if m == nil {
		return proof{}, false
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	if p, found = m.young[id]; !found {
		p, found = m.old[id]
	}
	return p, found && now.Before(p.until)
}

// remember keeps a token of so many bytes whose signature holds, until it
// expires, and for 30 s at most. The older half is forgotten when the younger
// is full or 30 s old.
func (m *proven) remember(id digest, size int, p proof, now, expires time.Time) {
	if m == nil || size > m.limit {
		return
	}
	p.until = now.Add(provenFor)
	if expires.Before(p.until) {
		p.until = expires
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.bytes+size > m.limit || now.Sub(m.began) > provenFor {
		m.old, m.young, m.bytes, m.began = m.young, make(map[digest]proof, len(m.young)), 0, now
	}
	m.young[id] = p
	m.bytes += size
}

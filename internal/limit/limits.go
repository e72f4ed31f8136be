package limit

import (
	"net/netip"
	"time"
)

const (
	// minute is the time in which spent failures come back.
	minute = 60.0
	// sourceShare is how many clients' worth one address may use: many clients
	// can stand behind one gateway.
	sourceShare = 10
	// sourceBits is the part of an IPv6 address that one caller owns.
	sourceBits = 64
)

// Options are the settings of the token endpoint's limits.
type Options struct {
	// Failures of client authentication that one client may have from one
	// address in a minute; 0: no limit.
	Failures int
	// Requests that one client may make in a second; 0: no limit.
	Requests int
}

// Limits are the gates of the token endpoint. One address may use ten times
// what one client may.
type Limits struct {
	guesses, sourceGuesses   *Gate
	requests, sourceRequests *Gate
}

// New makes the gates.
func New(o Options) *Limits {
	failures := func(n int) *Gate { return NewGate(Rate{PerSecond: float64(n) / minute, Burst: n}) }
	requests := func(n int) *Gate { return NewGate(Rate{PerSecond: float64(n), Burst: n}) }
	return &Limits{
		guesses: failures(o.Failures), sourceGuesses: failures(sourceShare * o.Failures),
		requests: requests(o.Requests), sourceRequests: requests(sourceShare * o.Requests),
	}
}

// Source counts a request from an address: how long it has to wait, 0 for not
// at all.
func (l *Limits) Source(now time.Time, addr string) time.Duration {
	return l.sourceRequests.Take(now, source(addr))
}

// Client counts a request of an authenticated client, likewise.
func (l *Limits) Client(now time.Time, name string) time.Duration {
	return l.requests.Take(now, name)
}

// Guess says how long to wait before the next secret of this client, from this
// address, may be compared. The client need not exist: one that does not is
// treated no differently.
func (l *Limits) Guess(now time.Time, clientID, addr string) time.Duration {
	from := source(addr)
	return max(l.guesses.Wait(now, pair(clientID, from)), l.sourceGuesses.Wait(now, from))
}

// Failed counts a failed authentication.
func (l *Limits) Failed(now time.Time, clientID, addr string) {
	from := source(addr)
	l.guesses.Spend(now, pair(clientID, from))
	l.sourceGuesses.Spend(now, from)
}

// pair joins two keys so that no other two give the same: no address has a NUL.
func pair(clientID, from string) string { return from + "\x00" + clientID }

// source is the caller's part of an address. Whoever has one IPv6 address has
// 2^64 of them (RFC 6177 §2).
func source(addr string) string {
	ip, err := netip.ParseAddr(addr)
	if err != nil || ip.Is4() {
		return addr
	}
	network, err := ip.WithZone("").Prefix(sourceBits)
	if err != nil {
		return addr
	}
	return network.String()
}

package oauth

import (
	"strconv"
	"time"

	"github.com/strait-sts/strait/internal/exchange"
)

// Limits says who asks too often. Each question answers how long to wait; 0 is
// not at all. Package limit satisfies it.
type Limits interface {
	// Source counts a request from an address, before anything of it is read.
	Source(now time.Time, addr string) time.Duration
	// Guess is asked before a secret is compared; the client need not exist.
	Guess(now time.Time, clientID, addr string) time.Duration
	// Failed counts a failed authentication.
	Failed(now time.Time, clientID, addr string)
	// Client counts a request of an authenticated client.
	Client(now time.Time, name string) time.Duration
}

// tooMany is the refusal of who asks too often: 429 (RFC 6585 §4).
func tooMany(wait time.Duration, detail string) *refusal {
	return &refusal{cause: exchange.Refuse(exchange.RateLimited, "%s", detail), wait: wait}
}

// retryAfter is the Retry-After of a 503 and a 429 in whole seconds (RFC 9110
// §10.2.3): as long as the limits say, else a few.
func (r *refusal) retryAfter() string {
	wait := r.wait
	if wait == 0 {
		wait = retryLater
	}
	return strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10)
}

type unlimited struct{}

func (unlimited) Source(time.Time, string) time.Duration        { return 0 }
func (unlimited) Guess(time.Time, string, string) time.Duration { return 0 }
func (unlimited) Failed(time.Time, string, string)              {}
func (unlimited) Client(time.Time, string) time.Duration        { return 0 }

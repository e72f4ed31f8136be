package revocation

import (
	"context"
	"time"

	"github.com/strait-sts/strait/internal/exchange"
)

// Order is a revocation as it is kept.
type Order struct {
	exchange.Revocation

	Selector Selector  // what it names
	Until    time.Time // from then on nothing that it reaches can be alive
	Revision int64     // of revocations, that it made; 0 before it is kept
	Tokens   int       // unexpired tokens of ours that it revoked
}

// Token is a revoked token of ours.
type Token struct {
	ID    [16]byte // its jti, the UUID of the exchange that issued it
	Until int64    // seconds since 1970: from then on it is refused anyway
	Alone bool     // its order spared what was made from it
}

// Increment is what was kept after a revision.
type Increment struct {
	Revision int64 // that it leads to
	Orders   []Order
	Tokens   []Token
}

// Store keeps revocations. Package postgres satisfies it.
type Store interface {
	// Revoke keeps the order together with the ids of the tokens of ours that it
	// reaches, in one transaction. When it returns without an error, each issued
	// record that is not among them is either none of the order's or will be
	// compared with its revision before it is kept.
	Revoke(ctx context.Context, order Order) (exchange.RevocationResult, error)
	// Since reads what was kept after the revision, without what has no effect
	// any more at the instant: an order that ended before it, a token whose time
	// is over.
	Since(ctx context.Context, revision int64, now time.Time) (Increment, error)
}

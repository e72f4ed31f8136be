package audit

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"
)

// ErrRefused is what [Chain.Append] answers when the store has judged the rows
// and kept none of them: one is not acceptable, and the chain stands where it
// stood. Any other error leaves open what was kept.
var ErrRefused = errors.New("the records were refused")

// ReplayedError is what [Chain.Append] answers when claims of some rows were
// taken before, by whichever replica or by a row before them: nothing was kept,
// and the chain stands where it stood.
type ReplayedError struct{ Rows []int }

// Error counts them.
func (e *ReplayedError) Error() string {
	return fmt.Sprintf("%d records claim what was used before", len(e.Rows))
}

// StaleError is what [Chain.Append] answers when revocations were kept, up to
// Revision, after some issuing rows were judged: nothing was kept, and the
// chain stands where it stood.
type StaleError struct{ Revision int64 }

// Error gives the revision.
func (e *StaleError) Error() string {
	return fmt.Sprintf("records were judged before revision %d of revocations", e.Revision)
}

// Store keeps the records. Package postgres satisfies it.
type Store interface {
	// Claim takes a chain that nobody else writes, or begins one. What a
	// former holder still has in flight is either kept already, and below the
	// head, or can never be kept.
	Claim(ctx context.Context) (Chain, error)
}

// Chain is a chain with one holder. It is not safe for concurrent use.
type Chain interface {
	// Head is the newest record kept.
	Head() Head
	// Append keeps the rows, which follow on Head, and all their claims in one
	// transaction; they are durable when it returns nil. A row that issues is
	// kept only while its Judged is the revision of revocations, and no
	// revocation is kept between that comparison and the commit.
	Append(ctx context.Context, rows []Row) error
	// Settle says, after an Append that failed, whether its rows were kept:
	// the chain is over, and what it answers stays true.
	Settle(ctx context.Context, last Head) (kept bool, err error)
	// Checkpoint keeps a signed statement of the chain's head.
	Checkpoint(ctx context.Context, at Head, signed time.Time, jws string) error
	// Close gives the chain back.
	Close(ctx context.Context)
}

// Filter chooses records: each member that is set must match exactly.
type Filter struct {
	Client, Issuer, Subject, Target, Policy, Decision, Reason, JTI string
	Since, Until                                                   time.Time // Since ≤ time < Until
}

// Rows are records one by one, each or the error that ends them.
type Rows = iter.Seq2[Row, error]

// Evidence is what a chain is held against.
type Evidence struct {
	// Checkpoints are those kept beside the records, each a JWS.
	Checkpoints []string
	// Anchors are those held outside, where who can write to the database
	// cannot.
	Anchors []string
	// Retained says, of each writer whose older records are not there, because
	// retention has dropped them or because they are of another time than was
	// asked for, which was the last of these.
	Retained []Head
	// Since and Until say of what time the records are; zero: all of them. What
	// was anchored after Until says nothing about these.
	Since, Until time.Time
}

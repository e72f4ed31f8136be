package audit_test

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/audit"
	"github.com/strait-sts/strait/internal/exchange"
)

const writerID = "7b0c8a52-93f1-4c55-8a6e-3d1c7f20ab01"

// memory is a store in memory whose faults a test scripts.
type memory struct {
	mu          sync.Mutex
	rows        []audit.Row
	checkpoints []string
	claims      int
	commits     []int // sizes of the batches kept
	claimErr    error
	// onAppend, where set, decides an Append instead: keep says whether the
	// rows are kept before err is answered.
	onAppend func(rows []audit.Row) (keep bool, err error)
	onSettle error
}

func (m *memory) Claim(context.Context) (audit.Chain, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.claimErr != nil {
		return nil, m.claimErr
	}
	m.claims++
	return &memoryChain{m}, nil
}

type memoryChain struct{ *memory }

func (c *memoryChain) Head() audit.Head {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.rows) == 0 {
		return audit.Head{Writer: writerID}
	}
	return c.rows[len(c.rows)-1].Head()
}

func (c *memoryChain) Append(_ context.Context, rows []audit.Row) error {
	keep, err := true, error(nil)
	if c.onAppend != nil {
		keep, err = c.onAppend(rows)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if keep {
		c.rows = append(c.rows, rows...)
		c.commits = append(c.commits, len(rows))
	}
	return err
}

func (c *memoryChain) Settle(_ context.Context, last audit.Head) (bool, error) {
	if c.onSettle != nil {
		return false, c.onSettle
	}
	return c.Head() == last, nil
}

func (c *memoryChain) Checkpoint(_ context.Context, _ audit.Head, _ time.Time, jws string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.checkpoints = append(c.checkpoints, jws)
	return nil
}

func (c *memoryChain) Close(context.Context) {}

// kept is what the store holds now.
func (m *memory) kept() []audit.Row {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.rows)
}

// plainSigner signs nothing: the payload, readable, behind a fixed mark.
type plainSigner struct{ err error }

func (s plainSigner) Sign(alg, typ string, payload []byte) (string, error) {
	return alg + "|" + typ + "|" + string(payload), s.err
}

func openPlain(compact string) ([]byte, error) {
	payload, ok := strings.CutPrefix(compact, "ES256|"+audit.CheckpointType+"|")
	if !ok {
		return nil, errors.New("not signed by us")
	}
	return []byte(payload), nil
}

// running is a recorder that runs until stop, or the test's end.
func running(t testing.TB, o audit.Options) (r *audit.Recorder, stop func()) {
	t.Helper()
	o.Clock = time.Now
	r = audit.New(o)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); r.Run(ctx) }()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return r, stop
}

// record is a typical one, as issued.
func record(t testing.TB) *exchange.Record {
	t.Helper()
	now := time.Now().UTC()
	id, err := exchange.NewID(now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &exchange.Record{
		ID: id, Time: now, Decision: exchange.OutcomeIssued, Client: "edge-gateway", Grant: exchange.GrantTokenExchange,
		Subject: &exchange.RecordParty{Issuer: "okta-prod", Subject: "okta:alice", Original: "alice"},
		Flow:    exchange.FlowDownscope, Policy: "staff-orders", PolicyRevision: 12, Targets: []string{"orders-api"},
		Scopes:   exchange.RecordScopes{Held: []string{"orders:read", "orders:write"}, Requested: []string{"orders:read"}, Issued: []string{"orders:read"}},
		Lifetime: exchange.RecordLife{Subject: 1800, Issued: 300}, JTI: string(id), Txn: string(id),
		Narrowed: &exchange.Narrowed{Scopes: []string{"orders:write"}, Lifetime: 1500, Claims: []string{"email", "groups"}}, RemoteAddr: "192.0.2.1", ConfigRevision: 42,
	}
}

// written is the chain of n records, and the checkpoint that closes it.
func written(t testing.TB, n int) (rows []audit.Row, checkpoints []string) {
	t.Helper()
	store := &memory{}
	r, stop := running(t, audit.Options{Store: store, Signer: plainSigner{}})
	for range n {
		if err := r.Record(t.Context(), record(t)); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	return store.kept(), store.checkpoints
}

func sequence(rows []audit.Row) audit.Rows {
	return func(yield func(audit.Row, error) bool) {
		for _, row := range rows {
			if !yield(row, nil) {
				return
			}
		}
	}
}

func verify(t testing.TB, rows []audit.Row, e audit.Evidence) *audit.Report {
	t.Helper()
	report, err := audit.Verify(t.Context(), sequence(rows), e, openPlain)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

package app

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/strait-sts/strait/internal/audit"
	"github.com/strait-sts/strait/internal/ststest"
)

// floorTable is where the floor's batches go, each a row: no index, no columns.
const floorTable = `CREATE TABLE floor (batch bytea); GRANT INSERT ON floor TO `

// floorRecorder is the recorder of the app over a store that does the least
// for a durable batch: what group commit costs on this machine, whatever is
// done with the records.
func floorRecorder(b *testing.B, a *App, database ststest.Database) *audit.Recorder {
	b.Helper()
	conn, err := pgx.Connect(b.Context(), database.AppURL)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := database.Exec(b, database.OwnerURL, floorTable+conn.Config().User); err != nil {
		b.Fatal(err)
	}
	insert, err := conn.PgConn().Prepare(b.Context(), "floor", `INSERT INTO floor VALUES ($1)`, nil)
	if err != nil {
		b.Fatal(err)
	}
	recorder := audit.New(audit.Options{Store: &floor{conn: conn.PgConn(), insert: insert}, Clock: a.clock, Logger: a.log})
	ctx, stop := context.WithCancel(context.WithoutCancel(b.Context()))
	ended := make(chan struct{})
	go func() { defer close(ended); recorder.Run(ctx) }()
	b.Cleanup(func() {
		stop()
		<-ended
		_ = conn.Close(context.Background())
	})
	return recorder
}

// floor is a store and its only chain, over one connection.
type floor struct {
	conn   *pgconn.PgConn
	insert *pgconn.StatementDescription
	head   audit.Head
	batch  []byte // room that is used again
}

// Claim begins the chain.
func (f *floor) Claim(context.Context) (audit.Chain, error) {
	f.head = audit.Head{Writer: "00000000-0000-4000-8000-000000000000"}
	return f, nil
}

// Head is the newest record kept.
func (f *floor) Head() audit.Head { return f.head }

// Append commits the bodies as one row.
func (f *floor) Append(ctx context.Context, rows []audit.Row) error {
	f.batch = f.batch[:0]
	for i := range rows {
		f.batch = append(f.batch, rows[i].Body...)
	}
	_, err := f.conn.ExecStatement(ctx, f.insert, [][]byte{f.batch}, []int16{1}, nil).Close()
	if err == nil {
		f.head = rows[len(rows)-1].Head()
	}
	return err
}

// Settle does not know: the exchanges fail, and so does the benchmark.
func (f *floor) Settle(context.Context, audit.Head) (bool, error) {
	return false, errors.New("the floor settles nothing")
}

// Checkpoint is not asked for without a signer.
func (f *floor) Checkpoint(context.Context, audit.Head, time.Time, string) error { return nil }

// Close leaves the connection to the benchmark.
func (f *floor) Close(context.Context) {}

package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/strait-sts/strait/internal/audit"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/postgres"
)

// alone takes the lock of who revokes.
const alone = `SELECT pg_advisory_xact_lock($1)`

// moving is a revocation under way: it holds the lock and has moved the
// revision to what commit will show.
func moving(t testing.TB, url string) (tx pgx.Tx, revision int64) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	if tx, err = conn.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), alone, postgres.RevocationLock); err != nil {
		t.Fatal(err)
	}
	if err := tx.QueryRow(t.Context(), `UPDATE revisions SET revision = revision + 1 WHERE topic = 'revocations' RETURNING revision`).Scan(&revision); err != nil {
		t.Fatal(err)
	}
	return tx, revision
}

func moved(t testing.TB, url string) int64 {
	t.Helper()
	tx, revision := moving(t, url)
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	return revision
}

// following is a row after head.
func following(t testing.TB, head audit.Head) audit.Row {
	t.Helper()
	rec := record(t, nil)
	return audit.Row{Copies: audit.Copies{ID: string(rec.ID), Time: rec.Time, Decision: "issued"}, Writer: head.Writer, Seq: head.Seq + 1, Body: []byte("{}")}
}

func claimedChain(t testing.TB, db *postgres.DB) audit.Chain {
	t.Helper()
	chain, err := db.Claim(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { chain.Close(context.Background()) })
	return chain
}

func TestRowsOfAnOlderRevisionAreNotKept(t *testing.T) {
	t.Parallel()
	db, d := opened(t)
	chain := claimedChain(t, db)
	moved(t, d.AppURL)
	for _, claims := range [][]exchange.ReplayClaim{nil, {{Scope: "okta", ID: "j", Until: time.Now().Add(time.Hour)}}} {
		denial, issued := following(t, chain.Head()), following(t, chain.Head())
		if err := chain.Append(t.Context(), []audit.Row{denial}); err != nil {
			t.Fatalf("a row that issues nothing: %v", err)
		}
		issued.Seq, issued.Issues, issued.Claims = chain.Head().Seq+1, true, claims
		before := chain.Head()
		err := chain.Append(t.Context(), []audit.Row{issued})
		var stale *audit.StaleError
		if !errors.As(err, &stale) || stale.Revision != 1 || chain.Head() != before {
			t.Fatalf("judged before: %v", err)
		}
		issued.Judged = stale.Revision
		if err := chain.Append(t.Context(), []audit.Row{issued}); err != nil {
			t.Fatalf("judged again, with its claims free as before: %v", err)
		}
	}
	if kept := len(all(t, db)); kept != 4 {
		t.Errorf("%d rows kept", kept)
	}
}

// TestARowThatWaitedForARevocationSeesIt: its comparison must not be older than
// its lock, whatever isolation the database has by default.
func TestARowThatWaitedForARevocationSeesIt(t *testing.T) {
	t.Parallel()
	for _, claims := range [][]exchange.ReplayClaim{nil, {{Scope: "okta", ID: "j", Until: time.Now().Add(time.Hour)}}} {
		_, d := opened(t)
		execute(t, d.OwnerURL, `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = %L',
			current_database(), 'repeatable read'); END $$`)
		chain := claimedChain(t, open(t, d.AppURL))
		tx, revision := moving(t, d.AppURL)
		row := following(t, chain.Head())
		row.Issues, row.Claims = true, claims
		appended := make(chan error, 1)
		go func() { appended <- chain.Append(t.Context(), []audit.Row{row}) }()
		waiting(t, d.AppURL)
		select {
		case err := <-appended:
			t.Fatalf("it did not wait: %v", err)
		default:
		}
		if err := tx.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		var stale *audit.StaleError
		if err := <-appended; !errors.As(err, &stale) || stale.Revision != revision {
			t.Errorf("%v, want that it is older than revision %d", err, revision)
		}
	}
}

// waiting returns when somebody waits for an advisory lock.
func waiting(t testing.TB, url string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	for there := false; !there; {
		err := conn.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`).Scan(&there)
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestNoRowEscapesARevocation: two replicas append without pause, some with
// claims, judging by what they last heard, while the revision moves a thousand
// times. The heads of the chains under each revocation's lock are what it can
// see; no row of an older revision comes after them.
func TestNoRowEscapesARevocation(t *testing.T) {
	t.Parallel()
	const moves = 1000
	db, d := opened(t)
	var known atomic.Int64
	var over atomic.Bool
	var mu sync.Mutex
	rows, stale := []audit.Row(nil), 0
	var replicas sync.WaitGroup
	for range 2 {
		chain := claimedChain(t, db)
		replicas.Go(func() {
			for i := 0; !over.Load(); i++ {
				row, denial := following(t, chain.Head()), following(t, chain.Head())
				row.Issues, row.Judged, denial.Seq = true, known.Load(), row.Seq+1
				if i%4 == 0 {
					row.Claims = []exchange.ReplayClaim{{Scope: "okta", ID: fmt.Sprint(i), Until: time.Now().Add(time.Hour)}}
				}
				err := chain.Append(t.Context(), []audit.Row{row, denial})
				var older *audit.StaleError
				var replayed *audit.ReplayedError
				mu.Lock()
				switch {
				case err == nil:
					rows = append(rows, row)
				case errors.As(err, &older):
					stale++
				case !errors.As(err, &replayed):
					t.Error(err)
					over.Store(true)
				}
				mu.Unlock()
			}
		})
	}
	heads := revoke(t, d.AppURL, moves, &known)
	over.Store(true)
	replicas.Wait()
	for _, row := range rows {
		if next := row.Judged + 1; next <= moves && row.Seq > heads[next][row.Writer] {
			t.Fatalf("row %d of revision %d was kept after revision %d, which saw %d", row.Seq, row.Judged, next, heads[next][row.Writer])
		}
	}
	if len(rows) == 0 || stale == 0 {
		t.Errorf("%d rows kept, %d times stale: nothing was tried", len(rows), stale)
	}
	t.Logf("%d revocations: %d rows kept, %d times stale", moves, len(rows), stale)
}

// revoke moves the revision again and again, and gives the heads that each
// revocation saw, by writer. What the replicas hear of it is late by one.
func revoke(t testing.TB, url string, moves int64, known *atomic.Int64) map[int64]map[string]int64 {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	seen := map[int64]map[string]int64{}
	for revision := range moves {
		heads := map[string]int64{}
		err := pgx.BeginFunc(t.Context(), conn, func(tx pgx.Tx) error {
			if _, err := tx.Exec(t.Context(), alone, postgres.RevocationLock); err != nil {
				return err
			}
			if _, err := tx.Exec(t.Context(), `UPDATE revisions SET revision = $1 WHERE topic = 'revocations'`, revision+1); err != nil {
				return err
			}
			rows, err := tx.Query(t.Context(), `SELECT id::text, seq FROM writers`)
			if err != nil {
				return err
			}
			var writer string
			var seq int64
			_, err = pgx.ForEachRow(rows, []any{&writer, &seq}, func() error { heads[writer] = seq; return nil })
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		seen[revision+1] = heads
		if revision%3 > 0 {
			known.Store(revision + 1)
		}
	}
	return seen
}

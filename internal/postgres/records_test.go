package postgres_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/audit"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/postgres"
)

// record makes a record of now with a fresh id.
func record(t testing.TB, change func(*exchange.Record)) *exchange.Record {
	t.Helper()
	now := time.Now().UTC()
	id, err := exchange.NewID(now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rec := &exchange.Record{
		ID: id, Time: now, Decision: exchange.OutcomeIssued, Client: "gateway", JTI: string(id), Txn: string(id),
		Subject: &exchange.RecordParty{Issuer: "okta", Subject: "okta:alice"}, Policy: "staff", Targets: []string{"orders"},
	}
	if change != nil {
		change(rec)
	}
	return rec
}

// whole gives a record all that has a column.
func whole(rec *exchange.Record) {
	rec.Subject.JTI, rec.Key, rec.Lifetime.Issued = "s-1", "key-1", 300
	rec.Actor = &exchange.RecordParty{Issuer: "entra", Subject: "entra:agent", JTI: "a-1"}
	rec.Parent, rec.ActorParent = string(rec.ID), string(rec.ID)
}

// running is a recorder that runs until the test ends or stop is called.
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

// all reads every record, chain by chain.
func all(t testing.TB, db *postgres.DB) []audit.Row {
	t.Helper()
	var kept []audit.Row
	err := db.Log(t.Context(), time.Time{}, time.Time{}, func(_ audit.Evidence, rows audit.Rows) error {
		for row, err := range rows {
			if err != nil {
				return err
			}
			kept = append(kept, row)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return kept
}

func TestRecordIsDurableWhenItReturns(t *testing.T) {
	t.Parallel()
	db, _ := opened(t)
	r, _ := running(t, audit.Options{Store: db})
	rec := record(t, nil)
	if err := r.Record(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	row, err := db.Record(t.Context(), string(rec.ID))
	if err != nil {
		t.Fatal(err)
	}
	if row.Client != "gateway" || row.Issuer != "okta" || row.Subject != "okta:alice" || row.Seq != 1 || row.Reason != "" {
		t.Errorf("the columns are not the record's: %+v", row.Copies)
	}
}

func TestWaitingExchangesShareATransaction(t *testing.T) {
	t.Parallel()
	db, _ := opened(t)
	r, _ := running(t, audit.Options{Store: db})
	const callers, each = 32, 20
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			for range each {
				if err := r.Record(t.Context(), record(t, nil)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	rows := all(t, db)
	if len(rows) != callers*each {
		t.Fatalf("%d records kept, want %d", len(rows), callers*each)
	}
	for i, row := range rows {
		if row.Seq != int64(i+1) {
			t.Fatalf("record %d has seq %d", i+1, row.Seq)
		}
	}
	if batches := r.Stats().Batches; batches >= callers*each {
		t.Errorf("%d records took %d transactions: none was shared", callers*each, batches)
	}
}

func TestPagesAreNewestFirst(t *testing.T) {
	t.Parallel()
	db, _ := opened(t)
	r, _ := running(t, audit.Options{Store: db})
	var ids []string
	for i := range 7 {
		rec := record(t, func(rec *exchange.Record) {
			rec.Targets = []string{"billing", "orders"}
			if i == 3 {
				rec.Targets, rec.Decision, rec.Reason = nil, exchange.OutcomeDenied, exchange.NoPolicy
			}
		})
		ids = append(ids, string(rec.ID))
		if err := r.Record(t.Context(), rec); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Millisecond)
	}
	for _, test := range []struct {
		name   string
		filter audit.Filter
		want   []string
	}{
		{"none", audit.Filter{}, []string{ids[6], ids[5], ids[4], ids[3], ids[2], ids[1], ids[0]}},
		{"client", audit.Filter{Client: "gateway", Decision: "denied"}, []string{ids[3]}},
		{"first target", audit.Filter{Target: "billing"}, []string{ids[6], ids[5], ids[4], ids[2], ids[1], ids[0]}},
		{"second target", audit.Filter{Target: "orders", Issuer: "okta"}, []string{ids[6], ids[5], ids[4], ids[2], ids[1], ids[0]}},
		{"jti", audit.Filter{JTI: ids[2]}, []string{ids[2]}},
		{"jti of a foreign form", audit.Filter{JTI: "x"}, nil},
		{"another subject", audit.Filter{Subject: "okta:bob"}, nil},
		{"reason", audit.Filter{Reason: "no_policy"}, []string{ids[3]}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			token := ""
			for {
				page, next, err := db.Records(t.Context(), test.filter, 2, token)
				if err != nil {
					t.Fatal(err)
				}
				for _, row := range page {
					got = append(got, row.ID)
				}
				if token = next; next == "" {
					break
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(test.want) {
				t.Errorf("got %v\nwant %v", got, test.want)
			}
		})
	}
	if _, _, err := db.Records(t.Context(), audit.Filter{}, 2, "' OR 1=1"); !errors.Is(err, postgres.ErrPageToken) {
		t.Errorf("a forged page token answered %v", err)
	}
}

// TestHostileTextsAreKeptAndProved: what strangers can put into a record never
// makes it unwritable, and reads back as what was hashed.
func TestHostileTextsAreKeptAndProved(t *testing.T) {
	t.Parallel()
	db, d := opened(t)
	r, stop := running(t, audit.Options{Store: db})
	for _, text := range []string{
		"a\x00b", "\xff\xfe", `","prevHash":"x`, "x\r\n{\"level\":\"info\"}", "\u2028\x1b[31m", "'; DROP TABLE records; --",
		strings.Repeat("é", 5000), "\U0001F600", "NULL", "{}", `\`, `\x00`,
	} {
		rec := record(t, func(rec *exchange.Record) {
			rec.Client, rec.Subject.Subject, rec.Policy, rec.Detail, rec.Scopes.Held = text, text, text, text, []string{text}
			rec.Parent, rec.Txn = text, text
		})
		if err := r.Record(t.Context(), rec); err != nil {
			t.Errorf("%.20q: %v", text, err)
		}
	}
	stop()
	if report := proved(t, db); !report.OK() || report.Records != 12 {
		t.Errorf("%+v", report)
	}
	var out strings.Builder
	err := db.Log(t.Context(), time.Time{}, time.Time{}, func(e audit.Evidence, rows audit.Rows) error {
		return audit.Export(&out, e, rows)
	})
	if err != nil {
		t.Fatal(err)
	}
	execute(t, d.OwnerURL, "CREATE TABLE exported (line jsonb)")
	for line := range strings.Lines(out.String()) {
		if !strings.HasPrefix(line, "{") || !strings.HasSuffix(line, "}\n") {
			t.Errorf("not one line: %q", line)
		}
		execute(t, d.OwnerURL, "INSERT INTO exported VALUES ('"+strings.ReplaceAll(line, "'", "''")+"')")
	}
}

package postgres_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/strait-sts/strait/internal/audit"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/migrations"
)

// TestRowsAreReadBackAsTheyWereAppended: each column holds its copy, and those
// that a record has not hold NULL.
func TestRowsAreReadBackAsTheyWereAppended(t *testing.T) {
	t.Parallel()
	db, d := opened(t)
	chain := claimedChain(t, db)
	text := rapid.OneOf(rapid.Just(""), rapid.StringMatching(`[^\x00]{1,20}`), rapid.SampledFrom([]string{"\\N", "NULL", "{}", `"'`, "\U0001F600", strings.Repeat("é", 500)}))
	var kept []audit.Row
	rapid.Check(t, func(rt *rapid.T) {
		var rows []audit.Row
		head := chain.Head()
		for range rapid.IntRange(1, 4).Draw(rt, "rows") {
			row := following(t, head)
			for _, copied := range []*string{
				&row.Reason, &row.Client, &row.Issuer, &row.Subject, &row.Policy, &row.JTI, &row.Parent, &row.Txn,
				&row.Key, &row.SubjectJTI, &row.ActorIssuer, &row.Actor, &row.ActorJTI, &row.ActorParent,
			} {
				*copied = text.Draw(rt, "text")
			}
			row.Targets = rapid.SliceOfN(rapid.StringMatching(`[a-z0-9-]{1,9}`), 0, 4).Draw(rt, "targets")
			if rapid.Bool().Draw(rt, "issued") {
				row.Expires = time.UnixMicro(rapid.Int64Range(-1e15, 4e15).Draw(rt, "expires"))
			}
			row.Body = rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(rt, "body")
			head = row.Head()
			rows = append(rows, row)
		}
		if err := chain.Append(t.Context(), rows); err != nil {
			rt.Fatal(err)
		}
		kept = append(kept, rows...)
	})
	read := all(t, db)
	if len(read) != len(kept) {
		t.Fatalf("%d rows, want %d", len(read), len(kept))
	}
	for i, row := range read {
		want := kept[i]
		want.Time, row.Hash, want.Hash = want.Time.UTC().Truncate(time.Microsecond), audit.Hash{}, audit.Hash{}
		if !want.Expires.IsZero() {
			want.Expires = want.Expires.UTC()
		}
		if want.Targets == nil {
			want.Targets = []string{}
		}
		if !reflect.DeepEqual(row, want) {
			t.Fatalf("row %d:\n%+v, want\n%+v", i, row, want)
		}
	}
	if err := attempt(t, d.OwnerURL, `DO $$ BEGIN ASSERT NOT EXISTS (SELECT FROM records WHERE '' IN (reason, client, issuer, subject, policy, jti, parent, txn,
		key, subject_jti, actor_issuer, actor, actor_jti, actor_parent)); END $$`); err != nil {
		t.Errorf("an empty column is not NULL: %v", err)
	}
}

func TestARowWithoutAUUIDIsRefused(t *testing.T) {
	t.Parallel()
	db, _ := opened(t)
	chain := claimedChain(t, db)
	for _, id := range []string{"", "x", strings.Repeat("0", 36), "0193a2b4-5c6d-7e8f-9a0b-1c2d3e4f5a6g", "0193a2b4-5c6d-7e8f-9a0b-1c2d3e4f5a6b0"} {
		row := following(t, chain.Head())
		row.ID = id
		if err := chain.Append(t.Context(), []audit.Row{row}); !errors.Is(err, audit.ErrRefused) {
			t.Errorf("%q: %v", id, err)
		}
	}
	if err := chain.Append(t.Context(), []audit.Row{following(t, chain.Head())}); err != nil {
		t.Errorf("the chain after that: %v", err)
	}
}

// TestRecordsOfBeforeVerifyAfterTheMigration: what an earlier migration added
// columns for and left empty is filled in from the bytes.
func TestRecordsOfBeforeVerifyAfterTheMigration(t *testing.T) {
	t.Parallel()
	db, d := opened(t)
	r, stop := running(t, audit.Options{Store: db})
	denied := func(rec *exchange.Record) {
		rec.Decision, rec.JTI, rec.Subject.JTI = exchange.OutcomeDenied, "", "s-2"
	}
	for _, change := range []func(*exchange.Record){nil, whole, denied} {
		if err := r.Record(t.Context(), record(t, change)); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	execute(t, d.OwnerURL, `UPDATE records SET expires = NULL, key = NULL, subject_jti = NULL, actor_issuer = NULL, actor = NULL, actor_jti = NULL, actor_parent = NULL`)
	if proved(t, db).OK() {
		t.Fatal("columns without their copies are sound")
	}
	text, err := migrations.Files.ReadFile("00003_record_lineage.sql")
	if err != nil {
		t.Fatal(err)
	}
	_, update, found := strings.Cut(string(text), "each body is read once.\n")
	update, _, _ = strings.Cut(update, ";")
	if !found {
		t.Fatal("no statement")
	}
	execute(t, d.OwnerURL, update)
	if report := proved(t, db); !report.OK() || report.Records != 3 {
		t.Errorf("%+v", report)
	}
}

// TestGroupsOfBeforeAreThoseOfToday: the migration files the records that are
// there as their writers would.
func TestGroupsOfBeforeAreThoseOfToday(t *testing.T) {
	t.Parallel()
	db, d := opened(t)
	r, stop := running(t, audit.Options{Store: db})
	for _, change := range []func(*exchange.Record){nil, whole, func(rec *exchange.Record) {
		rec.Decision, rec.Reason, rec.JTI, rec.Policy, rec.Targets = exchange.OutcomeDenied, exchange.NoPolicy, "", "", nil
	}, func(rec *exchange.Record) {
		rec.Client, rec.Targets, rec.Subject = "Ω \"1:\"", []string{"a", "b"}, nil
	}} {
		if err := r.Record(t.Context(), record(t, change)); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	text, err := migrations.Files.ReadFile("00006_record_groups.sql")
	if err != nil {
		t.Fatal(err)
	}
	_, filing, _ := strings.Cut(string(text), "-- +goose StatementBegin")
	filing, _, found := strings.Cut(filing, "CREATE INDEX")
	if !found {
		t.Fatal("no statements")
	}
	execute(t, d.OwnerURL, "UPDATE records SET group_id = NULL", "TRUNCATE record_groups", filing)
	if err := attempt(t, d.OwnerURL, "DO $$ BEGIN ASSERT (SELECT count(group_id) FROM records) = 4 AND (SELECT count(*) FROM record_groups) = 3; END $$"); err != nil {
		t.Error(err)
	}
	if report := proved(t, db); !report.OK() || report.Records != 4 {
		t.Errorf("%+v", report)
	}
}

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
	"github.com/strait-sts/strait/internal/pgserver"
	"github.com/strait-sts/strait/internal/postgres"
	"github.com/strait-sts/strait/internal/ststest"
)

// plainSigner signs nothing: the payload, readable, behind a fixed mark.
type plainSigner struct{}

func (plainSigner) Sign(_, typ string, payload []byte) (string, error) {
	return typ + "|" + string(payload), nil
}

func openPlain(compact string) ([]byte, error) {
	payload, ok := strings.CutPrefix(compact, audit.CheckpointType+"|")
	if !ok {
		return nil, errors.New("not signed by us")
	}
	return []byte(payload), nil
}

// proved verifies what the database holds.
func proved(t testing.TB, db *postgres.DB) *audit.Report {
	t.Helper()
	return provedOf(t, db, time.Time{}, time.Time{})
}

func provedOf(t testing.TB, db *postgres.DB, since, until time.Time) (report *audit.Report) {
	t.Helper()
	err := db.Log(t.Context(), since, until, func(e audit.Evidence, rows audit.Rows) (err error) {
		report, err = audit.Verify(t.Context(), rows, e, openPlain)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func keep(t testing.TB, r *audit.Recorder, n int) (ids []string) {
	t.Helper()
	for range n {
		rec := record(t, nil)
		if err := r.Record(t.Context(), rec); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, string(rec.ID))
	}
	return ids
}

func TestTamperingInTheDatabaseIsFound(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ sql, kind string }{
		"column":          {"UPDATE records SET subject = 'mallory' WHERE seq = 3", audit.Changed},
		"bytes":           {"UPDATE records SET body = replace(encode(body, 'escape'), 'alice', 'malice')::bytea WHERE seq = 3", audit.Changed},
		"bytes and hash":  {"UPDATE records SET body = b, hash = sha256(b) FROM (SELECT id AS i, replace(encode(body, 'escape'), '\"orders\"', '\"bodies\"')::bytea AS b FROM records) x WHERE i = id AND seq = 3", audit.Changed},
		"short hash":      {"UPDATE records SET hash = '\\x00' WHERE seq = 3", audit.Changed},
		"time":            {"UPDATE records SET time = time - interval '1 hour' WHERE seq = 3", audit.Changed},
		"expiry":          {"UPDATE records SET expires = expires - interval '1 minute' WHERE seq = 3", audit.Changed},
		"key":             {"UPDATE records SET key = 'another' WHERE seq = 3", audit.Changed},
		"jti of subject":  {"UPDATE records SET subject_jti = NULL WHERE seq = 3", audit.Changed},
		"actor":           {"UPDATE records SET actor = 'okta:mallory' WHERE seq = 3", audit.Changed},
		"jti of actor":    {"UPDATE records SET actor_jti = NULL WHERE seq = 3", audit.Changed},
		"issuer of actor": {"UPDATE records SET actor_issuer = NULL WHERE seq = 3", audit.Changed},
		"parent of actor": {"UPDATE records SET actor_parent = NULL WHERE seq = 3", audit.Changed},
		"group":           {"UPDATE records SET group_id = uuid_floor(now()) WHERE seq = 3", audit.Changed},
		"group's client":  {"UPDATE record_groups SET client = 'another'", audit.Changed},
		"group removed":   {"DELETE FROM record_groups", audit.Changed},
		"removed":         {"DELETE FROM records WHERE seq = 3", audit.Removed},
		"tail removed":    {"DELETE FROM records WHERE seq > 3", audit.Removed},
		"inserted":        {"INSERT INTO records SELECT uuid_floor(now()), time, decision, reason, client, issuer, subject, policy, targets, jti, parent, txn, writer, seq, hash, body FROM records WHERE seq = 3", audit.Inserted},
		"reordered":       {"UPDATE records SET seq = 7 - seq WHERE seq IN (3, 4)", audit.Reordered},
		"head moved back": {"DELETE FROM records WHERE seq > 3; UPDATE writers SET seq = 3", audit.Removed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, d := opened(t)
			r, stop := running(t, audit.Options{Store: db, Signer: plainSigner{}})
			for range 5 {
				if err := r.Record(t.Context(), record(t, whole)); err != nil {
					t.Fatal(err)
				}
			}
			stop()
			if report := proved(t, db); !report.OK() || report.Records != 5 || report.Chains[0].Signed != 5 {
				t.Fatalf("untouched: %+v", report)
			}
			for statement := range strings.SplitSeq(test.sql, "; ") {
				execute(t, d.OwnerURL, statement)
			}
			report := proved(t, db)
			if report.OK() || report.Findings[0].Writer == "" {
				t.Fatalf("not found: %+v", report)
			}
			for _, f := range report.Findings {
				if f.Kind == test.kind {
					return
				}
			}
			t.Errorf("want %s in %+v", test.kind, report.Findings)
		})
	}
}

func TestRecordsCannotBeAlteredByTheServingRole(t *testing.T) {
	t.Parallel()
	db, d := opened(t)
	r, stop := running(t, audit.Options{Store: db})
	keep(t, r, 1)
	stop()
	for _, statement := range []string{
		"UPDATE records SET decision = 'issued'", "DELETE FROM records", "TRUNCATE records", "DROP TABLE records",
		"DELETE FROM records_default", "UPDATE catalog_changes SET changed_by = 'x'", "DELETE FROM checkpoints",
		"CREATE TABLE mine (a int)", "INSERT INTO retained (writer, seq, hash) SELECT id, 9, hash FROM writers", "SELECT uuid_floor(now()) FROM records_default",
	} {
		if err := attempt(t, d.AppURL, statement); err == nil || !strings.Contains(err.Error(), "42501") {
			t.Errorf("%s: %v, want permission denied", statement, err)
		}
	}
	if err := attempt(t, d.AppURL, "SELECT count(*) FROM records"); err != nil {
		t.Error(err)
	}
}

func TestEachProcessHasItsChainAndTheNextResumesIt(t *testing.T) {
	t.Parallel()
	db, d := opened(t)
	other := open(t, d.AppURL)
	for range 3 {
		first, stopFirst := running(t, audit.Options{Store: db, Signer: plainSigner{}})
		keep(t, first, 2)
		second, stopSecond := running(t, audit.Options{Store: other, Signer: plainSigner{}})
		keep(t, second, 2)
		stopFirst()
		stopSecond()
	}
	report := proved(t, db)
	if !report.OK() || len(report.Chains) != 2 || report.Chains[0].Last != 6 || report.Chains[1].Last != 6 {
		t.Errorf("%+v", report)
	}
}

func TestFormerHolderCannotWrite(t *testing.T) {
	t.Parallel()
	db, d := opened(t)
	former, err := db.Claim(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer former.Close(t.Context())
	execute(t, d.OwnerURL, "UPDATE writers SET epoch = epoch + 1")
	row := audit.Row{Copies: audit.Copies{ID: string(record(t, nil).ID), Time: time.Now()}, Writer: former.Head().Writer, Seq: 1, Body: []byte("{}")}
	if err := former.Append(t.Context(), []audit.Row{row}); err == nil || errors.Is(err, audit.ErrRefused) {
		t.Errorf("a former holder's append: %v", err)
	}
	if kept, err := former.Settle(t.Context(), row.Head()); kept || err != nil {
		t.Errorf("settled as %v, %v", kept, err)
	}
	if len(all(t, db)) != 0 {
		t.Error("a former holder's record was kept")
	}
}

func TestSettleWaitsForWhatIsInFlight(t *testing.T) {
	t.Parallel()
	db, d := opened(t)
	held, err := db.Claim(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close(t.Context())
	// A batch of ours that hangs between its insert and its commit.
	execute(t, d.OwnerURL,
		`CREATE FUNCTION hang() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.3); RETURN NULL; END'`,
		`CREATE CONSTRAINT TRIGGER hang AFTER INSERT ON records DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION hang()`)
	row := audit.Row{Copies: audit.Copies{ID: string(record(t, nil).ID), Time: time.Now(), Decision: "issued"}, Writer: held.Head().Writer, Seq: 1, Body: []byte("{}")}
	appended := make(chan error, 1)
	go func() { appended <- held.Append(t.Context(), []audit.Row{row}) }()
	time.Sleep(100 * time.Millisecond)
	kept, err := held.Settle(t.Context(), row.Head())
	if appendErr := <-appended; appendErr != nil || !kept || err != nil {
		t.Errorf("append: %v; settled as %v, %v", appendErr, kept, err)
	}
}

func TestUndurableSessionIsRefused(t *testing.T) {
	t.Parallel()
	db, d := opened(t)
	execute(t, d.OwnerURL, "ALTER DATABASE "+d.Name+" SET synchronous_commit = off")
	if _, err := db.Claim(t.Context()); err == nil || !strings.Contains(err.Error(), "synchronous_commit") {
		t.Errorf("claimed with asynchronous commits: %v", err)
	}
}

func TestSameRecordTwiceIsRefusedAlone(t *testing.T) {
	t.Parallel()
	db, _ := opened(t)
	r, _ := running(t, audit.Options{Store: db})
	rec := record(t, nil)
	if err := r.Record(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	if err := r.Record(t.Context(), rec); err == nil {
		t.Error("the same record was kept twice")
	}
	keep(t, r, 2)
	if report := proved(t, db); !report.OK() || report.Records != 3 {
		t.Errorf("%+v", report)
	}
}

func TestFaultsOfTheDatabaseAreUnavailable(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{
		"read-only":      "ALTER DATABASE %s SET default_transaction_read_only = on",
		"trigger raises": "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END'; CREATE TRIGGER no BEFORE INSERT ON records FOR EACH ROW EXECUTE FUNCTION no()",
		"slow":           "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(5); RETURN NEW; END'; CREATE TRIGGER slow BEFORE INSERT ON records FOR EACH ROW EXECUTE FUNCTION slow()",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, d := opened(t)
			for statement := range strings.SplitSeq(sql, "; CREATE TRIGGER") {
				if strings.Contains(statement, " BEFORE INSERT") {
					statement = "CREATE TRIGGER" + statement
				}
				execute(t, d.OwnerURL, strings.ReplaceAll(statement, "%s", d.Name))
			}
			r, _ := running(t, audit.Options{Store: db, Timeout: 300 * time.Millisecond})
			began := time.Now()
			err := r.Record(t.Context(), record(t, nil))
			var refusal *exchange.Error
			if !errors.As(err, &refusal) || refusal.Reason != exchange.AuditUnavailable || refusal.Code != exchange.TemporarilyUnavailable {
				t.Errorf("answered %v", err)
			}
			if took := time.Since(began); took > time.Second {
				t.Errorf("answered after %v", took)
			}
		})
	}
}

// TestDatabaseKilledUnderLoad cuts the server's power again and again while
// exchanges record: every answered one must be there afterwards, once, in a
// chain without a fault.
func TestDatabaseKilledUnderLoad(t *testing.T) {
	t.Parallel()
	server := ststest.StartServer(t)
	db := open(t, server.Migrated(t).AppURL)
	r, stop := running(t, audit.Options{Store: db, Signer: plainSigner{}, Interval: 20 * time.Millisecond, Timeout: time.Second})
	ctx, cancel := context.WithCancel(t.Context())
	var answered sync.Map
	var callers sync.WaitGroup
	for range 16 {
		callers.Go(func() {
			for ctx.Err() == nil {
				now := time.Now()
				id, err := exchange.NewID(now, rand.Reader)
				if err != nil {
					t.Error(err)
					return
				}
				if r.Record(ctx, &exchange.Record{ID: id, Time: now, Decision: exchange.OutcomeIssued}) == nil {
					answered.Store(string(id), true)
				} else {
					time.Sleep(time.Millisecond)
				}
			}
		})
	}
	for range 4 {
		time.Sleep(150 * time.Millisecond)
		server.Kill(t)
		server.Start(t)
	}
	for before := r.Stats().Records; r.Stats().Records == before; { // it recovers without a restart
		time.Sleep(10 * time.Millisecond)
	}
	cancel()
	callers.Wait()
	stop()
	for _, row := range all(t, db) {
		answered.Delete(row.ID)
	}
	answered.Range(func(id, _ any) bool { t.Errorf("exchange %v was answered, and its record is gone", id); return true })
	if report := proved(t, db); !report.OK() || report.Records == 0 {
		t.Errorf("%+v", report)
	}
}

func TestConnectionCutInMidCommit(t *testing.T) {
	t.Parallel()
	db, d := opened(t)
	r, _ := running(t, audit.Options{Store: db})
	ids := keep(t, r, 3)
	for range 5 {
		execute(t, d.AppURL, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '"+pgserver.App+"' AND pid <> pg_backend_pid() AND datname = current_database()")
		ids = append(ids, keep(t, r, 2)...)
	}
	reader := open(t, d.AppURL)
	if rows := all(t, reader); len(rows) != len(ids) || !proved(t, reader).OK() {
		t.Errorf("%d records, want %d", len(rows), len(ids))
	}
}

func TestPartitionsAreMadeAheadAndTakeStragglersIn(t *testing.T) {
	t.Parallel()
	db, d := opened(t)
	// As if nobody had made partitions since before this month.
	execute(t, d.OwnerURL, "DO $$ DECLARE p text; BEGIN FOR p IN SELECT relname FROM pg_class JOIN pg_inherits ON inhrelid = oid WHERE inhparent = 'records'::regclass AND relname <> 'records_default' LOOP EXECUTE 'DROP TABLE ' || p; END LOOP; END $$")
	r, _ := running(t, audit.Options{Store: db})
	ids := keep(t, r, 2)
	if err := db.MakePartitions(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := db.MakePartitions(t.Context()); err != nil {
		t.Errorf("again: %v", err)
	}
	ids = append(ids, keep(t, r, 2)...)
	month := "records_" + time.Now().UTC().Format("2006_01")
	if err := attempt(t, d.OwnerURL, fmt.Sprintf("DO $$ BEGIN ASSERT (SELECT count(*) FROM %s) = %d AND (SELECT count(*) FROM records_default) = 0; "+
		"ASSERT (SELECT count(*) FROM pg_inherits WHERE inhparent = 'records'::regclass) = 5; END $$", month, len(ids))); err != nil {
		t.Error(err)
	}
	if err := db.CheckPrivileges(t.Context()); err != nil {
		t.Errorf("the new partitions: %v", err)
	}
	if report := proved(t, db); !report.OK() || report.Records != int64(len(ids)) {
		t.Errorf("%+v", report)
	}
}

func TestRetentionDropsTheOldestMonthAlone(t *testing.T) {
	t.Parallel()
	db, d := opened(t)
	r, stop := running(t, audit.Options{Store: db, Signer: plainSigner{}})
	past := time.Now().UTC().AddDate(0, -2, 0)
	execute(t, d.OwnerURL, fmt.Sprintf("CREATE TABLE records_%s PARTITION OF records FOR VALUES FROM (uuid_floor(%s)) TO (uuid_floor(%s))",
		past.Format("2006_01"), quoteMonth(past, 0), quoteMonth(past, 1)))
	for range 2 {
		id, err := exchange.NewID(past, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Record(t.Context(), &exchange.Record{ID: id, Time: past, Decision: exchange.OutcomeDenied}); err != nil {
			t.Fatal(err)
		}
	}
	keep(t, r, 2)
	stop()
	if err := postgres.DropMonth(t.Context(), d.OwnerURL, time.Now()); err == nil || !strings.Contains(err.Error(), "oldest") {
		t.Errorf("dropping this month: %v", err)
	}
	setEnd := fmt.Sprintf("UPDATE records SET expires = now() + interval '%%s' WHERE id < uuid_floor(%s)", quoteMonth(past, 1))
	execute(t, d.OwnerURL, fmt.Sprintf(setEnd, "1 minute"))
	if err := postgres.DropMonth(t.Context(), d.OwnerURL, past); err == nil || !strings.Contains(err.Error(), "have not expired") {
		t.Errorf("dropping what a revocation may look for: %v", err)
	}
	execute(t, d.OwnerURL, "UPDATE records SET expires = NULL")
	if err := postgres.DropMonth(t.Context(), d.OwnerURL, past); err != nil {
		t.Fatal(err)
	}
	if err := postgres.DropMonth(t.Context(), d.OwnerURL, time.Now()); err == nil || !strings.Contains(err.Error(), "ended") {
		t.Errorf("dropping a month that runs: %v", err)
	}
	report := proved(t, db)
	if !report.OK() || report.Records != 2 || report.Chains[0].First != 3 {
		t.Errorf("%+v", report)
	}
}

func quoteMonth(month time.Time, plus int) string {
	return "'" + time.Date(month.Year(), month.Month()+time.Month(plus), 1, 0, 0, 0, 0, time.UTC).Format(time.RFC3339) + "'"
}

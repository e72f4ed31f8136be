package postgres_test

import (
	cryptorand "crypto/rand"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"github.com/strait-sts/strait/internal/audit"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/postgres"
)

// motley keeps n records that agree and differ in every way, the last of them as
// a replica of an older version would; and gives all, newest first.
func motley(t *testing.T, n int) (*postgres.DB, []audit.Row) {
	t.Helper()
	db, d := opened(t)
	r, stop := running(t, audit.Options{Store: db})
	pick := func(of ...string) string { return of[rand.IntN(len(of))] }
	began := time.Now().Add(-time.Hour)
	for i := range n {
		rec := record(t, func(rec *exchange.Record) {
			rec.Client, rec.Policy, rec.Subject.Issuer = pick("a", "b"), pick("p", "q", ""), pick("x", "y")
			rec.Subject.Subject = pick("alice", "bob", "carol", "")
			rec.Targets = strings.Fields(pick("", "t", "u", "t u", "u t v w"))
			rec.Time = began.Add(time.Duration(i) * time.Second).UTC()
			rec.ID, _ = exchange.NewID(rec.Time, cryptorand.Reader)
			rec.JTI = string(rec.ID)
			if rand.IntN(3) == 0 {
				rec.Decision, rec.JTI, rec.Reason = exchange.OutcomeDenied, "", exchange.Reason(pick("no_policy", "scope_not_held"))
			}
		})
		if err := r.Record(t.Context(), rec); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	execute(t, d.OwnerURL, fmt.Sprintf("UPDATE records SET group_id = NULL WHERE seq > %d", n*4/5))
	rows := all(t, db)
	slices.SortFunc(rows, func(a, b audit.Row) int { return strings.Compare(b.ID, a.ID) })
	return db, rows
}

// passes is the filter as its documentation has it.
func passes(f audit.Filter, r *audit.Row) bool {
	for _, equal := range [][2]string{
		{f.Client, r.Client}, {f.Issuer, r.Issuer}, {f.Subject, r.Subject}, {f.Policy, r.Policy}, {f.Decision, r.Decision}, {f.Reason, r.Reason}, {f.JTI, r.JTI},
	} {
		if equal[0] != "" && equal[0] != equal[1] {
			return false
		}
	}
	return (f.Target == "" || slices.Contains(r.Targets, f.Target)) &&
		(f.Since.IsZero() || !r.Time.Before(f.Since)) && (f.Until.IsZero() || r.Time.Before(f.Until))
}

// TestPagesOfAnyFilterHoldWhatPassesIt compares the pages of generated filters,
// one after the other, with what a reading of all records finds.
func TestPagesOfAnyFilterHoldWhatPassesIt(t *testing.T) {
	t.Parallel()
	db, rows := motley(t, 250)
	rapid.Check(t, func(rt *rapid.T) {
		one := func(name string, of ...string) string {
			return rapid.SampledFrom(append([]string{"", "", ""}, of...)).Draw(rt, name)
		}
		f := audit.Filter{
			Client: one("client", "a", "b", "nobody"), Issuer: one("issuer", "x", "y"), Subject: one("subject", "alice", "bob", "nobody"),
			Policy: one("policy", "p", "q"), Decision: one("decision", "issued", "denied"), Reason: one("reason", "no_policy", "scope_not_held"),
			Target: one("target", "t", "u", "w", "nothing"), JTI: one("jti", rows[3].ID, "x"),
		}
		if rapid.Bool().Draw(rt, "bounded") {
			f.Since, f.Until = rows[len(rows)-20].Time, rows[rapid.IntRange(0, 30).Draw(rt, "until")].Time
		}
		var want []string
		for i := range rows {
			if passes(f, &rows[i]) {
				want = append(want, rows[i].ID)
			}
		}
		if got := pages(rt, db, f, rapid.IntRange(1, 60).Draw(rt, "limit")); !slices.Equal(got, want) {
			rt.Fatalf("%+v\ngot  %v\nwant %v", f, got, want)
		}
	})
}

// pages are the ids of all pages of a filter.
func pages(t *rapid.T, db *postgres.DB, f audit.Filter, limit int) (ids []string) {
	for token := ""; ; {
		page, next, err := db.Records(t.Context(), f, limit, token)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) > limit || next != "" && len(page) < limit {
			t.Fatalf("a page of %d, want %d", len(page), limit)
		}
		for _, row := range page {
			ids = append(ids, row.ID)
		}
		if token = next; next == "" {
			return ids
		}
	}
}

// TestChainsThatMeetOnNewGroupsDoNotWaitForEachOther: neither loses a record, and
// each record is found.
func TestChainsThatMeetOnNewGroupsDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	db, d := opened(t)
	const chains, groups = 3, 120
	var wait sync.WaitGroup
	for range chains {
		r, _ := running(t, audit.Options{Store: open(t, d.AppURL)})
		for _, n := range rand.Perm(groups) {
			wait.Go(func() {
				if err := r.Record(t.Context(), record(t, func(rec *exchange.Record) { rec.Client = fmt.Sprint("client-", n) })); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wait.Wait()
	for n := range groups {
		page, _, err := db.Records(t.Context(), audit.Filter{Client: fmt.Sprint("client-", n)}, 10, "")
		if err != nil || len(page) != chains {
			t.Errorf("client-%d has %d records, %v", n, len(page), err)
		}
	}
}

// TestFewGroupsAreReadByTheirIndexToo: where records are of three groups, one of
// them old, the planner would rather walk the primary key past all the others.
func TestFewGroupsAreReadByTheirIndexToo(t *testing.T) {
	t.Parallel()
	_, d := opened(t)
	const groups = `CASE WHEN i <= 100 THEN 'old' ELSE 'client-' || i % 2 END`
	execute(t, d.AppURL, `INSERT INTO writers (id, hash) VALUES (uuid_floor(now()), '')`,
		`INSERT INTO records (id, time, decision, client, subject, targets, writer, seq, hash, body, group_id)
			SELECT (left(uuid_floor(at)::text, 24) || substr(md5(i::text), 7, 12))::uuid, at, 'issued', client, 'alice', '{}', (SELECT id FROM writers), i, '', '', md5(client)::uuid
			FROM (SELECT i, now() - make_interval(secs => (60000 - i) / 1000.0) AS at, `+groups+` AS client FROM generate_series(1, 60000) AS i) AS made`,
		`INSERT INTO record_groups SELECT DISTINCT md5(client)::uuid, client, '', '', 'issued', '', '{}'::text[] FROM records`)
	for _, state := range []string{"ANALYZE records", "VACUUM ANALYZE records"} {
		execute(t, d.OwnerURL, state)
		for _, f := range []audit.Filter{{Client: "old"}, {Client: "old", Subject: "alice"}, {Decision: "issued"}, {Subject: "alice"}} {
			if past := walkedPast(t, d.AppURL, f); past > firstPage {
				t.Errorf("after %s, %+v walks past %d records", state, f, past)
			}
		}
	}
}

const firstPage = 51

// walkedPast is the most rows that a step of a filter's first page read and did
// not take.
func walkedPast(t *testing.T, url string, f audit.Filter) (past int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	sql, arguments := postgres.SelectPage(f, firstPage)
	rows, err := conn.Query(t.Context(), "EXPLAIN (ANALYZE, TIMING OFF, COSTS OFF) "+sql, arguments...)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range plan {
		var removed int
		if n, _ := fmt.Sscanf(strings.TrimSpace(line), "Rows Removed by Filter: %d", &removed); n == 1 {
			past = max(past, removed)
		}
	}
	return past
}

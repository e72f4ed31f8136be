package postgres_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/audit"
	"github.com/strait-sts/strait/internal/ststest"
)

// The flags of make bench-records.
var (
	records       = flag.Int("records", 20_000, "how many records BenchmarkFirstPage looks through")
	recordsFolder = flag.String("records-folder", "", "folder on a disk for BenchmarkFirstPage's database; empty: the tests' own server")
)

// BenchmarkRecord is what a durable record costs its caller. The null
// recorder's figure is that of the same loop without one.
func BenchmarkRecord(b *testing.B) {
	for _, callers := range []int{1, 16, 64} {
		b.Run(fmt.Sprint("callers=", callers), func(b *testing.B) {
			r, _ := running(b, audit.Options{Store: open(b, ststest.StartServer(b).Migrated(b).AppURL)})
			b.SetParallelism((callers + 1) / 2)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := r.Record(b.Context(), record(b, nil)); err != nil {
						b.Error(err)
					}
				}
			})
			if s := r.Stats(); s.Batches > 0 {
				b.ReportMetric(float64(s.Records)/float64(s.Batches), "records/commit")
			}
		})
	}
	b.Run("null", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				record(b, nil)
			}
		})
	})
}

// appendSize is how many rows BenchmarkAppend appends at once: what some 64
// callers come to.
const appendSize = 30

// BenchmarkAppend is what a record costs from its place in the chain on, in CPU
// time of ours and of PostgreSQL's processes, which other load on the machine
// distorts less than it does the time.
func BenchmarkAppend(b *testing.B) {
	server := ststest.StartServerIn(b, *recordsFolder)
	db := open(b, server.Migrated(b).AppURL)
	chain, err := db.Claim(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer chain.Close(b.Context())
	batches := make([][]audit.Row, b.N)
	body := []byte(strings.Repeat("a", 900))
	for i := range batches {
		for j := range appendSize {
			rec, n := record(b, whole), i*appendSize+j
			batches[i] = append(batches[i], audit.Row{
				Copies: audit.Copies{
					ID: string(rec.ID), Time: rec.Time, Decision: "issued", Client: fmt.Sprint("client-", n%50), Issuer: fmt.Sprint("issuer-", n%5),
					Subject: fmt.Sprint("subject-", rand.IntN(100_000)), Policy: fmt.Sprint("policy-", n%200), Targets: []string{fmt.Sprint("target-", n%40)}, JTI: string(rec.ID), Txn: string(rec.ID),
					Expires: rec.Time.Add(5 * time.Minute), Key: "key-1", SubjectJTI: string(rec.ID),
				}, Writer: chain.Head().Writer, Seq: int64(n + 1), Body: body, Issues: true,
			})
		}
	}
	runtime.GC()
	ours, theirs := ownCPU(b), server.CPU(b)
	for i := range b.N {
		if err := chain.Append(b.Context(), batches[i]); err != nil {
			b.Fatal(err)
		}
	}
	each := func(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) / float64(b.N*appendSize) }
	b.ReportMetric(each(ownCPU(b)-ours), "our-µs/record")
	b.ReportMetric(each(server.CPU(b)-theirs), "their-µs/record")
}

// ownCPU is what this process has used.
func ownCPU(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// fillRecords makes n records over the last n/100 seconds, and a writer that
// they are of. Every other one is of one subject. The oldest hundredth is of a
// client, a policy and a reason that were not seen since, so that all others
// stand before them.
func fillRecords(b *testing.B, d ststest.Database, n int) {
	b.Helper()
	execute(b, d.AppURL, `INSERT INTO writers (id, hash) VALUES (uuid_floor(now()), '')`)
	const step = 500_000
	for from := 1; from <= n; from += step {
		execute(b, d.AppURL, fmt.Sprintf(`
			INSERT INTO records (id, time, decision, reason, client, issuer, subject, policy, targets, jti, writer, seq, hash, body, group_id)
			SELECT *, md5(concat_ws(',', decision, reason, client, issuer, policy, targets))::uuid FROM (
				SELECT (left(uuid_floor(at)::text, 14) || '7' || substr(md5(i::text), 1, 3) || '-' || '8' || substr(md5(i::text), 4, 3) || '-' || substr(md5(i::text), 7, 12))::uuid,
					at, CASE WHEN i %% 20 = 0 THEN 'denied' ELSE 'issued' END AS decision,
					CASE WHEN i < %[1]d / 100 AND i %% 20 = 0 THEN 'reason-old' WHEN i %% 20 = 0 THEN 'reason-' || i %% 7 END AS reason,
					CASE WHEN i < %[1]d / 100 THEN 'client-old' ELSE 'client-' || i %% 50 END AS client, 'issuer-' || i %% 5 AS issuer,
					CASE WHEN i %% 2 = 0 THEN 'subject-often' ELSE 'subject-' || hashint4(i) %% 100000 END,
					CASE WHEN i < %[1]d / 100 THEN 'policy-old' ELSE 'policy-' || i %% 200 END AS policy,
					CASE WHEN i %% 3 = 0 THEN ARRAY['target-' || i %% 40, 'target-x'] ELSE ARRAY['target-' || i %% 40] END AS targets, 'jti',
					(SELECT id FROM writers LIMIT 1), i, decode(repeat('00', 32), 'hex'), decode(repeat('61', 900), 'hex')
				FROM (SELECT i, now() - make_interval(secs => (%[1]d - i) / 100.0) AS at FROM generate_series(%[2]d, %[3]d) AS i) AS made) AS filled`,
			n, from, min(n, from+step-1)))
	}
	execute(b, d.AppURL, `INSERT INTO record_groups
		SELECT DISTINCT group_id, client, issuer, policy, decision, coalesce(reason, ''), targets FROM records`)
	execute(b, d.OwnerURL, "ANALYZE records", "ANALYZE record_groups")
}

// firstPageLimit is what the first page of any filter may take.
const firstPageLimit = 100 * time.Millisecond

// BenchmarkFirstPage is the time of the first page of each filter, common and
// rare values alike, over -records records.
func BenchmarkFirstPage(b *testing.B) {
	migrated := ststest.Migrated
	if *recordsFolder != "" {
		migrated = ststest.StartServerIn(b, *recordsFolder).Migrated
	}
	d := migrated(b)
	began := time.Now()
	fillRecords(b, d, *records)
	b.Logf("%d records made in %v", *records, time.Since(began).Round(time.Second))
	db := open(b, d.AppURL)
	for name, f := range map[string]audit.Filter{
		"none": {}, "client": {Client: "client-7"}, "issuer": {Issuer: "issuer-1"}, "subject": {Subject: "subject-17"}, "jti": {JTI: "01900000-0000-7000-8000-000000000000"}, "policy": {Policy: "policy-3"},
		"target": {Target: "target-3"}, "second target": {Target: "target-x"}, "decision": {Decision: "denied"}, "reason": {Reason: "reason-3"},
		"two": {Client: "client-0", Decision: "denied"}, "old client": {Client: "client-old"}, "old reason of a client": {Client: "client-old", Reason: "reason-old"},
		"two that never met": {Client: "client-1", Policy: "policy-old"}, "often": {Subject: "subject-often"}, "old of a subject seen often": {Subject: "subject-often", Reason: "reason-old"},
		"never of a subject seen often": {Subject: "subject-often", Client: "client-1"}, "absent client": {Client: "nobody"}, "absent target": {Target: "nothing"}, "absent decision": {Decision: "error"},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				began := time.Now()
				if _, _, err := db.Records(b.Context(), f, 50, ""); err != nil {
					b.Fatal(err)
				}
				if took := time.Since(began); took > firstPageLimit {
					b.Errorf("a first page took %v, more than %v", took, firstPageLimit)
				}
			}
		})
	}
}

package postgres_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/postgres"
	"github.com/strait-sts/strait/internal/ststest"
)

// fillTrees makes n issued records over the last 24 hours, in trees of eight
// whose tokens live an hour: a chain of four, and a token of it with four actors.
func fillTrees(b *testing.B, d ststest.Database, n int) {
	b.Helper()
	execute(b, d.AppURL, `INSERT INTO writers (id, hash) VALUES (uuid_floor(now()), '')`)
	// at is the instant of the i-th, issue its id.
	execute(b, d.OwnerURL, fmt.Sprintf(`CREATE FUNCTION at(i bigint) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS
		$$ SELECT timestamptz '%s' - interval '24 hours' * (1 - i::float / %d) $$`, time.Now().UTC().Format(time.RFC3339), n),
		`CREATE FUNCTION issue(i bigint) RETURNS text LANGUAGE sql IMMUTABLE AS
		$$ SELECT left(uuid_floor(at(i))::text, 14) || '7' || substr(md5(i::text), 1, 3) || '-8' || substr(md5(i::text), 4, 3) || '-' || substr(md5(i::text), 7, 12) $$`,
		`GRANT EXECUTE ON FUNCTION at(bigint), issue(bigint) TO PUBLIC`)
	const step = 100_000
	for from := 0; from < n; from += step {
		execute(b, d.AppURL, fmt.Sprintf(`
			INSERT INTO records (id, time, decision, client, issuer, subject, policy, targets, jti, parent, actor_parent, writer, seq, hash, body, expires, key)
			SELECT issue(i)::uuid, at(i), 'issued', 'client-' || i / 8 %% 50, CASE WHEN i %% 8 = 0 THEN 'okta' ELSE 'self' END,
				'subject-' || i / 8 %% 10000, 'policy-' || i / 8 %% 200, '{orders}', issue(i),
				CASE WHEN i %% 8 BETWEEN 1 AND 3 THEN issue(i - 1) END, CASE WHEN i %% 8 > 3 THEN issue(i - i %% 8 + 3) END,
				(SELECT id FROM writers LIMIT 1), i + 1, decode(repeat('00', 32), 'hex'), decode(repeat('61', 900), 'hex'), at(i) + interval '1 hour', 'key'
			FROM generate_series(%d::bigint, %d) AS i`, from, min(n, from+step)-1))
	}
	execute(b, d.AppURL, fmt.Sprintf(`UPDATE writers SET seq = %d`, n))
	execute(b, d.OwnerURL, "ANALYZE records")
}

// BenchmarkRevoke is the time of an order over -records records of a day, and
// the longest that a record waited meanwhile.
func BenchmarkRevoke(b *testing.B) {
	migrated := ststest.Migrated
	if *recordsFolder != "" {
		migrated = ststest.StartServerIn(b, *recordsFolder).Migrated
	}
	d := migrated(b)
	began := time.Now()
	fillTrees(b, d, *records)
	b.Logf("%d records made in %v", *records, time.Since(began).Round(time.Second))
	set := setOn(open(b, d.AppURL), time.Now)
	if err := set.Load(b.Context()); err != nil {
		b.Fatal(err)
	}
	var root string
	conn, err := pgx.Connect(b.Context(), d.AppURL)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if err := conn.QueryRow(b.Context(), `SELECT id::text FROM records WHERE issuer = 'okta' AND time > now() - interval '30 minutes' LIMIT 1`).Scan(&root); err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		order exchange.Revocation
	}{
		{"exchange", exchange.Revocation{Exchange: exchange.ID(root)}},
		{"subject", exchange.Revocation{Subject: &exchange.RevokedSubject{Issuer: "okta", Subject: "subject-7"}}},
		{"client", exchange.Revocation{Client: "client-7"}},
		{"issuer", exchange.Revocation{Issuer: "okta"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			c.order.Cascade = true
			stop, stalled := stalls(b, d)
			tokens := 0
			for b.Loop() {
				result, err := set.Revoke(b.Context(), c.order)
				if err != nil {
					b.Fatal(err)
				}
				tokens += result.Tokens
			}
			stop()
			b.ReportMetric(float64(tokens), "tokens")
			b.ReportMetric(float64((<-stalled).Microseconds())/1000, "ms-stalled")
		})
	}
}

// stalls takes the shared lock again and again, as records do, and gives the
// longest wait.
func stalls(b *testing.B, d ststest.Database) (stop func(), longest <-chan time.Duration) {
	b.Helper()
	conn, err := pgx.Connect(b.Context(), d.AppURL)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	found := make(chan time.Duration, 1)
	go func() {
		defer func() { _ = conn.Close(context.Background()) }()
		var most time.Duration
		for ctx.Err() == nil {
			began := time.Now()
			if _, err := conn.Exec(ctx, `SELECT pg_advisory_xact_lock_shared($1)`, postgres.RevocationLock); err == nil {
				most = max(most, time.Since(began))
			}
		}
		found <- most
	}()
	return cancel, found
}

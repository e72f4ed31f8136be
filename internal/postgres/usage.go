package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/strait-sts/strait/internal/catalog"
)

// Use is tokens that were issued alike.
type Use struct {
	Client, Policy string
	Issuers        []string // of subject and actor: trusted issuers' names
	Scopes         []string
	Last           time.Time
}

// Uses gathers what was issued in Since ≤ time < until. It reads each of those
// records, so that until should not be far.
func (db *DB) Uses(ctx context.Context, since, until time.Time) ([]Use, error) {
	ctx, cancel := limit(ctx)
	defer cancel()
	rows, err := db.pool.Query(ctx, `
		WITH issued AS MATERIALIZED ( -- so that each body is parsed once
			SELECT client, policy, time, convert_from(body, 'UTF8')::jsonb AS j FROM records
			WHERE id >= uuid_floor($1) AND id < uuid_floor($2) AND decision = 'issued'),
		alike AS ( -- and few are looked into
			SELECT client, policy, j->'subject'->'issuer' AS subject, j->'actor'->'issuer' AS actor, j->'scopes'->'issued' AS scopes, max(time) AS last
			FROM issued GROUP BY 1, 2, 3, 4, 5)
		SELECT coalesce(client, ''), coalesce(policy, ''), array_remove(ARRAY[subject#>>'{}', actor#>>'{}'], NULL),
			ARRAY(SELECT jsonb_array_elements_text(coalesce(scopes, '[]'))), last
		FROM alike`, since, until)
	if err != nil {
		return nil, failed("gather what was used", err)
	}
	uses, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (u Use, err error) {
		err = row.Scan(&u.Client, &u.Policy, &u.Issuers, &u.Scopes, &u.Last)
		return u, err
	})
	return uses, failed("gather what was used", err)
}

// Oldest is the time of the oldest record that is kept; zero where there is none.
func (db *DB) Oldest(ctx context.Context) (oldest time.Time, err error) {
	ctx, cancel := limit(ctx)
	defer cancel()
	err = db.pool.QueryRow(ctx, `SELECT time FROM records ORDER BY id LIMIT 1`).Scan(&oldest)
	if missing(err) {
		return time.Time{}, nil
	}
	return oldest.UTC(), failed("find the oldest record", err)
}

// Ages says when objects were created and changed last, as the change records
// have it. A name that was deleted and made anew is as old as the newer one.
func (db *DB) Ages(ctx context.Context, each func(ref catalog.Ref, created, changed time.Time)) error {
	ctx, cancel := limit(ctx)
	defer cancel()
	rows, err := db.pool.Query(ctx, `
		SELECT kind, name, max(time) FILTER (WHERE action = $1), max(time) FROM catalog_changes GROUP BY kind, name`, catalog.Created)
	if err != nil {
		return failed("read the ages of objects", err)
	}
	var ref catalog.Ref
	var created *time.Time
	var changed time.Time
	_, err = pgx.ForEachRow(rows, []any{&ref.Kind, &ref.Name, &created, &changed}, func() error {
		if created == nil {
			created = &changed
		}
		each(ref, created.UTC(), changed.UTC())
		return nil
	})
	return failed("read the ages of objects", err)
}

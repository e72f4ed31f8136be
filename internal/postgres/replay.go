package postgres

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/strait-sts/strait/internal/audit"
	"github.com/strait-sts/strait/internal/exchange"
)

// claimed is what a replay claim is about, the key of its row.
type claimed struct{ Issuer, JTI string }

// appendAll writes the rows, in the transaction of their claims where they have
// any. Each statement has a snapshot of its own, so that what is compared under
// the lock of revocations is what they have come to; the lock is the first that
// is waited for, so that nobody who holds a claim waits for a revocation.
func (c *chain) appendAll(ctx context.Context, rows []audit.Row, judged pgtype.Int8) error {
	claims := claimsOf(rows)
	if len(claims) == 0 {
		return c.keep(ctx, rows, judged)
	}
	return pgx.BeginFunc(ctx, c.conn, func(tx pgx.Tx) error {
		if judged.Valid {
			if _, err := tx.Exec(ctx, lockRevocations, revocationLock); err != nil {
				return err
			}
		}
		taken, err := take(ctx, tx, claims)
		if err != nil {
			return err
		}
		if late := tooLate(rows, taken); len(late) > 0 {
			return &audit.ReplayedError{Rows: late}
		}
		return c.keep(ctx, rows, judged)
	})
}

// whyNot says why nothing was inserted.
func (c *chain) whyNot(ctx context.Context, judged pgtype.Int8) error {
	if !judged.Valid {
		return errTaken
	}
	var revision int64
	if err := c.conn.QueryRow(ctx, revocationRevision).Scan(&revision); err != nil {
		return err
	}
	if revision > judged.Int64 {
		return &audit.StaleError{Revision: revision}
	}
	return errTaken
}

// judgedBy is the lowest revision of revocations that an issuing row was judged
// by; NULL where there is none.
func judgedBy(rows []audit.Row) (lowest pgtype.Int8) {
	for i := range rows {
		if rows[i].Issues && (!lowest.Valid || rows[i].Judged < lowest.Int64) {
			lowest = pgtype.Int8{Int64: rows[i].Judged, Valid: true}
		}
	}
	return lowest
}

// claimsOf is the claims of all rows, each once, in an order that is the same
// everywhere, so that two replicas never wait for each other.
func claimsOf(rows []audit.Row) []exchange.ReplayClaim {
	var all []exchange.ReplayClaim
	for i := range rows {
		all = append(all, rows[i].Claims...)
	}
	slices.SortStableFunc(all, func(a, b exchange.ReplayClaim) int {
		return cmp.Or(strings.Compare(a.Scope, b.Scope), strings.Compare(a.ID, b.ID))
	})
	return slices.CompactFunc(all, func(a, b exchange.ReplayClaim) bool { return a.Scope == b.Scope && a.ID == b.ID })
}

// take inserts the claims and gives those that were not there. It waits for
// other replicas that are taking the same ones.
func take(ctx context.Context, tx pgx.Tx, claims []exchange.ReplayClaim) (taken map[claimed]bool, err error) {
	var issuers, jtis []string
	var until []time.Time
	for _, c := range claims {
		issuers, jtis, until = append(issuers, c.Scope), append(jtis, c.ID), append(until, c.Until)
	}
	rows, err := tx.Query(ctx, `
		INSERT INTO replay_claims (issuer, jti, until)
		SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[])
		ON CONFLICT DO NOTHING RETURNING issuer, jti`, issuers, jtis, until)
	if err != nil {
		return nil, err
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[claimed])
	taken = make(map[claimed]bool, len(found))
	for _, c := range found {
		taken[c] = true
	}
	return taken, err
}

// tooLate is the places of the rows that did not get all their claims. Of two
// rows with one claim, the first has it.
func tooLate(rows []audit.Row, taken map[claimed]bool) (late []int) {
	for i := range rows {
		missing := func(c exchange.ReplayClaim) bool { return !taken[claimed{c.Scope, c.ID}] }
		if slices.ContainsFunc(rows[i].Claims, missing) {
			late = append(late, i)
			continue
		}
		for _, c := range rows[i].Claims {
			delete(taken, claimed{c.Scope, c.ID})
		}
	}
	return late
}

// PruneClaims forgets the replay claims of tokens that expired before the
// instant; those are refused anyway. It returns how many there were.
func (db *DB) PruneClaims(ctx context.Context, expired time.Time) (int64, error) {
	ctx, cancel := limit(ctx)
	defer cancel()
	tag, err := db.pool.Exec(ctx, `DELETE FROM replay_claims WHERE until < $1`, expired)
	return tag.RowsAffected(), failed("prune replay claims", err)
}

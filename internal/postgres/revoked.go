package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/revocation"
)

const orderColumns = `id::text AS revocation, revision, time, given_by, reason, request_id, kind, issuer, value, before, cascade, tokens, until`

func scanOrder(row pgx.CollectableRow) (o revocation.Order, err error) {
	err = row.Scan(&o.ID, &o.Revision, &o.Time, &o.By, &o.Reason, &o.RequestID, &o.Selector.Kind, &o.Selector.Issuer, &o.Selector.Value,
		&o.Before, &o.Cascade, &o.Tokens, &o.Until)
	o.Time, o.Before, o.Until = o.Time.UTC(), o.Before.UTC(), o.Until.UTC()
	o.Selector.Put(&o.Revocation)
	return o, err
}

// Since reads the orders after a revision and the tokens that they revoked, all
// as of one instant, without what is over.
func (db *DB) Since(ctx context.Context, revision int64, now time.Time) (in revocation.Increment, err error) {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	err = pgx.BeginTxFunc(ctx, db.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, `SELECT revision FROM revisions WHERE topic = $1`, TopicRevocations).Scan(&in.Revision); err != nil {
			return err
		}
		if in.Revision <= revision {
			return nil
		}
		rows, err := tx.Query(ctx, `SELECT `+orderColumns+` FROM revocations WHERE revision > $1 AND until > $2`, revision, now)
		if err != nil {
			return err
		}
		if in.Orders, err = pgx.CollectRows(rows, scanOrder); err != nil {
			return err
		}
		in.Tokens, err = revokedSince(ctx, tx, revision, now)
		return err
	})
	return in, failed("read revocations", err)
}

func revokedSince(ctx context.Context, tx pgx.Tx, revision int64, now time.Time) (tokens []revocation.Token, err error) {
	rows, err := tx.Query(ctx, `
		SELECT revoked.id, ceil(extract(epoch FROM revoked.until))::bigint, NOT cascade FROM revocations JOIN revoked ON revocation = revocations.id
		WHERE revision > $1 AND revoked.until > $2`, revision, now)
	if err != nil {
		return nil, err
	}
	var token revocation.Token
	_, err = pgx.ForEachRow(rows, []any{&token.ID, &token.Until, &token.Alone}, func() error {
		tokens = append(tokens, token)
		return nil
	})
	return tokens, err
}

// Revocations lists orders, newest first: at most count, of those with an id
// below before, or of all where before is "".
func (db *DB) Revocations(ctx context.Context, before exchange.ID, count int) ([]revocation.Order, error) {
	ctx, cancel := limit(ctx)
	defer cancel()
	rows, err := db.pool.Query(ctx, `
		SELECT `+orderColumns+` FROM revocations WHERE $1 = '' OR id < nullif($1, '')::uuid ORDER BY id DESC LIMIT $2`, string(before), count)
	if err != nil {
		return nil, failed("list revocations", err)
	}
	orders, err := pgx.CollectRows(rows, scanOrder)
	return orders, failed("list revocations", err)
}

// PruneRevoked forgets the revoked tokens that are refused anyway since an hour.
// The orders stay. It returns how many there were.
func (db *DB) PruneRevoked(ctx context.Context) (pruned int64, err error) {
	ctx, cancel := limit(ctx)
	defer cancel()
	err = db.pool.QueryRow(ctx, `SELECT prune_revoked()`).Scan(&pruned)
	return pruned, failed("prune revoked tokens", err)
}

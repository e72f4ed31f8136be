package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/strait-sts/strait/internal/catalog"
)

// At reads the rows of the catalogue as they were at a revision: of each object
// the last change up to it. Every step of the catalogue leaves a change record,
// so that a revision without one means that history is missing:
// catalog.ErrNoHistory, rather than a catalogue that never was.
func (db *DB) At(ctx context.Context, revision int64) (rows []catalog.Row, err error) {
	ctx, cancel := limit(ctx)
	defer cancel()
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err = pgx.BeginTxFunc(ctx, db.pool, options, func(tx pgx.Tx) error {
		var steps int64
		if err := tx.QueryRow(ctx, `SELECT count(DISTINCT revision) FROM catalog_changes WHERE revision <= $1`, revision).Scan(&steps); err != nil {
			return err
		}
		if steps != revision {
			return catalog.ErrNoHistory
		}
		found, err := tx.Query(ctx, `
			SELECT kind, name, revision, after FROM (
				SELECT DISTINCT ON (kind, name) kind, name, revision, after FROM catalog_changes
				WHERE revision <= $1 ORDER BY kind, name, id DESC) AS last
			WHERE after IS NOT NULL`, revision)
		if err != nil {
			return err
		}
		rows, err = pgx.CollectRows(found, func(row pgx.CollectableRow) (r catalog.Row, err error) {
			err = row.Scan(&r.Kind, &r.Name, &r.Revision, &r.Body)
			return r, err
		})
		return err
	})
	return rows, failed("read the catalogue of a revision", err)
}

package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/strait-sts/strait/internal/catalog"
)

// Load reads the catalogue's revision and rows in one repeatable-read
// snapshot, the rows by kind and name.
func (db *DB) Load(ctx context.Context) (revision int64, rows []catalog.Row, err error) {
	ctx, cancel := limit(ctx)
	defer cancel()
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err = pgx.BeginTxFunc(ctx, db.pool, options, func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, `SELECT revision FROM revisions WHERE topic = $1`, TopicCatalog).Scan(&revision); err != nil {
			return err
		}
		found, err := tx.Query(ctx, `SELECT kind, name, revision, apply_set, body, digests, sealed FROM catalog_objects ORDER BY kind, name`)
		if err != nil {
			return err
		}
		rows, err = pgx.CollectRows(found, func(row pgx.CollectableRow) (r catalog.Row, err error) {
			err = row.Scan(&r.Kind, &r.Name, &r.Revision, &r.Set, &r.Body, &r.Digests, &r.Sealed)
			return r, err
		})
		return err
	})
	return revision, rows, failed("load the catalogue", err)
}

// Commit takes the catalogue from base to the next revision: objects, change
// records and the word to every replica, in one transaction. It answers
// catalog.ErrMoved, and writes nothing, when the catalogue is not at base.
func (db *DB) Commit(ctx context.Context, base int64, c catalog.Commit) (revision int64, err error) {
	ctx, cancel := limit(ctx)
	defer cancel()
	err = pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `
			UPDATE revisions SET revision = revision + 1 WHERE topic = $1 AND revision = $2 RETURNING revision`,
			TopicCatalog, base).Scan(&revision)
		if missing(err) {
			return catalog.ErrMoved
		}
		if err != nil {
			return err
		}
		if err := tx.SendBatch(ctx, statements(revision, c)).Close(); err != nil {
			return err
		}
		return moved(ctx, tx, TopicCatalog, revision)
	})
	if err != nil {
		return 0, failed("write to the catalogue", err)
	}
	return revision, nil
}

// statements are a commit's, sent in one round trip.
func statements(revision int64, c catalog.Commit) *pgx.Batch {
	batch := &pgx.Batch{}
	for _, ref := range c.Deletes {
		batch.Queue(`DELETE FROM catalog_objects WHERE kind = $1 AND name = $2`, ref.Kind, ref.Name)
	}
	for _, put := range c.Puts {
		digests := put.Digests
		if digests == nil {
			digests = []string{}
		}
		batch.Queue(`
			INSERT INTO catalog_objects (kind, name, revision, apply_set, body, digests, sealed) VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (kind, name) DO UPDATE
			SET revision = excluded.revision, apply_set = excluded.apply_set, body = excluded.body, digests = excluded.digests,
				sealed = excluded.sealed`,
			put.Kind, put.Name, revision, put.Set, put.Body, digests, put.Sealed)
	}
	for _, change := range c.Changes {
		batch.Queue(`
			INSERT INTO catalog_changes (revision, time, changed_by, reason, request_id, kind, name, action, before, after)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
			revision, change.Time, change.By, change.Reason, change.RequestID, change.Kind, change.Name, change.Action, change.Before, change.After)
	}
	return batch
}

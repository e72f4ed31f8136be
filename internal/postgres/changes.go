package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/strait-sts/strait/internal/catalog"
)

// Changes lists change records, newest first: at most count, of those with an
// ID below before, or of all where before is 0.
func (db *DB) Changes(ctx context.Context, before int64, count int) ([]catalog.Change, error) {
	ctx, cancel := limit(ctx)
	defer cancel()
	rows, err := db.pool.Query(ctx, `
		SELECT id, revision, time, changed_by, reason, request_id, kind, name, action, before, after
		FROM catalog_changes WHERE $1 = 0 OR id < $1 ORDER BY id DESC LIMIT $2`, before, count)
	if err != nil {
		return nil, failed("list changes", err)
	}
	changes, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c catalog.Change, err error) {
		err = row.Scan(&c.ID, &c.Revision, &c.Time, &c.By, &c.Reason, &c.RequestID, &c.Kind, &c.Name, &c.Action, &c.Before, &c.After)
		c.Time = c.Time.UTC()
		return c, err
	})
	return changes, failed("list changes", err)
}

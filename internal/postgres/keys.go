package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/strait-sts/strait/internal/keyring"
)

// Sealed gives every key, the oldest first.
func (db *DB) Sealed(ctx context.Context) ([]keyring.SealedKey, error) {
	ctx, cancel := limit(ctx)
	defer cancel()
	rows, err := db.pool.Query(ctx, `
		SELECT id, purpose, algorithm, state, public_jwk, sealed, wrapped_key, kek, created, activated, retired
		FROM sealed_keys ORDER BY created, id`)
	if err != nil {
		return nil, failed("read the sealed keys", err)
	}
	keys, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (k keyring.SealedKey, err error) {
		var activated, retired *time.Time
		err = row.Scan(&k.ID, &k.Purpose, &k.Algorithm, &k.State, &k.Public, &k.Sealed, &k.WrappedKey, &k.KEK, &k.Created, &activated, &retired)
		k.Created, k.Activated, k.Retired = k.Created.UTC(), instant(activated), instant(retired)
		return k, err
	})
	return keys, failed("read the sealed keys", err)
}

// Insert adds a key. Where its ID is taken, or another active key has its
// purpose and algorithm, nothing changes and the error is keyring.ErrExists.
func (db *DB) Insert(ctx context.Context, k keyring.SealedKey) error {
	ctx, cancel := limit(ctx)
	defer cancel()
	err := pgx.BeginFunc(ctx, db.pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
			INSERT INTO sealed_keys (id, purpose, algorithm, state, public_jwk, sealed, wrapped_key, kek, created, activated, retired)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
			k.ID, k.Purpose, k.Algorithm, k.State, k.Public, k.Sealed, k.WrappedKey, k.KEK, k.Created, nullTime(k.Activated), nullTime(k.Retired))
		if err != nil {
			return err
		}
		var revision int64
		err = tx.QueryRow(ctx, `UPDATE revisions SET revision = revision + 1 WHERE topic = $1 RETURNING revision`, TopicKeys).Scan(&revision)
		if err != nil {
			return err
		}
		return moved(ctx, tx, TopicKeys, revision)
	})
	if exists(err) {
		return keyring.ErrExists
	}
	return failed("insert the key "+k.ID, err)
}

// nullTime is t, with NULL for the zero time.
func nullTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// instant is the time that nullTime stored.
func instant(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

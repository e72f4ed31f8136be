package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/strait-sts/strait/internal/audit"
)

// Errors of the readers of records.
var (
	// ErrNotFound: there is no such record.
	ErrNotFound = errors.New("there is no such record")
	// ErrPageToken: the page token is not one that Records gave.
	ErrPageToken = errors.New("the page token is not one that was given out")
)

// recordColumns are named apart from the table's, so that ORDER BY id is by
// the uuid and its index.
const recordColumns = `id::text AS record, time, decision, coalesce(reason, ''), coalesce(client, ''), coalesce(issuer, ''), coalesce(subject, ''),
	coalesce(policy, ''), targets, coalesce(jti, ''), coalesce(parent, ''), coalesce(txn, ''),
	expires, coalesce(key, ''), coalesce(subject_jti, ''), coalesce(actor_issuer, ''), coalesce(actor, ''), coalesce(actor_jti, ''),
	coalesce(actor_parent, ''), group_id, writer::text AS chain, seq, hash, body`

func scanRecord(row pgx.CollectableRow) (audit.Row, error) {
	r, _, err := scanGrouped(row)
	return r, err
}

// scanGrouped gives the group too, not valid where the record has none.
func scanGrouped(row pgx.CollectableRow) (r audit.Row, group pgtype.UUID, err error) {
	var hash []byte
	var expires pgtype.Timestamptz
	err = row.Scan(&r.ID, &r.Time, &r.Decision, &r.Reason, &r.Client, &r.Issuer, &r.Subject,
		&r.Policy, &r.Targets, &r.JTI, &r.Parent, &r.Txn,
		&expires, &r.Key, &r.SubjectJTI, &r.ActorIssuer, &r.Actor, &r.ActorJTI, &r.ActorParent, &group, &r.Writer, &r.Seq, &hash, &r.Body)
	r.Time = r.Time.UTC()
	if expires.Valid {
		r.Expires = expires.Time.UTC()
	}
	// A hash of another length was tampered with: it stays zero, and Verify says so.
	_ = setHash(&r.Hash, hash)
	return r, group, err
}

// Record reads one record; ErrNotFound where there is none.
func (db *DB) Record(ctx context.Context, id string) (audit.Row, error) {
	ctx, cancel := limit(ctx)
	defer cancel()
	key, err := parseUUID(id)
	if err != nil {
		return audit.Row{}, ErrNotFound
	}
	rows, err := db.pool.Query(ctx, `SELECT `+recordColumns+` FROM records WHERE id = $1`, key)
	if err != nil {
		return audit.Row{}, failed("read a record", err)
	}
	record, err := pgx.CollectExactlyOneRow(rows, scanRecord)
	if missing(err) {
		return audit.Row{}, ErrNotFound
	}
	return record, failed("read a record", err)
}

// selectLineage climbs from $1 to its root and walks down from there, each by an
// index: parents by id, children by parent. The way up is in the answer whatever
// the bounds $2 and $3 cut off; so are records whose actor token is one of the
// tree's. It looks from $4 to $5 alone, into one month or two.
const selectLineage = `
	WITH RECURSIVE up (id, parent, depth) AS (
		SELECT id, parent, 1 FROM records WHERE id = $1
		UNION ALL
		SELECT p.id, p.parent, up.depth + 1 FROM up JOIN records p
			ON p.id = CASE WHEN up.parent ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN up.parent::uuid END
			AND p.id >= uuid_floor($4) AND p.id < uuid_floor($5)
		WHERE up.depth < $3),
	down (id, depth) AS (
		(SELECT id, 1 FROM up ORDER BY depth DESC LIMIT 1)
		UNION ALL
		SELECT c.id, down.depth + 1 FROM down JOIN records c
			ON c.parent = down.id::text AND c.id >= uuid_floor($4) AND c.id < uuid_floor($5)
		WHERE down.depth < $3),
	tree (id) AS MATERIALIZED (SELECT id FROM down LIMIT $2),
	acted (id) AS (
		SELECT a.id FROM tree JOIN records a
			ON a.actor_parent = tree.id::text AND a.id >= uuid_floor($4) AND a.id < uuid_floor($5)
		LIMIT $2)
	SELECT ` + recordColumns + ` FROM (SELECT id FROM up UNION SELECT id FROM tree UNION SELECT id FROM acted) AS found (of)
		JOIN records ON id = of AND id >= uuid_floor($4) AND id < uuid_floor($5) ORDER BY id`

// byIndex makes the planner walk by the indexes with the values at hand: it cannot
// know how many children a token has, and guesses a join that reads the month.
const byIndex = `SELECT set_config('plan_cache_mode', 'force_custom_plan', true), set_config('jit', 'off', true),
	set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)`

// lineageSpan is how long before and after an exchange its tree can lie: what is
// derived from a token ends with it, a token lives for 24 h at most, and the
// clocks of two replicas may differ.
const lineageSpan = 26 * time.Hour

// Lineage reads the records of the tree that an exchange is in, oldest first: its
// root, and all that was derived from the root's token, at most so many nodes
// and hops; and those in which a token of the tree was the actor token.
// ErrNotFound where there is no record of the exchange.
func (db *DB) Lineage(ctx context.Context, id string, nodes, hops int) ([]audit.Row, error) {
	ctx, cancel := limit(ctx)
	defer cancel()
	key, err := parseUUID(id)
	if err != nil {
		return nil, ErrNotFound
	}
	at := time.UnixMilli(int64(binary.BigEndian.Uint64(key.Bytes[:8]) >> 16)) // RFC 9562 §5.7
	var found []audit.Row
	err = pgx.BeginTxFunc(ctx, db.pool, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, byIndex); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, selectLineage, key, nodes, hops, at.Add(-lineageSpan), at.Add(lineageSpan))
		if err != nil {
			return err
		}
		found, err = pgx.CollectRows(rows, scanRecord)
		return err
	})
	if err == nil && len(found) == 0 {
		return nil, ErrNotFound
	}
	return found, failed("read a lineage", err)
}

package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/revocation"
)

const (
	// revokeTimeout bounds a revocation, of which almost all is the search for
	// what it reaches, without a lock.
	revokeTimeout = 25 * time.Second
	// lockTimeout is how long it waits for the records in flight. They wait
	// behind it meanwhile, and theirs is 2 s.
	lockTimeout = "1500ms"
	// loadTimeout bounds the reading of revocations, a million of them on start.
	loadTimeout = 30 * time.Second
	// reach is how far back a search goes: what was issued earlier is over, since
	// a token of ours lives 24 h at most, and no longer than what it was made
	// from. It is there to leave whole months out, and generous.
	reach = 7 * 24 * time.Hour
)

// Revoke keeps an order, and with it the ids of the unexpired tokens of ours
// that it reaches, in one transaction:
//
//  1. Note where each chain of records ends.
//  2. Find what the order matches and all that descends from it. Records are
//     written meanwhile.
//  3. Lock records out: those in flight are waited for, others wait.
//  4. Find the same among the records behind the ends noted, and what descends
//     from any.
//  5. Move the revision, keep the order, tell the replicas, commit.
//
// A record that is kept later is compared with the new revision first.
func (db *DB) Revoke(ctx context.Context, order revocation.Order) (result exchange.RevocationResult, err error) {
	ctx, cancel := context.WithTimeout(ctx, revokeTimeout)
	defer cancel()
	select {
	case db.turns <- struct{}{}:
		defer func() { <-db.turns }()
	case <-ctx.Done():
		return result, failed("wait to keep a revocation", ctx.Err())
	}
	err = pgx.BeginTxFunc(ctx, db.pool, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) error {
		r := &revoking{tx: tx, order: order}
		for _, step := range []func(context.Context) error{
			r.plan, r.noteEnds,
			func(ctx context.Context) error { return r.sweep(ctx, r.matched) },
			r.lock,
			func(ctx context.Context) error { return r.sweep(ctx, r.fresh) },
			r.name,
		} {
			if err := step(ctx); err != nil {
				return err
			}
		}
		result.Tokens = r.tokens
		result.Revision, err = r.keep(ctx)
		return err
	})
	return result, failed("keep a revocation", err)
}

// revoking is one order on its way into the database.
type revoking struct {
	tx      pgx.Tx
	order   revocation.Order
	writers []string // the chains of records, and
	ends    []int64  // where each ended before the search
	tokens  int      // found so far
}

// plan has each statement planned for the values of now, and by indexes. What
// the planner knows is no help: tables that were small when it looked, revoked
// among them, grow while the statement runs, and a scan of one for each token is
// quadratic; a recursion looks so dear that it would compile it for seconds.
func (r *revoking) plan(ctx context.Context) error {
	_, err := r.tx.Exec(ctx, `SELECT set_config('plan_cache_mode', 'force_custom_plan', true), set_config('enable_seqscan', 'off', true), set_config('jit', 'off', true)`)
	return err
}

// noteEnds is a statement before that of the search, so that the search sees
// every record up to the ends.
func (r *revoking) noteEnds(ctx context.Context) error {
	rows, err := r.tx.Query(ctx, `SELECT id::text, seq FROM writers`)
	if err != nil {
		return err
	}
	var writer string
	var end int64
	_, err = pgx.ForEachRow(rows, []any{&writer, &end}, func() error {
		r.writers, r.ends = append(r.writers, writer), append(r.ends, end)
		return nil
	})
	return err
}

// sweep runs a search from where walks down begin, and keeps the unexpired
// tokens that it meets and that no order has revoked yet. A walk goes through
// expired ones too. OFFSET 0 keeps what is asked for each token apart, so that it
// goes by the index however many tokens the planner expects.
func (r *revoking) sweep(ctx context.Context, begin func(q *query, back, alive string) string) error {
	q := &query{}
	back := "uuid_floor(" + q.argument(r.order.Time.Add(-reach)) + "::timestamptz)" // the first id that is looked at
	alive := q.argument(r.order.Time.Add(-revocation.Grace)) + "::timestamptz"      // a life that ends before is over
	hit := begin(q, back, alive)
	if r.order.Cascade {
		hit += ` UNION SELECT child.id, child.expires FROM hit, LATERAL (
				(SELECT id, expires FROM records WHERE parent = hit.id::text AND jti IS NOT NULL AND id >= ` + back + ` OFFSET 0)
				UNION ALL
				(SELECT id, expires FROM records WHERE actor_parent = hit.id::text AND jti IS NOT NULL AND id >= ` + back + ` OFFSET 0)) AS child`
	}
	tag, err := r.tx.Exec(ctx, `
		WITH RECURSIVE hit (id, expires) AS (`+hit+`)
		INSERT INTO revoked (id, revocation, until)
		SELECT id, `+q.argument(r.order.ID)+`::uuid, expires + `+q.argument(revocation.Grace)+`::interval FROM hit
		WHERE expires > `+alive+` AND NOT EXISTS (SELECT FROM revoked WHERE revoked.id = hit.id OFFSET 0)`,
		q.arguments...)
	r.tokens += int(tag.RowsAffected())
	return err
}

// matched is, as SQL, the tokens that the order matches. From one that is named
// the walk begins in any case; of the others only what is alive is looked at:
// nothing outlives what it was made from (contract §3).
func (r *revoking) matched(q *query, back, alive string) string {
	condition := r.condition(q)
	if _, named := r.order.Selector.Names(); !named {
		condition = "expires > " + alive + " AND (" + condition + ")"
	}
	return `SELECT id, expires FROM records WHERE jti IS NOT NULL AND id >= ` + back + ` AND ` + condition
}

// fresh is, as SQL, the same among the records behind the ends noted, and those
// made from a token that the order has revoked by now. They are read by the index
// of the chains, from the end noted to the end of now: no others are looked at
// while records wait.
func (r *revoking) fresh(q *query, back, _ string) string {
	condition := r.condition(q)
	if r.order.Cascade {
		condition += ` OR EXISTS (SELECT FROM revoked WHERE revocation = ` + q.argument(r.order.ID) + `::uuid
			AND revoked.id IN (` + asUUID("parent") + `, ` + asUUID("actor_parent") + `) OFFSET 0)`
	}
	return `SELECT id, expires FROM (
			SELECT late.* FROM writers
			LEFT JOIN unnest(` + q.argument(r.writers) + `::uuid[], ` + q.argument(r.ends) + `::bigint[]) AS noted (writer, seq) ON noted.writer = writers.id,
			LATERAL (SELECT * FROM records WHERE writer = writers.id AND records.seq > coalesce(noted.seq, 0) AND records.seq <= writers.seq OFFSET 0) AS late) AS late
		WHERE jti IS NOT NULL AND id >= ` + back + ` AND (` + condition + `)`
}

// asUUID is a column of text as a UUID, NULL where it is none.
func asUUID(column string) string {
	return `CASE WHEN ` + column + ` ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN ` + column + `::uuid END`
}

// condition is, as SQL, what makes a record one of a token that the order
// matches: it was issued so, or it was made from a foreign token that is named,
// which is descent. Records do not keep the iat of foreign tokens: all that was
// made from those of the selector is taken.
func (r *revoking) condition(q *query) string {
	selector := r.order.Selector
	value := func() string { return q.argument(selector.Value) }
	if id, named := selector.Names(); named {
		return "id = " + q.argument(id)
	}
	if selector.Foreign() {
		if !r.order.Cascade {
			return "false"
		}
		return r.madeFrom(q)
	}
	var equal string
	switch selector.Kind {
	case revocation.KindClient:
		equal = "client = " + value()
	case revocation.KindPolicy:
		equal = "policy = " + value()
	case revocation.KindKey:
		equal = "key = " + value()
	case revocation.KindSubject: // of our own: what was issued speaks of the subject of what it was issued for
		equal = "subject = " + value()
		if r.order.Cascade {
			equal = "(" + equal + " OR actor_issuer = " + q.argument(exchange.SelfIssuer) + " AND actor = " + value() + ")"
		}
	case revocation.KindIssuer:
		equal = "true"
	default: // a jti that none of our tokens has
		return "false"
	}
	if r.order.Before.Before(r.order.Time) {
		equal += " AND time <= " + q.argument(r.order.Before)
	}
	return equal
}

// madeFrom is the condition that the subject's or the actor's token was of the
// foreign selector.
func (r *revoking) madeFrom(q *query) string {
	selector := r.order.Selector
	issuer, value := "", q.argument(selector.Value)
	if selector.Issuer != "" {
		issuer = q.argument(selector.Issuer)
	}
	switch selector.Kind {
	case revocation.KindToken:
		return "issuer = " + issuer + " AND subject_jti = " + value + " OR actor_issuer = " + issuer + " AND actor_jti = " + value
	case revocation.KindSubject:
		return "issuer = " + issuer + " AND subject = " + value + " OR actor_issuer = " + issuer + " AND actor = " + value
	default:
		return "issuer = " + value + " OR actor_issuer = " + value
	}
}

// lock keeps records out until the transaction ends.
func (r *revoking) lock(ctx context.Context) error {
	if _, err := r.tx.Exec(ctx, `SELECT set_config('lock_timeout', $1, true)`, lockTimeout); err != nil {
		return err
	}
	_, err := r.tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, revocationLock)
	return err
}

// name keeps the one token that the order names where there is no record of it,
// since its exchange may be under way.
func (r *revoking) name(ctx context.Context) error {
	id, named := r.order.Selector.Names()
	if !named || !r.order.Until.After(r.order.Time) {
		return nil
	}
	_, err := r.tx.Exec(ctx, `
		INSERT INTO revoked (id, revocation, until) SELECT $1::uuid, $2::uuid, $3
		WHERE NOT EXISTS (SELECT FROM records WHERE id = $1::uuid) AND NOT EXISTS (SELECT FROM revoked WHERE id = $1::uuid)`,
		pgtype.UUID{Bytes: id, Valid: true}, r.order.ID, r.order.Until)
	return err
}

// keep moves the revision and keeps the order.
func (r *revoking) keep(ctx context.Context) (revision int64, err error) {
	err = r.tx.QueryRow(ctx, `UPDATE revisions SET revision = revision + 1 WHERE topic = $1 RETURNING revision`, TopicRevocations).Scan(&revision)
	if err != nil {
		return 0, err
	}
	o := r.order
	_, err = r.tx.Exec(ctx, `
		INSERT INTO revocations (id, revision, time, given_by, reason, request_id, kind, issuer, value, before, cascade, tokens, until)
		VALUES ($1::uuid, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
		o.ID, revision, o.Time, o.By, o.Reason, o.RequestID, o.Selector.Kind, o.Selector.Issuer, o.Selector.Value, o.Before, o.Cascade, r.tokens, o.Until)
	if err != nil {
		return 0, err
	}
	return revision, moved(ctx, r.tx, TopicRevocations, revision)
}

package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/strait-sts/strait/internal/audit"
)

// Log hands use the records of a time, chain by chain in order, and the
// evidence that belongs to them, all as of one instant: what audit.Verify and
// audit.Export read. since and until are those of audit.Filter; zero is without
// end. A chain is given whole from its first record of that time to its last.
func (db *DB) Log(ctx context.Context, since, until time.Time, use func(audit.Evidence, audit.Rows) error) error {
	at := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	var fault error
	err := pgx.BeginTxFunc(ctx, db.pool, at, func(tx pgx.Tx) error {
		l := &log{tx: tx, since: since, until: until}
		if err := l.readGroups(ctx); err != nil {
			return err
		}
		evidence, err := l.evidence(ctx)
		if err != nil {
			return err
		}
		fault = use(evidence, l.rows(ctx))
		return nil
	})
	if err != nil {
		return failed("read the log of records", err)
	}
	return fault
}

// log is one reading of the records.
type log struct {
	tx           pgx.Tx
	since, until time.Time
	groups       map[groupID]struct{} // those that are sound
}

// spans is, as SQL, where each chain's records of the time begin and end: from
// the first that is not older to the last that is not newer. A record's place
// in its chain follows its commit and its time its request, so that a few of
// the neighbouring time can stand between. Where there are none of the time,
// first is after last, or NULL.
func (l *log) spans() (sql string, arguments []any) {
	since, until := &query{}, &query{}
	since.byRecord(audit.Filter{Since: l.since})
	until.arguments = since.arguments
	until.byRecord(audit.Filter{Until: l.until})
	return `SELECT w.id AS writer, f.seq AS first, l.seq AS last FROM writers w
		LEFT JOIN LATERAL (SELECT seq FROM records` + join(since.clause(), "writer = w.id") + ` ORDER BY seq LIMIT 1) AS f ON true
		JOIN LATERAL (SELECT seq FROM records` + join(until.clause(), "writer = w.id") + ` ORDER BY seq DESC LIMIT 1) AS l ON true`, until.arguments
}

// whole says that no time was asked for.
func (l *log) whole() bool { return l.since.IsZero() && l.until.IsZero() }

// rows reads the records.
func (l *log) rows(ctx context.Context) audit.Rows {
	sql, arguments := `SELECT `+recordColumns+` FROM records ORDER BY writer, seq, id`, []any(nil)
	if !l.whole() {
		sql, arguments = l.spans()
		sql = `WITH span AS MATERIALIZED (` + sql + `)
			SELECT ` + recordColumns + ` FROM records JOIN span USING (writer) WHERE seq BETWEEN first AND last ORDER BY writer, seq, id`
	}
	return func(yield func(audit.Row, error) bool) {
		rows, err := l.tx.Query(ctx, sql, arguments...)
		if err != nil {
			yield(audit.Row{}, failed("read the chains of records", err))
			return
		}
		defer rows.Close()
		for rows.Next() {
			record, err := l.scan(rows)
			if !yield(record, failed("read a record", err)) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(audit.Row{}, failed("read the chains of records", err))
		}
	}
}

// scan reads a record. Where its group is not its own, or not as it was written,
// filters would miss it.
func (l *log) scan(row pgx.CollectableRow) (audit.Row, error) {
	record, group, err := scanGrouped(row)
	if group.Valid {
		_, sound := l.groups[group.Bytes]
		record.Misfiled = !sound || group.Bytes != groupOf(&record.Copies)
	}
	return record, err
}

// readGroups remembers the groups that are what their id says.
func (l *log) readGroups(ctx context.Context) error {
	rows, err := l.tx.Query(ctx, `SELECT id, client, issuer, policy, decision, reason, targets FROM record_groups`)
	if err != nil {
		return err
	}
	l.groups = map[groupID]struct{}{}
	var id pgtype.UUID
	var c audit.Copies
	_, err = pgx.ForEachRow(rows, []any{&id, &c.Client, &c.Issuer, &c.Policy, &c.Decision, &c.Reason, &c.Targets}, func() error {
		if group := groupOf(&c); group == id.Bytes {
			l.groups[group] = struct{}{}
		}
		return nil
	})
	return err
}

// evidence reads the checkpoints of the records, and where the chains begin.
func (l *log) evidence(ctx context.Context) (e audit.Evidence, err error) {
	e.Since, e.Until = l.since, l.until
	if e.Retained, err = l.heads(ctx, `SELECT writer::text, seq, hash FROM retained`); err != nil {
		return e, err
	}
	sql, arguments := `SELECT jws FROM checkpoints ORDER BY writer, seq`, []any(nil)
	if !l.whole() {
		sql, arguments = l.spans()
		sql = `WITH span AS MATERIALIZED (` + sql + `)
			SELECT jws FROM checkpoints JOIN span USING (writer) WHERE seq BETWEEN first AND last ORDER BY writer, seq`
	}
	rows, err := l.tx.Query(ctx, sql, arguments...)
	if err != nil {
		return e, err
	}
	if e.Checkpoints, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil || l.since.IsZero() {
		return e, err
	}
	before, err := l.before(ctx)
	e.Retained = newest(append(e.Retained, before...))
	return e, err
}

// before is the last record of each chain before the time asked for: where the
// chain has none of that time, its last at all.
func (l *log) before(ctx context.Context) ([]audit.Head, error) {
	sql, arguments := l.spans()
	return l.heads(ctx, `WITH span AS MATERIALIZED (`+sql+`)
		SELECT writer::text, r.seq, r.hash FROM span, LATERAL (
			SELECT seq, hash FROM records WHERE writer = span.writer AND seq < least(first, last + 1) ORDER BY seq DESC LIMIT 1) AS r`, arguments...)
}

// join adds a condition to a clause.
func join(clause, condition string) string {
	if clause == "" {
		return " WHERE " + condition
	}
	return clause + " AND " + condition
}

func (l *log) heads(ctx context.Context, sql string, arguments ...any) ([]audit.Head, error) {
	rows, err := l.tx.Query(ctx, sql, arguments...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (h audit.Head, err error) {
		var hash []byte
		if err := row.Scan(&h.Writer, &h.Seq, &hash); err != nil {
			return h, err
		}
		// One of another length was tampered with: the record that follows says so.
		_ = setHash(&h.Hash, hash)
		return h, nil
	})
}

// newest keeps the highest place of each chain, in the order of their first.
func newest(heads []audit.Head) []audit.Head {
	at := map[string]int{}
	var kept []audit.Head
	for _, h := range heads {
		i, known := at[h.Writer]
		if !known {
			at[h.Writer] = len(kept)
			kept = append(kept, h)
		} else if kept[i].Seq < h.Seq {
			kept[i] = h
		}
	}
	return kept
}

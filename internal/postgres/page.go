package postgres

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/strait-sts/strait/internal/audit"
)

// Records reads a page of records that pass the filter, newest first. next is
// the token of the page that follows, "" after the last. pageToken is "" for
// the first page; one that is malformed is ErrPageToken.
func (db *DB) Records(ctx context.Context, f audit.Filter, limitRows int, pageToken string) (page []audit.Row, next string, err error) {
	ctx, cancel := limit(ctx)
	defer cancel()
	var before pgtype.UUID
	if pageToken != "" {
		if before, err = parseUUID(pageToken); err != nil {
			return nil, "", ErrPageToken
		}
	}
	sql, arguments := selectPage(f, before, limitRows+1)
	// Planned for these values each time: what is good for a subject that is seen
	// seldom takes seconds for one that is seen often.
	rows, err := db.pool.Query(ctx, sql, append([]any{pgx.QueryExecModeDescribeExec}, arguments...)...)
	if err != nil {
		return nil, "", failed("list records", err)
	}
	page, err = pgx.CollectRows(rows, scanRecord)
	if err != nil {
		return nil, "", failed("list records", err)
	}
	if len(page) > limitRows {
		page = page[:limitRows]
		next = page[limitRows-1].ID
	}
	return page, next, nil
}

// selectPage is the statement of a page, with its arguments: of the records
// before an id, where that is valid.
//
// What the records of a group agree in chooses groups, and the page is among the
// records of those few groups that have the newest. Each is looked at once for
// its newest record, and read only if that is among the newest of all: the time
// follows the number of groups, however many records of others stand between.
// Those of a subject are found by its index, from each to the next.
func selectPage(f audit.Filter, before pgtype.UUID, rows int) (sql string, arguments []any) {
	group := &query{}
	group.byGroup(f)
	record := &query{arguments: group.arguments}
	record.byRecord(f)
	if before.Valid {
		record.where("id < %s", before)
	}
	limitRows := record.argument(rows)
	newest := func(columns, limit string, of ...string) string {
		return "SELECT " + columns + " FROM records" + where(of, record.conditions) + " ORDER BY id DESC LIMIT " + limit
	}
	// The group is a range in what is sorted by, and no equality: else the planner
	// takes the primary key for one that it thinks common, past all of the others.
	ofGroup := func(columns, limit, id string) string {
		of := []string{"group_id >= " + id, "group_id <= " + id}
		return "SELECT " + columns + " FROM records" + where(of, record.conditions) + " ORDER BY group_id DESC, id DESC LIMIT " + limit
	}
	if f.JTI != "" || f.Subject == "" && len(group.conditions) == 0 {
		return newest(recordColumns, limitRows, group.conditions...), record.arguments
	}
	groups := "chosen AS (SELECT id FROM record_groups" + where(group.conditions) + ")"
	if f.Subject != "" {
		one := "SELECT group_id FROM records WHERE subject = " + record.argument(f.Subject) + " AND group_id %s ORDER BY group_id LIMIT 1"
		groups = "of_subject AS ((" + fmt.Sprintf(one, "IS NOT NULL") + ") UNION ALL SELECT (" + fmt.Sprintf(one, "> of_subject.group_id") +
			") FROM of_subject WHERE group_id IS NOT NULL), " +
			"chosen AS (SELECT id FROM record_groups JOIN of_subject ON group_id = id" + where(group.conditions) + ")"
	}
	return "WITH RECURSIVE " + groups + `,
		latest AS (SELECT chosen.id FROM chosen, LATERAL (` + ofGroup("records.id", "1", "chosen.id") + `) AS top ORDER BY top.id DESC LIMIT ` + limitRows + `)
		SELECT ` + recordColumns + ` FROM (
			SELECT found.* FROM latest, LATERAL (` + ofGroup("*", limitRows, "latest.id") + `) AS found
			UNION ALL (` + newest("*", limitRows, append([]string{"group_id IS NULL"}, group.conditions...)...) + `)) AS found
		ORDER BY id DESC LIMIT ` + limitRows, record.arguments
}

// query collects conditions and their arguments; no value ever becomes SQL.
type query struct {
	conditions []string
	arguments  []any
}

// argument adds a value and gives its placeholder.
func (q *query) argument(value any) string {
	q.arguments = append(q.arguments, value)
	return "$" + strconv.Itoa(len(q.arguments))
}

func (q *query) where(condition string, value any) {
	q.conditions = append(q.conditions, fmt.Sprintf(condition, q.argument(value)))
}

// byGroup adds what f asks for of that which the records of a group agree in.
func (q *query) byGroup(f audit.Filter) {
	for _, equal := range []struct{ column, value string }{
		{"client", f.Client}, {"issuer", f.Issuer}, {"policy", f.Policy}, {"decision", f.Decision}, {"reason", f.Reason},
	} {
		if equal.value != "" {
			q.where(equal.column+" = %s", equal.value)
		}
	}
	if f.Target != "" {
		q.where("%s = ANY (targets)", f.Target)
	}
}

// byRecord adds what else f asks for of each record.
func (q *query) byRecord(f audit.Filter) {
	if f.Subject != "" {
		q.where("subject = %s", f.Subject)
	}
	if f.JTI != "" { // the jti of an issued token is the exchange's id
		id, _ := parseUUID(f.JTI) // one that is no UUID is NULL, and finds nothing
		q.where("id = %s AND jti IS NOT NULL", id)
	}
	for _, bound := range []struct {
		condition string
		at        time.Time
	}{{"id >= uuid_floor(%s)", f.Since}, {"id < uuid_floor(%s)", f.Until}} {
		if !bound.at.IsZero() {
			q.where(bound.condition, bound.at)
		}
	}
}

func (q *query) clause() string { return where(q.conditions) }

// where joins conditions, each of which must hold.
func where(conditions ...[]string) string {
	all := slices.Concat(conditions...)
	if len(all) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(all, " AND ")
}

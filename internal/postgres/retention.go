package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// DropMonth removes the records of a month, as the owner's role: export them
// first. What a chain's records after it follow on, the last dropped one, is
// kept for audit.Verify. It refuses a month that is not the oldest, since that
// would leave a hole, and one that has not ended or records a token that has not
// expired, since a revocation finds what it reaches through the records.
func DropMonth(ctx context.Context, ownerURL string, month time.Time) error {
	conn, err := connectOwner(ctx, ownerURL)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error { return dropMonth(ctx, tx, month.UTC()) })
	return failed("drop the records of "+month.UTC().Format("2006-01"), err)
}

// MonthsBefore lists the months, oldest first, whose records are kept and that
// lie before first, as the owner's role sees them.
func MonthsBefore(ctx context.Context, ownerURL string, first time.Time) ([]time.Time, error) {
	conn, err := connectOwner(ctx, ownerURL)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	rows, err := conn.Query(ctx, `
		SELECT relname FROM pg_class JOIN pg_inherits ON inhrelid = oid
		WHERE inhparent = 'records'::regclass AND relname <> 'records_default' AND relname < $1 ORDER BY relname`,
		partitionOf(first))
	if err != nil {
		return nil, failed("list the months of records", err)
	}
	months, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (month time.Time, err error) {
		var name string
		if err := row.Scan(&name); err != nil {
			return month, err
		}
		return time.Parse(partitionFormat, name)
	})
	return months, failed("list the months of records", err)
}

// partitionFormat is the name of a month's partition, for package time.
const partitionFormat = "records_2006_01"

func partitionOf(month time.Time) string { return month.UTC().Format(partitionFormat) }

func connectOwner(ctx context.Context, ownerURL string) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(ownerURL)
	if err != nil {
		return nil, fmt.Errorf("owner's database url: %w", err)
	}
	harden(config)
	conn, err := pgx.ConnectConfig(ctx, config)
	return conn, failed("connect as the owner", err)
}

func dropMonth(ctx context.Context, tx pgx.Tx, month time.Time) error {
	first := time.Date(month.Year(), month.Month(), 1, 0, 0, 0, 0, time.UTC)
	var oldest string
	var ended bool
	err := tx.QueryRow(ctx, `
		SELECT min(relname), now() >= $1 FROM pg_class JOIN pg_inherits ON inhrelid = oid
		WHERE inhparent = 'records'::regclass AND relname <> 'records_default'`, first.AddDate(0, 1, 0)).Scan(&oldest, &ended)
	if err != nil {
		return err
	}
	name := partitionOf(first)
	switch {
	case name != oldest:
		return fmt.Errorf("the oldest month kept is %s: drop that first", oldest)
	case !ended:
		return fmt.Errorf("the month has not ended")
	}
	table := pgx.Identifier{name}.Sanitize()
	var alive bool
	if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM `+table+` WHERE expires > now())`).Scan(&alive); err != nil {
		return err
	}
	if alive {
		return fmt.Errorf("the month records tokens that have not expired: wait until the second day of the next")
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO retained (writer, seq, hash)
		SELECT DISTINCT ON (writer) writer, seq, hash FROM `+table+` ORDER BY writer, seq DESC
		ON CONFLICT (writer) DO UPDATE SET seq = excluded.seq, hash = excluded.hash, dropped = now()
		WHERE retained.seq < excluded.seq`)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `DROP TABLE `+table)
	return err
}

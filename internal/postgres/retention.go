package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// DropMonth removes the records of a month, as the owner's role: export them
// first. What a chain's records after it follow on, the last dropped one, is
// kept for audit.Verify. It refuses a month that has not ended or is not the
// oldest, since that would leave a hole.
func DropMonth(ctx context.Context, ownerURL string, month time.Time) error {
	config, err := pgx.ParseConfig(ownerURL)
	if err != nil {
		return fmt.Errorf("owner's database url: %w", err)
	}
	harden(config)
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return failed("connect as the owner", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error { return dropMonth(ctx, tx, month.UTC()) })
	return failed("drop the records of "+month.UTC().Format("2006-01"), err)
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
	name := "records_" + first.Format("2006_01")
	switch {
	case name != oldest:
		return fmt.Errorf("the oldest month kept is %s: drop that first", oldest)
	case !ended:
		return fmt.Errorf("the month has not ended")
	}
	table := pgx.Identifier{name}.Sanitize()
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

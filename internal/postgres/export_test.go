package postgres

import (
	"context"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/strait-sts/strait/internal/audit"
)

// RevocationLock is the lock of who revokes.
const RevocationLock = revocationLock

// Hang takes the lock of revocations on the chain's connection, as an append
// does, and stops there.
func Hang(ctx context.Context, of audit.Chain) error {
	conn := of.(*chain).conn
	if _, err := conn.Exec(ctx, "BEGIN"); err != nil {
		return err
	}
	_, err := conn.Exec(ctx, lockRevocations, revocationLock)
	return err
}

// SelectPage is the statement of a first page, and its arguments.
func SelectPage(f audit.Filter, rows int) (sql string, arguments []any) {
	return selectPage(f, pgtype.UUID{}, rows)
}

package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// grants is what the application's role may do, table by table. Records,
// changes, checkpoints and revocations can be written and read, never altered.
var grants = []struct{ privileges, object string }{
	{"SELECT, UPDATE", "TABLE revisions"},
	{"SELECT, INSERT, UPDATE, DELETE", "TABLE catalog_objects"},
	{"SELECT, INSERT", "TABLE catalog_changes"},
	{"SELECT, INSERT, UPDATE", "TABLE sealed_keys"},
	{"SELECT, INSERT, UPDATE", "TABLE writers"},
	{"SELECT, INSERT", "TABLE records"},
	{"SELECT, INSERT", "TABLE record_groups"},
	{"SELECT, INSERT", "TABLE checkpoints"},
	{"SELECT", "TABLE retained"},
	{"SELECT, INSERT, UPDATE, DELETE", "TABLE replay_claims"},
	{"SELECT, INSERT", "TABLE revocations"},
	{"SELECT, INSERT", "TABLE revoked"},
	{"SELECT", "TABLE goose_db_version"},
	{"EXECUTE", "FUNCTION make_record_partitions(integer)"},
	{"EXECUTE", "FUNCTION prune_revoked()"},
	{"USAGE", "SCHEMA public"},
}

// grant takes from the role what an earlier version may have given it, and
// gives it exactly the grants, in one transaction.
func grant(ctx context.Context, conn *pgx.Conn, role string) error {
	name := pgx.Identifier{role}.Sanitize()
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		// Two at once would meet on the same catalogue rows.
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtext('strait.grant'))`); err != nil {
			return err
		}
		for _, g := range grants {
			if _, err := tx.Exec(ctx, "REVOKE ALL ON "+g.object+" FROM "+name); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, "GRANT "+g.privileges+" ON "+g.object+" TO "+name); err != nil {
				return err
			}
		}
		return nil
	})
	return failed("grant the application's role "+name+" its privileges", err)
}

// CheckPrivileges refuses to serve with a role that could alter what happened:
// one that may UPDATE, DELETE or TRUNCATE records, a partition of them, the
// catalogue's changes, the checkpoints or revocations, that owns one of these, or
// that is a superuser. The error says how to mend it.
func (db *DB) CheckPrivileges(ctx context.Context) error {
	ctx, cancel := limit(ctx)
	defer cancel()
	var role string
	var superuser bool
	err := db.pool.QueryRow(ctx, `SELECT rolname, rolsuper FROM pg_roles WHERE rolname = current_user`).Scan(&role, &superuser)
	if err != nil {
		return failed("look for the serving role", err)
	}
	if superuser {
		return fmt.Errorf("the serving role %q is a superuser: put the application's plain role into the database url", role)
	}
	excess, err := db.excess(ctx)
	if err != nil || len(excess) == 0 {
		return err
	}
	return fmt.Errorf("the serving role %q may alter what happened (%s): serve with the application's role, and let `strait migrate up` grant it its privileges",
		role, strings.Join(excess, ", "))
}

// excess lists what the serving role may do to append-only tables.
func (db *DB) excess(ctx context.Context) ([]string, error) {
	rows, err := db.pool.Query(ctx, `
		WITH kept AS (
			SELECT oid, relname, relowner FROM pg_class
			WHERE oid IN ('records'::regclass, 'record_groups'::regclass, 'catalog_changes'::regclass, 'checkpoints'::regclass, 'retained'::regclass,
				'revocations'::regclass, 'revoked'::regclass)
			   OR oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'records'::regclass))
		SELECT privilege || ' on ' || relname FROM kept, unnest('{UPDATE,DELETE,TRUNCATE}'::text[]) AS privilege
		WHERE has_table_privilege(oid, privilege)
		UNION ALL SELECT 'UPDATE of columns of ' || relname FROM kept
		WHERE has_any_column_privilege(oid, 'UPDATE') AND NOT has_table_privilege(oid, 'UPDATE')
		UNION ALL SELECT 'owner of ' || relname FROM kept WHERE pg_has_role(relowner, 'MEMBER')
		ORDER BY 1 LIMIT 10`)
	if err != nil {
		return nil, failed("read the serving role's privileges", err)
	}
	excess, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return excess, failed("read the serving role's privileges", err)
}

package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/strait-sts/strait/migrations"
)

// partitionsAhead is how many months of records have their partition before
// they begin.
const partitionsAhead = 3

// Migrate brings the schema up to date as the owner's role, makes the
// partitions of the months ahead, and grants the application's role what it
// needs and no more. It may be run again at any time and by several processes
// at once. It refuses an application role that is empty, a superuser, or the
// owner itself.
func Migrate(ctx context.Context, ownerURL, appRole string) error {
	return asOwner(ctx, ownerURL, func(conn *pgx.Conn, provider *goose.Provider) error {
		if err := checkVersion(ctx, conn); err != nil {
			return err
		}
		if err := checkAppRole(ctx, conn, appRole); err != nil {
			return err
		}
		if _, err := provider.Up(ctx); err != nil {
			return failed("apply migrations", err)
		}
		if _, err := conn.Exec(ctx, `SELECT make_record_partitions($1)`, partitionsAhead); err != nil {
			return failed("make the partitions of the records", err)
		}
		return grant(ctx, conn, appRole)
	})
}

// Migration is one step of the schema.
type Migration struct {
	Version int64
	Name    string // of its file
	Applied bool
}

// Status lists the migrations that this program knows, in order, as the
// owner's role sees them.
func Status(ctx context.Context, ownerURL string) ([]Migration, error) {
	var steps []Migration
	err := asOwner(ctx, ownerURL, func(_ *pgx.Conn, provider *goose.Provider) error {
		known, err := provider.Status(ctx)
		for _, m := range known {
			steps = append(steps, Migration{Version: m.Source.Version, Name: m.Source.Path, Applied: m.State == goose.StateApplied})
		}
		return failed("read the migrations' status", err)
	})
	return steps, err
}

// asOwner runs do with a connection of the owner's role and a provider of the
// embedded migrations, under a lock that keeps other migrating processes out.
func asOwner(ctx context.Context, ownerURL string, do func(*pgx.Conn, *goose.Provider) error) error {
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
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 60))
	if err != nil {
		return fmt.Errorf("prepare the migrations' lock: %w", err)
	}
	pool := stdlib.OpenDB(*config)
	defer func() { _ = pool.Close() }()
	provider, err := newProvider(pool, locker)
	if err != nil {
		return err
	}
	return do(conn, provider)
}

func newProvider(pool *sql.DB, locker lock.SessionLocker) (*goose.Provider, error) {
	provider, err := goose.NewProvider(goose.DialectPostgres, pool, migrations.Files,
		goose.WithSessionLocker(locker), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return nil, fmt.Errorf("read the embedded migrations: %w", err)
	}
	return provider, nil
}

// Pending says whether the database at appURL lacks a migration that this
// program knows. It needs the application's role alone.
func Pending(ctx context.Context, appURL string) (bool, error) {
	ctx, cancel := limit(ctx)
	defer cancel()
	config, err := pgx.ParseConfig(appURL)
	if err != nil {
		return false, fmt.Errorf("database url: %w", err)
	}
	harden(config)
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return false, failed("connect to the database", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	var begun bool
	if err := conn.QueryRow(ctx, `SELECT to_regclass('goose_db_version') IS NOT NULL`).Scan(&begun); err != nil {
		return false, failed("look for the migrations' table", err)
	}
	if !begun {
		return true, nil
	}
	known, err := migrations.Files.ReadDir(".")
	if err != nil {
		return false, fmt.Errorf("read the embedded migrations: %w", err)
	}
	var applied int
	err = conn.QueryRow(ctx, `SELECT count(DISTINCT version_id) FROM goose_db_version WHERE version_id > 0 AND is_applied`).Scan(&applied)
	return applied < len(known), failed("count the applied migrations", err)
}

// MakePartitions makes the partitions of the months ahead where they are
// missing: the application runs it daily.
func (db *DB) MakePartitions(ctx context.Context) error {
	ctx, cancel := limit(ctx)
	defer cancel()
	_, err := db.pool.Exec(ctx, `SELECT make_record_partitions($1)`, partitionsAhead)
	return failed("make the partitions of the records", err)
}

// checkAppRole refuses a role with which the grants would mean nothing.
func checkAppRole(ctx context.Context, conn *pgx.Conn, role string) error {
	if role == "" {
		return errors.New("the application's role has no name: put a user into the application's database url")
	}
	var superuser, owner bool
	err := conn.QueryRow(ctx, `SELECT rolsuper, pg_has_role(oid, current_user, 'MEMBER') FROM pg_roles WHERE rolname = $1`, role).Scan(&superuser, &owner)
	switch {
	case missing(err):
		return fmt.Errorf("the application's role %q does not exist: CREATE ROLE %s LOGIN", role, pgx.Identifier{role}.Sanitize())
	case err != nil:
		return failed("look for the application's role", err)
	case superuser:
		return fmt.Errorf("the application's role %q is a superuser, for whom no grant is a limit: use a plain role", role)
	case owner:
		return fmt.Errorf("the application's role %q is the owner, or a member of it: use a second, plain role", role)
	}
	return nil
}

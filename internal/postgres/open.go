package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// MinimumVersion is the oldest PostgreSQL that the statements are for.
const MinimumVersion = 15

const (
	connectTimeout = 3 * time.Second
	// callTimeout bounds a call whose context has no earlier deadline.
	callTimeout = 5 * time.Second
)

// Options shape [Open]; the zero value is ready for use.
type Options struct {
	Logger   *slog.Logger // where reconnecting is told; nil: nowhere
	MaxConns int32        // of the pool; 0: 8. Writing records and watching have a connection each besides
}

// DB is the database as the application's role sees it. It is safe for
// concurrent use, and comes back by itself after the database was away.
type DB struct {
	pool   *pgxpool.Pool
	config *pgx.ConnConfig // of the connections outside the pool
	log    *slog.Logger
	turns  chan struct{} // one is held by each revocation that is being kept
}

// Open connects as the application's role. It fails where the database cannot
// be reached ([ErrUnavailable]) or is older than [MinimumVersion]. No error
// holds the password of the url.
func Open(ctx context.Context, url string, o Options) (*DB, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("database url: %w", err)
	}
	harden(config.ConnConfig)
	config.MaxConns = max(o.MaxConns, 0)
	if config.MaxConns == 0 {
		config.MaxConns = 8
	}
	config.MinIdleConns = 1
	config.MaxConnLifetime, config.MaxConnLifetimeJitter = time.Hour, 10*time.Minute
	// A connection that was cut meanwhile is found before a call uses it, not
	// by the call: nothing on the way of an exchange goes through the pool.
	config.PingTimeout = time.Second
	config.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return true }
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, failed("open the database", err)
	}
	// Revocations wait for each other, and leave connections for those who wait
	// for what came of them.
	turns := make(chan struct{}, max(1, config.MaxConns/2))
	db := &DB{pool: pool, config: config.ConnConfig.Copy(), log: o.Logger, turns: turns}
	if db.log == nil {
		db.log = slog.New(slog.DiscardHandler)
	}
	if err := db.checkVersion(ctx); err != nil {
		pool.Close()
		return nil, err
	}
	return db, nil
}

// harden sets what no url may change: the extended protocol, which never
// splices a value into a statement, times in UTC, and a snapshot a statement,
// since what is read under a lock must not be older than the lock.
func harden(config *pgx.ConnConfig) {
	config.DefaultQueryExecMode = pgx.QueryExecModeCacheStatement
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	config.RuntimeParams["timezone"] = "UTC"
	config.RuntimeParams["default_transaction_isolation"] = "read committed"
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "strait"
	}
}

// Close waits for calls in progress and lets go of the connections.
func (db *DB) Close() { db.pool.Close() }

// Ping says whether the database answers.
func (db *DB) Ping(ctx context.Context) error {
	ctx, cancel := limit(ctx)
	defer cancel()
	return failed("ping the database", db.pool.Ping(ctx))
}

// Stats counts the pool's connections, for metrics.
type Stats struct {
	Max, Total, Idle, InUse int32
	Waits                   int64 // times that a connection was waited for, in all
}

// Stats reads the pool's counters.
func (db *DB) Stats() Stats {
	s := db.pool.Stat()
	return Stats{Max: s.MaxConns(), Total: s.TotalConns(), Idle: s.IdleConns(), InUse: s.AcquiredConns(), Waits: s.EmptyAcquireCount()}
}

// checkVersion refuses a server that lacks what the statements need.
func (db *DB) checkVersion(ctx context.Context) error {
	ctx, cancel := limit(ctx)
	defer cancel()
	conn, err := db.pool.Acquire(ctx)
	if err != nil {
		return failed("connect to the database", err)
	}
	defer conn.Release()
	return checkVersion(ctx, conn.Conn())
}

func checkVersion(ctx context.Context, conn *pgx.Conn) error {
	var number int
	if err := conn.QueryRow(ctx, `SELECT current_setting('server_version_num')::int`).Scan(&number); err != nil {
		return failed("ask the database for its version", err)
	}
	if number/10000 < MinimumVersion {
		return fmt.Errorf("the server is PostgreSQL %d: upgrade it to %d or newer", number/10000, MinimumVersion)
	}
	return nil
}

// limit gives ctx the deadline of one call.
func limit(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, callTimeout)
}

// missing says whether err is the absence of the one row asked for.
func missing(err error) bool { return errors.Is(err, pgx.ErrNoRows) }

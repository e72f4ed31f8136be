package postgres

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// pollInterval is the backstop behind NOTIFY, which can be lost.
	pollInterval = 500 * time.Millisecond
	// Between attempts to reconnect, a random time in this range.
	reconnectSoonest, reconnectLatest = 50 * time.Millisecond, 750 * time.Millisecond
)

// Watch calls onChange, one call at a time, with each topic whose revision
// moved and with every topic once after each connect, since anything may have
// happened before; onChange is to load the topic. It returns when ctx ends.
//
// The order leaves no gap: connect, LISTEN, read the revisions, then wait. A
// notification only says "look now"; what counts is the table, which is also
// read each 500 ms. A replica so knows of a change within a second.
func (db *DB) Watch(ctx context.Context, onChange func(topic string, revision int64)) {
	for ctx.Err() == nil {
		err := db.watchOnce(ctx, onChange)
		if ctx.Err() != nil {
			return
		}
		db.log.WarnContext(ctx, "watching the database was interrupted", "error", err)
		pause(ctx, reconnectSoonest+rand.N(reconnectLatest-reconnectSoonest)) //nolint:gosec // G404: jitter is no secret
	}
}

// watchOnce watches with one connection, until it is lost.
func (db *DB) watchOnce(ctx context.Context, onChange func(string, int64)) error {
	conn, err := pgx.ConnectConfig(ctx, db.config)
	if err != nil {
		return failed("connect to watch", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return failed("listen for changes", err)
	}
	seen := map[string]int64{}
	for {
		if err := report(ctx, conn, seen, onChange); err != nil {
			return err
		}
		wait, cancel := context.WithTimeout(ctx, pollInterval)
		_, err := conn.WaitForNotification(wait)
		cancel()
		if err != nil && (ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded)) {
			return failed("wait for changes", err)
		}
	}
}

// report calls onChange for the topics that are not as seen.
func report(ctx context.Context, conn *pgx.Conn, seen map[string]int64, onChange func(string, int64)) error {
	ctx, cancel := limit(ctx)
	defer cancel()
	rows, err := conn.Query(ctx, `SELECT topic, revision FROM revisions ORDER BY topic`)
	if err != nil {
		return failed("read the revisions", err)
	}
	changed := map[string]int64{}
	var topic string
	var revision int64
	_, err = pgx.ForEachRow(rows, []any{&topic, &revision}, func() error {
		if known, ok := seen[topic]; !ok || known != revision {
			changed[topic] = revision
		}
		return nil
	})
	if err != nil {
		return failed("read the revisions", err)
	}
	for topic, revision := range changed {
		seen[topic] = revision
		onChange(topic, revision)
	}
	return nil
}

// pause waits, unless ctx ends first.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

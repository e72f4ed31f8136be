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

// Watcher is told what a watch finds, one call at a time. A function that is nil
// is not called.
type Watcher struct {
	// Asking: the revisions are about to be read.
	Asking func()
	// Changed: a topic's revision moved. Every topic is told once after each
	// connect, since anything may have happened before. It is to load the topic;
	// after an error it is told again at the next reading.
	Changed func(topic string, revision int64) error
	// Read: these are all revisions, some time after Asking. It is called after
	// Changed, for each reading, also where nothing moved.
	Read func(revisions map[string]int64)
}

// Watch tells w of the revisions of all topics. It returns when ctx ends.
//
// The order leaves no gap: connect, LISTEN, read the revisions, then wait. A
// notification only says "look now"; what counts is the table, which is also
// read each 500 ms. A replica so knows of a change within a second.
func (db *DB) Watch(ctx context.Context, w Watcher) {
	for ctx.Err() == nil {
		err := db.watchOnce(ctx, w)
		if ctx.Err() != nil {
			return
		}
		db.log.WarnContext(ctx, "watching the database was interrupted", "error", err)
		pause(ctx, reconnectSoonest+rand.N(reconnectLatest-reconnectSoonest)) //nolint:gosec // G404: jitter is no secret
	}
}

// watchOnce watches with one connection, until it is lost.
func (db *DB) watchOnce(ctx context.Context, w Watcher) error {
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
		if err := report(ctx, conn, seen, w); err != nil {
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

// report reads the revisions and tells w of them, and of the topics that are not
// as seen.
func report(ctx context.Context, conn *pgx.Conn, seen map[string]int64, w Watcher) error {
	if w.Asking != nil {
		w.Asking()
	}
	now, err := revisions(ctx, conn)
	if err != nil {
		return failed("read the revisions", err)
	}
	for topic, revision := range now {
		if known, ok := seen[topic]; ok && known == revision {
			continue
		}
		if w.Changed == nil || w.Changed(topic, revision) == nil {
			seen[topic] = revision
		}
	}
	if w.Read != nil {
		w.Read(now)
	}
	return nil
}

// revisions reads the revision of each topic.
func revisions(ctx context.Context, conn *pgx.Conn) (map[string]int64, error) {
	ctx, cancel := limit(ctx)
	defer cancel()
	rows, err := conn.Query(ctx, `SELECT topic, revision FROM revisions`)
	if err != nil {
		return nil, err
	}
	all := map[string]int64{}
	var topic string
	var revision int64
	_, err = pgx.ForEachRow(rows, []any{&topic, &revision}, func() error {
		all[topic] = revision
		return nil
	})
	return all, err
}

// pause waits, unless ctx ends first.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

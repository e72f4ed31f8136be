package postgres

import (
	"context"
	"strconv"

	"github.com/jackc/pgx/v5"
)

// The topics whose changes every replica follows.
const (
	TopicCatalog     = "catalog"
	TopicKeys        = "keys"
	TopicRevocations = "revocations"
)

// channel is where changes are told. Its payload is a hint for people who
// listen: any role may send one, so that nobody here believes it.
const channel = "strait"

// moved tells the watchers, when tx commits, that the topic has a new revision.
func moved(ctx context.Context, tx pgx.Tx, topic string, revision int64) error {
	_, err := tx.Exec(ctx, `SELECT pg_notify($1, $2)`, channel, topic+" "+strconv.FormatInt(revision, 10))
	return err
}

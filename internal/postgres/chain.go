package postgres

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/strait-sts/strait/internal/audit"
)

// lockClass keeps the advisory locks of writers apart from others.
const lockClass = 0x57a17

// hanging is when PostgreSQL ends the transaction of a writer that has stopped in
// the middle of one, so that it stands in the way of no revocation.
const hanging = "1s"

// chain is a claimed row of writers. It has a connection of its own, so that
// the pool's callers cannot keep records waiting, and holds the advisory lock
// of the writer's number as long as that connection lives: when the process
// dies, the chain is free again at once.
type chain struct {
	db    *DB
	conn  *pgx.Conn
	epoch int64
	head  audit.Head

	append, lock *pgconn.StatementDescription
	rowType      uint32    // of record_row, in this database
	arguments    arguments // of appendRows; their room is used again

	groups map[groupID]struct{} // that are written, as far as it remembers
}

// Claim takes the first chain whose lock is free, or begins one. Moving the
// epoch waits for what a former holder has in flight and shuts out the rest,
// so the head it answers is final. A session that does not commit durably is
// refused.
func (db *DB) Claim(ctx context.Context) (audit.Chain, error) {
	config := db.config.Copy()
	config.RuntimeParams["idle_in_transaction_session_timeout"] = hanging
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, failed("connect to write records", err)
	}
	c := &chain{db: db, conn: conn}
	if err := c.claim(ctx); err != nil {
		c.Close(ctx)
		return nil, err
	}
	return c, nil
}

func (c *chain) claim(ctx context.Context) error {
	if err := c.checkDurable(ctx); err != nil {
		return err
	}
	if err := c.prepare(ctx); err != nil {
		return err
	}
	type writer struct {
		ID     string
		Number int32
	}
	rows, err := c.conn.Query(ctx, `SELECT id::text, number FROM writers ORDER BY number`)
	if err != nil {
		return failed("list the chains of records", err)
	}
	known, err := pgx.CollectRows(rows, pgx.RowToStructByPos[writer])
	if err != nil {
		return failed("list the chains of records", err)
	}
	for _, w := range known {
		var locked bool
		if err := c.conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1, $2)`, lockClass, w.Number).Scan(&locked); err != nil {
			return failed("lock a chain of records", err)
		}
		if locked {
			return c.fence(ctx, w.ID)
		}
	}
	return c.begin(ctx)
}

// checkDurable refuses a session whose commits do not wait for the disk.
func (c *chain) checkDurable(ctx context.Context) error {
	var commit string
	if err := c.conn.QueryRow(ctx, `SELECT current_setting('synchronous_commit')`).Scan(&commit); err != nil {
		return failed("ask how commits are made", err)
	}
	if commit == "off" {
		return errors.New("synchronous_commit is off, so that a record could be lost after its answer: set it to on for the serving role")
	}
	return nil
}

// fence takes over a chain that is locked: its epoch moves on.
func (c *chain) fence(ctx context.Context, writer string) error {
	var hash []byte
	c.head.Writer = writer
	err := c.conn.QueryRow(ctx, `UPDATE writers SET epoch = epoch + 1 WHERE id = $1::uuid RETURNING epoch, seq, hash`, writer).
		Scan(&c.epoch, &c.head.Seq, &hash)
	if err != nil {
		return failed("claim a chain of records", err)
	}
	return setHash(&c.head.Hash, hash)
}

// begin makes a new chain, and locks it before anybody else can see it.
func (c *chain) begin(ctx context.Context) error {
	id, err := newUUID()
	if err != nil {
		return err
	}
	c.head, c.epoch = audit.Head{Writer: id}, 1
	err = pgx.BeginFunc(ctx, c.conn, func(tx pgx.Tx) error {
		var number int32
		err := tx.QueryRow(ctx, `INSERT INTO writers (id, hash) VALUES ($1::uuid, $2) RETURNING number`, id, c.head.Hash[:]).Scan(&number)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `SELECT pg_advisory_lock($1, $2)`, lockClass, number)
		return err
	})
	return failed("begin a chain of records", err)
}

// Head is the newest record kept.
func (c *chain) Head() audit.Head { return c.head }

// errTaken: nothing was kept, since the chain is somebody else's by now.
var errTaken = errors.New("write records: another holder has taken the chain")

// Append keeps the rows in one transaction.
func (c *chain) Append(ctx context.Context, rows []audit.Row) error {
	if len(rows) == 0 {
		return nil
	}
	judged := judgedBy(rows)
	groups := groupsOf(rows)
	if err := c.arguments.fill(c, judged, rows, groups); err != nil {
		return fmt.Errorf("%w: %w", audit.ErrRefused, err)
	}
	if err := c.introduce(ctx, rows, groups); err != nil {
		return appendFailed(err)
	}
	if err := c.appendAll(ctx, rows, judged); err != nil {
		return appendFailed(err)
	}
	c.head = rows[len(rows)-1].Head()
	return nil
}

// appendFailed says of an error whether it is the store's word about the rows.
func appendFailed(err error) error {
	var server *pgconn.PgError
	var replayed *audit.ReplayedError
	var stale *audit.StaleError
	switch {
	case errors.As(err, &replayed), errors.As(err, &stale), errors.Is(err, errTaken):
		return err
	case errors.As(err, &server) && !isUnavailable(err):
		return fmt.Errorf("%w: %w", audit.ErrRefused, failed("write records", err))
	default:
		return failed("write records", err)
	}
}

// Settle moves the epoch, unless another holder has done so, and then looks
// for the row: whatever of ours was still in flight is kept by now, or never.
// It connects anew, since what lost the chain's connection may have cut those
// of the pool too.
func (c *chain) Settle(ctx context.Context, last audit.Head) (kept bool, err error) {
	conn, err := pgx.ConnectConfig(ctx, c.db.config)
	if err != nil {
		return false, failed("connect to settle what was written", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	_, err = conn.Exec(ctx, `UPDATE writers SET epoch = epoch + 1 WHERE id = $1::uuid AND epoch = $2`, c.head.Writer, c.epoch)
	if err != nil {
		return false, failed("settle what was written", err)
	}
	err = conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM records WHERE writer = $1::uuid AND seq = $2 AND hash = $3)`,
		last.Writer, last.Seq, last.Hash[:]).Scan(&kept)
	return kept, failed("settle what was written", err)
}

// Checkpoint keeps a signed head; one that is there already stays.
func (c *chain) Checkpoint(ctx context.Context, at audit.Head, signed time.Time, jws string) error {
	_, err := c.conn.Exec(ctx, `INSERT INTO checkpoints (writer, seq, time, jws) VALUES ($1::uuid, $2, $3, $4) ON CONFLICT DO NOTHING`,
		at.Writer, at.Seq, signed, jws)
	return failed("keep a checkpoint", err)
}

// Close gives the chain back by closing its connection.
func (c *chain) Close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = c.conn.Close(ctx)
}

func parseUUID(text string) (id pgtype.UUID, err error) {
	if err := id.Scan(text); err != nil {
		return id, fmt.Errorf("%q is not a UUID", text)
	}
	return id, nil
}

// newUUID is a random UUIDv4 (RFC 9562 §5.4).
func newUUID() (string, error) {
	var u [16]byte
	if _, err := rand.Read(u[:]); err != nil {
		return "", fmt.Errorf("name a chain of records: %w", err)
	}
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
	h := hex.EncodeToString(u[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:], nil
}

func setHash(to *audit.Hash, from []byte) error {
	if len(from) != len(to) {
		return fmt.Errorf("a hash in the database has %d bytes, not %d", len(from), len(to))
	}
	copy(to[:], from)
	return nil
}

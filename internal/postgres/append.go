package postgres

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/strait-sts/strait/internal/audit"
)

// appendRows keeps a batch and moves the head in one statement, and so in one
// transaction and one round trip. Where the chain has another head or epoch
// than its holder believes, or revocations another revision than the rows were
// judged by ($6; NULL: none of them was), nothing is inserted.
const appendRows = `
	WITH moved AS (
		UPDATE writers SET seq = $4, hash = $5 WHERE id = $1::uuid AND epoch = $2 AND seq = $3
			AND ($6::bigint IS NULL OR $6 >= (` + revocationRevision + `)) RETURNING id)
	INSERT INTO records (writer, id, time, expires, seq, hash, body, targets, decision, reason, client, issuer, subject, policy, jti, parent, txn,
		key, subject_jti, actor_issuer, actor, actor_jti, actor_parent, group_id)
	SELECT moved.id, r.id, r.time, r.expires, r.seq, r.hash, r.body, string_to_array(r.targets, E'\n'), r.decision, r.reason, r.client, r.issuer,
		r.subject, r.policy, r.jti, r.parent, r.txn, r.key, r.subject_jti, r.actor_issuer, r.actor, r.actor_jti, r.actor_parent, r.group_id
	FROM moved, unnest($7::record_row[], $8::uuid[]) AS r (id, time, expires, seq, hash, body, targets, decision, reason, client, issuer,
		subject, policy, jti, parent, txn, key, subject_jti, actor_issuer, actor, actor_jti, actor_parent, group_id)`

// prepare makes the statements of Append ready.
func (c *chain) prepare(ctx context.Context) (err error) {
	if c.append, err = c.conn.PgConn().Prepare(ctx, "strait_append", appendRows, nil); err != nil {
		return failed("prepare to write records", err)
	}
	err = c.conn.QueryRow(ctx, `SELECT 'record_row'::regtype::oid`).Scan(&c.rowType)
	if err != nil {
		return failed("prepare to write records", err)
	}
	c.lock, err = c.conn.PgConn().Prepare(ctx, "strait_lock_revocations", lockRevocations, nil)
	return failed("prepare to write records", err)
}

// keep writes the rows in one round trip, under the shared lock of revocations
// where they were judged by some: what is sent together is one transaction. It
// goes around pgx's encoding of arguments by reflection, which costs as much
// as all else of ours here.
func (c *chain) keep(ctx context.Context, rows []audit.Row, judged pgtype.Int8) error {
	batch, inBinary := &pgconn.Batch{}, []int16{1}
	if judged.Valid {
		batch.ExecStatement(c.lock, [][]byte{binary.BigEndian.AppendUint64(nil, uint64(revocationLock))}, inBinary, nil)
	}
	batch.ExecStatement(c.append, c.arguments[:], inBinary, nil)
	results := c.conn.PgConn().ExecBatch(ctx, batch)
	var tag pgconn.CommandTag
	for results.NextResult() {
		tag, _ = results.ResultReader().Close() // Close answers the error of all
	}
	if err := results.Close(); err != nil {
		return err
	}
	if tag.RowsAffected() != int64(len(rows)) {
		return c.whyNot(ctx, judged)
	}
	return nil
}

// arguments are those of appendRows in PostgreSQL's binary form: six of the
// chain, then the rows as one array, and their groups as another.
type arguments [8][]byte

// fill encodes a batch. The error names what cannot be kept.
func (a *arguments) fill(c *chain, judged pgtype.Int8, rows []audit.Row, groups []groupID) (err error) {
	last := &rows[len(rows)-1]
	if a[0], err = appendUUID(a[0][:0], c.head.Writer); err != nil {
		return err
	}
	for i, n := range []int64{c.epoch, c.head.Seq, last.Seq} {
		a[i+1] = binary.BigEndian.AppendUint64(a[i+1][:0], uint64(n)) //nolint:gosec // G115: two's complement, as PostgreSQL has it
	}
	a[4] = append(a[4][:0], last.Hash[:]...)
	a[5] = nil
	if judged.Valid {
		a[5] = binary.BigEndian.AppendUint64(nil, uint64(judged.Int64)) //nolint:gosec // G115: as above
	}
	a[6], a[7] = appendArray(a[6][:0], c.rowType, len(rows)), appendArray(a[7][:0], pgtype.UUIDOID, len(rows))
	for i := range rows {
		if a[6], err = appendRow(a[6], &rows[i]); err != nil {
			return err
		}
		a[7] = append(binary.BigEndian.AppendUint32(a[7], sizeOfUUID), groups[i][:]...)
	}
	return nil
}

// appendArray begins an array of one dimension, with no element NULL and the
// first of them number 1.
func appendArray(to []byte, of uint32, length int) []byte {
	for _, n := range [...]uint32{1, 0, of, uint32(length), 1} { //nolint:gosec // G115: a batch is short
		to = binary.BigEndian.AppendUint32(to, n)
	}
	return to
}

// appendRow appends a record_row and its length.
func appendRow(to []byte, r *audit.Row) (_ []byte, err error) {
	start := len(to)
	to = binary.BigEndian.AppendUint32(append(to, null...), fieldsOfRow)
	if to, err = appendUUID(appendField(to, pgtype.UUIDOID, sizeOfUUID), r.ID); err != nil {
		return to, err
	}
	to = appendInstant(appendInstant(to, r.Time), r.Expires)
	to = binary.BigEndian.AppendUint64(appendField(to, pgtype.Int8OID, 8), uint64(r.Seq)) //nolint:gosec // G115: two's complement, as PostgreSQL has it
	for _, bytes := range [...][]byte{r.Hash[:], r.Body} {
		to = append(appendField(to, pgtype.ByteaOID, len(bytes)), bytes...)
	}
	to = appendTargets(to, r.Targets)
	for _, text := range [...]string{
		r.Decision, r.Reason, r.Client, r.Issuer, r.Subject, r.Policy, r.JTI, r.Parent, r.Txn,
		r.Key, r.SubjectJTI, r.ActorIssuer, r.Actor, r.ActorJTI, r.ActorParent,
	} {
		if text == "" {
			to = append(binary.BigEndian.AppendUint32(to, pgtype.TextOID), null...)
			continue
		}
		to = append(appendField(to, pgtype.TextOID, len(text)), text...)
	}
	binary.BigEndian.PutUint32(to[start:], uint32(len(to)-start-len(null))) //nolint:gosec // G115: a record has its bounds
	return to, nil
}

const (
	fieldsOfRow = 22
	sizeOfUUID  = 16
)

// null is the length of NULL.
const null = "\xff\xff\xff\xff"

// appendField begins a field that is not NULL.
func appendField(to []byte, of uint32, length int) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(to, of), uint32(length)) //nolint:gosec // G115: a record has its bounds
}

// appendTargets appends one a line; none is the empty text, and no NULL.
func appendTargets(to []byte, targets []string) []byte {
	length := max(0, len(targets)-1)
	for _, target := range targets {
		length += len(target)
	}
	to = appendField(to, pgtype.TextOID, length)
	for i, target := range targets {
		if i > 0 {
			to = append(to, '\n')
		}
		to = append(to, target...)
	}
	return to
}

// appendInstant appends the microseconds since 2000; the zero time is NULL.
func appendInstant(to []byte, at time.Time) []byte {
	if at.IsZero() {
		return append(binary.BigEndian.AppendUint32(to, pgtype.TimestamptzOID), null...)
	}
	since := at.UnixMicro() - time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	return binary.BigEndian.AppendUint64(appendField(to, pgtype.TimestamptzOID, 8), uint64(since)) //nolint:gosec // G115: two's complement, as PostgreSQL has it
}

// appendUUID appends the 16 bytes of a UUID's text.
func appendUUID(to []byte, text string) ([]byte, error) {
	const length, bytes = 36, sizeOfUUID
	if len(text) == length && text[8] == '-' && text[13] == '-' && text[18] == '-' && text[23] == '-' {
		digits := [2 * bytes]byte{}
		n := copy(digits[:], text[:8])
		for _, from := range [...]int{9, 14, 19} {
			n += copy(digits[n:], text[from:from+4])
		}
		copy(digits[n:], text[24:])
		if to, err := hex.AppendDecode(to, digits[:]); err == nil {
			return to, nil
		}
	}
	return to, fmt.Errorf("%q is not a UUID", text)
}

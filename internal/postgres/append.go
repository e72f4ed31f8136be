package postgres

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
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
		key, subject_jti, actor_issuer, actor, actor_jti, actor_parent)
	SELECT moved.id, r.id, r.time, r.expires, r.seq, r.hash, r.body, string_to_array(r.targets, E'\n'), r.decision, r.reason, r.client, r.issuer,
		r.subject, r.policy, r.jti, r.parent, r.txn, r.key, r.subject_jti, r.actor_issuer, r.actor, r.actor_jti, r.actor_parent
	FROM moved, unnest($7::uuid[], $8::timestamptz[], $9::timestamptz[], $10::bigint[], $11::bytea[], $12::bytea[], $13::text[],
		$14::text[], $15::text[], $16::text[], $17::text[], $18::text[], $19::text[], $20::text[], $21::text[], $22::text[], $23::text[], $24::text[],
		$25::text[], $26::text[], $27::text[], $28::text[])
		AS r (id, time, expires, seq, hash, body, targets, decision, reason, client, issuer, subject, policy, jti, parent, txn,
			key, subject_jti, actor_issuer, actor, actor_jti, actor_parent)`

// prepare makes the statements of Append ready.
func (c *chain) prepare(ctx context.Context) (err error) {
	if c.append, err = c.conn.PgConn().Prepare(ctx, "strait_append", appendRows, nil); err != nil {
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
	batch.ExecStatement(c.append, c.arguments.values(), inBinary, nil)
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
// chain, then the rows turned on their side, an array a column.
type arguments struct {
	chain   [6][]byte
	columns [22][]byte
	all     [28][]byte
}

// values are the arguments in order.
func (a *arguments) values() [][]byte {
	copy(a.all[copy(a.all[:], a.chain[:]):], a.columns[:])
	return a.all[:]
}

// fill encodes a batch. The error names what cannot be kept.
func (a *arguments) fill(head audit.Head, epoch int64, judged pgtype.Int8, rows []audit.Row) (err error) {
	last := &rows[len(rows)-1]
	if a.chain[0], err = appendUUID(a.chain[0][:0], head.Writer); err != nil {
		return err
	}
	for i, n := range []int64{epoch, head.Seq, last.Seq} {
		a.chain[i+1] = binary.BigEndian.AppendUint64(a.chain[i+1][:0], uint64(n)) //nolint:gosec // G115: two's complement, as PostgreSQL has it
	}
	a.chain[4] = append(a.chain[4][:0], last.Hash[:]...)
	a.chain[5] = nil
	if judged.Valid {
		a.chain[5] = binary.BigEndian.AppendUint64(nil, uint64(judged.Int64)) //nolint:gosec // G115: as above
	}
	for i, element := range []uint32{
		pgtype.UUIDOID, pgtype.TimestamptzOID, pgtype.TimestamptzOID, pgtype.Int8OID, pgtype.ByteaOID, pgtype.ByteaOID, pgtype.TextOID,
	} {
		a.columns[i] = beginArray(a.columns[i][:0], element, len(rows))
	}
	for i := 7; i < len(a.columns); i++ {
		a.columns[i] = beginArray(a.columns[i][:0], pgtype.TextOID, len(rows))
	}
	for i := range rows {
		if err := a.row(&rows[i]); err != nil {
			return err
		}
	}
	return nil
}

// row appends a row to the columns, in the order of appendRows.
func (a *arguments) row(r *audit.Row) (err error) {
	c := &a.columns
	if c[0], err = appendUUID(binary.BigEndian.AppendUint32(c[0], 16), r.ID); err != nil {
		return err
	}
	c[1], c[2] = appendInstant(c[1], r.Time), appendInstant(c[2], r.Expires)
	c[3] = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(c[3], 8), uint64(r.Seq)) //nolint:gosec // G115: two's complement, as PostgreSQL has it
	c[4], c[5] = appendBytes(c[4], r.Hash[:]), appendBytes(c[5], r.Body)
	c[6] = appendBytes(c[6], strings.Join(r.Targets, "\n")) // none is the empty text, and no NULL
	for i, text := range [...]string{
		r.Decision, r.Reason, r.Client, r.Issuer, r.Subject, r.Policy, r.JTI, r.Parent, r.Txn,
		r.Key, r.SubjectJTI, r.ActorIssuer, r.Actor, r.ActorJTI, r.ActorParent,
	} {
		if text == "" {
			c[7+i] = append(c[7+i], null...)
			continue
		}
		c[7+i] = appendBytes(c[7+i], text)
	}
	return nil
}

// null is the length of NULL.
const null = "\xff\xff\xff\xff"

// beginArray is the head of an array of one dimension whose elements may be
// NULL.
func beginArray(to []byte, element uint32, length int) []byte {
	for _, n := range [...]uint32{1, 1, element, uint32(length), 1} { //nolint:gosec // G115: a batch is short
		to = binary.BigEndian.AppendUint32(to, n)
	}
	return to
}

func appendBytes[T string | []byte](to []byte, value T) []byte {
	return append(binary.BigEndian.AppendUint32(to, uint32(len(value))), value...) //nolint:gosec // G115: a record has its bounds
}

// appendInstant appends the microseconds since 2000; the zero time is NULL.
func appendInstant(to []byte, at time.Time) []byte {
	if at.IsZero() {
		return append(to, null...)
	}
	since := at.UnixMicro() - time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(to, 8), uint64(since)) //nolint:gosec // G115: two's complement, as PostgreSQL has it
}

// appendUUID appends the 16 bytes of a UUID's text.
func appendUUID(to []byte, text string) ([]byte, error) {
	const length, bytes = 36, 16
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

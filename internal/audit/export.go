package audit

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxLine bounds a line of an export: a record, and room for what another
// program put between its tokens.
const maxLine = 4 * maxRecord

// exportVersion is the form of the lines that Export writes.
const exportVersion = 1

// note is a line of an export that is no record. Exactly one member is set.
type note struct {
	Export     *span     `json:"export,omitempty"`
	Retained   *position `json:"retained,omitempty"`
	Checkpoint string    `json:"checkpoint,omitempty"`
}

// span is the first line: which records the export holds.
type span struct {
	Version int       `json:"version"`
	Since   time.Time `json:"since,omitzero"`
	Until   time.Time `json:"until,omitzero"`
}

// position is a Head as JSON.
type position struct {
	Hash   string `json:"hash"`
	Seq    int64  `json:"seq"`
	Writer string `json:"writer"`
}

// Export writes what [Verify] needs as JSON lines: a line that says of what
// time the records are, the places where the chains begin, the checkpoints, and
// then each whole record with its hash. Anchors are not written: what is held
// outside is of use only where it comes from outside.
func Export(w io.Writer, e Evidence, rows Rows) error {
	out := bufio.NewWriter(w)
	for _, n := range notes(e) {
		line, err := json.Marshal(n)
		if err != nil {
			return fmt.Errorf("write the export: %w", err)
		}
		if _, err := out.Write(append(line, '\n')); err != nil {
			return fmt.Errorf("write the export: %w", err)
		}
	}
	for row, err := range rows {
		if err != nil {
			return err
		}
		if _, err := out.Write(append(row.JSON(), '\n')); err != nil {
			return fmt.Errorf("write the export: %w", err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write the export: %w", err)
	}
	return nil
}

func notes(e Evidence) []note {
	all := []note{{Export: &span{Version: exportVersion, Since: e.Since.UTC(), Until: e.Until.UTC()}}}
	for _, h := range e.Retained {
		all = append(all, note{Retained: &position{Hash: h.Hash.String(), Seq: h.Seq, Writer: h.Writer}})
	}
	for _, c := range e.Checkpoints {
		all = append(all, note{Checkpoint: c})
	}
	return all
}

// ReadExport reads what Export wrote, for [Verify] without the database: the
// evidence at once, then the records one by one. Other spellings of the same
// JSON are brought back to the canonical one first. A line that is neither is
// an error that names the line. Lines of records alone are an export too.
func ReadExport(r io.Reader) (Evidence, Rows, error) {
	x := &exportReader{lines: bufio.NewScanner(r)}
	x.lines.Buffer(make([]byte, 0, 4096), maxLine)
	var e Evidence
	for x.next() {
		n, isNote := parseNote(x.lines.Bytes())
		if !isNote {
			return e, x.rows, nil
		}
		if err := e.take(n); err != nil {
			return e, nil, x.wrong(err)
		}
	}
	return e, x.rows, x.fault()
}

// exportReader reads line by line; the line that it stands on is not used yet.
type exportReader struct {
	lines  *bufio.Scanner
	number int
	ended  bool
}

func (x *exportReader) next() bool {
	x.number++
	x.ended = !x.lines.Scan()
	return !x.ended
}

func (x *exportReader) wrong(err error) error {
	return fmt.Errorf("line %d of the export: %w", x.number, err)
}

// fault tells a line that is wrong from a source that gave no more.
func (x *exportReader) fault() error {
	err := x.lines.Err()
	switch {
	case errors.Is(err, bufio.ErrTooLong):
		return x.wrong(err)
	case err != nil && x.number > 1:
		return fmt.Errorf("the export breaks off before line %d: %w", x.number, err)
	}
	return err
}

// rows gives the record of the line that the reader stands on, and those after.
func (x *exportReader) rows(yield func(Row, error) bool) {
	for ; !x.ended; x.next() {
		row, err := parseLine(x.lines.Bytes())
		if err != nil {
			yield(Row{}, x.wrong(err))
			return
		}
		if !yield(row, nil) {
			return
		}
	}
	if err := x.fault(); err != nil {
		yield(Row{}, err)
	}
}

// parseNote reads a line that is no record.
func parseNote(line []byte) (note, bool) {
	var n note
	err := json.Unmarshal(line, &n, json.RejectUnknownMembers(true))
	return n, err == nil && n != note{}
}

// take adds what a line says to the evidence.
func (e *Evidence) take(n note) error {
	if n.Export != nil {
		if n.Export.Version != exportVersion {
			return fmt.Errorf("it is of version %d; this program reads version %d", n.Export.Version, exportVersion)
		}
		e.Since, e.Until = n.Export.Since, n.Export.Until
	}
	if n.Checkpoint != "" {
		e.Checkpoints = append(e.Checkpoints, n.Checkpoint)
	}
	if n.Retained != nil {
		hash, err := ParseHash(n.Retained.Hash)
		if err != nil {
			return err
		}
		e.Retained = append(e.Retained, Head{Writer: n.Retained.Writer, Seq: n.Retained.Seq, Hash: hash})
	}
	return nil
}

// parseLine reads one record with its hash.
func parseLine(line []byte) (Row, error) {
	canonical := jsontext.Value(append([]byte(nil), line...))
	if err := canonical.Canonicalize(); err != nil || canonical.Kind() != '{' {
		return Row{}, errors.New("it is not a JSON object")
	}
	rest, text, ok := withoutMember(canonical, "hash")
	if !ok {
		return Row{}, errors.New("it has no hash")
	}
	told, err := read(rest)
	if err != nil {
		return Row{}, err
	}
	row := Row{Copies: told.Copies, Writer: told.Writer, Seq: told.Seq, Body: rest}
	if row.Hash, err = ParseHash(text); err != nil {
		return Row{}, fmt.Errorf("hash: %w", err)
	}
	return row, nil
}

// hashed says whether the row's hash is that of its body.
func (r *Row) hashed() bool { return sha256.Sum256(r.Body) == r.Hash }

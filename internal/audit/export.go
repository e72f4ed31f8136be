package audit

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/go-json-experiment/json/jsontext"
)

// maxLine bounds a line of an export: a record, and room for what another
// program put between its tokens.
const maxLine = 4 * maxRecord

// Export writes rows as JSON lines, each a whole record with its hash.
func Export(w io.Writer, rows iter.Seq2[Row, error]) error {
	out := bufio.NewWriter(w)
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

// ReadExport reads what Export wrote, for [Verify] without the database. Other
// spellings of the same JSON are brought back to the canonical one first. A
// line that is no record is an error that names the line.
func ReadExport(r io.Reader) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(make([]byte, 0, 4096), maxLine)
		number := 0
		for lines.Scan() {
			number++
			row, err := parseLine(lines.Bytes())
			if err != nil {
				yield(Row{}, fmt.Errorf("line %d of the export: %w", number, err))
				return
			}
			if !yield(row, nil) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(Row{}, fmt.Errorf("line %d of the export: %w", number+1, err))
		}
	}
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

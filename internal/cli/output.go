package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/strait-sts/strait/internal/manifest"
)

// format is how a command prints: one of the values of -o.
type format string

const (
	formatTable format = "table"
	formatJSON  format = "json"
	formatYAML  format = "yaml"
)

// outputFlag adds -o to a command.
func outputFlag(cmd *cobra.Command, f *format, otherwise format) {
	*f = otherwise
	cmd.Flags().VarP(f, "output", "o", "yaml, json or table")
}

// String, Set and Type make format a flag's value.
func (f *format) String() string { return string(*f) }

// Set reads the value of -o.
func (f *format) Set(text string) error {
	if !slices.Contains([]format{formatTable, formatJSON, formatYAML}, format(text)) {
		return fmt.Errorf("want yaml, json or table")
	}
	*f = format(text)
	return nil
}

// Type is the word for the value in help.
func (f *format) Type() string { return "format" }

// printJSON prints a JSON value as people read it.
func printJSON(w io.Writer, raw json.RawMessage) error {
	var b bytes.Buffer
	if err := json.Indent(&b, escaped(raw), "", "  "); err != nil {
		return err
	}
	b.WriteByte('\n')
	_, err := w.Write(b.Bytes())
	return err
}

// printYAML prints a JSON value as YAML.
func printYAML(w io.Writer, raw json.RawMessage) error {
	_, err := w.Write(escaped(manifest.FromJSON(raw)))
	return err
}

// escaped is the same JSON or YAML without the control characters that quoted
// strings may hold as they are and a terminal would obey.
func escaped(raw []byte) []byte {
	var b bytes.Buffer
	for _, r := range string(raw) {
		if r >= 0x7f && r < 0xa0 {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.Bytes()
}

// printMany prints objects: one JSON array, else YAML documents.
func printMany(w io.Writer, f format, items []json.RawMessage) error {
	if f == formatJSON {
		text, err := json.Marshal(append([]json.RawMessage{}, items...))
		if err != nil {
			return err
		}
		return printJSON(w, text)
	}
	for i, item := range items {
		if i > 0 {
			if _, err := io.WriteString(w, "---\n"); err != nil {
				return err
			}
		}
		if err := printYAML(w, item); err != nil {
			return err
		}
	}
	return nil
}

// printOne prints one value as JSON, else as YAML.
func printOne(w io.Writer, f format, raw json.RawMessage) error {
	if f == formatJSON {
		return printJSON(w, raw)
	}
	return printYAML(w, raw)
}

// table prints rows in columns, two spaces apart; an empty cell is a dash.
func table(w io.Writer, header []string, rows [][]string) error {
	columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{header}, rows...) {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = visible(cell)
			if cell == "" {
				cells[i] = "-"
			}
		}
		// No tab after the last cell: its lines end where their text ends.
		if _, err := io.WriteString(columns, strings.Join(cells, "\t")+"\n"); err != nil {
			return err
		}
	}
	return columns.Flush()
}

// visible replaces what a terminal would obey rather than show: records hold
// text that strangers sent.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '\uFFFD'
		}
		return r
	}, text)
}

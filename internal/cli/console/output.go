package console

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

// Format is how a command prints: one of the values of -o.
type Format string

// The formats.
const (
	FormatTable Format = "table"
	FormatJSON  Format = "json"
	FormatYAML  Format = "yaml"
)

// OutputFlag adds -o to a command.
func OutputFlag(cmd *cobra.Command, f *Format, otherwise Format) {
	*f = otherwise
	cmd.Flags().VarP(f, "output", "o", "yaml, json or table")
}

// String, Set and Type make format a flag's value.
func (f *Format) String() string { return string(*f) }

// Set reads the value of -o.
func (f *Format) Set(text string) error {
	if !slices.Contains([]Format{FormatTable, FormatJSON, FormatYAML}, Format(text)) {
		return fmt.Errorf("want yaml, json or table")
	}
	*f = Format(text)
	return nil
}

// Type is the word for the value in help.
func (f *Format) Type() string { return "format" }

// PrintJSON prints a JSON value as people read it.
func PrintJSON(w io.Writer, raw json.RawMessage) error {
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

// PrintMany prints objects: one JSON array, else YAML documents.
func PrintMany(w io.Writer, f Format, items []json.RawMessage) error {
	if f == FormatJSON {
		text, err := json.Marshal(append([]json.RawMessage{}, items...))
		if err != nil {
			return err
		}
		return PrintJSON(w, text)
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

// PrintOne prints one value as JSON, else as YAML.
func PrintOne(w io.Writer, f Format, raw json.RawMessage) error {
	if f == FormatJSON {
		return PrintJSON(w, raw)
	}
	return printYAML(w, raw)
}

// Table prints rows in columns, two spaces apart; an empty cell is a dash.
func Table(w io.Writer, header []string, rows [][]string) error {
	columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{header}, rows...) {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = Visible(cell)
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

// Visible replaces what a terminal would obey rather than show: records hold
// text that strangers sent.
func Visible(text string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '\uFFFD'
		}
		return r
	}, text)
}

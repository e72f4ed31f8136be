package console

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Page is text for a terminal.
type Page struct{ strings.Builder }

// Line adds a line, without what a terminal would obey.
func (p *Page) Line(format string, args ...any) {
	_, _ = fmt.Fprintln(p, Visible(fmt.Sprintf(format, args...)))
}

// Note adds an indented line with a name, where there is a value.
func (p *Page) Note(name, value string) {
	if value != "" {
		p.Line("  %s: %s", name, value)
	}
}

// Detail adds what a check says, what it expected and what it found.
func (p *Page) Detail(detail string, expected, actual []string) {
	for _, part := range []struct{ name, value string }{
		{"", detail}, {"expected  ", strings.Join(expected, " ")}, {"found     ", strings.Join(actual, " ")},
	} {
		if part.value != "" {
			p.Line("        %s%s", part.name, part.value)
		}
	}
}

// Count is a number with its word: 1 error, 2 errors.
func Count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// PrintValue prints a value as JSON or YAML.
func PrintValue(w io.Writer, f Format, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return PrintOne(w, f, text)
}

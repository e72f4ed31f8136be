package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// page is where the story is printed: plain text, titles in bold where a
// terminal reads along.
type page struct{ w io.Writer }

func (p page) line(format string, args ...any) { _, _ = fmt.Fprintf(p.w, format+"\n", args...) }

func (p page) title(text string) {
	if f, ok := p.w.(*os.File); ok && terminal(f) {
		text = "\x1b[1m" + text + "\x1b[0m"
	}
	p.line("\n%s\n", text)
}

func terminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == ""
}

// block prints what a command printed, set in.
func (p page) block(text string) {
	for line := range strings.Lines(text) {
		p.line("    %s", strings.TrimRight(line, "\n"))
	}
}

// claim is one line of the comparison.
type claim struct{ name, before, after, change string }

// sideBySide prints the subject token's claims and the issued token's beside
// each other, with what became narrower.
func (p page) sideBySide(before, after map[string]any) {
	const narrow, wide = 10, 36
	format := fmt.Sprintf("  %%-%ds  %%-%ds  %%-%ds  %%s", narrow, wide, wide)
	p.row(format, claim{"", "alice's token", "issued token", ""}, wide)
	p.row(format, claim{"", strings.Repeat("-", wide), strings.Repeat("-", wide), ""}, wide)
	for _, c := range compare(before, after) {
		p.row(format, c, wide)
	}
}

// row prints a claim on as many lines as its longest value needs.
func (p page) row(format string, c claim, width int) {
	before, after := wrap(c.before, width), wrap(c.after, width)
	for i := range max(len(before), len(after)) {
		name, change := "", ""
		if i == 0 {
			name, change = c.name, c.change
		}
		p.line("%s", strings.TrimRight(fmt.Sprintf(format, name, at(before, i), at(after, i), change), " "))
	}
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return ""
}

// wrap breaks a text at spaces, and where there are none, at the width.
func wrap(text string, width int) []string {
	lines := []string{""}
	for word := range strings.FieldsSeq(text) {
		last := &lines[len(lines)-1]
		switch {
		case *last == "":
			*last = word
		case len(*last)+1+len(word) <= width:
			*last += " " + word
		default:
			lines = append(lines, word)
		}
		for last = &lines[len(lines)-1]; len(*last) > width; last = &lines[len(lines)-1] {
			rest := (*last)[width:]
			*last = (*last)[:width]
			lines = append(lines, rest)
		}
	}
	return lines
}

// compare puts the claims side by side, those that matter most first.
func compare(before, after map[string]any) []claim {
	rows := []claim{
		{"iss", show(before["iss"]), show(after["iss"]), ""},
		{"sub", show(before["sub"]), show(after["sub"]), ""},
		{"aud", show(before["aud"]), show(after["aud"]), "narrower: this service alone"},
		{"scope", show(before["scope"]), show(after["scope"]), fewer(show(before["scope"]), show(after["scope"]))},
		{"lifetime", life(before), life(after), "narrower: " + shorter(before, after)},
	}
	for _, name := range []string{"email", "groups", "department", "client_id", "act", "jti", "txn"} {
		_, had := before[name]
		_, has := after[name]
		switch {
		case had && !has:
			rows = append(rows, claim{name, show(before[name]), "", "narrower: left behind"})
		case had || has:
			rows = append(rows, claim{name, show(before[name]), show(after[name]), ""})
		}
	}
	return rows
}

func show(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case []string:
		return strings.Join(v, " ")
	}
	return fmt.Sprint(value)
}

// number is a NumericDate (RFC 7519 §2), as Go made it or as JSON gave it.
func number(value any) float64 {
	switch v := value.(type) {
	case int64:
		return float64(v)
	case float64:
		return v
	}
	return 0
}

func span(claims map[string]any) time.Duration {
	return time.Duration(number(claims["exp"])-number(claims["iat"])) * time.Second
}

func life(claims map[string]any) string {
	return fmt.Sprintf("%.0f minutes", span(claims).Minutes())
}

func shorter(before, after map[string]any) string {
	return fmt.Sprintf("%.0f minutes less", (span(before) - span(after)).Minutes())
}

func fewer(before, after string) string {
	return fmt.Sprintf("narrower: %d of %d", len(strings.Fields(after)), len(strings.Fields(before)))
}

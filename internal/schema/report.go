package schema

import (
	"fmt"
	"strings"

	"github.com/strait-sts/strait/internal/catalog"
)

// report gathers the faults of one object.
type report struct{ faults []catalog.FieldError }

func (r *report) add(pointer, code, format string, args ...any) {
	r.faults = append(r.faults, catalog.FieldError{Pointer: pointer, Code: code, Message: fmt.Sprintf(format, args...)})
}

// named is the faults with the object that they belong to.
func (r *report) named(kind catalog.Kind, name string) []catalog.FieldError {
	for i := range r.faults {
		r.faults[i].Kind, r.faults[i].Name = kind, name
	}
	return r.faults
}

// below is a pointer's child, escaped as RFC 6901 §3 wants.
func below(pointer string, child any) string {
	return pointer + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(fmt.Sprint(child))
}

// hint is the end of a message about a word that is not known: the nearest one
// that is, or all of them where they are few.
func hint(word string, known []string) string {
	if near := nearest(word, known); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	if len(known) > 0 && len(known) <= 12 {
		return "; known: " + strings.Join(known, ", ")
	}
	return ""
}

// nearest is the known word that a slip of at most two letters makes of word.
func nearest(word string, known []string) string {
	best, found := 3, ""
	for _, candidate := range known {
		if d := distance(strings.ToLower(word), strings.ToLower(candidate)); d < best && 2*d <= len(candidate) {
			best, found = d, candidate
		}
	}
	return found
}

// distance is the number of letters to insert, drop or change (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}

package replay

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// WriteText tells the report: the groups, and a line that counts.
func (r *Report) WriteText(w io.Writer) error {
	var t strings.Builder
	words := map[Change]string{Denied: "newly denied", Allowed: "newly allowed", Otherwise: "issued otherwise", Unknown: "unknown"}
	for _, g := range r.Groups {
		fmt.Fprintf(&t, "%-16s %6d  client %s", words[g.Change], g.Count, orNone(g.Client))
		if g.Policy != "" {
			fmt.Fprintf(&t, ", policy %s", g.Policy)
		}
		if len(g.Targets) > 0 {
			fmt.Fprintf(&t, ", for %s", strings.Join(g.Targets, " "))
		}
		fmt.Fprintf(&t, ": %s\n", g.Why)
		for _, id := range g.Examples {
			fmt.Fprintf(&t, "%25s%s\n", "", id)
		}
	}
	if r.Ungrouped > 0 {
		fmt.Fprintf(&t, "%d more records change in other ways, too many to list\n", r.Ungrouped)
	}
	span := ""
	if r.Records > 0 {
		span = fmt.Sprintf(" from %s to %s", r.Since.Format(time.RFC3339), r.Until.Format(time.RFC3339))
	}
	fmt.Fprintf(&t, "%d records%s: %d newly denied, %d newly allowed, %d issued otherwise, %d unknown, %d the same, %d that no rule decided\n",
		r.Records, span, r.Denied, r.Allowed, r.Otherwise, r.Unknown, r.Same, r.Skipped)
	_, err := io.WriteString(w, t.String())
	return err
}

func orNone(client string) string {
	if client == "" {
		return "(none)"
	}
	return client
}

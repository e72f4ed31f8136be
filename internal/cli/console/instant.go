package console

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// maxDays bounds a time that is given as days ago: a century.
const maxDays = 36_600

// Instant reads a time, or a duration as that long ago.
func (p *Process) Instant(text string) (time.Time, error) {
	if days, isDays := strings.CutSuffix(text, "d"); isDays {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 && n < maxDays {
			return p.Clock().AddDate(0, 0, -n), nil
		}
	}
	if ago, err := time.ParseDuration(text); err == nil {
		return p.Clock().Add(-ago), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("want a time such as 2027-03-01T08:00:00Z or a duration such as 1h or 7d, not %q", text)
	}
	return at, nil
}

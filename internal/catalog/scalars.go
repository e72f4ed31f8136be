package catalog

import (
	"fmt"
	"strings"
	"time"
)

// Duration is a time.Duration that manifests write as "5m" or "24h".
type Duration time.Duration

// String is the duration as people write it: "5m", not "5m0s".
func (d Duration) String() string {
	text := time.Duration(d).String()
	for _, end := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, end) {
			text = text[:len(text)-2]
		}
	}
	return text
}

// MarshalText writes the duration as [Duration.String] has it.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads "5m"; a number without a unit is an error.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("want a duration such as 5m or 24h, not %q", text)
	}
	*d = Duration(parsed)
	return nil
}

// Date is a day, as manifests write it: "2027-03-01".
type Date struct{ Time time.Time }

// MarshalText writes the day alone.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.Time.Format(time.DateOnly)), nil }

// UnmarshalText reads a day in UTC.
func (d *Date) UnmarshalText(text []byte) error {
	day, err := time.Parse(time.DateOnly, string(text))
	if err != nil {
		return fmt.Errorf("want a date such as 2027-03-01, not %q", text)
	}
	d.Time = day
	return nil
}

package console

import (
	"testing"
	"time"
)

func TestTimesOfFilters(t *testing.T) {
	t.Parallel()
	p := &Process{Clock: func() time.Time { return time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC) }}
	for text, want := range map[string]string{
		"1h": "2026-11-24T11:00:00Z", "2026-11-23T08:00:00+02:00": "2026-11-23T06:00:00Z",
	} {
		if got, err := p.Instant(text); err != nil || got.UTC().Format(time.RFC3339) != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	if _, err := p.Instant("2026-11-23"); err == nil {
		t.Error("a day is no instant")
	}
}

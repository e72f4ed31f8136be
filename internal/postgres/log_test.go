package postgres_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/audit"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/postgres"
)

// keepAt keeps a record of a time.
func keepAt(t testing.TB, r *audit.Recorder, at time.Time) string {
	t.Helper()
	id, err := exchange.NewID(at, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Record(t.Context(), &exchange.Record{ID: id, Time: at, Decision: exchange.OutcomeDenied}); err != nil {
		t.Fatal(err)
	}
	return string(id)
}

// exported is an export of a time, as text.
func exported(t testing.TB, db *postgres.DB, since, until time.Time) string {
	t.Helper()
	var out bytes.Buffer
	err := db.Log(t.Context(), since, until, func(e audit.Evidence, rows audit.Rows) error { return audit.Export(&out, e, rows) })
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// offline verifies an export against anchors.
func offline(t testing.TB, text string, anchors ...string) *audit.Report {
	t.Helper()
	evidence, rows, err := audit.ReadExport(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	evidence.Anchors = anchors
	report, err := audit.Verify(t.Context(), rows, evidence, openPlain)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// TestPartOfTheLogVerifiesByItself: an export of any time is proved without
// what lies before and after it, two chains with different ends included, and
// what is anchored later is not missed in it; what is cut out of it is.
func TestPartOfTheLogVerifiesByItself(t *testing.T) {
	t.Parallel()
	db, d := opened(t)
	other := open(t, d.AppURL)
	hour := time.Now().UTC().Truncate(time.Hour).Add(-10 * time.Hour)
	first, stopFirst := running(t, audit.Options{Store: db, Signer: plainSigner{}})
	keepAt(t, first, hour)
	second, stopSecond := running(t, audit.Options{Store: other, Signer: plainSigner{}})
	keepAt(t, second, hour)
	for i := range 8 { // second falls silent after three hours
		keepAt(t, first, hour.Add(time.Duration(i)*time.Hour))
		if i < 3 {
			keepAt(t, second, hour.Add(time.Duration(i)*time.Hour))
		}
	}
	// The order of commits is not the order of times.
	keepAt(t, first, hour.Add(9*time.Hour))
	keepAt(t, first, hour.Add(7*time.Hour))
	stopFirst()
	stopSecond()
	var anchors []string
	whole := exported(t, db, time.Time{}, time.Time{})
	for line := range strings.Lines(whole) {
		if rest, is := strings.CutPrefix(line, `{"checkpoint":"`); is {
			anchors = append(anchors, strings.ReplaceAll(strings.TrimSuffix(rest, "\"}\n"), `\"`, `"`))
		}
	}
	if len(anchors) != 2 {
		t.Fatalf("%d checkpoints in\n%s", len(anchors), whole)
	}
	if report := offline(t, whole, anchors...); !report.OK() || report.Records != 15 || report.Chains[0].Unanchored != 0 || report.Chains[1].Unanchored != 0 {
		t.Errorf("whole: %+v", report)
	}
	for from := -1; from <= 11; from++ {
		for to := from; to <= 11; to++ {
			since, until := hour.Add(time.Duration(from)*time.Hour), hour.Add(time.Duration(to)*time.Hour)
			for _, span := range [][2]time.Time{{since, until}, {since, {}}, {{}, until}} {
				text := exported(t, db, span[0], span[1])
				report := offline(t, text, anchors...)
				if !report.OK() {
					t.Errorf("from %d to %d (%v): %+v", from, to, span, report.Findings)
				}
				if report.Records < 3 {
					continue
				}
				lines := strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
				cut := len(lines) - int(report.Records) + 1 // the second record
				if offline(t, strings.Join(append(lines[:cut:cut], lines[cut+1:]...), "")).OK() && strings.Contains(lines[cut], firstWriter(lines[cut+1])) && strings.Contains(lines[cut-1], firstWriter(lines[cut])) {
					t.Errorf("from %d to %d: the second record is gone, and nothing was found", from, to)
				}
			}
		}
	}
}

// firstWriter is the writer member of a line.
func firstWriter(line string) string {
	_, rest, _ := strings.Cut(line, `"writer":"`)
	writer, _, _ := strings.Cut(rest, `"`)
	return writer
}

func TestLogStopsWhereItsReaderDoes(t *testing.T) {
	t.Parallel()
	db, _ := opened(t)
	r, _ := running(t, audit.Options{Store: db})
	keep(t, r, 3)
	fault := errors.New("enough")
	err := db.Log(t.Context(), time.Time{}, time.Time{}, func(_ audit.Evidence, rows audit.Rows) error {
		for range rows {
			return fault
		}
		return nil
	})
	if !errors.Is(err, fault) {
		t.Errorf("answered %v", err)
	}
	if report := proved(t, db); !report.OK() || report.Records != 3 { // the connection is whole
		t.Errorf("%+v", report)
	}
}

func TestMonthsBeforeAreThoseThatCanBeDropped(t *testing.T) {
	t.Parallel()
	db, d := opened(t)
	r, stop := running(t, audit.Options{Store: db, Signer: plainSigner{}})
	now := time.Now().UTC()
	thisMonth := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	for ago := 1; ago <= 3; ago++ {
		month := thisMonth.AddDate(0, -ago, 0)
		execute(t, d.OwnerURL, fmt.Sprintf("CREATE TABLE records_%s PARTITION OF records FOR VALUES FROM (uuid_floor(%s)) TO (uuid_floor(%s))",
			month.Format("2006_01"), quoteMonth(month, 0), quoteMonth(month, 1)))
		keepAt(t, r, month.Add(time.Hour))
	}
	keepAt(t, r, now)
	stop()
	months, err := postgres.MonthsBefore(t.Context(), d.OwnerURL, thisMonth.AddDate(0, -1, 0))
	if err != nil || len(months) != 2 || !months[0].Equal(thisMonth.AddDate(0, -3, 0)) || !months[1].Equal(thisMonth.AddDate(0, -2, 0)) {
		t.Fatalf("%v, %v", months, err)
	}
	for _, month := range months {
		if err := postgres.DropMonth(t.Context(), d.OwnerURL, month); err != nil {
			t.Fatal(err)
		}
	}
	if again, err := postgres.MonthsBefore(t.Context(), d.OwnerURL, thisMonth.AddDate(0, -1, 0)); err != nil || len(again) != 0 {
		t.Errorf("after the drop: %v, %v", again, err)
	}
	if report := proved(t, db); !report.OK() || report.Records != 2 {
		t.Errorf("%+v", report)
	}
	since := thisMonth.AddDate(0, -1, 0)
	if report := offline(t, exported(t, db, since, time.Time{})); !report.OK() || report.Records != 2 {
		t.Errorf("an export after the cut: %+v", report)
	}
}

package cli

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/audit"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/postgres"
	"github.com/strait-sts/strait/internal/ststest"
)

// prune runs the command with the owner's role and gives its exit code and
// what it said.
func prune(t *testing.T, d ststest.Database, args ...string) (code int, said string) {
	t.Helper()
	var out bytes.Buffer
	code = Run(t.Context(), Process{
		Args: append([]string{"audit", "prune"}, args...),
		Env: func(name string) (string, bool) {
			return d.OwnerURL, name == "STRAIT_DATABASE_OWNER_URL"
		},
		In: strings.NewReader(""), Out: &out, Err: &out, Clock: time.Now,
	})
	return code, out.String()
}

// aged is a database with a record in each of the last three months and one of
// today, and the first day of this month.
func aged(t *testing.T) (d ststest.Database, thisMonth time.Time) {
	t.Helper()
	d = ststest.Migrated(t)
	db, err := postgres.Open(t.Context(), d.AppURL, postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	chain, err := db.Claim(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	chain.Close(t.Context())
	r := audit.New(audit.Options{Store: db, Clock: time.Now})
	go r.Run(t.Context())
	now := time.Now().UTC()
	thisMonth = time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	for ago := 3; ago >= 0; ago-- {
		month := thisMonth.AddDate(0, -ago, 0)
		if ago > 0 {
			sql := fmt.Sprintf("CREATE TABLE records_%s PARTITION OF records FOR VALUES FROM (uuid_floor('%s')) TO (uuid_floor('%s'))",
				month.Format("2006_01"), month.Format(time.RFC3339), month.AddDate(0, 1, 0).Format(time.RFC3339))
			if _, err := d.Exec(t, d.OwnerURL, sql); err != nil {
				t.Fatal(err)
			}
		}
		id, err := exchange.NewID(month.Add(time.Minute), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Record(t.Context(), &exchange.Record{ID: id, Time: month.Add(time.Minute), Decision: exchange.OutcomeDenied, Client: "gw"}); err != nil {
			t.Fatal(err)
		}
	}
	return d, thisMonth
}

func months(t *testing.T, d ststest.Database, before time.Time) int {
	t.Helper()
	kept, err := postgres.MonthsBefore(t.Context(), d.OwnerURL, before)
	if err != nil {
		t.Fatal(err)
	}
	return len(kept)
}

func TestPruneExportsWhatItDrops(t *testing.T) {
	t.Parallel()
	d, thisMonth := aged(t)
	path, keep := filepath.Join(t.TempDir(), "old.jsonl"), thisMonth.AddDate(0, -1, 0).Format("2006-01")
	code, said := prune(t, d, "--before", keep, "-o", path)
	if code != 0 || strings.Count(said, "dropped ") != 2 || months(t, d, thisMonth) != 1 {
		t.Fatalf("exit %d: %s", code, said)
	}
	text, err := os.ReadFile(path)
	if err != nil || strings.Count(string(text), `"client":"gw"`) != 2 {
		t.Errorf("%s, %v", text, err)
	}
	if code, said := prune(t, d, "--before", keep, "-o", path+"2"); code != 0 || !strings.Contains(said, "no month before") {
		t.Errorf("again: exit %d: %s", code, said)
	}
	if code, said := prune(t, d, "--before", thisMonth.AddDate(0, 1, 0).Format("2006-01"), "--no-export"); code != 1 || !strings.Contains(said, "has not ended") {
		t.Errorf("this month: exit %d: %s", code, said)
	}
}

func TestPruneDropsNothingThatIsNotExportedWhole(t *testing.T) {
	t.Parallel()
	d, thisMonth := aged(t)
	path := filepath.Join(t.TempDir(), "old.jsonl")
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, said := prune(t, d, "--before", thisMonth.Format("2006-01"), "-o", path); code != 1 || !strings.Contains(said, "nothing was dropped") {
		t.Errorf("a file that is there: exit %d: %s", code, said)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "mine" {
		t.Errorf("the file that was there: %q, %v", text, err)
	}
	if _, err := d.Exec(t, d.OwnerURL, "UPDATE records SET client = 'other' WHERE seq = 2"); err != nil {
		t.Fatal(err)
	}
	if code, said := prune(t, d, "--before", thisMonth.Format("2006-01"), "-o", path+"2"); code != 1 || !strings.Contains(said, ":2: changed: the columns are not what the bytes say") {
		t.Errorf("a changed column: exit %d: %s", code, said)
	}
	if _, err := d.Exec(t, d.OwnerURL, "DELETE FROM records WHERE seq = 2"); err != nil {
		t.Fatal(err)
	}
	code, said := prune(t, d, "--before", thisMonth.Format("2006-01"), "-o", path+"3")
	if code != 1 || !strings.Contains(said, ":2: removed: the record is missing") || months(t, d, thisMonth) != 3 {
		t.Errorf("a log with a hole: exit %d: %s", code, said)
	}
}

package postgres_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/audit"
	"github.com/strait-sts/strait/internal/exchange"
)

// claiming is an issued record that uses up a token.
func claiming(t testing.TB, jti string) *exchange.Record {
	t.Helper()
	rec := record(t, nil)
	rec.Claims = []exchange.ReplayClaim{{Role: exchange.RoleSubject, Scope: "okta", ID: jti, Until: time.Now().Add(time.Hour)}}
	return rec
}

func replayed(err error) bool {
	var refused *exchange.Error
	return errors.As(err, &refused) && refused.Reason == "subject_replayed"
}

// TestRPL001_RPL007_ATokenIsUsedOnce: by many at once, on three replicas, and
// after all of them have started anew. Nobody else in a batch suffers.
func TestRPL001_RPL007_ATokenIsUsedOnce(t *testing.T) {
	t.Parallel()
	db, d := opened(t)
	var replicas []*audit.Recorder
	var stops []func()
	for range 3 {
		r, stop := running(t, audit.Options{Store: open(t, d.AppURL)})
		replicas, stops = append(replicas, r), append(stops, stop)
	}
	var all sync.WaitGroup
	var used [5]atomic.Int32
	for i := range 150 {
		rec, plain := claiming(t, fmt.Sprint("jti-", i%5)), record(t, nil)
		recorder := replicas[i%3]
		all.Go(func() {
			switch err := recorder.Record(t.Context(), rec); {
			case err == nil:
				used[i%5].Add(1)
			case !replayed(err):
				t.Error(err)
			}
		})
		all.Go(func() {
			if err := recorder.Record(t.Context(), plain); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for i := range used {
		if n := used[i].Load(); n != 1 {
			t.Errorf("token %d was used %d times", i, n)
		}
	}
	if report := proved(t, db); !report.OK() {
		t.Errorf("%+v", report)
	}
	for _, stop := range stops {
		stop()
	}
	again, _ := running(t, audit.Options{Store: open(t, d.AppURL)})
	if err := again.Record(t.Context(), claiming(t, "jti-0")); !replayed(err) {
		t.Errorf("after a restart: %v", err)
	}
}

func TestClaimsOfAnotherIssuerAreOthers(t *testing.T) {
	t.Parallel()
	db, _ := opened(t)
	r, _ := running(t, audit.Options{Store: db})
	other := claiming(t, "j")
	other.Claims[0].Scope = "entra"
	for i, rec := range []*exchange.Record{claiming(t, "j"), other, claiming(t, "J")} {
		if err := r.Record(t.Context(), rec); err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
}

// TestRPL009_WithoutTheStoreNothingIsIssued: fail closed.
func TestRPL009_WithoutTheStoreNothingIsIssued(t *testing.T) {
	t.Parallel()
	db, d := opened(t)
	r, _ := running(t, audit.Options{Store: db})
	execute(t, d.OwnerURL, `ALTER TABLE replay_claims RENAME TO elsewhere`)
	err := r.Record(t.Context(), claiming(t, "j"))
	var refused *exchange.Error
	if !errors.As(err, &refused) || !refused.OurFault() {
		t.Errorf("%v, want a fault of ours", err)
	}
	if err := r.Record(t.Context(), record(t, nil)); err != nil {
		t.Errorf("a record without claims: %v", err)
	}
}

func TestExpiredClaimsArePruned(t *testing.T) {
	t.Parallel()
	db, _ := opened(t)
	r, _ := running(t, audit.Options{Store: db})
	old := claiming(t, "old")
	old.Claims[0].Until = time.Now().Add(-time.Hour)
	for _, rec := range []*exchange.Record{old, claiming(t, "new")} {
		if err := r.Record(t.Context(), rec); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := db.PruneClaims(t.Context(), time.Now()); n != 1 || err != nil {
		t.Errorf("%d pruned, %v", n, err)
	}
	if err := r.Record(t.Context(), claiming(t, "new")); !replayed(err) {
		t.Errorf("an unexpired claim was pruned: %v", err)
	}
}

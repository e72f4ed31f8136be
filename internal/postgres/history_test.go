package postgres_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/audit"
	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/postgres"
)

// step is one commit of objects: nil deletes.
func step(t *testing.T, db *postgres.DB, base int64, at time.Time, objects map[string][]byte) {
	t.Helper()
	var c catalog.Commit
	for name, body := range objects {
		change := catalog.ChangeRecord{Time: at, By: "t", Kind: catalog.KindTarget, Name: name, Action: catalog.Created, After: body}
		if body == nil {
			change.Action = catalog.Deleted
			c.Deletes = append(c.Deletes, catalog.Ref{Kind: catalog.KindTarget, Name: name})
		} else {
			c.Puts = append(c.Puts, catalog.Row{Kind: catalog.KindTarget, Name: name, Body: body})
		}
		if base > 0 && body != nil && name == "orders" {
			change.Action = catalog.Configured
		}
		c.Changes = append(c.Changes, change)
	}
	if _, err := db.Commit(t.Context(), base, c); err != nil {
		t.Fatal(err)
	}
}

// TestEachRevisionIsToldAsItWas: what the history tells of a revision is what
// Load told then.
func TestEachRevisionIsToldAsItWas(t *testing.T) {
	t.Parallel()
	db, database := opened(t)
	at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	var then [][]catalog.Row
	for i, objects := range []map[string][]byte{
		{"orders": []byte("1"), "billing": []byte("2")}, {"orders": []byte("3")}, {"billing": nil}, {"billing": []byte("4"), "more": []byte("5")},
	} {
		step(t, db, int64(i), at.AddDate(0, 0, i), objects)
		_, rows, err := db.Load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		then = append(then, rows)
	}
	for i, want := range then {
		got, err := db.At(t.Context(), int64(i+1))
		if err != nil || len(got) != len(want) {
			t.Fatalf("revision %d: %v, %v; want %v", i+1, got, err, want)
		}
		for j := range want {
			if got[j].Ref() != want[j].Ref() || got[j].Revision != want[j].Revision || !bytes.Equal(got[j].Body, want[j].Body) {
				t.Errorf("revision %d: %+v, want %+v", i+1, got[j], want[j])
			}
		}
	}
	if rows, err := db.At(t.Context(), 0); err != nil || len(rows) != 0 {
		t.Errorf("before the first: %v, %v", rows, err)
	}
	if _, err := db.At(t.Context(), 5); !errors.Is(err, catalog.ErrNoHistory) {
		t.Errorf("a revision to come: %v", err)
	}
	ages := map[string][2]time.Time{}
	if err := db.Ages(t.Context(), func(ref catalog.Ref, created, changed time.Time) { ages[ref.Name] = [2]time.Time{created, changed} }); err != nil {
		t.Fatal(err)
	}
	if want := [2]time.Time{at, at.AddDate(0, 0, 1)}; ages["orders"] != want {
		t.Errorf("orders is %v old, want %v", ages["orders"], want)
	}
	if want := [2]time.Time{at.AddDate(0, 0, 3), at.AddDate(0, 0, 3)}; ages["billing"] != want {
		t.Errorf("billing, made anew, is %v old, want %v", ages["billing"], want)
	}
	execute(t, database.OwnerURL, "DELETE FROM catalog_changes WHERE revision = 2")
	if _, err := db.At(t.Context(), 3); !errors.Is(err, catalog.ErrNoHistory) {
		t.Errorf("a revision after one that is missing: %v", err)
	}
	if _, err := db.At(t.Context(), 1); err != nil {
		t.Errorf("a revision before one that is missing: %v", err)
	}
}

// TestUsesAreWhatWasIssued: by client, policy, issuers and scopes, in the time that
// was asked for; a refusal is no use.
func TestUsesAreWhatWasIssued(t *testing.T) {
	t.Parallel()
	db, _ := opened(t)
	if oldest, err := db.Oldest(t.Context()); err != nil || !oldest.IsZero() {
		t.Fatalf("an empty log begins at %v, %v", oldest, err)
	}
	r, stop := running(t, audit.Options{Store: db})
	var last time.Time
	for _, change := range []func(*exchange.Record){
		func(rec *exchange.Record) { rec.Scopes.Issued = []string{"read", "write"} },
		func(rec *exchange.Record) { rec.Scopes.Issued = []string{"read", "write"}; last = rec.Time },
		func(rec *exchange.Record) { rec.Subject = nil; rec.Policy = "own" },
		func(rec *exchange.Record) { rec.Actor = &exchange.RecordParty{Issuer: "entra"} },
		func(rec *exchange.Record) { rec.Decision = exchange.OutcomeDenied; rec.Client = "never" },
	} {
		if err := r.Record(t.Context(), record(t, change)); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	uses, err := db.Uses(t.Context(), time.Now().Add(-time.Minute), time.Now().Add(time.Minute))
	if err != nil || len(uses) != 3 {
		t.Fatalf("%+v, %v", uses, err)
	}
	found := map[string]bool{}
	for _, u := range uses {
		switch {
		case u.Client != "gateway":
			t.Errorf("used by %q", u.Client)
		case u.Policy == "own" && len(u.Issuers)+len(u.Scopes) == 0:
			found["client"] = true
		case len(u.Issuers) == 2 && u.Issuers[0] == "okta" && u.Issuers[1] == "entra":
			found["actor"] = true
		case len(u.Scopes) == 2 && u.Scopes[1] == "write" && u.Last.Truncate(time.Microsecond).Equal(last.Truncate(time.Microsecond)):
			found["scopes"] = true
		}
	}
	if len(found) != 3 {
		t.Errorf("%+v tells %v alone", uses, found)
	}
	if uses, err := db.Uses(t.Context(), time.Now().Add(-time.Hour), time.Now().Add(-time.Minute)); err != nil || len(uses) != 0 {
		t.Errorf("an hour ago: %+v, %v", uses, err)
	}
	if oldest, err := db.Oldest(t.Context()); err != nil || time.Since(oldest) > time.Minute {
		t.Errorf("the log begins at %v, %v", oldest, err)
	}
}

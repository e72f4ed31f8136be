// Package catalogtest answers one question: what is a catalogue, in a test? It
// holds the tests that each store of one passes ([TestStore]), and small sound
// objects to change and put together ([Issuer], [Policy], [Snapshot]) for the
// packages that judge a catalogue as a whole.
package catalogtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/catalog"
)

// TestStore runs the tests. Open gives an empty store, another one each time.
func TestStore(t *testing.T, open func(t *testing.T) catalog.Store) {
	for name, test := range map[string]func(*testing.T, catalog.Store){
		"an empty store is revision 0":               testEmpty,
		"rows come back as they were put":            testRoundTrip,
		"a row keeps the revision that changed it":   testRevisions,
		"a put replaces, digests and set too":        testReplace,
		"a delete removes, and may remove nothing":   testDelete,
		"a base that has moved writes nothing":       testMoved,
		"of many writers at one base one alone wins": testRace,
		"a cancelled write writes nothing":           testCancelled,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

func row(name string) catalog.Row {
	return catalog.Row{
		Kind: catalog.KindTarget, Name: name, Set: "shop",
		Body: fmt.Appendf(nil, `{"kind":"Target","metadata":{"name":%q},"spec":{"z":1,"a":"é<>&"}}`, name),
	}
}

func change(action, name string) catalog.ChangeRecord {
	return catalog.ChangeRecord{
		Time: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC), By: "bootstrap", Reason: "SEC-1", RequestID: "r-1",
		Kind: catalog.KindTarget, Name: name, Action: action,
		After: []byte(`{"after":true}`),
	}
}

func puts(rows ...catalog.Row) catalog.Commit {
	c := catalog.Commit{Puts: rows}
	for _, r := range rows {
		c.Changes = append(c.Changes, change(catalog.Created, r.Name))
	}
	return c
}

func load(t *testing.T, s catalog.Store) (int64, map[string]catalog.Row) {
	t.Helper()
	revision, rows, err := s.Load(t.Context())
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	byName := map[string]catalog.Row{}
	for _, r := range rows {
		byName[r.Name] = r
	}
	if len(byName) != len(rows) {
		t.Fatalf("Load gave %d rows with %d names", len(rows), len(byName))
	}
	return revision, byName
}

func commit(t *testing.T, s catalog.Store, base int64, c catalog.Commit) {
	t.Helper()
	revision, err := s.Commit(t.Context(), base, c)
	if err != nil {
		t.Fatalf("Commit at %d: %v", base, err)
	}
	if revision != base+1 {
		t.Fatalf("Commit at %d gave revision %d, want the next one", base, revision)
	}
}

func testEmpty(t *testing.T, s catalog.Store) {
	if revision, rows := load(t, s); revision != 0 || len(rows) != 0 {
		t.Fatalf("revision %d with %d rows", revision, len(rows))
	}
}

func testRoundTrip(t *testing.T, s catalog.Store) {
	want := row("orders")
	want.Digests = []string{"one", "two"}
	commit(t, s, 0, puts(want, row("stock")))
	revision, rows := load(t, s)
	got := rows["orders"]
	if revision != 1 || len(rows) != 2 {
		t.Fatalf("revision %d with %d rows", revision, len(rows))
	}
	if got.Kind != want.Kind || got.Set != want.Set || got.Revision != 1 {
		t.Errorf("got %+v", got)
	}
	if !bytes.Equal(got.Body, want.Body) {
		t.Errorf("the body came back as %s, want it byte for byte", got.Body)
	}
	if !slices.Equal(got.Digests, want.Digests) {
		t.Errorf("digests %q", got.Digests)
	}
}

func testRevisions(t *testing.T, s catalog.Store) {
	commit(t, s, 0, puts(row("orders"), row("stock")))
	commit(t, s, 1, puts(row("stock")))
	revision, rows := load(t, s)
	if revision != 2 || rows["orders"].Revision != 1 || rows["stock"].Revision != 2 {
		t.Errorf("at %d: orders of %d, stock of %d", revision, rows["orders"].Revision, rows["stock"].Revision)
	}
}

func testReplace(t *testing.T, s catalog.Store) {
	first := row("orders")
	first.Digests, first.Sealed = []string{"old"}, catalog.Sealed{"/spec/a": {1}, "/spec/b": {2}}
	commit(t, s, 0, puts(first))
	second := row("orders")
	second.Set, second.Digests, second.Body = "", []string{"new"}, []byte(`{"kind":"Target"}`)
	second.Sealed = catalog.Sealed{"/spec/a": {0, 255}}
	if _, rows := load(t, s); len(rows["orders"].Sealed) != 2 {
		t.Errorf("sealed secrets came back as %v", rows["orders"].Sealed)
	}
	commit(t, s, 1, puts(second))
	_, rows := load(t, s)
	got := rows["orders"]
	if len(rows) != 1 || got.Set != "" || !slices.Equal(got.Digests, second.Digests) || !bytes.Equal(got.Body, second.Body) ||
		len(got.Sealed) != 1 || !bytes.Equal(got.Sealed["/spec/a"], second.Sealed["/spec/a"]) {
		t.Errorf("got %+v", got)
	}
}

func testDelete(t *testing.T, s catalog.Store) {
	commit(t, s, 0, puts(row("orders"), row("stock")))
	commit(t, s, 1, catalog.Commit{
		Deletes: []catalog.Ref{row("orders").Ref(), row("never-there").Ref()},
		Changes: []catalog.ChangeRecord{change(catalog.Deleted, "orders")},
	})
	if revision, rows := load(t, s); revision != 2 || len(rows) != 1 || rows["stock"].Name == "" {
		t.Errorf("at %d: %v", revision, rows)
	}
}

func testMoved(t *testing.T, s catalog.Store) {
	commit(t, s, 0, puts(row("orders")))
	for _, base := range []int64{0, 2, -1} {
		if _, err := s.Commit(t.Context(), base, puts(row("stock"))); !errors.Is(err, catalog.ErrMoved) {
			t.Errorf("Commit at %d of 1: %v, want ErrMoved", base, err)
		}
	}
	if revision, rows := load(t, s); revision != 1 || len(rows) != 1 {
		t.Errorf("revision %d with %d rows", revision, len(rows))
	}
}

func testRace(t *testing.T, s catalog.Store) {
	const writers = 8
	errs := make([]error, writers)
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() { _, errs[i] = s.Commit(t.Context(), 0, puts(row(fmt.Sprintf("orders-%d", i)))) })
	}
	all.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else if !errors.Is(err, catalog.ErrMoved) {
			t.Errorf("a loser got %v, want ErrMoved", err)
		}
	}
	if revision, rows := load(t, s); won != 1 || revision != 1 || len(rows) != 1 {
		t.Errorf("%d won, at %d with %d rows", won, revision, len(rows))
	}
}

func testCancelled(t *testing.T, s catalog.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Commit(ctx, 0, puts(row("orders"))); err == nil {
		t.Error("a cancelled Commit gave no error")
	}
	if revision, rows := load(t, s); revision != 0 || len(rows) != 0 {
		t.Errorf("revision %d with %d rows", revision, len(rows))
	}
}

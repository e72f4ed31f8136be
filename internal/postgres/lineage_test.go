package postgres_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/strait-sts/strait/internal/audit"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/postgres"
	"github.com/strait-sts/strait/internal/ststest"
)

// family records a tree: each entry is a child of the one that parents names, -1
// for none.
func family(t testing.TB, r *audit.Recorder, parents ...int) (ids []string) {
	t.Helper()
	for i, parent := range parents {
		rec := record(t, func(rec *exchange.Record) {
			if parent >= 0 {
				rec.Parent, rec.Txn = ids[parent], ids[0]
			}
			if i%3 == 2 {
				rec.Decision, rec.Reason, rec.JTI = exchange.OutcomeDenied, exchange.ScopeNotHeld, ""
			}
		})
		if err := r.Record(t.Context(), rec); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, string(rec.ID))
	}
	return ids
}

func idsOf(rows []audit.Row) []string {
	ids := make([]string, len(rows))
	for i, row := range rows {
		ids[i] = row.ID
	}
	return ids
}

// TestAnyOfATreeFindsTheWholeTree: from the root, a leaf or a denial, and nothing
// of another tree.
func TestAnyOfATreeFindsTheWholeTree(t *testing.T) {
	t.Parallel()
	db, _ := opened(t)
	r, _ := running(t, audit.Options{Store: db})
	ids := family(t, r, -1, 0, 0, 1, 1, 3)
	family(t, r, -1, 0)
	want := slices.Sorted(slices.Values(ids))
	for _, id := range ids {
		rows, err := db.Lineage(t.Context(), id, 100, 100)
		if err != nil || !slices.Equal(idsOf(rows), want) {
			t.Errorf("%s: %v, %v, want %v", id, idsOf(rows), err, want)
		}
	}
	for _, id := range []string{"no id", "01900000-0000-7000-8000-000000000000"} {
		if _, err := db.Lineage(t.Context(), id, 100, 100); !errors.Is(err, postgres.ErrNotFound) {
			t.Errorf("%s: %v", id, err)
		}
	}
}

// TestATreeWhoseRootIsGone begins with what is left: months are dropped whole.
func TestATreeWhoseRootIsGone(t *testing.T) {
	t.Parallel()
	db, _ := opened(t)
	r, _ := running(t, audit.Options{Store: db})
	const gone = "01900000-0000-7000-8000-000000000000"
	top := record(t, func(rec *exchange.Record) { rec.Parent, rec.Txn = gone, gone })
	odd := record(t, func(rec *exchange.Record) { rec.Parent = "not a decision id" })
	for _, rec := range []*exchange.Record{top, odd} {
		if err := r.Record(t.Context(), rec); err != nil {
			t.Fatal(err)
		}
		if rows, err := db.Lineage(t.Context(), string(rec.ID), 100, 100); err != nil || len(rows) != 1 {
			t.Errorf("%v, %v", idsOf(rows), err)
		}
	}
}

// TestATreeIsBounded, and the way from the root to what was asked for is in the
// answer all the same.
func TestATreeIsBounded(t *testing.T) {
	t.Parallel()
	db, _ := opened(t)
	r, _ := running(t, audit.Options{Store: db})
	ids := family(t, r, -1, 0, 0, 0, 0, 4, 5)
	last := ids[len(ids)-1]
	rows, err := db.Lineage(t.Context(), last, 3, 100)
	if err != nil || len(rows) < 3 || len(rows) > 6 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	for _, i := range []int{0, 4, 5, 6} {
		if !slices.Contains(idsOf(rows), ids[i]) {
			t.Errorf("%d of the way is not in %v", i, idsOf(rows))
		}
	}
	if rows, err = db.Lineage(t.Context(), ids[0], 100, 2); err != nil || len(rows) != 5 {
		t.Errorf("two hops: %d rows, %v", len(rows), err)
	}
}

// TestACircleEnds: only who writes to the table can make one, and it costs the
// bound and no more.
func TestACircleEnds(t *testing.T) {
	t.Parallel()
	db, d := opened(t)
	r, _ := running(t, audit.Options{Store: db})
	ids := family(t, r, -1, 0)
	execute(t, d.OwnerURL, fmt.Sprintf(`UPDATE records SET parent = '%s' WHERE id = '%s'`, ids[1], ids[0]))
	rows, err := db.Lineage(t.Context(), ids[0], 100, 50)
	if err != nil || len(rows) != 2 {
		t.Errorf("%v, %v", idsOf(rows), err)
	}
}

// TestATreeNamesWhereItsTokensActed: the exchange of an actor token is no part of
// the tree, and is told.
func TestATreeNamesWhereItsTokensActed(t *testing.T) {
	t.Parallel()
	db, _ := opened(t)
	r, _ := running(t, audit.Options{Store: db})
	ids := family(t, r, -1, 0)
	other := record(t, func(rec *exchange.Record) { rec.ActorParent = ids[1] })
	if err := r.Record(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	rows, err := db.Lineage(t.Context(), ids[0], 100, 100)
	if err != nil || len(rows) != 3 || !slices.Contains(idsOf(rows), string(other.ID)) {
		t.Errorf("%v, %v", idsOf(rows), err)
	}
	if rows, err = db.Lineage(t.Context(), string(other.ID), 100, 100); err != nil || len(rows) != 1 {
		t.Errorf("the other way: %v, %v", idsOf(rows), err)
	}
}

// BenchmarkLineage is the tree of 1,000 exchanges among -records others: a
// chain, all children of one, and in between.
func BenchmarkLineage(b *testing.B) {
	d := ststest.Migrated(b)
	fillRecords(b, d, *records)
	execute(b, d.OwnerURL, fmt.Sprintf(`UPDATE writers SET hash = decode(repeat('00', 32), 'hex'), seq = %d`, *records)) // a chain to go on with
	db := open(b, d.AppURL)
	r, _ := running(b, audit.Options{Store: db})
	for _, shape := range []struct {
		name   string
		parent func(i int) int
	}{
		{"chain", func(i int) int { return i - 1 }},
		{"star", func(i int) int { return min(i-1, 0) }},
		{"three each", func(i int) int { return (i+2)/3 - 1 }},
	} {
		parents := make([]int, 1000)
		for i := range parents {
			parents[i] = shape.parent(i)
		}
		ids := family(b, r, parents...)
		execute(b, d.OwnerURL, "ANALYZE records")
		b.Run(shape.name, func(b *testing.B) {
			for b.Loop() {
				rows, err := db.Lineage(b.Context(), ids[999], 10_000, 1000)
				if err != nil || len(rows) != 1000 {
					b.Fatal(len(rows), err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/tree")
		})
	}
}

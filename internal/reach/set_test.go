package reach

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestSetsAreSets holds unions and differences against maps.
func TestSetsAreSets(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) (set, map[int]bool) {
			var s set
			m := map[int]bool{}
			for _, n := range rapid.SliceOf(rapid.IntRange(0, 300)).Draw(t, name) {
				s, m[n] = s.union(setOf(n)), true
			}
			return s, m
		}
		a, inA := draw("a")
		b, inB := draw("b")
		both, less := maps.Clone(inA), maps.Clone(inA)
		maps.Copy(both, inB)
		maps.DeleteFunc(less, func(n int, _ bool) bool { return inB[n] })
		for name, c := range map[string]struct {
			got  set
			want map[int]bool
		}{"a": {a, inA}, "union": {a.union(b), both}, "minus": {a.minus(b), less}} {
			if got := slices.Collect(c.got.all()); !slices.Equal(got, slices.Sorted(maps.Keys(c.want))) {
				t.Fatalf("%s: %v, want %v", name, got, c.want)
			}
			for n := range 301 {
				if c.got.has(n) != c.want[n] {
					t.Fatalf("%s: has(%d) = %v", name, n, c.got.has(n))
				}
			}
		}
	})
}

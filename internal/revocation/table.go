package revocation

import (
	"hash/maphash"
	"math/bits"
)

// table is a set of ids that never changes: open addressing, three slots in
// four taken, twenty bytes a slot.
type table struct {
	ids    [][16]byte
	untils []uint32 // seconds since 1970, in step with ids; 0: the slot is free
	count  int
}

// layers are tables of falling size. A lookup asks each; an addition makes one
// more and melts those of like size together, so that there are few, and each
// id is moved a few times in its life.
type layers []*table

// growth is how many times larger than the next a table is at least.
const growth = 4

// newTable makes a table with room for n ids.
func newTable(n int) *table {
	slots := n + n/3 + 1
	return &table{ids: make([][16]byte, slots), untils: make([]uint32, slots)}
}

// slot is where the search for an id begins.
func (t *table) slot(seed maphash.Seed, id *[16]byte) int {
	high, _ := bits.Mul64(maphash.Comparable(seed, *id), uint64(len(t.ids)))
	return int(high) //nolint:gosec // G115: below len
}

// add puts an id into the table under construction. One that is there keeps
// its later end.
func (t *table) add(seed maphash.Seed, id [16]byte, until uint32) {
	at := t.slot(seed, &id)
	for t.untils[at] != 0 {
		if t.ids[at] == id {
			t.untils[at] = max(t.untils[at], until)
			return
		}
		if at++; at == len(t.ids) {
			at = 0
		}
	}
	t.ids[at], t.untils[at] = id, max(until, 1)
	t.count++
}

// has looks for an id.
func (t *table) has(seed maphash.Seed, id *[16]byte) bool {
	for at := t.slot(seed, id); t.untils[at] != 0; {
		if t.ids[at] == *id {
			return true
		}
		if at++; at == len(t.ids) {
			at = 0
		}
	}
	return false
}

// has looks for an id, the newest table first.
func (l layers) has(seed maphash.Seed, id *[16]byte) bool {
	for i := len(l) - 1; i >= 0; i-- {
		if l[i].has(seed, id) {
			return true
		}
	}
	return false
}

// count is the number of ids; one that is in two tables counts twice.
func (l layers) count() (n int) {
	for _, t := range l {
		n += t.count
	}
	return n
}

// with is l and the tokens; l stays as it is.
func (l layers) with(seed maphash.Seed, tokens []Token, now int64) layers {
	if len(tokens) == 0 {
		return l
	}
	kept, size := len(l), len(tokens)
	for kept > 0 && l[kept-1].count < growth*size {
		kept--
		size += l[kept].count
	}
	melted := newTable(size)
	for _, t := range l[kept:] {
		melted.take(seed, t, now)
	}
	for _, token := range tokens {
		melted.add(seed, token.ID, seconds(token.Until))
	}
	return append(l[:kept:kept], melted)
}

// pruned is l without what is over, in one table where that is much.
func (l layers) pruned(seed maphash.Seed, now int64) layers {
	over := 0
	for _, t := range l {
		for _, until := range t.untils {
			if until != 0 && int64(until) <= now {
				over++
			}
		}
	}
	if over*growth < l.count() || over == 0 {
		return l
	}
	one := newTable(l.count() - over)
	for _, t := range l {
		one.take(seed, t, now)
	}
	return layers{one}
}

// take copies what is not over from another table.
func (t *table) take(seed maphash.Seed, from *table, now int64) {
	for i, until := range from.untils {
		if until != 0 && int64(until) > now {
			t.add(seed, from.ids[i], until)
		}
	}
}

// seconds fits an instant into its 32 bits, which end in 2106.
func seconds(at int64) uint32 {
	return uint32(min(max(at, 1), 1<<32-1))
}

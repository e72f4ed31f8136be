package reach

import (
	"cmp"
	"iter"
	"math/bits"
	"slices"
)

// set is a set of small numbers: its occupied words, in order. A closure has
// thousands of origins, of which few lead to any one place.
type set []word

type word struct {
	at   int // the numbers 64*at to 64*at+63
	bits uint64
}

func setOf(n int) set { return set{{n / 64, 1 << (n % 64)}} }

// union is every number of either.
func (s set) union(other set) set {
	if len(s) == 0 {
		return other
	}
	return s.merge(other, func(a, b uint64) uint64 { return a | b })
}

// minus is every number that other does not have.
func (s set) minus(other set) set {
	return s.merge(other, func(a, b uint64) uint64 { return a &^ b })
}

// merge combines word by word, and drops the empty ones.
func (s set) merge(other set, combine func(a, b uint64) uint64) set {
	var out set
	for i, j := 0, 0; i < len(s) || j < len(other); {
		var w word
		switch {
		case j == len(other) || i < len(s) && s[i].at < other[j].at:
			w = word{s[i].at, combine(s[i].bits, 0)}
			i++
		case i == len(s) || other[j].at < s[i].at:
			w = word{other[j].at, combine(0, other[j].bits)}
			j++
		default:
			w = word{s[i].at, combine(s[i].bits, other[j].bits)}
			i, j = i+1, j+1
		}
		if w.bits != 0 {
			out = append(out, w)
		}
	}
	return out
}

// all gives the numbers in order.
func (s set) all() iter.Seq[int] {
	return func(yield func(int) bool) {
		for _, w := range s {
			for left := w.bits; left != 0; left &= left - 1 {
				if !yield(w.at*64 + bits.TrailingZeros64(left)) {
					return
				}
			}
		}
	}
}

// has says whether the number is in the set.
func (s set) has(n int) bool {
	i, found := slices.BinarySearchFunc(s, n/64, func(w word, at int) int { return cmp.Compare(w.at, at) })
	return found && s[i].bits&(1<<(n%64)) != 0
}

package analysis

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// at is the JSON Pointer of a list's member.
func at(pointer string, i int) string { return fmt.Sprintf("%s/%d", pointer, i) }

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// unique is the words in order, each once.
func unique(words []string) []string {
	sorted := slices.Sorted(slices.Values(words))
	return slices.Compact(sorted)
}

// meet says whether the lists have a word in common.
func meet(a, b []string) bool {
	return slices.ContainsFunc(a, func(word string) bool { return slices.Contains(b, word) })
}

// numbers gives each value a number, in the order in which they come.
type numbers[T comparable] struct {
	all []T
	of  map[T]int
}

func newNumbers[T comparable]() numbers[T] { return numbers[T]{of: map[T]int{}} }

func (n *numbers[T]) number(value T) int {
	at, known := n.of[value]
	if !known {
		at = len(n.all)
		n.of[value], n.all = at, append(n.all, value)
	}
	return at
}

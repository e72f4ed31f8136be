package reach

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

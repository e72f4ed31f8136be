package reach

import "slices"

// maxSteps bounds the search for ways: of long chains in a dense catalogue there
// are more than anybody reads.
const maxSteps = 200_000

// search finds ways, shortest first. It knows of each token how far from a goal
// it is, so that it never walks where none is.
type search struct {
	*graph

	query     Query
	distance  []int     // by token: moves to the nearest goal; -1 for none
	queue     [][]*step // by the least length of a whole way through the step
	steps     int
	found     []*step
	truncated bool
}

// step is a way so far, by its last move.
type step struct {
	move
	at     token
	before *step
	depth  int // of act
	length int
}

// newSearch measures: it walks back from the goals, whatever the depth of act.
func newSearch(g *graph, q Query) *search {
	s := &search{graph: g, query: q, distance: make([]int, len(g.tokens.all))}
	var queue []int
	for n, t := range g.tokens.all {
		s.distance[n] = -1
		if q.wants(t.goal()) {
			s.distance[n] = 0
			queue = append(queue, n)
		}
	}
	into, makers := g.backwards()
	seen := make([]bool, len(g.keys.all))
	for ; len(queue) > 0; queue = queue[1:] {
		for _, key := range into[queue[0]] {
			if seen[key] {
				continue
			}
			seen[key] = true
			for _, n := range makers[key] {
				if s.distance[n] < 0 {
					s.distance[n] = s.distance[queue[0]] + 1
					queue = append(queue, n)
				}
			}
		}
	}
	return s
}

// backwards is the holdings that allow each token, and the tokens that make each
// holding.
func (g *graph) backwards() (into, makers [][]int) {
	into, makers = make([][]int, len(g.tokens.all)), make([][]int, len(g.keys.all))
	for key, moves := range g.follows {
		for _, m := range moves {
			into[m.to] = append(into[m.to], key)
		}
	}
	for n, keys := range g.gives {
		for _, key := range keys {
			makers[key] = append(makers[key], n)
		}
	}
	return into, makers
}

// leads says whether a goal can follow from a token.
func (s *search) leads(n int) bool { return s.distance[n] >= 0 }

// run searches. Steps are taken in the order of the length of the shortest way
// through them; new ones are never shorter.
func (s *search) run(begins func(move) bool) {
	for _, m := range s.begins {
		if begins(m) {
			s.take(m, nil)
		}
	}
	for length := 0; length < len(s.queue); length++ {
		for i := 0; i < len(s.queue[length]); i++ {
			at := s.queue[length][i]
			if s.steps++; s.steps > maxSteps || s.query.wants(at.at.goal()) && len(s.found) == s.query.Ways {
				s.truncated = true
				return
			}
			if s.query.wants(at.at.goal()) {
				s.found = append(s.found, at)
			}
			s.extend(at)
		}
		s.queue[length] = nil
	}
}

// extend takes every move that the last token allows.
func (s *search) extend(at *step) {
	for _, key := range s.gives[at.to] {
		for _, m := range s.follows[key] {
			s.take(m, at)
		}
	}
}

// take queues a move after a step, unless it leads nowhere, is too deep or comes
// back.
func (s *search) take(m move, before *step) {
	next := &step{move: m, at: s.token(m), before: before, depth: m.adds(), length: 1}
	if before != nil {
		next.depth, next.length = before.depth+m.adds(), before.length+1
	}
	if !s.leads(m.to) || next.depth > m.policy.Spec.Issue.MaxActDepth || before.visited(next.at.goal()) {
		return
	}
	rank := next.length + s.distance[m.to]
	for len(s.queue) <= rank {
		s.queue = append(s.queue, nil)
	}
	s.queue[rank] = append(s.queue[rank], next)
}

// visited says whether the way has been there.
func (at *step) visited(where goal) bool {
	for ; at != nil; at = at.before {
		if at.at.goal() == where {
			return true
		}
	}
	return false
}

// path is the way's steps, first to last.
func (at *step) path() []*step {
	var all []*step
	for ; at != nil; at = at.before {
		all = append(all, at)
	}
	slices.Reverse(all)
	return all
}

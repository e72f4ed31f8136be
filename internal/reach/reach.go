package reach

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/strait-sts/strait/internal/catalog"
)

// The number of ways that an answer shows, unless the query says otherwise, and
// at most.
const (
	DefaultWays = 100
	MaxWays     = 1000
)

// ErrQuery is wrapped by the errors of [Find]: the query names nothing, or what
// is not there.
var ErrQuery = errors.New("reach")

// Query asks who can end up where.
type Query struct {
	Scope  string // the scope in question; "" is any, and needs a Target
	Target string // a target's name; "" is any
	// From is where a chain begins: the name of a trusted issuer whose token is
	// traded first, or of the client that trades first. "" is anywhere.
	From string
	Ways int // how many to show; 0 is DefaultWays
}

// End says that an origin can end up with a scope at a target.
type End struct {
	From   Origin `json:"from"`
	Target string `json:"target"`
	Scope  string `json:"scope"` // "" is a token without scope
}

func (e End) compare(other End) int {
	return cmp.Or(strings.Compare(e.Target, other.Target), strings.Compare(e.Scope, other.Scope), e.From.compare(other.From))
}

// Answer is what [Find] found in a revision at an instant.
type Answer struct {
	Revision int64     `json:"revision"`
	Time     time.Time `json:"time"`
	// Reached is complete: every origin that leads there, each with the least
	// that its token must hold.
	Reached []End `json:"reached"`
	// Ways are the chains, shortest first. A chain does not come back to a scope
	// at a target that it was at: nothing follows from there that did not before.
	Ways      []Way `json:"ways"`
	Truncated bool  `json:"truncated"` // there are more ways than are shown
	// UnknownScope says that no target has the scope in its catalogue: nobody can
	// end up with it, and most likely it is mistyped.
	UnknownScope bool `json:"unknownScope,omitempty"`
}

// Way is a chain of exchanges: each hop presents what the one before issued.
type Way struct {
	From Origin `json:"from"`
	Hops []Hop  `json:"hops"`
}

// Hop is one exchange of a way: a client has a token traded under a policy.
type Hop struct {
	Client     string      `json:"client"`
	Policy     string      `json:"policy"`
	Flow       string      `json:"flow"`
	Issuer     string      `json:"issuer,omitempty"`   // of the token presented; none in flow client
	Presents   string      `json:"presents,omitempty"` // the target of our own token that is presented
	Right      string      `json:"right,omitempty"`    // why the client may present it: serves, or issued to it
	Holding    string      `json:"holding,omitempty"`  // the scope of it that proves
	Target     string      `json:"target"`
	Scope      string      `json:"scope,omitempty"` // none: a token without scope
	Lifetime   string      `json:"lifetime"`        // at most
	Actors     int         `json:"actors"`          // in act afterwards, at least
	Conditions []Condition `json:"conditions"`
}

// Why a client may present a token of ours (contract: own tokens).
const (
	RightServes = "serves"
	RightIssued = "issued"
)

// Find finds every way in which somebody can end up where the query says. The
// error wraps [ErrQuery].
func Find(s *catalog.Snapshot, now time.Time, q Query) (*Answer, error) {
	if err := q.check(s); err != nil {
		return nil, err
	}
	g := newGraph(s, now)
	begins := func(m move) bool { return q.From == "" || m.issuer == q.From || g.token(m).client == q.From }
	search := newSearch(g, q)
	origins := newNumbers[Origin]()
	ends := g.closure(&origins, begins, search.leads).ends()
	answer := &Answer{Revision: s.Revision, Time: now, Reached: []End{}, Ways: []Way{}, UnknownScope: q.unknown(s)}
	for at, who := range ends {
		if q.wants(at) {
			answer.Reached = append(answer.Reached, listed(&origins, at, who, who)...)
		}
	}
	slices.SortFunc(answer.Reached, End.compare)
	search.run(begins)
	answer.Truncated = search.truncated
	shadows := newShadows(g)
	for _, end := range search.found {
		answer.Ways = append(answer.Ways, g.way(end, shadows))
	}
	return answer, nil
}

func (q *Query) check(s *catalog.Snapshot) error {
	if q.Ways == 0 {
		q.Ways = DefaultWays
	}
	switch {
	case q.Scope == "" && q.Target == "":
		return fmt.Errorf("%w: say which scope, which target, or both", ErrQuery)
	case q.Target != "" && s.Target(q.Target) == nil:
		return fmt.Errorf("%w: there is no target %q", ErrQuery, q.Target)
	case q.From != "" && s.Issuer(q.From) == nil && s.Client(q.From) == nil:
		return fmt.Errorf("%w: there is no trusted issuer and no client %q to begin from", ErrQuery, q.From)
	case q.Ways < 1 || q.Ways > MaxWays:
		return fmt.Errorf("%w: 1 to %d ways can be shown", ErrQuery, MaxWays)
	}
	return nil
}

// unknown says whether no target has the scope in its catalogue.
func (q *Query) unknown(s *catalog.Snapshot) bool {
	has := func(t *catalog.Of[catalog.Target]) bool { return slices.Contains(t.Spec.Scopes, q.Scope) }
	return q.Scope != "" && !slices.ContainsFunc(s.Targets(), has)
}

func (q *Query) wants(at goal) bool {
	return (q.Target == "" || at.target == q.Target) && (q.Scope == "" || at.scope == q.Scope)
}

// listed names some of the origins that lead to a goal, but for those that must
// hold a scope where the same issuer's tokens need hold none: all says who.
func listed(origins *numbers[Origin], at goal, some, all set) []End {
	var list []End
	for n := range some.all() {
		o := origins.all[n]
		bare, known := origins.of[Origin{Issuer: o.Issuer}]
		if o.Issuer != "" && o.Holding != "" && known && all.has(bare) {
			continue
		}
		list = append(list, End{o, at.target, at.scope})
	}
	return list
}

// Change is what a change of the catalogue opens and closes.
type Change struct {
	Gained []End `json:"newlyReachable"`
	Lost   []End `json:"noLongerReachable"`
	// Truncated: there is more than is shown; see First.
	Truncated bool `json:"truncated"`
}

// First is the change with at most n entries of each sort.
func (c Change) First(n int) Change {
	short := Change{Gained: c.Gained[:min(n, len(c.Gained))], Lost: c.Lost[:min(n, len(c.Lost))]}
	short.Truncated = len(short.Gained) < len(c.Gained) || len(short.Lost) < len(c.Lost)
	return short
}

// Compare tells what can be reached after a change and could not before, and the
// other way round; both at the same instant.
func Compare(before, after *catalog.Snapshot, now time.Time) Change {
	origins := newNumbers[Origin]() // the same numbers on both sides
	old := everything(before, now, &origins).ends()
	young := everything(after, now, &origins).ends()
	return Change{Gained: beyond(&origins, young, old), Lost: beyond(&origins, old, young)}
}

// beyond is what a reaches and b does not. Where b needs nothing held, it reaches
// whatever is held.
func beyond(origins *numbers[Origin], a, b map[goal]set) []End {
	more := []End{}
	for at, who := range a {
		if some := who.minus(b[at]); len(some) > 0 {
			more = append(more, listed(origins, at, some, who.union(b[at]))...)
		}
	}
	slices.SortFunc(more, End.compare)
	return more
}

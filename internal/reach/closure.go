package reach

import (
	"cmp"
	"strings"
)

// Origin is where chains begin: any token of a trusted issuer that holds a scope,
// or a client that asks for itself.
type Origin struct {
	Issuer  string `json:"issuer,omitempty"`
	Client  string `json:"client,omitempty"`  // instead of an issuer: flow client
	Holding string `json:"holding,omitempty"` // the scope that a token must hold; none: any token will do
}

func (o Origin) compare(other Origin) int {
	return cmp.Or(strings.Compare(o.Issuer, other.Issuer), strings.Compare(o.Client, other.Client), strings.Compare(o.Holding, other.Holding))
}

// origin is what a first move begins with.
func (g *graph) origin(m move) Origin {
	if m.issuer == "" {
		return Origin{Client: g.token(m).client}
	}
	return Origin{Issuer: m.issuer, Holding: m.held}
}

// closure is everything that origins lead to.
type closure struct {
	*graph

	origins *numbers[Origin]
	leads   func(token int) bool
	reached []set           // by token: the origins that lead there
	acts    map[string]bool // by policy: it can issue something
	held    [][]set         // by depth of act, then holding: the origins that get there with no fewer hops
	news    [][]set         // of them, what has not been followed yet
	work    [][]int         // by depth: the holdings with news
}

// anybody begins chains wherever they can begin, and anywhere is of interest.
func anybody(move) bool { return true }
func anywhere(int) bool { return true }

// closure follows every chain whose first move begins says yes to, through the
// tokens that leads does. The shallower a chain of act, the more may follow; so
// holdings are visited by depth, and an origin counts at its least.
func (g *graph) closure(origins *numbers[Origin], begins func(move) bool, leads func(token int) bool) *closure {
	c := &closure{graph: g, origins: origins, leads: leads, reached: make([]set, len(g.tokens.all)), acts: map[string]bool{}}
	for _, m := range g.begins {
		if begins(m) {
			c.make(m, 0, setOf(origins.number(g.origin(m))))
		}
	}
	for depth := 0; depth < len(c.work); depth++ {
		for i := 0; i < len(c.work[depth]); i++ {
			key := c.work[depth][i]
			who := c.news[depth][key]
			c.news[depth][key] = nil
			for _, m := range g.follows[key] {
				c.make(m, depth, who)
			}
		}
		c.work[depth] = nil
	}
	return c
}

// make issues the token of a move, for chains of a depth, unless it would be too
// deep or is of no interest.
func (c *closure) make(m move, depth int, who set) {
	if !m.fits(depth) || !c.leads(m.to) {
		return
	}
	c.reached[m.to] = c.reached[m.to].union(who)
	c.acts[m.policy.Metadata.Name] = true
	for _, key := range c.gives[m.to] {
		c.hold(key, depth+m.adds(), who)
	}
}

// hold adds the origins that do not get there already, at this depth or less.
func (c *closure) hold(key, depth int, who set) {
	for len(c.held) <= depth {
		c.held = append(c.held, make([]set, len(c.keys.all)))
		c.news, c.work = append(c.news, make([]set, len(c.keys.all))), append(c.work, nil)
	}
	for _, level := range c.held[:depth+1] {
		if who = who.minus(level[key]); len(who) == 0 {
			return
		}
	}
	c.held[depth][key] = c.held[depth][key].union(who)
	if len(c.news[depth][key]) == 0 {
		c.work[depth] = append(c.work[depth], key)
	}
	c.news[depth][key] = c.news[depth][key].union(who)
}

// ends are the origins that lead to each scope at each target.
func (c *closure) ends() map[goal]set {
	all := map[goal]set{}
	for n, who := range c.reached {
		if len(who) > 0 {
			at := c.tokens.all[n].goal()
			all[at] = all[at].union(who)
		}
	}
	return all
}

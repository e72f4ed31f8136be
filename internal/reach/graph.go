package reach

import (
	"maps"
	"slices"
	"time"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
)

// graph is the exchanges that a snapshot allows at an instant, one scope at a
// time. That loses nothing: each issued scope is allowed and proved by itself, and
// a token for several targets is, for whoever gets it, one for each of them. The
// scope "" is a token that has none. Tokens and holdings go by their numbers.
type graph struct {
	*catalog.Snapshot

	now     time.Time
	servers map[string][]string // by target: the clients that serve it, by name
	tokens  numbers[token]
	keys    numbers[holding]
	begins  []move   // where chains begin: flow client, and foreign tokens
	follows [][]move // by holding: what it allows
	gives   [][]int  // by token: the holdings that it makes
}

// token is what an exchange issues: for a target, with a scope, to a client.
type token struct{ target, scope, client string }

// goal is a scope at a target.
type goal struct{ target, scope string }

func (t token) goal() goal { return goal{t.target, t.scope} }

// holding is a client that may present a token of ours, with this scope at least.
type holding struct{ client, scope string }

// move is one exchange: a policy, on what is held, gives a token.
type move struct {
	policy *catalog.Of[catalog.ExchangePolicy]
	issuer string // of the subject token; "" in a client flow
	held   string // the scope that proves; "" where none need be held
	to     int    // a token
}

// adds is how many hops the move adds to act (RFC 8693 §4.1).
func (m move) adds() int {
	if exchange.Flow(m.policy.Spec.Flow) == exchange.FlowDelegation {
		return 1
	}
	return 0
}

// fits: the chain that the move leads to is within the policy's limit.
func (m move) fits(depth int) bool { return depth+m.adds() <= m.policy.Spec.Issue.MaxActDepth }

func newGraph(s *catalog.Snapshot, now time.Time) *graph {
	g := &graph{Snapshot: s, now: now, servers: map[string][]string{}, tokens: newNumbers[token](), keys: newNumbers[holding]()}
	for _, c := range s.Clients() {
		for _, target := range c.Spec.Serves {
			if !slices.Contains(g.servers[target], c.Metadata.Name) {
				g.servers[target] = append(g.servers[target], c.Metadata.Name)
			}
		}
	}
	for _, p := range s.Policies() {
		if g.decides(p) {
			g.add(p)
		}
	}
	g.gives = make([][]int, len(g.tokens.all))
	for n, t := range g.tokens.all {
		g.gives[n] = g.presentable(t)
	}
	return g
}

// presentable are the holdings that a token makes: for the client that it was
// issued to, and those that serve its target; with its scope, and with none, since
// it serves where none need be held. Only those that allow something count.
func (g *graph) presentable(t token) []int {
	var all []int
	for _, client := range unique(append([]string{t.client}, g.servers[t.target]...)) {
		for _, scope := range unique([]string{t.scope, ""}) {
			if n, known := g.keys.of[holding{client, scope}]; known {
				all = append(all, n)
			}
		}
	}
	return all
}

// decides: the policy can issue at the instant. One that has ended or is
// suspended keeps its place and denies.
func (g *graph) decides(p *catalog.Of[catalog.ExchangePolicy]) bool {
	return p.Spec.Mode == catalog.ModeEnforce && !p.Expired(g.now) && !suspendedAt(p, g.now) && shaped(p.Spec)
}

// shaped: the policy has what its flow needs. A write refuses the others.
func shaped(p *catalog.ExchangePolicy) bool {
	switch exchange.Flow(p.Flow) {
	case exchange.FlowClient:
		return p.Subject == nil
	case exchange.FlowDelegation:
		return p.Subject != nil && p.Actor.Who() != catalog.ActorNone
	case exchange.FlowDownscope, exchange.FlowFederation:
		return p.Subject != nil && p.Actor.Who() == catalog.ActorNone
	}
	return false
}

// suspendedAt: the day of reviewBy itself is still in time.
func suspendedAt(p *catalog.Of[catalog.ExchangePolicy], now time.Time) bool {
	day := p.Governance.ReviewBy
	return p.Spec.Suspends() && day != nil && !now.Before(day.Time.AddDate(0, 0, 1))
}

// add puts every move of the policy into the graph.
func (g *graph) add(p *catalog.Of[catalog.ExchangePolicy]) {
	issuers := g.issuersOf(p.Spec)
	for _, client := range unique(p.Spec.Clients) {
		c := g.Client(client)
		if c == nil || !g.mayAsk(c, p.Spec) {
			continue
		}
		for _, target := range unique(p.Spec.Targets) {
			for _, s := range g.scopes(p.Spec, c.Spec, target) {
				for _, issuer := range issuers {
					g.move(move{p, issuer, s.held, g.tokens.number(token{target, s.gives, client})}, client)
				}
			}
		}
	}
}

// move files a move under what it begins with.
func (g *graph) move(m move, client string) {
	if m.issuer != exchange.SelfIssuer {
		g.begins = append(g.begins, m)
		return
	}
	key := g.keys.number(holding{client, m.held})
	if key == len(g.follows) {
		g.follows = append(g.follows, nil)
	}
	g.follows[key] = append(g.follows[key], m)
}

// token is what a move issues.
func (g *graph) token(m move) token { return g.tokens.all[m.to] }

// mayAsk: the client is in force and has the grant.
func (g *graph) mayAsk(c *catalog.Of[catalog.Client], p *catalog.ExchangePolicy) bool {
	grant := "token-exchange"
	if exchange.Flow(p.Flow) == exchange.FlowClient {
		grant = "client_credentials"
	}
	return c.Alive(c.Spec.Mode, g.now) && slices.Contains(c.Spec.Grants, grant)
}

// issuersOf are the issuers whose tokens the policy can take: in force, accepted
// as subjects, of a type that the policy lists; "" for a client flow.
func (g *graph) issuersOf(p *catalog.ExchangePolicy) []string {
	if p.Subject == nil {
		return []string{""}
	}
	if !g.hasActor(p.Actor) {
		return nil
	}
	return slices.DeleteFunc(unique(p.Subject.Issuers), func(name string) bool {
		if name == exchange.SelfIssuer {
			return exchange.Flow(p.Flow) == exchange.FlowFederation || !takes(p.Subject, "access_token", "jwt")
		}
		i := g.Issuer(name)
		return i == nil || !g.speaks(i, "subject") || !takes(p.Subject, i.Spec.TokenTypes...)
	})
}

// takes: the policy takes tokens of one of the types.
func takes(s *catalog.PolicySubject, types ...string) bool {
	return slices.ContainsFunc(types, func(t string) bool { return slices.Contains(s.TokenTypes, t) })
}

func (g *graph) speaks(i *catalog.Of[catalog.TrustedIssuer], as string) bool {
	return i.Alive(i.Spec.Mode, g.now) && slices.Contains(i.Spec.AcceptAs, as)
}

// hasActor: where an actor token is required, an issuer in force can give one.
// Whose it may be, tokens and conditions say.
func (g *graph) hasActor(a *catalog.PolicyActor) bool {
	return a.Who() != catalog.ActorToken || slices.ContainsFunc(a.Issuers, func(name string) bool {
		i := g.Issuer(name)
		return name == exchange.SelfIssuer || i != nil && g.speaks(i, "actor")
	})
}

// proof is a scope that is held, and one that it gives.
type proof struct{ held, gives string }

// scopes are the scopes that the client can have at the target, each with what
// proves it. An empty allow gives a token without scope, whatever is held.
func (g *graph) scopes(p *catalog.ExchangePolicy, c *catalog.Client, target string) []proof {
	t := g.Target(target)
	if t == nil || !t.Alive(t.Spec.Mode, g.now) {
		return nil
	}
	if len(p.Scopes.Allow) == 0 {
		return []proof{{}}
	}
	var all []proof
	for _, scope := range unique(p.Scopes.Allow) {
		// A scope that the client's requests lose can come by default alone.
		asked := !slices.Contains(c.IgnoreScopes, scope) || slices.Contains(p.Scopes.Default, scope)
		if !asked || !slices.Contains(t.Spec.Scopes, scope) {
			continue
		}
		for _, held := range provers(p, scope) {
			all = append(all, proof{held, scope})
		}
	}
	return all
}

// provers are the held scopes that prove one, each; "" where none is needed.
func provers(p *catalog.ExchangePolicy, scope string) []string {
	if exchange.Flow(p.Flow) == exchange.FlowClient {
		return []string{""}
	}
	switch exchange.Prove(p.Scopes.Prove) {
	case exchange.ProveSame:
		return []string{scope}
	case exchange.ProveMap:
		return slices.DeleteFunc(slices.Sorted(maps.Keys(p.Scopes.Map)), func(held string) bool { return !slices.Contains(p.Scopes.Map[held], scope) })
	case exchange.ProveGrant:
		if exchange.Flow(p.Flow) == exchange.FlowFederation {
			return []string{""}
		}
	}
	return nil
}

// unique is the words in order, each once.
func unique(words []string) []string {
	sorted := slices.Sorted(slices.Values(words))
	return slices.Compact(sorted)
}

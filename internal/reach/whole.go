package reach

import (
	"slices"
	"time"

	"github.com/strait-sts/strait/internal/catalog"
)

// Whole is all that can be reached in a snapshot at an instant. It answers for
// single clients and policies, as [Find] does for an end.
type Whole struct{ all *closure }

// Everything follows every chain, wherever it begins and wherever it leads.
func Everything(s *catalog.Snapshot, now time.Time) *Whole {
	origins := newNumbers[Origin]()
	return &Whole{everything(s, now, &origins)}
}

func everything(s *catalog.Snapshot, now time.Time, origins *numbers[Origin]) *closure {
	return newGraph(s, now).closure(origins, anybody, anywhere)
}

// Obtains are the targets that each client can have tokens for.
func (w *Whole) Obtains() map[string][]string {
	all := map[string][]string{}
	for n, who := range w.all.reached {
		t := w.all.tokens.all[n]
		if len(who) > 0 && !slices.Contains(all[t.client], t.target) {
			all[t.client] = append(all[t.client], t.target)
		}
	}
	return all
}

// NeverWhy is why an enforced policy can issue nothing: the first reason found.
// "" where it can.
func (w *Whole) NeverWhy(p *catalog.Of[catalog.ExchangePolicy]) string {
	g := w.all.graph
	if w.all.acts[p.Metadata.Name] {
		return ""
	}
	asks, issuers := false, g.issuersOf(p.Spec)
	proofs := 0
	for _, name := range p.Spec.Clients {
		client := g.Client(name)
		if client == nil || !g.mayAsk(client, p.Spec) {
			continue
		}
		asks = true
		for _, target := range p.Spec.Targets {
			proofs += len(g.scopes(p.Spec, client.Spec, target))
		}
	}
	switch {
	case p.Expired(g.now):
		return "it has expired, and denies what it would have allowed"
	case suspendedAt(p, g.now):
		return "its review is overdue, and it denies what it would have allowed"
	case !asks:
		return "none of its clients is in force and has the grant that its flow needs"
	case len(issuers) == 0:
		return "none of its issuers is in force and gives what the policy takes, or no actor can come"
	case proofs == 0:
		return "none of its targets is in force and has a scope that the policy allows and something can prove"
	case p.Spec.Issue.MaxActDepth < 1:
		return "its maxActDepth leaves no room for an actor"
	default:
		return "no token of ours that its clients may present (serves, or their own) holds a scope that proves one of its own, within its depth"
	}
}

package reach

import (
	"cmp"
	"slices"
	"strings"

	"github.com/strait-sts/strait/internal/catalog"
)

// Pair is what a policy is found by: who asks, and with whose token.
type Pair struct {
	Client string
	Issuer string // a trusted issuer's name, or self; "" in a client flow
}

// Ranked are the policies by each pair that they name, in the order in which
// they decide.
func Ranked(policies []*catalog.Of[catalog.ExchangePolicy]) map[Pair][]*catalog.Of[catalog.ExchangePolicy] {
	sorted := slices.Clone(policies)
	slices.SortStableFunc(sorted, before)
	by := map[Pair][]*catalog.Of[catalog.ExchangePolicy]{}
	for _, p := range sorted {
		for _, key := range Pairs(p.Spec) {
			by[key] = append(by[key], p)
		}
	}
	return by
}

// before is the order in which policies decide: higher priority, then name.
func before(a, b *catalog.Of[catalog.ExchangePolicy]) int {
	return cmp.Or(cmp.Compare(b.Spec.Priority, a.Spec.Priority), strings.Compare(a.Metadata.Name, b.Metadata.Name))
}

// Pairs are the pairs that a policy names, each once.
func Pairs(p *catalog.ExchangePolicy) []Pair {
	issuers := []string{""}
	if p.Subject != nil {
		issuers = p.Subject.Issuers
	}
	seen := map[Pair]bool{}
	var all []Pair
	for _, client := range p.Clients {
		for _, issuer := range issuers {
			if key := (Pair{client, issuer}); !seen[key] {
				seen[key] = true
				all = append(all, key)
			}
		}
	}
	return all
}

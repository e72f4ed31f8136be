package policy

import (
	"net/url"
	"slices"
	"strings"

	"github.com/strait-sts/strait/internal/exchange"
)

// clientRules are the rules that name one client, by the grant that they are
// for.
type clientRules struct {
	exchange index
	client   index
}

// forGrant gives the rules for a grant: flow client for client_credentials
// (RFC 6749 §4.4), all other flows for the token exchange.
func (c *clientRules) forGrant(grant exchange.GrantType) *index {
	if grant == exchange.GrantClientCredentials {
		return &c.client
	}
	return &c.exchange
}

// index finds the rules of one client without a search. Its lists are in
// deciding order.
type index struct {
	byTarget  map[string][]*rule // the rules that name the target
	byRoute   map[route][]*rule  // those of them that name the issuer too
	byDefault map[string][]*rule // by issuer, those with one target alone: their default
	defaults  bool               // there is a rule with one target alone
	all       []*rule
}

// route is what a rule leads from and to.
type route struct{ issuer, target string }

func newIndex() index {
	return index{byTarget: map[string][]*rule{}, byRoute: map[route][]*rule{}, byDefault: map[string][]*rule{}}
}

func (x *index) add(r *rule) {
	x.all = append(x.all, r)
	single := len(r.targets) == 1
	x.defaults = x.defaults || single
	for _, t := range r.resolved {
		put(x.byTarget, t.Name, r)
		for _, issuer := range r.issuers {
			put(x.byRoute, route{issuer, t.Name}, r)
			if single {
				put(x.byDefault, issuer, r)
			}
		}
	}
}

// reaches: a rule names all the targets; without a target, one has a default.
func (x *index) reaches(targets []*target) bool {
	switch {
	case x == nil:
		return false
	case len(targets) == 0:
		return x.defaults
	}
	return slices.ContainsFunc(x.byTarget[targets[0].Name], func(r *rule) bool { return r.covers(targets) })
}

// put appends the rule unless it is there: a name listed twice counts once.
func put[K comparable](lists map[K][]*rule, key K, r *rule) {
	list := lists[key]
	if len(list) == 0 || list[len(list)-1] != r {
		lists[key] = append(list, r)
	}
}

// validResource: RFC 8707 §2 wants an absolute URI (RFC 3986 §4.3) without a
// fragment, not even an empty one.
func validResource(value string) bool {
	u, err := url.Parse(value)
	return err == nil && u.IsAbs() && !strings.Contains(value, "#")
}

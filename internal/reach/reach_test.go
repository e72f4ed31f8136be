package reach_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/catalog/catalogtest"
	"github.com/strait-sts/strait/internal/reach"
)

// noon is the instant of every test.
var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func find(t testing.TB, s *catalog.Snapshot, q reach.Query) *reach.Answer {
	t.Helper()
	answer, err := reach.Find(s, noon, q)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// eachWorld draws catalogues, and holds a property against each.
func eachWorld(t *testing.T, property func(*rapid.T, world)) {
	t.Helper()
	rapid.Check(t, func(t *rapid.T) {
		for range 20 {
			property(t, drawWorld(t, rapid.SampledFrom([]int{2, 3, 4, 5, 6}).Draw(t, "policies")))
		}
	})
}

// TestReachIsTheModel: what is reached is what whole tokens can become in every
// request that there can be, by every policy; no more, no less.
func TestReachIsTheModel(t *testing.T) {
	t.Parallel()
	drawn, some := 0, 0
	defer func() {
		if t.Logf("%d of %d catalogues lead anywhere", some, drawn); 3*some < drawn {
			t.Error("few catalogues lead anywhere: the model tests too little")
		}
	}()
	eachWorld(t, func(t *rapid.T, w world) {
		m := model{w.Snapshot, noon}
		want := map[reach.End]bool{}
		for _, o := range w.origins { // those that hold nothing come before those that do
			for at := range m.from(o, w.scopes) {
				if o.Holding == "" || !want[reach.End{From: reach.Origin{Issuer: o.Issuer}, Target: at[0], Scope: at[1]}] {
					want[reach.End{From: o, Target: at[0], Scope: at[1]}] = true
				}
			}
		}
		if drawn++; len(want) > 0 {
			some++
		}
		got := reach.Compare(catalogtest.Snapshot(), w.Snapshot, noon).Gained
		for _, r := range got {
			if !want[r] {
				t.Fatalf("claims %+v, which nobody can do", r)
			}
			delete(want, r)
		}
		if len(want) > 0 {
			t.Fatalf("misses %+v", want)
		}
	})
}

// TestTwoScopesProveNoMoreThanEach: a token that holds all scopes leads where one
// of its scopes leads, which is why reach goes scope by scope.
func TestTwoScopesProveNoMoreThanEach(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *rapid.T, w world) {
		m := model{w.Snapshot, noon}
		apart := map[[2]string]bool{}
		for _, scope := range append([]string{""}, w.scopes...) {
			for at := range m.from(reach.Origin{Issuer: "i1", Holding: scope}, w.scopes) {
				apart[at] = true
			}
		}
		for at := range m.from(reach.Origin{Issuer: "i1", Holding: joined(w.scopes)}, w.scopes) {
			if !apart[at] {
				t.Fatalf("%v only with all scopes together", at)
			}
		}
	})
}

// hopKey names a hop by what decides it.
func hopKey(h reach.Hop) string {
	return fmt.Sprintf("%s:%s(%s %s/%s %s)%s/%s@%d", h.Policy, h.Client, h.Issuer, h.Presents, h.Holding, h.Right, h.Target, h.Scope, h.Actors)
}

func wayKey(w reach.Way) string {
	var hops []string
	for _, h := range w.Hops {
		hops = append(hops, hopKey(h))
	}
	return strings.Join(hops, " → ")
}

// walk lists every way by trying every hop, one scope at a time.
func (m model) walk(so []reach.Hop, last *held, wants func(target, scope string) bool, scopes []string, found map[string]bool) {
	if last != nil && wants(last.targets, last.scopes) {
		found[wayKey(reach.Way{Hops: so})] = true
	}
	for _, p := range m.Policies() {
		for _, c := range p.Spec.Clients {
			for _, target := range p.Spec.Targets {
				for _, scope := range append([]string{""}, scopes...) {
					for _, h := range m.hops(p, c, last, target, scope, scopes) {
						again := slices.ContainsFunc(so, func(b reach.Hop) bool { return b.Target == target && b.Scope == scope })
						if !again {
							m.walk(append(slices.Clone(so), h), &held{target, scope, c, h.Actors}, wants, scopes, found)
						}
					}
				}
			}
		}
	}
}

// hops are the ways of one policy to give a client exactly this scope.
func (m model) hops(p *catalog.Of[catalog.ExchangePolicy], c string, last *held, target, scope string, scopes []string) []reach.Hop {
	type subject struct {
		issuer string
		held   *held
		hop    reach.Hop
	}
	var subjects []subject
	switch {
	case last != nil:
		right := "issued"
		if client := m.Client(c); client != nil && slices.Contains(client.Spec.Serves, last.targets) {
			right = "serves"
		}
		for _, proves := range slices.Compact([]string{"", last.scopes}) {
			subjects = append(subjects, subject{"self", &held{last.targets, proves, last.client, last.depth}, reach.Hop{Issuer: "self", Presents: last.targets, Holding: proves, Right: right}})
		}
	case p.Spec.Flow == "client":
		subjects = append(subjects, subject{})
	default:
		for _, issuer := range []string{"i1", "i2"} {
			for _, proves := range append([]string{""}, scopes...) {
				subjects = append(subjects, subject{issuer, &held{scopes: proves}, reach.Hop{Issuer: issuer, Holding: proves}})
			}
		}
	}
	var hops []reach.Hop
	for _, s := range subjects {
		for _, asked := range [][]string{nil, list(scope)} {
			got := m.issue(p, c, s.issuer, s.held, []string{target}, asked)
			if got == nil || !slices.Contains(list(got.scopes), scope) && got.scopes != scope {
				continue
			}
			if s.held != nil && s.held.scopes != "" && m.needless(p, c, s.issuer, s.held, target, asked, scope) {
				continue
			}
			h := s.hop
			h.Policy, h.Client, h.Target, h.Scope, h.Actors = p.Metadata.Name, c, target, scope, got.depth
			hops = append(hops, h)
			break
		}
	}
	return hops
}

// needless: the scope that is held proves nothing that holding none would not.
func (m model) needless(p *catalog.Of[catalog.ExchangePolicy], c, issuer string, h *held, target string, asked []string, scope string) bool {
	bare := *h
	bare.scopes = ""
	got := m.issue(p, c, issuer, &bare, []string{target}, asked)
	return got != nil && (slices.Contains(list(got.scopes), scope) || got.scopes == scope)
}

// TestWaysAreAllWays: the ways that are shown are those that trying every hop
// finds, shortest first, none twice.
func TestWaysAreAllWays(t *testing.T) {
	t.Parallel()
	long := 0
	defer func() {
		if t.Logf("%d ways have two hops or more", long); long < 100 {
			t.Error("hardly any: the model tests too little")
		}
	}()
	eachWorld(t, func(t *rapid.T, w world) {
		q := reach.Query{Target: "t1", Ways: reach.MaxWays}
		if rapid.Bool().Draw(t, "by scope") {
			q = reach.Query{Scope: "a", Ways: reach.MaxWays}
		}
		answer, err := reach.Find(w.Snapshot, noon, q)
		if err != nil {
			t.Fatal(err)
		}
		if answer.Truncated {
			return
		}
		want := map[string]bool{}
		model{w.Snapshot, noon}.walk(nil, nil, func(target, scope string) bool {
			return (q.Target == "" || target == q.Target) && (q.Scope == "" || scope == q.Scope)
		}, w.scopes, want)
		length := 0
		for _, way := range answer.Ways {
			key := wayKey(way)
			if !want[key] {
				t.Fatalf("a way that is none, or is there twice: %s\nleft: %v", key, want)
			}
			delete(want, key)
			if len(way.Hops) < length {
				t.Fatalf("a shorter way after a longer: %s", key)
			}
			if length = len(way.Hops); length > 1 {
				long++
			}
		}
		if len(want) > 0 {
			t.Fatalf("misses %v", want)
		}
	})
}

// chainWorld: okta → orders (edge), orders → payments (orders-svc, which serves
// orders).
func chainWorld(change func(*catalog.ExchangePolicy)) *catalog.Snapshot {
	onward := catalogtest.Policy("onward", "orders-svc", "self", "payments", []string{"payments:write"}, func(p *catalog.ExchangePolicy) {
		p.Flow, p.Actor = "delegation", &catalog.PolicyActor{From: "client"}
		p.Scopes.Prove, p.Scopes.Map = "map", map[string][]string{"orders:write": {"payments:write"}}
		if change != nil {
			change(p)
		}
	})
	staff := catalogtest.Policy("staff", "edge", "okta", "orders", []string{"orders:read", "orders:write"}, func(p *catalog.ExchangePolicy) {
		p.Subject.Conditions = catalogtest.Rules(`"staff" in subject.claims.groups`)
	})
	return catalogtest.Snapshot(catalogtest.Issuer("okta", func(i *catalog.TrustedIssuer) { i.ClaimValidationRules = catalogtest.Rules(`claims.tenant == "acme"`) }),
		catalogtest.Target("orders", "orders:read", "orders:write"), catalogtest.Target("payments", "payments:write"),
		catalogtest.Client("edge"), catalogtest.Client("orders-svc", "orders"), staff, onward)
}

func TestAChainHopByHop(t *testing.T) {
	t.Parallel()
	s := chainWorld(nil)
	answer := find(t, s, reach.Query{Scope: "payments:write"})
	want := []reach.End{{From: reach.Origin{Issuer: "okta", Holding: "orders:write"}, Target: "payments", Scope: "payments:write"}}
	if !slices.Equal(answer.Reached, want) {
		t.Errorf("reached %+v, want %+v", answer.Reached, want)
	}
	if len(answer.Ways) != 1 || answer.Truncated {
		t.Fatalf("ways = %+v", answer.Ways)
	}
	const chain = "staff:edge(okta /orders:write )orders/orders:write@0 → onward:orders-svc(self orders/orders:write serves)payments/payments:write@1"
	if got := wayKey(answer.Ways[0]); got != chain {
		t.Errorf("way\n %s, want\n %s", got, chain)
	}
	conditions := answer.Ways[0].Hops[0].Conditions
	wantConditions := []reach.Condition{
		{Kind: "tokenType", Text: "jwt"}, {Kind: "audience", Text: "https://gateway.example.com"},
		{Kind: "rule", Text: `claims.tenant == "acme"`, Message: "no"}, {Kind: "condition", Text: `"staff" in subject.claims.groups`, Message: "no"},
	}
	if !slices.Equal(conditions, wantConditions) {
		t.Errorf("conditions = %+v, want %+v", conditions, wantConditions)
	}
	if onward := answer.Ways[0].Hops[1].Conditions; len(onward) != 1 || onward[0].Kind != "actor" {
		t.Errorf("conditions of the second hop = %+v, want the actor's alone", onward)
	}
}

// TestWhatCutsAChain: each finite dimension by itself.
func TestWhatCutsAChain(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*catalog.Snapshot){
		"the first policy is disabled":   func(s *catalog.Snapshot) { s.Policy("staff").Spec.Mode = catalog.ModeDisabled },
		"the second is a shadow":         func(s *catalog.Snapshot) { s.Policy("onward").Spec.Mode = catalog.ModeShadow },
		"the second has expired":         func(s *catalog.Snapshot) { s.Policy("onward").Governance.ExpiresAt = new(noon) },
		"the issuer has expired":         func(s *catalog.Snapshot) { s.Issuer("okta").Governance.ExpiresAt = new(noon) },
		"the issuer is for actors":       func(s *catalog.Snapshot) { s.Issuer("okta").Spec.AcceptAs = []string{"actor"} },
		"the target between is disabled": func(s *catalog.Snapshot) { s.Target("orders").Spec.Mode = catalog.ModeDisabled },
		"the service serves another":     func(s *catalog.Snapshot) { s.Client("orders-svc").Spec.Serves = []string{"payments"} },
		"the service has not the grant":  func(s *catalog.Snapshot) { s.Client("orders-svc").Spec.Grants = []string{"client_credentials"} },
		"the map is of another scope": func(s *catalog.Snapshot) {
			s.Policy("onward").Spec.Scopes.Map = map[string][]string{"orders:refund": {"payments:write"}}
		},
		"the scope is not in the map":      func(s *catalog.Snapshot) { s.Policy("onward").Spec.Scopes.Prove = "same" },
		"the scope is not allowed between": func(s *catalog.Snapshot) { s.Policy("staff").Spec.Scopes.Allow = []string{"orders:read"} },
		"the target has not the scope":     func(s *catalog.Snapshot) { s.Target("payments").Spec.Scopes = []string{"payments:read"} },
		"no room for an actor":             func(s *catalog.Snapshot) { s.Policy("onward").Spec.Issue.MaxActDepth = 0 },
		"the client's requests lose it":    func(s *catalog.Snapshot) { s.Client("edge").Spec.IgnoreScopes = []string{"orders:write"} },
		"no actor token can come": func(s *catalog.Snapshot) {
			s.Policy("onward").Spec.Actor = &catalog.PolicyActor{From: "token", Issuers: []string{"gone"}}
		},
	} {
		s := chainWorld(nil)
		change(s)
		if answer := find(t, s, reach.Query{Scope: "payments:write"}); len(answer.Reached)+len(answer.Ways) > 0 {
			t.Errorf("%s: reached %+v by %d ways", name, answer.Reached, len(answer.Ways))
		}
	}
}

func TestAChainOfDelegationsEndsAtItsDepth(t *testing.T) {
	t.Parallel()
	long := func(limit int) *catalog.Snapshot {
		entries := []*catalog.Entry{
			catalogtest.Issuer("okta", nil), catalogtest.Target("t0", "x"), catalogtest.Client("c0", "t0"), catalogtest.Policy("p0", "c0", "okta", "t0", []string{"x"}, nil),
		}
		for n := 1; n <= 3; n++ {
			name := fmt.Sprint(n)
			entries = append(entries, catalogtest.Target("t"+name, "x"), catalogtest.Client("c"+name, "t"+name),
				catalogtest.Policy("p"+name, fmt.Sprintf("c%d", n-1), "self", "t"+name, []string{"x"}, func(p *catalog.ExchangePolicy) {
					p.Flow, p.Actor, p.Issue.MaxActDepth = "delegation", &catalog.PolicyActor{From: "client"}, limit
				}))
		}
		return catalogtest.Snapshot(entries...)
	}
	for limit, want := range map[int]int{3: 1, 2: 0} {
		if got := find(t, long(limit), reach.Query{Target: "t3"}); len(got.Reached) != want || len(got.Ways) != want {
			t.Errorf("limit %d: reached %+v by %d ways, want %d", limit, got.Reached, len(got.Ways), want)
		}
	}
}

func TestPoliciesThatStandBeforeAreShown(t *testing.T) {
	t.Parallel()
	before := catalogtest.Policy("before", "orders-svc", "self", "payments", []string{"payments:read"}, func(p *catalog.ExchangePolicy) { p.Priority = 7 })
	over := catalogtest.Policy("over", "orders-svc", "self", "payments", nil, func(p *catalog.ExchangePolicy) { p.Priority = 6 })
	over.Governance.ExpiresAt = new(noon)
	behind := catalogtest.Policy("z-behind", "orders-svc", "self", "payments", nil, nil)
	elsewhere := catalogtest.Policy("elsewhere", "orders-svc", "self", "orders", nil, func(p *catalog.ExchangePolicy) { p.Priority = 9 })
	s := chainWorld(nil)
	all := append(s.Entries(), before, over, behind, elsewhere)
	answer := find(t, catalogtest.Snapshot(all...), reach.Query{Scope: "payments:write"})
	var shown []string
	for _, c := range answer.Ways[0].Hops[1].Conditions {
		if c.Kind == reach.OnEarlier {
			shown = append(shown, c.Text+": "+c.Message)
		}
	}
	want := []string{"before: priority 7, decides first where it holds", "over: priority 6, denies where it holds: it has expired or is suspended"}
	if !slices.Equal(shown, want) {
		t.Errorf("shown %q, want %q", shown, want)
	}
}

func TestProofIsShown(t *testing.T) {
	t.Parallel()
	s := chainWorld(nil)
	s.Target("payments").Spec.RequireProof, s.Client("orders-svc").Spec.RequireProof = "dpop", "none"
	hop := find(t, s, reach.Query{Scope: "payments:write"}).Ways[0].Hops[1]
	if !slices.Contains(hop.Conditions, reach.Condition{Kind: "proof", Text: "dpop", Message: "target payments asks for it"}) {
		t.Errorf("conditions = %+v", hop.Conditions)
	}
}

func TestGuardrailsAreShownWhereTheyMatch(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		match catalog.GuardrailMatch
		hops  []int // on which it is shown
	}{
		"nothing said: all": {catalog.GuardrailMatch{}, []int{0, 1}},
		"by target":         {catalog.GuardrailMatch{Targets: []string{"payments"}}, []int{1}},
		"by issuer":         {catalog.GuardrailMatch{Issuers: []string{"okta"}}, []int{0}},
		"by our own":        {catalog.GuardrailMatch{Issuers: []string{"self"}}, []int{1}},
		"by client":         {catalog.GuardrailMatch{Clients: []string{"edge"}}, []int{0}},
		"by flow":           {catalog.GuardrailMatch{Flows: []string{"delegation"}}, []int{1}},
		"by both":           {catalog.GuardrailMatch{Flows: []string{"delegation"}, Clients: []string{"edge"}}, nil},
	} {
		rail := catalogtest.Entry(catalog.KindGuardrail, "rail", &catalog.Guardrail{Match: c.match, Deny: catalogtest.Rules(`issue.actDepth > 1`)}, "")
		way := find(t, catalogtest.Snapshot(append(chainWorld(nil).Entries(), rail)...), reach.Query{Scope: "payments:write"}).Ways[0]
		var shown []int
		for i, hop := range way.Hops {
			if slices.Contains(hop.Conditions, reach.Condition{Kind: "guardrail", Text: `issue.actDepth > 1`, Message: "rail: no"}) {
				shown = append(shown, i)
			}
		}
		if !slices.Equal(shown, c.hops) {
			t.Errorf("%s: shown on hops %v, want %v", name, shown, c.hops)
		}
	}
}

func TestAChangeIsShownInPart(t *testing.T) {
	t.Parallel()
	all := reach.Change{Gained: make([]reach.End, 3), Lost: make([]reach.End, 1)}
	if c := all.First(2); len(c.Gained) != 2 || len(c.Lost) != 1 || !c.Truncated {
		t.Errorf("first two: %+v", c)
	}
	if c := all.First(3); len(c.Gained) != 3 || c.Truncated {
		t.Errorf("first three: %+v", c)
	}
}

func TestWhereChainsBegin(t *testing.T) {
	t.Parallel()
	own := catalogtest.Policy("own", "reports", "", "payments", []string{"payments:write"}, func(p *catalog.ExchangePolicy) {
		p.Flow, p.Subject, p.Actor, p.Scopes.Prove = "client", nil, nil, ""
	})
	s := catalogtest.Snapshot(append(chainWorld(nil).Entries(), catalogtest.Client("reports"), own)...)
	for from, want := range map[string][]reach.Origin{
		"":           {{Client: "reports"}, {Issuer: "okta", Holding: "orders:write"}},
		"okta":       {{Issuer: "okta", Holding: "orders:write"}},
		"edge":       {{Issuer: "okta", Holding: "orders:write"}},
		"reports":    {{Client: "reports"}},
		"orders-svc": nil, // it never asks first
	} {
		answer := find(t, s, reach.Query{Scope: "payments:write", Target: "payments", From: from})
		var got []reach.Origin
		for _, r := range answer.Reached {
			got = append(got, r.From)
		}
		if !slices.Equal(got, want) || len(answer.Ways) != len(want) {
			t.Errorf("from %q: %+v by %d ways, want %+v", from, got, len(answer.Ways), want)
		}
	}
}

func TestQueriesThatMeanNothing(t *testing.T) {
	t.Parallel()
	for name, q := range map[string]reach.Query{
		"nothing":           {},
		"from alone":        {From: "okta"},
		"an unknown target": {Target: "nowhere"},
		"an unknown origin": {Scope: "payments:write", From: "nobody"},
		"too many ways":     {Scope: "payments:write", Ways: reach.MaxWays + 1},
		"fewer than none":   {Scope: "payments:write", Ways: -1},
	} {
		if _, err := reach.Find(chainWorld(nil), noon, q); !errors.Is(err, reach.ErrQuery) {
			t.Errorf("%s: %v, want ErrQuery", name, err)
		}
	}
	if answer := find(t, chainWorld(nil), reach.Query{Scope: "unheard:of"}); answer.Reached == nil || answer.Ways == nil || len(answer.Reached) > 0 {
		t.Errorf("an unknown scope: %+v, want empty lists", answer)
	}
}

func TestTruncationIsTold(t *testing.T) {
	t.Parallel()
	entries := chainWorld(nil).Entries()
	for n := range 5 {
		entries = append(entries, catalogtest.Policy(fmt.Sprintf("more-%d", n), "edge", "okta", "orders", []string{"orders:write"}, nil))
	}
	for ways, truncated := range map[int]bool{5: true, 6: false} {
		answer := find(t, catalogtest.Snapshot(entries...), reach.Query{Scope: "payments:write", Ways: ways})
		if len(answer.Ways) != ways || answer.Truncated != truncated || len(answer.Reached) != 1 {
			t.Errorf("%d ways wanted: %d, truncated %v", ways, len(answer.Ways), answer.Truncated)
		}
	}
}

func TestCompareTellsWhatAChangeOpensAndCloses(t *testing.T) {
	t.Parallel()
	before := chainWorld(nil)
	after := chainWorld(func(p *catalog.ExchangePolicy) { p.Scopes.Map = map[string][]string{"orders:read": {"payments:write"}} })
	change := reach.Compare(before, after, noon)
	at := func(holding string) []reach.End {
		return []reach.End{{From: reach.Origin{Issuer: "okta", Holding: holding}, Target: "payments", Scope: "payments:write"}}
	}
	if !slices.Equal(change.Gained, at("orders:read")) || !slices.Equal(change.Lost, at("orders:write")) {
		t.Errorf("change = %+v", change)
	}
	if none := reach.Compare(after, after, noon); none.Gained == nil || none.Lost == nil || len(none.Gained)+len(none.Lost) > 0 {
		t.Errorf("no change = %+v, want empty lists", none)
	}
}

// Who need hold nothing can still do what he could with a scope: nothing is lost,
// and what is gained is that anybody can.
func TestCompareKnowsThatAnyTokenIncludesEachToken(t *testing.T) {
	t.Parallel()
	mapped := catalogtest.Snapshot(catalogtest.Issuer("okta", nil), catalogtest.Target("orders", "x"), catalogtest.Client("edge"), catalogtest.Policy("p", "edge", "okta", "orders", []string{"x"}, func(p *catalog.ExchangePolicy) { p.Flow = "federation" }))
	granted := catalogtest.Snapshot(catalogtest.Issuer("okta", nil), catalogtest.Target("orders", "x"), catalogtest.Client("edge"), catalogtest.Policy("p", "edge", "okta", "orders", []string{"x"}, func(p *catalog.ExchangePolicy) {
		p.Flow, p.Scopes.Prove = "federation", "grant"
	}))
	anyToken := []reach.End{{From: reach.Origin{Issuer: "okta"}, Target: "orders", Scope: "x"}}
	if c := reach.Compare(mapped, granted, noon); !slices.Equal(c.Gained, anyToken) || len(c.Lost) > 0 {
		t.Errorf("wider: %+v", c)
	}
	if c := reach.Compare(granted, mapped, noon); !slices.Equal(c.Lost, anyToken) || len(c.Gained) > 0 {
		t.Errorf("narrower: %+v", c)
	}
}

// TestALargeCatalogueIsSearchedWhole: with many issuers, services and ways among
// them, what is reached, what a change opens and what lint looks at is whole.
func TestALargeCatalogueIsSearchedWhole(t *testing.T) {
	t.Parallel()
	s := catalogtest.Crowd(2000)
	answer := find(t, s, reach.Query{Scope: "s7:write", Target: "t7", Ways: 50})
	if len(answer.Reached) < 50 || len(answer.Ways) != 50 || !answer.Truncated {
		t.Errorf("%d origins, %d ways, truncated %v", len(answer.Reached), len(answer.Ways), answer.Truncated)
	}
	change := reach.Compare(s, withNewIssuer(s), noon)
	if len(change.Gained) < 2 || len(change.Lost) > 0 {
		t.Errorf("a new issuer opens %d, and closes %d", len(change.Gained), len(change.Lost))
	}
	for _, gained := range change.Gained {
		if gained.From.Issuer != "new" {
			t.Errorf("gained %+v by a new issuer", gained)
		}
	}
}

// withNewIssuer is the crowd with one issuer more, that one client takes.
func withNewIssuer(s *catalog.Snapshot) *catalog.Snapshot {
	return catalogtest.Snapshot(append(s.Entries(), catalogtest.Issuer("new", nil), catalogtest.Policy("new", "c3", "new", "t3", []string{"common"}, nil))...)
}

// BenchmarkReach is over 10,000 policies, of which a query and a comparison (what
// a dry run adds) should each take less than 2 s; make bench shows it.
func BenchmarkReach(b *testing.B) {
	s := catalogtest.Crowd(10_000)
	more := withNewIssuer(s)
	for _, of := range []struct {
		name string
		run  func()
	}{
		{"find", func() { find(b, s, reach.Query{Scope: "s7:write", Target: "t7"}) }},
		{"compare", func() { reach.Compare(s, more, noon) }},
	} {
		b.Run(of.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				of.run()
			}
		})
	}
}

// TestDocumentationListsEveryKindOfCondition compares docs/reach.md with the code.
func TestDocumentationListsEveryKindOfCondition(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "reach.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{
		reach.OnType, reach.OnAudience, reach.OnIssuedTo, reach.OnRule, reach.OnActor,
		reach.OnEarlier, reach.OnCondition, reach.OnGuardrail, reach.OnProof,
	} {
		if !strings.Contains(string(page), "| `"+kind+"` |") {
			t.Errorf("docs/reach.md has no line for %s", kind)
		}
	}
}

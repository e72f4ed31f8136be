package policy_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
)

// crowd is a catalogue of n policies, among them the one that decides. In the
// spread one each policy has a client of its own; in the crowded one all name
// the same client and target, and differ in their issuers.
func crowd(n int, crowded bool) *catalog.Snapshot {
	entries := []*catalog.Entry{rule("p", nil)}
	for i := range n - 1 {
		other := fmt.Sprintf("other-%d", i)
		entries = append(entries, rule(other, func(p *catalog.ExchangePolicy) {
			p.Priority = 1
			p.Subject.Issuers = []string{other}
			if !crowded {
				p.Clients = []string{other}
			}
		}))
	}
	return world(entries...)
}

// BenchmarkDecision has 10 and 10,000 policies in one run: they may differ by
// a factor of 1.3, and neither may take more than 5 µs. Both catalogues are there
// all the time, so that the garbage collector marks the same heap for either.
func BenchmarkDecision(b *testing.B) {
	type asked struct {
		crowded bool
		n       int
		decider exchange.Decider
	}
	var all []asked
	for _, crowded := range []bool{false, true} {
		for _, n := range []int{10, 10_000} {
			all = append(all, asked{crowded, n, engine.Compile(crowd(n, crowded))})
		}
	}
	for _, of := range all {
		b.Run(fmt.Sprintf("crowded=%v/policies=%d", of.crowded, of.n), func(b *testing.B) {
			req, token := asking(b, "read", nil), subject(nil)
			b.ReportAllocs()
			for b.Loop() {
				admitted, err := of.decider.Admit(req)
				if err != nil {
					b.Fatal(err)
				}
				if _, err = admitted.Decide(token, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	runtime.KeepAlive(all)
}

func BenchmarkCompile(b *testing.B) {
	snapshot := crowd(10_000, false)
	for b.Loop() {
		engine.Compile(snapshot)
	}
}

// BenchmarkConditions is a decision that evaluates expressions: what each kind
// of them adds to the one without.
func BenchmarkConditions(b *testing.B) {
	for name, entries := range map[string][]*catalog.Entry{
		"none":           {rule("p", nil)},
		"condition":      {rule("p", when(staff))},
		"four passed on": {rule("a", when("false")), rule("b", when("false")), rule("c", when("false")), rule("d", when("false")), rule("p", nil)},
		"guardrail":      {rule("p", nil), rail("g", `issue.lifetime > duration("10m")`)},
		"claim": {rule("p", func(p *catalog.ExchangePolicy) {
			p.Issue.Claims = map[string]string{"dept": `subject.claims.?department`}
		})},
		"shadow": {rule("p", nil), rule("s", inShadow())},
	} {
		b.Run(name, func(b *testing.B) {
			decider := engine.Compile(world(entries...))
			req, token := asking(b, "read", nil), subject(claims(exchange.Claims{"groups": []any{"sales", "staff"}}))
			b.ReportAllocs()
			for b.Loop() {
				admitted, err := decider.Admit(req)
				if err != nil {
					b.Fatal(err)
				}
				if _, err = admitted.Decide(token, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

package analysis_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/strait-sts/strait/internal/analysis"
	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/catalog/catalogtest"
)

// asked is an exchange as far as it chooses a policy.
type asked struct {
	client, issuer, typ string
	targets             []string // none: the default
	audiences           []string
	actor               string // the issuer of the actor token; "" for none
	tied                bool   // it is the client's own, or may_act names it
	mayAct              string // "", client or actor
	itself              bool   // the subject is the client
	holds               map[string]bool
}

// fits is the contract's "which policy decides", but for conditions.
func (a asked) fits(p *catalog.ExchangePolicy) bool {
	s := p.Subject
	if !slices.Contains(p.Clients, a.client) || !slices.Contains(s.Issuers, a.issuer) || !slices.Contains(s.TokenTypes, a.typ) {
		return false
	}
	for _, target := range a.targets {
		if !slices.Contains(p.Targets, target) {
			return false
		}
	}
	foreign := a.issuer != "self"
	addressed := len(s.Audiences) == 0 || slices.ContainsFunc(a.audiences, func(v string) bool { return slices.Contains(s.Audiences, v) })
	if len(a.targets) == 0 && len(p.Targets) != 1 || !foreign && p.Flow == "federation" || foreign && !addressed {
		return false
	}
	byClient := a.actor == "" && a.mayAct != "actor" && !a.itself
	byToken := a.actor != "" && slices.Contains(p.Actor.Issuers, a.actor) && a.mayAct != "client" && (a.tied || len(p.Actor.Conditions) > 0)
	return map[string]bool{"none": a.actor == "" && a.mayAct == "", "client": byClient, "token": byToken, "any": byClient || byToken}[p.Actor.From]
}

func (a asked) satisfies(p *catalog.ExchangePolicy) bool {
	return !slices.ContainsFunc(slices.Concat(p.Subject.Conditions, p.Actor.Conditions), func(r catalog.Rule) bool { return !a.holds[r.Expression] })
}

// decides is the policy that decides; nil for none. Without a target, two that fit
// are ambiguous.
func (a asked) decides(ranked []*catalog.Of[catalog.ExchangePolicy]) *catalog.Of[catalog.ExchangePolicy] {
	var first *catalog.Of[catalog.ExchangePolicy]
	for _, p := range ranked {
		switch {
		case !a.fits(p.Spec) || !a.satisfies(p.Spec):
		case len(a.targets) > 0:
			return p
		case first != nil:
			return nil
		default:
			first = p
		}
	}
	return first
}

// TestShadowedPoliciesNeverDecide: what lint calls shadowed decides no exchange
// that there can be.
func TestShadowedPoliciesNeverDecide(t *testing.T) {
	t.Parallel()
	shadowed := 0
	defer func() {
		if t.Logf("%d policies are shadowed", shadowed); shadowed < 100 {
			t.Error("hardly any: the test tests too little")
		}
	}()
	rapid.Check(t, func(t *rapid.T) {
		d := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 2))
		for range 40 {
			s := drawRivals(d)
			ranked := slices.SortedFunc(slices.Values(s.Policies()), func(a, b *catalog.Of[catalog.ExchangePolicy]) int {
				return cmp.Or(b.Spec.Priority-a.Spec.Priority, strings.Compare(a.Metadata.Name, b.Metadata.Name))
			})
			hidden := map[string]bool{}
			for _, f := range analysis.Lint(s, analysis.Options{Now: noon}).Findings {
				if f.Code == "policy-shadowed" {
					hidden[f.Ref().Name] = true
					shadowed++
				}
			}
			for range 60 {
				a := drawAsked(d)
				if p := a.decides(ranked); p != nil && hidden[p.Metadata.Name] {
					t.Fatalf("%s decides %+v\n%s", p.Metadata.Name, a, describe(ranked))
				}
			}
		}
	})
}

func describe(policies []*catalog.Of[catalog.ExchangePolicy]) string {
	var text strings.Builder
	for _, p := range policies {
		fmt.Fprintf(&text, "%s: %s clients %v, subject %+v, actor %+v, targets %v\n", p.Metadata.Name, p.Spec.Flow, p.Spec.Clients, *p.Spec.Subject, *p.Spec.Actor, p.Spec.Targets)
	}
	return text.String()
}

// drawRivals draws policies that want the same exchanges.
func drawRivals(d *rand.Rand) *catalog.Snapshot {
	entries := []*catalog.Entry{
		catalogtest.Issuer("i1", func(i *catalog.TrustedIssuer) {
			i.Audiences, i.TokenTypes = []string{"x", "y"}, []string{"jwt", "access_token"}
		}),
		catalogtest.Target("t1", "a"), catalogtest.Target("t2", "a"), catalogtest.Client("c1", "t1", "t2"), catalogtest.Client("c2", "t1"),
	}
	both := func(one, two string) []string {
		return catalogtest.Pick(d, []string{one}, []string{one, two}, []string{one, two})
	}
	for n := range 3 {
		entries = append(entries, catalogtest.Policy(fmt.Sprint("p", n), "", "", "", []string{"a"}, func(p *catalog.ExchangePolicy) {
			p.Priority = d.IntN(2)
			p.Clients, p.Targets = both("c1", "c2"), both("t1", "t2")
			p.Subject = &catalog.PolicySubject{
				Issuers: both("i1", "self"), TokenTypes: both("jwt", "access_token"),
				Audiences: catalogtest.Pick(d, nil, nil, []string{"x"}, []string{"x", "y"}), Conditions: catalogtest.Pick(d, nil, nil, catalogtest.Rules("A"), catalogtest.Rules("A", "B")),
			}
			p.Actor.From = catalogtest.Pick(d, "none", "none", "client", "token", "any")
			p.Flow = "delegation"
			if p.Actor.From == "none" {
				p.Flow = catalogtest.Pick(d, "downscope", "downscope", "federation")
				return
			}
			p.Actor.Issuers = both("i1", "self")
			p.Actor.Conditions = catalogtest.Pick(d, nil, nil, catalogtest.Rules("C"), catalogtest.Rules("D"))
		}))
	}
	return catalogtest.Snapshot(entries...)
}

func drawAsked(d *rand.Rand) asked {
	a := asked{
		client: catalogtest.Pick(d, "c1", "c2"), issuer: catalogtest.Pick(d, "i1", "self"), typ: catalogtest.Pick(d, "jwt", "access_token"),
		targets: catalogtest.Pick(d, nil, []string{"t1"}, []string{"t2"}, []string{"t1", "t2"}), audiences: catalogtest.Pick(d, []string{"x"}, []string{"y"}, []string{"x", "y", "z"}),
		actor: catalogtest.Pick(d, "", "", "i1", "self"), tied: d.IntN(2) == 0, mayAct: catalogtest.Pick(d, "", "", "client", "actor"), holds: map[string]bool{},
	}
	a.itself = a.issuer == "self" && d.IntN(3) == 0
	for _, source := range []string{"A", "B", "C", "D"} {
		a.holds[source] = d.IntN(4) > 0
	}
	return a
}

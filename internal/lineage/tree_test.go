package lineage_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/lineage"
)

// noon is when every root was exchanged.
var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// id is the decision id of a number.
func id(n int) exchange.ID { return exchange.ID(fmt.Sprintf("0198c1d2-7a10-7c3e-9f00-2b1f6f%06d", n)) }

// issued is a record of an issued token; parent 0 is none.
func issued(n, parent int) *exchange.Record {
	rec := &exchange.Record{
		ID: id(n), Time: noon.Add(time.Duration(n) * time.Second), Decision: exchange.OutcomeIssued, Client: "edge", Flow: exchange.FlowDownscope,
		Policy: "staff-orders", PolicyRevision: 3, Subject: &exchange.RecordParty{Issuer: "okta", Subject: "okta|alice"}, Targets: []string{"orders-api"},
		JTI: string(id(n)), Key: "kid-1", Txn: string(id(1)),
		Scopes:   exchange.RecordScopes{Requested: []string{"orders:read"}, Issued: []string{"orders:read"}},
		Lifetime: exchange.RecordLife{Subject: 1800, Issued: 300},
	}
	if parent > 0 {
		rec.Parent = string(id(parent))
	}
	return rec
}

// denied is an attempt to exchange the token of parent.
func denied(n, parent int) *exchange.Record {
	rec := issued(n, parent)
	rec.Decision, rec.Reason, rec.JTI, rec.Key, rec.Lifetime.Issued = exchange.OutcomeDenied, exchange.ScopeNotHeld, "", "", 0
	rec.Scopes = exchange.RecordScopes{Requested: []string{"orders:refund"}}
	return rec
}

// treeOf is the tree of these records that an exchange is in, as it is at noon
// and a minute.
func treeOf(t testing.TB, asked int, records ...*exchange.Record) *lineage.Tree {
	t.Helper()
	tree, err := lineage.New(id(asked), bodies(t, records...), noon.Add(time.Minute), nil)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func bodies(t testing.TB, records ...*exchange.Record) (all [][]byte) {
	t.Helper()
	for _, rec := range records {
		body, err := json.Marshal(rec)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, body)
	}
	return all
}

// shape is a tree as "1(2(4) 3)".
func shape(n *lineage.Node) string {
	text := strings.TrimLeft(string(n.ID[30:]), "0")
	var children []string
	for _, child := range n.Children {
		children = append(children, shape(child))
	}
	if len(children) > 0 {
		text += "(" + strings.Join(children, " ") + ")"
	}
	return text
}

func TestAnyExchangeFindsItsWholeTree(t *testing.T) {
	t.Parallel()
	records := []*exchange.Record{issued(1, 0), issued(2, 1), denied(3, 1), issued(4, 2), denied(5, 4)}
	for asked := 1; asked <= 5; asked++ {
		tree := treeOf(t, asked, records...)
		if got := shape(tree.Root); got != "1(2(4(5)) 3)" || tree.Exchanges != 5 || tree.Asked != id(asked) || tree.Truncated {
			t.Errorf("%d: %s, %+v", asked, got, tree)
		}
	}
}

func TestANodeSaysWhatWasIssued(t *testing.T) {
	t.Parallel()
	rec := issued(1, 0)
	rec.Narrowed = &exchange.Narrowed{Scopes: []string{"orders:write"}, Lifetime: 1500}
	rec.Actor = &exchange.RecordParty{Issuer: exchange.SelfIssuer, Subject: "client:edge"}
	rec.Subject.Act = exchange.Chain{{Issuer: "https://idp.test", Subject: "agent"}}
	yes := true
	tree, err := lineage.New(id(1), bodies(t, rec, denied(2, 1)), noon.Add(61*time.Second), func(rec *exchange.Record) *bool {
		if token := rec.IssuedToken(); token.JTI != string(id(1)) || token.KeyID != "kid-1" || !token.Own() || token.Subject != "okta|alice" || !token.IssuedAt.Equal(noon.Add(time.Second)) {
			t.Errorf("asked about %+v", token)
		}
		return &yes
	})
	if err != nil {
		t.Fatal(err)
	}
	root, denial := tree.Root, tree.Root.Children[0]
	if root.Lifetime != 300 || !root.Expires.Equal(noon.Add(301*time.Second)) || root.Left != 240 || root.Revoked == nil || !*root.Revoked {
		t.Errorf("%+v", root)
	}
	if root.Narrowed.Lifetime != 1500 || root.Actor.Subject != "client:edge" || root.Act[0].Subject != "agent" || root.Policy != "staff-orders" || root.PolicyRevision != 3 {
		t.Errorf("%+v", root)
	}
	if denial.Reason != exchange.ScopeNotHeld || denial.Expires != nil || denial.Revoked != nil || !slices.Equal(denial.Scopes, []string{"orders:refund"}) {
		t.Errorf("%+v", denial)
	}
	if late, _ := lineage.New(id(1), bodies(t, rec), noon.Add(time.Hour), nil); late.Root.Left != 0 || late.Root.Revoked != nil {
		t.Errorf("%+v", late.Root)
	}
}

// An actor token is no edge: it is named at both ends.
func TestActorTokensAreCrossLinks(t *testing.T) {
	t.Parallel()
	elsewhere := issued(8, 7)
	elsewhere.ActorParent = string(id(2))
	within := issued(3, 1)
	within.ActorParent = string(id(9))
	tree := treeOf(t, 1, issued(1, 0), issued(2, 1), within, elsewhere)
	if got := shape(tree.Root); got != "1(2 3)" || tree.Exchanges != 3 {
		t.Errorf("%s of %d", got, tree.Exchanges)
	}
	if acted := tree.Root.Children[0].ActedIn; !slices.Equal(acted, []exchange.ID{id(8)}) || tree.Root.Children[1].ActorParent != id(9) {
		t.Errorf("%v, %s", acted, tree.Root.Children[1].ActorParent)
	}
}

func TestATreeIsBoundedAndSaysSo(t *testing.T) {
	t.Parallel()
	var chain, star []*exchange.Record
	for n := range lineage.MaxDepth + 5 {
		chain = append(chain, issued(n+1, n))
	}
	for n := range lineage.MaxNodes {
		star = append(star, issued(n+1, min(n, 1)))
	}
	if tree := treeOf(t, 1, chain...); !tree.Truncated || tree.Exchanges != lineage.MaxDepth {
		t.Errorf("a chain of %d, %v", tree.Exchanges, tree.Truncated)
	}
	if tree := treeOf(t, 1, chain[:lineage.MaxDepth-1]...); tree.Truncated {
		t.Error("a chain that is whole is called truncated")
	}
	if tree := treeOf(t, 1, star...); !tree.Truncated {
		t.Errorf("a star of %d", tree.Exchanges)
	}
}

// Only a forged record can be its own ancestor, or no JSON; neither hangs.
func TestForgedRecordsEnd(t *testing.T) {
	t.Parallel()
	if tree := treeOf(t, 1, issued(1, 2), issued(2, 1)); tree.Exchanges > lineage.MaxDepth {
		t.Errorf("%d exchanges", tree.Exchanges)
	}
	if _, err := lineage.New(id(1), [][]byte{[]byte("{")}, noon, nil); err == nil {
		t.Error("a record that cannot be read was read")
	}
	if _, err := lineage.New(id(2), bodies(t, issued(1, 0)), noon, nil); err == nil {
		t.Error("an exchange that is not there has a tree")
	}
}

// Every record of a tree stands in it once, under its parent, whatever the order
// in which they come.
func TestEveryRecordStandsInItsTreeOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(rt, "n")
		var records []*exchange.Record
		for i := 1; i <= n; i++ {
			records = append(records, issued(i, rapid.IntRange(min(1, i-1), i-1).Draw(rt, "parent")))
		}
		records = rapid.Permutation(records).Draw(rt, "order")
		tree := treeOf(t, rapid.IntRange(1, n).Draw(rt, "asked"), records...)
		seen := map[exchange.ID]bool{}
		var walk func(*lineage.Node)
		walk = func(node *lineage.Node) {
			if seen[node.ID] {
				rt.Fatalf("%s twice", node.ID)
			}
			seen[node.ID] = true
			for _, child := range node.Children {
				if child.Parent != node.ID {
					rt.Fatalf("%s hangs from %s, not from %s", child.ID, node.ID, child.Parent)
				}
				walk(child)
			}
		}
		if walk(tree.Root); len(seen) != n || tree.Root.ID != id(1) {
			rt.Fatalf("%d of %d, root %s", len(seen), n, tree.Root.ID)
		}
	})
}

package conformance_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestLineageOfRealExchanges: a root, what was exchanged from its token and what
// was denied are one tree, found from each of them, in which a revocation shows.
func TestLineageOfRealExchanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.send(t, set("audience", ordersAudience, billingAudience), set("scope", "common")).mustIssue()
	child := w.send(t, onward(root.text("access_token"))).mustIssue()
	w.clock.advance(time.Second) // what comes later stands below
	denied := w.send(t, onward(root.text("access_token")), set("scope", "billing:read")).mustRefuse(400, "invalid_scope", "scope_not_allowed")
	other := w.send(t).mustIssue()
	id := func(a *answer) string { return a.header.Get("X-Strait-Decision") }
	tree := func(of *answer) (string, members) {
		a := w.manage(t, http.MethodGet, "/exchanges/"+id(of)+"/lineage", nil)
		top, isNode := a.body["root"].(members)
		if a.status != http.StatusOK || !isNode || a.text("asked") != id(of) {
			t.Fatalf("%d %s", a.status, a.raw)
		}
		return outline(top), top
	}
	want := fmt.Sprintf("%s issued false (%s issued false, %s denied <nil>)", id(root), id(child), id(denied))
	for _, of := range []*answer{root, child, denied} {
		if got, _ := tree(of); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if got, _ := tree(other); got != id(other)+" issued false" {
		t.Errorf("the other tree is %s", got)
	}
	w.mustEnd(t, "gateway", root.text("access_token"))
	got, top := tree(child)
	if want := strings.ReplaceAll(want, "false", "true"); got != want {
		t.Errorf("revoked: %s, want %s", got, want)
	}
	leaf, _ := top["children"].([]any)[0].(members)
	if leaf["policy"] != "onward" || leaf["client"] != "relay" || fmt.Sprint(leaf["narrowed"]) == "<nil>" || fmt.Sprint(leaf["scopes"]) != "[common]" {
		t.Errorf("%v", leaf)
	}
}

// outline is a tree as "ID decision revoked (children)".
func outline(node members) string {
	text := fmt.Sprint(node["id"], " ", node["decision"], " ", node["revoked"])
	children, _ := node["children"].([]any)
	var inside []string
	for _, child := range children {
		if child, is := child.(members); is {
			inside = append(inside, outline(child))
		}
	}
	if len(inside) > 0 {
		text += " (" + strings.Join(inside, ", ") + ")"
	}
	return text
}

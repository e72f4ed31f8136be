package admin

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func applyOf(rest string, objects ...string) string {
	return `{"objects":[` + strings.Join(objects, ",") + `]` + rest + `}`
}

func results(a answer) []string {
	var lines []string
	for _, item := range a.json["results"].([]any) {
		r := item.(map[string]any)
		lines = append(lines, fmt.Sprintf("%v/%v %v", r["kind"], r["name"], r["result"]))
	}
	return lines
}

func TestApplyIsAllOrNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.call("POST", "/admin/v1/apply", applyOf("", policy("p", "edge", "orders"), client("edge"))).want(t, 422)
	if got := a.faults(); !slices.Equal(got, []string{"reference /objects/0/spec/targets/0"}) || b.store.revision != 0 {
		t.Fatalf("%v at revision %d", got, b.store.revision)
	}
	a = b.call("POST", "/admin/v1/apply", applyOf("", policy("p", "edge", "orders"), client("edge"), target("orders"))).want(t, 200)
	if got := results(a); !slices.Equal(got, []string{"ExchangePolicy/p created", "Client/edge created", "Target/orders created"}) || a.json["revision"] != 1.0 {
		t.Error(got, a.json["revision"])
	}
	again := b.call("POST", "/admin/v1/apply", applyOf("", target("orders"))).want(t, 200)
	if got := results(again); !slices.Equal(got, []string{"Target/orders unchanged"}) || again.json["revision"] != 1.0 {
		t.Error(got, again.json["revision"])
	}
}

func TestApplyTellsEveryFaultAtItsPlace(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	misspelt := strings.Replace(target("b"), "audience", "audiance", 1)
	empty := strings.Replace(target("c"), "https://c.example.com", "", 1)
	a := b.call("POST", "/admin/v1/apply", applyOf("", target("a"), misspelt, empty)).want(t, 422)
	if got := a.faults(); !slices.Equal(got, []string{"unknown_field /objects/1/spec/audiance", "required /objects/2/spec/audience"}) {
		t.Error(got)
	}
}

func TestApplyNamesAnObjectThatWasNotSent(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.call("POST", "/admin/v1/apply", applyOf(`,"set":"s"`, client("edge"), target("orders"))).want(t, 200)
	b.call("POST", "/admin/v1/apply", applyOf("", policy("p", "edge", "orders"))).want(t, 200)
	a := b.call("POST", "/admin/v1/apply", applyOf(`,"set":"s","prune":true`, client("edge"))).want(t, 422)
	if !strings.Contains(a.body, "ExchangePolicy/p") {
		t.Errorf("pruning a target in use does not say by whom: %s", a.body)
	}
}

func TestPruneDeletesOnlyItsSet(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.call("POST", "/admin/v1/apply", applyOf(`,"set":"s"`, target("a"), target("b"))).want(t, 200)
	b.call("POST", "/admin/v1/apply", applyOf("", target("c"))).want(t, 200)
	a := b.call("POST", "/admin/v1/apply", applyOf(`,"set":"s","prune":true`, target("a"))).want(t, 200)
	if got := results(a); !slices.Equal(got, []string{"Target/a unchanged", "Target/b deleted"}) {
		t.Error(got)
	}
	b.call("GET", "/admin/v1/targets/c", "").want(t, 200)
	b.call("POST", "/admin/v1/apply", applyOf(`,"prune":true`, target("a"))).want(t, 422)
}

func TestApplyIfRevision(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.call("POST", "/admin/v1/apply", applyOf(`,"ifRevision":0`, target("a"))).want(t, 200)
	b.call("POST", "/admin/v1/apply", applyOf(`,"ifRevision":0`, target("b"))).want(t, 409)
	b.call("GET", "/admin/v1/targets/b", "").want(t, 404)
}

func TestApplyDryRunChangesNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.call("POST", "/admin/v1/apply", applyOf(`,"dryRun":true`, target("a"))).want(t, 200)
	if got := results(a); !slices.Equal(got, []string{"Target/a created"}) || b.store.revision != 0 {
		t.Error(got, b.store.revision)
	}
}

func TestApplyBodyIsReadStrictly(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, c := range []struct {
		body   string
		code   int
		faults string
	}{
		{`[]`, 422, "type "},
		{`{}`, 422, "required /objects"},
		{`{"objects":[],"Prune":true}`, 422, "unknown_field /Prune"},
		{`{"objects":[],"dryRun":true,"dryRun":false}`, 422, "duplicate /dryRun"},
		{`{"objects":[],"dryRun":"true"}`, 422, "type /dryRun"},
		{`{"objects":[}`, 400, "unreadable"},
		{`{"objects":[],"set":"Not A Name"}`, 422, "value /set"},
	} {
		a := b.call("POST", "/admin/v1/apply", c.body)
		if got := a.faults(); a.code != c.code || len(got) != 1 || !strings.HasPrefix(got[0], c.faults) {
			t.Errorf("%s: %d %v, want %d %s", c.body, a.code, got, c.code, c.faults)
		}
	}
}

func TestChangesSayWhoWhenAndWhy(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.call("PUT", "/admin/v1/targets/a", target("a"), headerLine{"X-Change-Reason", "first service, SEC-1"}).want(t, 201)
	b.call("DELETE", "/admin/v1/targets/a", "", headerLine{"If-Match", "*"}, headerLine{"X-Change-Reason", "gone"}).want(t, 204)
	page := b.call("GET", "/admin/v1/changes?limit=1", "").want(t, 200)
	newest := page.json["items"].([]any)[0].(map[string]any)
	if newest["action"] != "deleted" || newest["by"] != "bootstrap" || newest["reason"] != "gone" || newest["revision"] != 2.0 || newest["requestId"] != "req-1" || newest["after"] != nil {
		t.Errorf("newest change: %v", newest)
	}
	next := b.call("GET", "/admin/v1/changes?pageToken="+page.json["nextPageToken"].(string), "").want(t, 200)
	oldest := next.json["items"].([]any)[0].(map[string]any)
	if oldest["action"] != "created" || oldest["reason"] != "first service, SEC-1" || oldest["before"] != nil || next.json["nextPageToken"] != nil {
		t.Errorf("oldest change: %v", oldest)
	}
	b.call("PUT", "/admin/v1/targets/b", target("b"), headerLine{"X-Change-Reason", strings.Repeat("x", 501)}).want(t, 400)
	b.call("GET", "/admin/v1/changes?pageToken="+cursor("changes", "1 OR 1=1"), "").want(t, 400)
}

package admin

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/analysis"
)

// newLintBench is a bench at noon whose lint reads expressions.
func newLintBench(t *testing.T) *bench {
	t.Helper()
	claims, err := analysis.NewClaims()
	if err != nil {
		t.Fatal(err)
	}
	return newBenchWith(t, func(o *Options) {
		o.Claims = claims
		o.Clock = func() time.Time { return noon }
	})
}

// items are the objects of a list in an answer, each as its words.
func items(list any, words ...string) []string {
	all := []string{}
	for _, item := range list.([]any) {
		var line []string
		for _, word := range words {
			line = append(line, fmt.Sprint(item.(map[string]any)[word]))
		}
		all = append(all, strings.Join(line, " "))
	}
	return all
}

func long(policy string) string {
	return strings.Replace(policy, `"lifetime":"5m"`, `"lifetime":"2h"`, 1)
}

func lasting(target string) string { return strings.Replace(target, `"15m"`, `"24h"`, 1) }

func TestLintTellsWhatThereIsToFind(t *testing.T) {
	t.Parallel()
	b := newLintBench(t)
	clean := b.call("GET", "/admin/v1/lint", "").want(t, 200)
	if got := items(clean.json["findings"], "code"); len(got) != 0 || clean.json["suppressed"] != 0.0 {
		t.Errorf("an empty catalogue: %s", clean.body)
	}
	suppressed := strings.Replace(long(policy("q", "edge", "orders")), `"metadata":{"name":"q"}`,
		`"metadata":{"name":"q","annotations":{"strait.dev/suppress-long-lifetime":"batch, SEC-3; until 2027-03-01","strait.dev/suppress-policy-shadowed":"on purpose; until 2027-03-01"}}`, 1)
	b.call("POST", "/admin/v1/apply", applyOf("", client("edge"), client("idle"), lasting(target("orders")), long(policy("p", "edge", "orders")), suppressed)).want(t, 200)
	a := b.call("GET", "/admin/v1/lint", "").want(t, 200)
	want := []string{"warning client-without-policy Client/idle ", "warning long-lifetime ExchangePolicy/p /spec/issue/lifetime"}
	if got := items(a.json["findings"], "severity", "code", "object", "path"); !slices.Equal(got, want) {
		t.Errorf("findings = %q, want %q", got, want)
	}
	if a.json["suppressed"] != 2.0 || a.json["revision"] != 1.0 || a.json["time"] != "2026-11-24T12:00:00Z" {
		t.Errorf("report = %s", a.body)
	}
	b.call("GET", "/admin/v1/lint?code=x", "").want(t, 400)
}

func TestDryRunTellsWhatAChangeBrings(t *testing.T) {
	t.Parallel()
	b := newLintBench(t)
	b.call("POST", "/admin/v1/apply", applyOf("", client("edge"), client("idle"), lasting(target("orders")), policy("p", "edge", "orders"))).want(t, 200)
	wider := strings.Replace(long(policy("p", "edge", "orders")), `"allow":["read"]`, `"allow":["write"]`, 1)
	wider = strings.Replace(wider, `"default":["read"]`, `"default":[]`, 1)
	a := b.call("POST", "/admin/v1/apply", applyOf(`,"dryRun":true`, wider)).want(t, 200)
	told := func(of string, outlook map[string]any) {
		t.Helper()
		// idle was idle before
		if got := items(outlook["findings"], "code", "object"); !slices.Equal(got, []string{"long-lifetime ExchangePolicy/p"}) {
			t.Errorf("%s: findings = %q", of, got)
		}
		reach := outlook["reach"].(map[string]any)
		gained, lost := items(reach["newlyReachable"], "target", "scope", "from"), items(reach["noLongerReachable"], "target", "scope", "from")
		if !slices.Equal(gained, []string{"orders write map[client:edge]"}) || !slices.Equal(lost, []string{"orders read map[client:edge]"}) {
			t.Errorf("%s: gained %q, lost %q", of, gained, lost)
		}
	}
	told("apply", a.json)
	put := b.call("PUT", "/admin/v1/exchange-policies/p?dryRun=true", wider, headerLine{"If-Match", "*"}).want(t, 200)
	told("put", put.json["status"].(map[string]any))
	gone := b.call("DELETE", "/admin/v1/exchange-policies/p?dryRun=true", "", headerLine{"If-Match", "*"}).want(t, 200)
	if got := items(gone.json["findings"], "code", "object"); !slices.Equal(got, []string{"client-without-policy Client/edge"}) {
		t.Errorf("delete: findings = %q", got)
	}
	if lost := items(gone.json["reach"].(map[string]any)["noLongerReachable"], "target", "scope"); !slices.Equal(lost, []string{"orders read"}) {
		t.Errorf("delete: lost %q", lost)
	}
	if put.header.Get("ETag") != "" || b.store.revision != 1 {
		t.Errorf("ETag %q, revision %d: a preview does not exist", put.header.Get("ETag"), b.store.revision)
	}
}

func TestAWriteHasNoOutlook(t *testing.T) {
	t.Parallel()
	b := newLintBench(t)
	a := b.call("POST", "/admin/v1/apply", applyOf("", target("orders"))).want(t, 200)
	read := b.call("GET", "/admin/v1/targets/orders", "").want(t, 200)
	for _, body := range []string{a.body, read.body} {
		if strings.Contains(body, "findings") || strings.Contains(body, "reach") {
			t.Errorf("answer = %s", body)
		}
	}
	same := b.call("POST", "/admin/v1/apply", applyOf(`,"dryRun":true`, target("orders"))).want(t, 200)
	if !strings.Contains(same.body, `"findings":[]`) || !strings.Contains(same.body, `"newlyReachable":[]`) {
		t.Errorf("a dry run that changes nothing says so: %s", same.body)
	}
}

func TestReachOverHTTP(t *testing.T) {
	t.Parallel()
	b := newLintBench(t)
	b.call("POST", "/admin/v1/apply", applyOf("", client("edge"), client("other"), target("orders"), policy("p", "edge", "orders"), policy("q", "other", "orders"))).want(t, 200)
	a := b.call("GET", "/admin/v1/reach?to=read&target=orders", "").want(t, 200)
	if got := items(a.json["reached"], "from", "target", "scope"); !slices.Equal(got, []string{"map[client:edge] orders read", "map[client:other] orders read"}) {
		t.Errorf("reached = %q", got)
	}
	if ways := a.json["ways"].([]any); len(ways) != 2 || a.json["truncated"] != false || a.json["revision"] != 1.0 {
		t.Errorf("answer = %s", a.body)
	}
	one := b.call("GET", "/admin/v1/reach?target=orders&from=other", "").want(t, 200)
	if got := items(one.json["reached"], "from"); !slices.Equal(got, []string{"map[client:other]"}) {
		t.Errorf("from other: %q", got)
	}
	cut := b.call("GET", "/admin/v1/reach?to=read&limit=1", "").want(t, 200)
	if ways := cut.json["ways"].([]any); len(ways) != 1 || cut.json["truncated"] != true {
		t.Errorf("limit 1: %s", cut.body)
	}
	if none := b.call("GET", "/admin/v1/reach?to=unheard-of", "").want(t, 200); !strings.Contains(none.body, `"reached":[]`) {
		t.Errorf("nothing: %s", none.body)
	}
}

func TestReachRefusesQueriesThatMeanNothing(t *testing.T) {
	t.Parallel()
	b := newLintBench(t)
	b.call("POST", "/admin/v1/apply", applyOf("", target("orders"))).want(t, 200)
	for _, q := range []string{"", "?from=orders", "?target=nowhere", "?to=read&from=nobody", "?to=read&limit=0", "?to=read&limit=1001", "?to=read&limit=x", "?to=read&to=write", "?scope=read"} {
		if a := b.call("GET", "/admin/v1/reach"+q, ""); a.code != http.StatusBadRequest {
			t.Errorf("%q: %d %s", q, a.code, a.body)
		}
	}
}

package admin

import (
	"strings"
	"testing"

	"github.com/strait-sts/strait/internal/audit"
	"github.com/strait-sts/strait/internal/exchange"
)

func TestLineageIsTheTreeOfAnExchange(t *testing.T) {
	t.Parallel()
	yes := true
	b := newBenchWith(t, func(o *Options) { o.Revoked = func(*exchange.Record) *bool { return &yes } })
	const root = "0198c1d2-7a10-7c3e-9f00-2b1f6f1d3a51"
	for id, rest := range map[string]string{
		root:                                   `"decision":"issued","client":"edge","flow":"downscope","policy":"p","lifetime":{"issued":300},"scopes":{"issued":["a"]},"subject":{"issuer":"idp","sub":"alice","act":[{"iss":"https://x","sub":"y"}]}`,
		"0198c1d2-7a10-7c3e-9f00-2b1f6f1d3a52": `"decision":"denied","reason":"scope_not_held","lifetime":{},"scopes":{},"parent":"` + root + `"`,
		"0198c1d2-7a10-7c3e-9f00-2b1f6f1d3a53": `"decision":"issued","lifetime":{"issued":1},"scopes":{},"actorParent":"` + root + `"`,
	} {
		b.records = append(b.records, audit.Row{Copies: audit.Copies{ID: id}, Body: []byte(`{"configRevision":1,"id":"` + id + `","time":"2026-11-24T12:00:00Z",` + rest + `}`)})
	}
	for _, asked := range []string{root, "0198c1d2-7a10-7c3e-9f00-2b1f6f1d3a52"} {
		a := b.call("GET", "/admin/v1/exchanges/"+asked+"/lineage", "").want(t, 200)
		for _, part := range []string{
			`"asked":"` + asked + `"`, `"exchanges":2`, `"truncated":false`, `"revoked":true`, `"revoked":null`, `"reason":"scope_not_held"`,
			`"actedIn":["0198c1d2-7a10-7c3e-9f00-2b1f6f1d3a53"]`, `"act":[{"iss":"https://x","sub":"y"}]`, `"lifetime":300`, `"left":`,
		} {
			if !strings.Contains(strings.ReplaceAll(a.body, ": ", ":"), part) {
				t.Errorf("no %s in %s", part, a.body)
			}
		}
	}
	for _, id := range []string{"0198c1d2-7a10-7c3e-9f00-2b1f6f1d3a59", "not-an-id"} {
		b.call("GET", "/admin/v1/exchanges/"+id+"/lineage", "").want(t, 404)
	}
	b.call("GET", "/admin/v1/exchanges/"+root+"/lineage?depth=1", "").want(t, 400)
	b.records[0].Body = []byte("{")
	b.call("GET", "/admin/v1/exchanges/"+root+"/lineage", "").want(t, 503)
}

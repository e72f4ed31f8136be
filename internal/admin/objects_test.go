package admin

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestObjectLifeByETag(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	created := b.call("PUT", "/admin/v1/targets/orders-api", target("orders-api")).want(t, 201)
	etag := created.header.Get("ETag")
	read := b.call("GET", "/admin/v1/targets/orders-api", "").want(t, 200)
	if read.header.Get("ETag") != etag || read.body != created.body {
		t.Errorf("read %s %s, created %s %s", read.header.Get("ETag"), read.body, etag, created.body)
	}
	changed := strings.Replace(target("orders-api"), "15m", "10m", 1)
	second := b.call("PUT", "/admin/v1/targets/orders-api", changed, headerLine{"If-Match", etag}).want(t, 200)
	if second.header.Get("ETag") == etag {
		t.Error("another object with the same ETag")
	}
	b.call("DELETE", "/admin/v1/targets/orders-api", "", headerLine{"If-Match", etag}).want(t, 412)
	b.call("DELETE", "/admin/v1/targets/orders-api", "", headerLine{"If-Match", second.header.Get("ETag")}).want(t, 204)
	b.call("GET", "/admin/v1/targets/orders-api", "").want(t, 404)
}

func TestChangeNeedsAPrecondition(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	path := "/admin/v1/targets/orders-api"
	b.call("PUT", path, target("orders-api"), headerLine{"If-Match", "*"}).want(t, 412)
	etag := b.call("PUT", path, target("orders-api")).want(t, 201).header.Get("ETag")
	for _, c := range []struct {
		method, ifMatch string
		code            int
	}{
		{"PUT", "", 428},
		{"DELETE", "", 428},
		{"PUT", `"other"`, 412},
		{"DELETE", `"other"`, 412},
		{"PUT", "W/" + etag, 412}, // strong comparison (RFC 9110 §13.1.1)
		{"DELETE", strings.Trim(etag, `"`), 412},
		{"PUT", `"other", ` + etag, 200},
		{"PUT", "*", 200},
		{"DELETE", "*", 204},
		{"DELETE", "*", 404},
	} {
		body := ""
		if c.method == "PUT" {
			body = target("orders-api")
		}
		if a := b.call(c.method, path, body, headerLine{"If-Match", c.ifMatch}); a.code != c.code {
			t.Errorf("%s If-Match %q: %d, want %d: %s", c.method, c.ifMatch, a.code, c.code, a.body)
		}
	}
}

func TestDryRunChangesNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	path := "/admin/v1/targets/orders-api"
	preview := b.call("PUT", path+"?dryRun=true", target("orders-api")).want(t, 201)
	if preview.header.Get("ETag") != "" || b.store.revision != 0 {
		t.Errorf("ETag %q, revision %d", preview.header.Get("ETag"), b.store.revision)
	}
	b.call("PUT", path, target("orders-api")).want(t, 201)
	b.call("DELETE", path+"?dryRun=true", "", headerLine{"If-Match", "*"}).want(t, 200)
	b.call("GET", path, "").want(t, 200)
	b.call("PUT", path+"?dryRun=perhaps", target("orders-api"), headerLine{"If-Match", "*"}).want(t, 400)
}

func TestSecretsAreNeverReadBack(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	answers := []answer{
		b.call("PUT", "/admin/v1/clients/edge", client("edge")).want(t, 201),
		b.call("GET", "/admin/v1/clients/edge", "").want(t, 200),
		b.call("GET", "/admin/v1/clients", "").want(t, 200),
		b.call("GET", "/admin/v1/changes", "").want(t, 200),
	}
	for i, a := range answers {
		if strings.Contains(a.body, secret) || strings.Contains(a.body, "digest-of") || strings.Contains(a.body, "redacted") {
			t.Errorf("answer %d shows secret or digest: %s", i, a.body)
		}
	}
	if strings.Contains(b.log.String(), secret) {
		t.Error("the secret is in the log")
	}
}

func TestWhatWasReadCanBeWrittenBack(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.call("PUT", "/admin/v1/clients/edge", client("edge")).want(t, 201)
	read := b.call("GET", "/admin/v1/clients/edge", "")
	again := b.call("PUT", "/admin/v1/clients/edge", read.body, headerLine{"If-Match", "*"}).want(t, 200)
	if again.header.Get("ETag") != read.header.Get("ETag") || b.store.revision != 1 {
		t.Errorf("writing back what was read changed it: revision %d", b.store.revision)
	}
}

func TestListsComeInPages(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var want []string
	for i := range 7 {
		name := fmt.Sprintf("t%d", i)
		b.call("PUT", "/admin/v1/targets/"+name, target(name)).want(t, 201)
		want = append(want, name)
	}
	var got []string
	token, pages := "", 0
	for {
		page := b.call("GET", "/admin/v1/targets?limit=3&pageToken="+token, "").want(t, 200)
		for _, item := range page.json["items"].([]any) {
			got = append(got, item.(map[string]any)["metadata"].(map[string]any)["name"].(string))
		}
		pages++
		if token, _ = page.json["nextPageToken"].(string); token == "" {
			break
		}
	}
	if !slices.Equal(got, want) || pages != 3 {
		t.Errorf("%v in %d pages", got, pages)
	}
	empty := b.call("GET", "/admin/v1/clients", "").want(t, 200)
	if !strings.HasPrefix(empty.body, `{"items":[]`) {
		t.Errorf("an empty list is %s", empty.body)
	}
}

func TestListRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, query := range []string{
		"limit=0", "limit=501", "limit=100000000", "limit=-1", "limit=ten", "pageToken=x", "pageToken=" + cursor("clients", "a"),
		"pageToken=" + cursor("targets", "'; DROP TABLE records; --"), "filter=x", "limit=1&limit=2", "%zz=1",
	} {
		b.call("GET", "/admin/v1/targets?"+query, "").want(t, 400)
	}
}

func TestBodyIsTheObjectOfThePath(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.call("PUT", "/admin/v1/clients/other", target("orders-api")).want(t, 422)
	if got := a.faults(); !slices.Equal(got, []string{"value /kind", "value /metadata/name"}) {
		t.Error(got)
	}
}

func TestBodiesAreReadStrictly(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	good := target("orders-api")
	for _, c := range []struct {
		name, body string
		code       int
		faults     string
	}{
		{"not JSON", `{`, 400, "unreadable"},
		{"two values", good + good, 400, "unreadable"},
		{"a byte order mark", "\ufeff" + good, 400, "unreadable"},
		{"unknown field", strings.Replace(good, `"spec"`, `"sepc":{},"spec"`, 1), 422, "unknown_field /sepc"},
		{"field of another case", strings.Replace(good, `"audience"`, `"Audience"`, 1), 422, "unknown_field /spec/Audience"},
		{"field twice", strings.Replace(good, `"audience"`, `"audience":"https://evil.example","audience"`, 1), 422, "duplicate /spec/audience"},
		{"wrong type", strings.Replace(good, `"15m"`, `15`, 1), 422, "type /spec/token/maxLifetime"},
		{"missing field", strings.Replace(good, `"audience":"https://orders-api.example.com",`, ``, 1), 422, "required /spec/audience"},
		{"not built yet", strings.Replace(good, `"scopes"`, `"requireProof":"dpop","scopes"`, 1), 422, "not_implemented /spec/requireProof"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := b.call("PUT", "/admin/v1/targets/orders-api", c.body).want(t, c.code)
			if got := a.faults(); len(got) == 0 || !strings.HasPrefix(got[0], c.faults) {
				t.Errorf("faults %v, want %s", got, c.faults)
			}
		})
	}
	if b.store.revision != 0 {
		t.Error("a refused body changed something")
	}
}

func TestKindsNotBuiltYetAreRefusedByName(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	body := `{"apiVersion":"strait/v1","kind":"AdminGrant","metadata":{"name":"g"},"governance":{"owner":"o","justification":"j"},"spec":{}}`
	a := b.call("PUT", "/admin/v1/admin-grants/g", body).want(t, 422)
	if got := a.faults(); len(got) != 1 || !strings.HasPrefix(got[0], "not_implemented") {
		t.Error(got)
	}
	if got := b.call("GET", "/admin/v1/admin-grants", "").want(t, 200).body; !strings.HasPrefix(got, `{"items":[]`) {
		t.Error(got)
	}
}

func TestDatabaseDownIs503(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.call("PUT", "/admin/v1/targets/a", target("a")).want(t, 201)
	b.store.broken = errors.New("connection refused to 10.0.0.1:5432 as user strait")
	a := b.call("PUT", "/admin/v1/targets/b", target("b")).want(t, 503)
	if a.header.Get("Retry-After") == "" || strings.Contains(a.body, "10.0.0.1") {
		t.Errorf("Retry-After %q, body %s", a.header.Get("Retry-After"), a.body)
	}
	if !strings.Contains(b.log.String(), "10.0.0.1") || !strings.Contains(b.log.String(), "req-1") {
		t.Errorf("the log does not say why: %s", b.log)
	}
	b.call("GET", "/admin/v1/targets/a", "").want(t, 200) // from memory
}

func TestWhatIsNamedByOthersStays(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.call("POST", "/admin/v1/apply", applyOf("", policy("p", "edge", "orders"), client("edge"), target("orders"))).want(t, 200)
	a := b.call("DELETE", "/admin/v1/targets/orders", "", headerLine{"If-Match", "*"}).want(t, 422)
	if !strings.Contains(a.body, "ExchangePolicy/p: /spec/targets/0") || !slices.Equal(a.faults(), []string{"reference "}) {
		t.Errorf("the answer does not say who names it: %s", a.body)
	}
}

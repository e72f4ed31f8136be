package admin

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/strait-sts/strait/internal/catalog"
)

// trusting is a Trust that knows one issuer.
type trusting struct{ err error }

func (trusting) Health() map[string]any {
	return map[string]any{"okta": map[string]any{"state": "healthy", "unknownKids": 3, "failures": 0, "keys": []map[string]any{{"kid": "k1"}}}}
}

func (t trusting) Probe(_ context.Context, name string) (any, error) {
	if name != "okta" {
		return nil, catalog.ErrNotFound
	}
	return map[string]any{"ok": false, "took": "2ms", "error": "fetch from okta.test: timed out"}, t.err
}

func issuer(name string) string {
	return `{"apiVersion":"strait/v1","kind":"TrustedIssuer","metadata":{"name":"` + name + `"},
		"governance":{"owner":"o@example.com","justification":"tests","reviewBy":"2027-03-01"},
		"spec":{"issuer":"https://` + name + `.test","keys":{"discovery":{}},"audiences":["https://gw"],"algorithms":["ES256"],
			"acceptAs":["subject"],"claimMappings":{"subject":{"prefix":"` + name + `:"}}}}`
}

func TestStatusTellsOfAnIssuersHealth(t *testing.T) {
	t.Parallel()
	b := newBenchWith(t, func(o *Options) { o.Trust = trusting{} })
	b.call("PUT", "/admin/v1/trusted-issuers/okta", issuer("okta")).want(t, 201)
	b.call("PUT", "/admin/v1/trusted-issuers/new", issuer("new")).want(t, 201)
	read := b.call("GET", "/admin/v1/trusted-issuers/okta", "").want(t, 200)
	if !strings.Contains(read.body, `"health":{"failures":0,"keys":[{"kid":"k1"}],"state":"healthy","unknownKids":3}`) {
		t.Error(read.body)
	}
	if list := b.call("GET", "/admin/v1/trusted-issuers", "").want(t, 200); strings.Count(list.body, `"health"`) != 1 {
		t.Error(list.body)
	}
	// A write takes back what was read, and its status changes nothing.
	b.call("PUT", "/admin/v1/trusted-issuers/okta", read.body, headerLine{"If-Match", "*"}).want(t, 200)
}

func TestProbe(t *testing.T) {
	t.Parallel()
	b := newBenchWith(t, func(o *Options) { o.Trust = trusting{} })
	if a := b.call("POST", "/admin/v1/trusted-issuers/okta:probe", "").want(t, 200); a.json["ok"] != false || a.json["error"] == "" {
		t.Error(a.body)
	}
	b.call("POST", "/admin/v1/trusted-issuers/nobody:probe", "").want(t, 404)
	b.call("POST", "/admin/v1/trusted-issuers/okta:probe?x=1", "").want(t, 400)
	b.call("GET", "/admin/v1/trusted-issuers/okta:probe", "").want(t, 405)
	b.call("POST", "/admin/v1/targets/okta:probe", "").want(t, 404)
	b.call("POST", "/admin/v1/trusted-issuers/okta:probe", "", headerLine{"Authorization", "Bearer x"}).want(t, 401)
	b = newBenchWith(t, func(o *Options) { o.Trust = trusting{errors.New("boom")} })
	b.call("POST", "/admin/v1/trusted-issuers/okta:probe", "").want(t, 503)
}

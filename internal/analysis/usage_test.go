package analysis_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/analysis"
	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/catalog/catalogtest"
)

// daysAgo is an instant before noon.
func daysAgo(n int) time.Time { return noon.AddDate(0, 0, -n) }

// used is a log of 90 days in which everything of a sound catalogue was used a
// week ago, and objects that are a year old.
func used(entries ...*catalog.Entry) *analysis.Usage {
	u := &analysis.Usage{Asked: daysAgo(90), Since: daysAgo(90), Last: map[analysis.Used]time.Time{}, Ages: map[catalog.Ref]analysis.Age{}}
	for _, e := range entries {
		u.Ages[e.Ref()] = analysis.Age{Created: daysAgo(365), Changed: daysAgo(365)}
		u.Last[analysis.Used{Kind: e.Kind, Name: e.Metadata.Name}] = daysAgo(7)
		if p, is := e.Spec.(*catalog.ExchangePolicy); is {
			for _, scope := range p.Scopes.Allow {
				u.Last[analysis.Used{Kind: e.Kind, Name: e.Metadata.Name, Scope: scope}] = daysAgo(7)
			}
		}
	}
	return u
}

func TestWhatNobodyUsedIsFound(t *testing.T) {
	t.Parallel()
	okta, edge := catalogtest.Issuer("okta", nil), catalogtest.Client("edge")
	staff := catalogtest.Policy("staff", "edge", "okta", "orders", []string{"orders:read", "orders:write"}, func(p *catalog.ExchangePolicy) {
		p.Scopes = catalog.PolicyScopes{
			Allow: []string{"orders:read", "orders:write"}, Default: []string{"orders:read", "orders:write"}, Prove: "map",
			Map: map[string][]string{"openid": {"orders:read", "orders:write"}, "profile": {"orders:write"}},
		}
	})
	all := []*catalog.Entry{okta, edge, staff, catalogtest.Target("orders", "orders:read", "orders:write")}
	of := func(e *catalog.Entry, scope string) analysis.Used {
		return analysis.Used{Kind: e.Kind, Name: e.Metadata.Name, Scope: scope}
	}
	for name, c := range map[string]struct {
		change func(*analysis.Usage)
		want   []string // code, object, and words of the message or the mend
	}{
		"all is used":     {func(*analysis.Usage) {}, nil},
		"an issuer":       {func(u *analysis.Usage) { delete(u.Last, of(okta, "")) }, []string{"unused-issuer", "TrustedIssuer/okta", "last 90 days"}},
		"a client":        {func(u *analysis.Usage) { delete(u.Last, of(edge, "")) }, []string{"unused-client", "Client/edge", "last 90 days"}},
		"a policy":        {func(u *analysis.Usage) { delete(u.Last, of(staff, "")) }, []string{"unused-policy", "ExchangePolicy/staff", "mode: disabled"}},
		"used before":     {func(u *analysis.Usage) { u.Last[of(edge, "")] = daysAgo(91) }, []string{"unused-client", "Client/edge", "last 90 days"}},
		"used at first":   {func(u *analysis.Usage) { u.Last[of(edge, "")] = daysAgo(90) }, nil},
		"a younger log":   {func(u *analysis.Usage) { u.Since = daysAgo(30); delete(u.Last, of(edge, "")) }, []string{"unused-client", "Client/edge", "last 30 days"}},
		"too young a log": {func(u *analysis.Usage) { u.Since = daysAgo(6); clear(u.Last) }, nil},
		"a young client": {func(u *analysis.Usage) {
			u.Ages[edge.Ref()] = analysis.Age{Created: daysAgo(12), Changed: daysAgo(1)}
			delete(u.Last, of(edge, ""))
		}, []string{"unused-client", "Client/edge", "last 12 days"}},
		"a client of this week": {func(u *analysis.Usage) {
			u.Ages[edge.Ref()] = analysis.Age{Created: daysAgo(3), Changed: daysAgo(3)}
			delete(u.Last, of(edge, ""))
		}, nil},
		"a scope": {func(u *analysis.Usage) { delete(u.Last, of(staff, "orders:write")) }, []string{
			"unused-scope", "ExchangePolicy/staff", `spec.scopes: {allow: ["orders:read"], default: ["orders:read"], prove: map, map: {"openid": ["orders:read"]}}`,
		}},
		"a scope of a policy that was changed this week": {func(u *analysis.Usage) {
			u.Ages[staff.Ref()] = analysis.Age{Created: daysAgo(365), Changed: daysAgo(2)}
			delete(u.Last, of(staff, "orders:write"))
		}, nil},
	} {
		u := used(all...)
		c.change(u)
		report := analysis.Lint(catalogtest.Snapshot(all...), analysis.Options{Now: noon, Usage: u})
		var found []analysis.Finding
		for _, f := range report.Findings {
			if strings.HasPrefix(f.Code, "unused-") {
				found = append(found, f)
			}
		}
		switch {
		case len(c.want) == 0 && len(found) > 0:
			t.Errorf("%s: found %+v", name, found)
		case len(c.want) == 0:
		case len(found) != 1 || found[0].Code != c.want[0] || found[0].Object != c.want[1] || !strings.Contains(found[0].Message+found[0].Fix, c.want[2]):
			t.Errorf("%s: found %+v, want %q", name, found, c.want)
		}
		if report.Usage == nil || !report.Usage.Since.Equal(u.Since) {
			t.Errorf("%s: the report says %+v of its time", name, report.Usage)
		}
	}
}

// TestWithoutALogNothingIsUnused: where the log is not asked, silence proves
// nothing; nor does it of who may be used in ways that leave no record.
func TestWithoutALogNothingIsUnused(t *testing.T) {
	t.Parallel()
	admins := catalogtest.Issuer("admins", func(i *catalog.TrustedIssuer) { i.AcceptAs = []string{"subject", "admin"} })
	off := catalogtest.Client("off")
	off.Spec.(*catalog.Client).Mode = catalog.ModeDisabled
	all := []*catalog.Entry{admins, catalogtest.Client("server", "orders"), off, catalogtest.Target("orders", "orders:read")}
	for name, u := range map[string]*analysis.Usage{"no log": nil, "an empty one": {Asked: daysAgo(90), Since: daysAgo(90)}} {
		report := analysis.Lint(catalogtest.Snapshot(all...), analysis.Options{Now: noon, Usage: u})
		if slices.ContainsFunc(report.Findings, func(f analysis.Finding) bool { return strings.HasPrefix(f.Code, "unused-") }) {
			t.Errorf("%s: %+v", name, report.Findings)
		}
	}
}

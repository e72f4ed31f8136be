package analysis_test

import (
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/analysis"
	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/expr"
)

// noon is the instant of every test.
var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func entry(kind catalog.Kind, name string, spec any, review string) *catalog.Entry {
	e := &catalog.Entry{Object: catalog.Object{
		APIVersion: catalog.APIVersion, Kind: kind, Metadata: catalog.Metadata{Name: name, Annotations: map[string]string{}},
		Governance: catalog.Governance{Owner: name + "@example.com", Justification: "test", Ticket: "SEC-1"}, Spec: spec,
	}}
	if review != "" {
		e.Governance.ReviewBy = day(review)
	}
	return e
}

func day(text string) *catalog.Date {
	var d catalog.Date
	if err := d.UnmarshalText([]byte(text)); err != nil {
		panic(err)
	}
	return &d
}

func instant(t time.Time) *time.Time { return &t }

func ptr[T any](v T) *T { return &v }

// issuer is a sound entry, changed.
func issuer(name string, change func(*catalog.TrustedIssuer)) *catalog.Entry {
	spec := &catalog.TrustedIssuer{
		Issuer: "https://" + name + ".example", Keys: catalog.Keys{Discovery: &catalog.Discovery{}},
		Audiences: []string{"https://gateway.example.com"}, Algorithms: []string{"ES256"},
		AcceptAs: []string{"subject", "actor"}, TokenTypes: []string{"jwt"},
		ClaimMappings: catalog.ClaimMappings{Subject: catalog.SubjectMapping{Claim: "sub", Prefix: ptr(name + ":")}},
		Mode:          catalog.ModeEnforce,
	}
	if change != nil {
		change(spec)
	}
	return entry(catalog.KindTrustedIssuer, name, spec, "2027-03-01")
}

func target(name string, scopes ...string) *catalog.Entry {
	return entry(catalog.KindTarget, name, &catalog.Target{
		Audience: "https://" + name + ".internal", Scopes: scopes, Mode: catalog.ModeEnforce,
		Token: catalog.TargetToken{Algorithm: "ES256", MaxLifetime: catalog.Duration(24 * time.Hour)},
	}, "")
}

// client serves the targets.
func client(name string, serves ...string) *catalog.Entry {
	return entry(catalog.KindClient, name, &catalog.Client{
		ClientID: name, Grants: []string{"token-exchange", "client_credentials"}, Serves: serves, Mode: catalog.ModeEnforce,
	}, "")
}

// policy lets a client downscope what an issuer gives, for one target; prove same.
func policy(name, client, issuer, target string, scopes []string, change func(*catalog.ExchangePolicy)) *catalog.Entry {
	spec := &catalog.ExchangePolicy{
		Flow: "downscope", Clients: []string{client},
		Subject: &catalog.PolicySubject{Issuers: []string{issuer}, TokenTypes: []string{"jwt"}},
		Actor:   &catalog.PolicyActor{From: "none"}, Targets: []string{target},
		Scopes: catalog.PolicyScopes{Allow: scopes, Prove: "same"},
		Issue:  catalog.PolicyIssue{TokenType: "access_token", Lifetime: catalog.Duration(5 * time.Minute), MaxActDepth: 4},
		Review: &catalog.PolicyReview{OnOverdue: "warn"}, Mode: catalog.ModeEnforce,
	}
	if change != nil {
		change(spec)
	}
	return entry(catalog.KindExchangePolicy, name, spec, "2027-03-01")
}

// spec is a policy's own, to change what policy made.
func spec(e *catalog.Entry) *catalog.ExchangePolicy { return e.Spec.(*catalog.ExchangePolicy) }

func snapshot(entries ...*catalog.Entry) *catalog.Snapshot { return catalog.NewSnapshot(7, entries...) }

// claims reads with a real compiler.
func claims(t testing.TB) analysis.Claims {
	t.Helper()
	compiler, err := expr.NewCompiler(1000)
	if err != nil {
		t.Fatal(err)
	}
	return analysis.ClaimsOf(compiler)
}

func cel(sources ...string) []catalog.Rule {
	var rules []catalog.Rule
	for _, source := range sources {
		rules = append(rules, catalog.Rule{Expression: source, Message: "no"})
	}
	return rules
}

package analysis_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/analysis"
	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/catalog/catalogtest"
)

// noon is the instant of every test.
var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// claims reads with a real compiler.
func claims(t testing.TB) analysis.Claims {
	t.Helper()
	read, err := analysis.NewClaims()
	if err != nil {
		t.Fatal(err)
	}
	return read
}

// sound is a small catalogue without a finding.
type sound struct {
	okta, orders, billing, edge, policy *catalog.Entry
	more                                []*catalog.Entry
	denied                              map[string]bool
}

func newSound() *sound {
	return &sound{
		okta: catalogtest.Issuer("okta", nil), orders: catalogtest.Target("orders", "orders:read", "orders:write"), billing: catalogtest.Target("billing", "billing:read"),
		edge: catalogtest.Client("edge"), policy: catalogtest.Policy("staff", "edge", "okta", "orders", []string{"orders:read"}, nil),
	}
}

func (s *sound) issuer() *catalog.TrustedIssuer { return s.okta.Spec.(*catalog.TrustedIssuer) }
func (s *sound) rule() *catalog.ExchangePolicy  { return s.policy.Spec.(*catalog.ExchangePolicy) }
func (s *sound) conditions(sources ...string) {
	s.rule().Subject.Conditions = catalogtest.Rules(sources...)
}
func (s *sound) issuerRules(sources ...string) {
	s.issuer().ClaimValidationRules = catalogtest.Rules(sources...)
}
func (s *sound) federation(conditions ...string) {
	s.rule().Flow = "federation"
	s.conditions(conditions...)
}

// suppress hides a finding of the policy.
func (s *sound) suppress(code string) {
	s.policy.Metadata.Annotations["strait.dev/suppress-"+code] = "not what the case is about; until 2027-03-01"
}

// rail adds a guardrail.
func (s *sound) rail(deny ...string) {
	s.more = append(s.more, catalogtest.Entry(catalog.KindGuardrail, "rail", &catalog.Guardrail{Deny: catalogtest.Rules(deny...)}, ""))
}

// second adds a policy behind or before the first: name decides, since priorities
// are the same.
func (s *sound) second(name string, change func(*catalog.ExchangePolicy)) {
	s.more = append(s.more, catalogtest.Policy(name, "edge", "okta", "orders", []string{"orders:write"}, change))
}

func (s *sound) lint(t testing.TB) *analysis.Report {
	t.Helper()
	all := append([]*catalog.Entry{s.okta, s.orders, s.billing, s.edge, s.policy}, s.more...)
	return analysis.Lint(catalogtest.Snapshot(all...), analysis.Options{Now: noon, Claims: claims(t), Denied: s.denied})
}

// places are code, object and path of the findings.
func places(r *analysis.Report) []string {
	var all []string
	for _, f := range r.Findings {
		all = append(all, f.Code+" "+f.Object+" "+f.Path)
	}
	return all
}

func TestASoundCatalogueHasNoFindings(t *testing.T) {
	t.Parallel()
	report := newSound().lint(t)
	if len(report.Findings) > 0 || report.Findings == nil || report.Suppressed != 0 || report.Revision != 7 || !report.Time.Equal(noon) {
		t.Errorf("report = %+v", report)
	}
}

// positives give each code; negatives are as near to it as can be, and do not.
// A want is "code path" or "code path severity".
var cases = []struct {
	name   string
	change func(*sound)
	want   string // "" where nothing is found
}{
	{"GitHub Actions, whose repository nobody looks at", func(s *sound) {
		s.issuer().Issuer = "https://token.actions.githubusercontent.com"
		s.issuerRules(`claims.ref == "refs/heads/main"`, `claims.job_workflow_ref.startsWith("acme/")`)
	}, "multi-tenant-issuer TrustedIssuer/okta /spec/claimValidationRules error"},
	{"GitHub Actions, the owner in the issuer's rules", func(s *sound) {
		s.issuer().Issuer = "https://token.actions.githubusercontent.com"
		s.issuerRules(`claims.repository_owner_id == "1234"`)
	}, ""},
	{"GitHub Actions, the owner in each policy", func(s *sound) {
		s.issuer().Issuer = "https://token.actions.githubusercontent.com"
		s.conditions(`subject.claims["sub"].startsWith("repo:acme/")`)
	}, ""},
	{"GitHub Actions, the owner in each policy, by the mapped subject", func(s *sound) {
		s.issuer().Issuer = "https://token.actions.githubusercontent.com"
		s.conditions(`subject.sub.startsWith("github:repo:acme/")`)
	}, ""},
	{"GitHub Actions, the owner by the mapped subject, which is mapped from another claim", func(s *sound) {
		s.issuer().Issuer = "https://token.actions.githubusercontent.com"
		s.issuer().ClaimMappings.Subject.Claim = "jti"
		s.conditions(`subject.sub.startsWith("github:repo:acme/")`)
	}, "multi-tenant-issuer TrustedIssuer/okta /spec/claimValidationRules error"},
	{"GitHub Actions, the owner in the mapped subject's expression", func(s *sound) {
		s.issuer().Issuer = "https://token.actions.githubusercontent.com"
		s.issuer().ClaimMappings.Subject = catalog.SubjectMapping{Expression: `claims.repository_owner_id + "/" + claims.jti`, Prefix: new("x:")}
		s.conditions(`subject.sub.startsWith("x:1234/")`)
	}, ""},
	{"GitLab.com, the namespace of the subject among the actor's conditions", func(s *sound) {
		s.issuer().Issuer = "https://gitlab.com"
		s.rule().Flow = "delegation"
		s.rule().Actor = &catalog.PolicyActor{From: "client", Conditions: catalogtest.Rules(`subject.claims.sub.startsWith("project_path:acme/")`)}
	}, ""},
	{"Google, the domain in one policy of two", func(s *sound) {
		s.issuer().Issuer = "https://accounts.google.com"
		s.conditions(`subject.claims.sub != "x"`)
		s.second("z-open", nil)
	}, "multi-tenant-issuer TrustedIssuer/okta /spec/claimValidationRules error"},
	{"Entra common, by the address of its metadata", func(s *sound) {
		s.issuer().Keys.Discovery.URL = "https://login.microsoftonline.com/common/v2.0/.well-known/openid-configuration"
	}, "multi-tenant-issuer TrustedIssuer/okta /spec/claimValidationRules error"},
	{"Entra, one tenant", func(s *sound) {
		s.issuer().Issuer = "https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0"
	}, ""},
	{"HCP Terraform, as an actor alone", func(s *sound) {
		s.more = append(s.more, catalogtest.Issuer("tfc", func(i *catalog.TrustedIssuer) { i.Issuer = "https://app.terraform.io"; i.AcceptAs = []string{"actor"} }))
		s.rule().Flow = "delegation"
		s.rule().Actor = &catalog.PolicyActor{From: "token", Issuers: []string{"tfc"}, Conditions: catalogtest.Rules(`actor.claims.sub == actor.sub`)}
	}, ""},
	{"GitLab.com, where a policy reads the subject's claims for the actor's", func(s *sound) {
		s.more = append(s.more, catalogtest.Issuer("gitlab", func(i *catalog.TrustedIssuer) { i.Issuer = "https://gitlab.com"; i.AcceptAs = []string{"actor"} }))
		s.rule().Flow = "delegation"
		s.rule().Actor = &catalog.PolicyActor{From: "token", Issuers: []string{"gitlab"}, Conditions: catalogtest.Rules(`subject.claims.sub == "alice"`)}
	}, "multi-tenant-issuer TrustedIssuer/gitlab /spec/claimValidationRules error"},
	{"a multi-tenant issuer that is disabled", func(s *sound) {
		s.more = append(s.more, catalogtest.Issuer("github", func(i *catalog.TrustedIssuer) {
			i.Issuer = "https://token.actions.githubusercontent.com"
			i.Mode = catalog.ModeDisabled
		}))
	}, ""},
	{"no audience", func(s *sound) {
		s.issuer().Audiences = nil
		s.issuer().Keys = catalog.Keys{Introspection: &catalog.Introspection{AllowedClientIDs: []string{"app"}}}
	}, "no-audience TrustedIssuer/okta /spec/audiences warning"},
	{"Keycloak's default audience", func(s *sound) { s.issuer().Audiences = []string{"https://gateway.example.com", "account"} },
		"generic-audience TrustedIssuer/okta /spec/audiences/1 warning"},
	{"GitHub's default audience", func(s *sound) { s.issuer().Audiences = []string{"https://github.com/acme"} },
		"generic-audience TrustedIssuer/okta /spec/audiences/0 warning"},
	{"the issuer as its own audience", func(s *sound) { s.issuer().Audiences = []string{"https://okta.example"} },
		"generic-audience TrustedIssuer/okta /spec/audiences/0 warning"},
	{"an audience that only holds a generic word", func(s *sound) { s.issuer().Audiences = []string{"acme-api"} }, ""},
	{"federation of everybody", func(s *sound) { s.federation() }, "open-federation ExchangePolicy/staff /spec/subject/conditions warning"},
	{"federation of everybody, of one issuer of two", func(s *sound) {
		s.federation()
		s.issuerRules(`claims.tenant == "acme"`)
		s.more = append(s.more, catalogtest.Issuer("entra", nil))
		s.rule().Subject.Issuers = []string{"okta", "entra"}
	}, "open-federation ExchangePolicy/staff /spec/subject/conditions warning"},
	{"federation under the issuer's rule", func(s *sound) { s.federation(); s.issuerRules(`claims.tenant == "acme"`) }, ""},
	{"federation of some", func(s *sound) { s.federation(`subject.sub == "alice"`) }, ""},
	{"scopes for nothing", func(s *sound) { s.federation(`subject.sub == "alice"`); s.rule().Scopes.Prove = "grant" },
		"prove-grant ExchangePolicy/staff /spec/scopes/prove warning"},
	{"one scope name at two services", func(s *sound) {
		s.billing.Spec.(*catalog.Target).Scopes = []string{"orders:read"}
		s.edge.Spec.(*catalog.Client).Serves = []string{"orders"}
		s.second("z-on", func(p *catalog.ExchangePolicy) {
			p.Subject.Issuers, p.Targets, p.Scopes.Allow = []string{"self"}, []string{"billing"}, []string{"orders:read"}
		})
	}, "self-shared-scope ExchangePolicy/z-on /spec/scopes/prove warning"},
	{"one scope name at two services, of the client's own token", func(s *sound) {
		s.billing.Spec.(*catalog.Target).Scopes = []string{"orders:read"}
		s.second("z-on", func(p *catalog.ExchangePolicy) {
			p.Subject.Issuers, p.Targets, p.Scopes.Allow = []string{"self"}, []string{"billing"}, []string{"orders:read"}
		})
	}, "self-shared-scope ExchangePolicy/z-on /spec/scopes/prove warning"},
	{"two scope names, mapped", func(s *sound) {
		s.second("z-on", func(p *catalog.ExchangePolicy) {
			p.Subject.Issuers, p.Targets = []string{"self"}, []string{"billing"}
			p.Scopes = catalog.PolicyScopes{Allow: []string{"billing:read"}, Prove: "map", Map: map[string][]string{"orders:read": {"billing:read"}}}
		})
	}, ""},
	{"the same target again", func(s *sound) {
		s.second("z-on", func(p *catalog.ExchangePolicy) {
			p.Subject.Issuers, p.Scopes.Allow = []string{"self"}, []string{"orders:read"}
		})
	}, ""},
	{"a policy of a disabled client", func(s *sound) {
		s.more = append(s.more, catalogtest.Client("old"))
		s.more[0].Spec.(*catalog.Client).Mode = catalog.ModeDisabled
		s.second("z-old", func(p *catalog.ExchangePolicy) { p.Clients = []string{"old"} })
	}, "policy-never-matches ExchangePolicy/z-old  warning"},
	{"a policy whose grant its client has not", func(s *sound) {
		s.edge.Spec.(*catalog.Client).Grants = []string{"token-exchange"}
		s.second("z-own", func(p *catalog.ExchangePolicy) { p.Flow, p.Subject, p.Actor = "client", nil, nil })
	}, "policy-never-matches ExchangePolicy/z-own  warning"},
	{"a policy of an issuer that is for actors", func(s *sound) {
		s.more = append(s.more, catalogtest.Issuer("workloads", func(i *catalog.TrustedIssuer) { i.AcceptAs = []string{"actor"} }))
		s.second("z-none", func(p *catalog.ExchangePolicy) { p.Subject.Issuers = []string{"workloads"} })
	}, "policy-never-matches ExchangePolicy/z-none  warning"},
	{"a policy that nothing of ours proves", func(s *sound) {
		s.second("z-none", func(p *catalog.ExchangePolicy) { p.Subject.Issuers = []string{"self"} }) // orders:write, held by nobody
	}, "policy-never-matches ExchangePolicy/z-none  warning"},
	{"a policy whose map leads nowhere", func(s *sound) {
		s.second("z-none", func(p *catalog.ExchangePolicy) {
			p.Scopes.Prove = "map"
			p.Priority = -1
			p.Subject.TokenTypes = []string{"jwt"}
		})
		s.policy.Spec.(*catalog.ExchangePolicy).Subject.Conditions = catalogtest.Rules(`subject.sub == "alice"`)
	}, "policy-never-matches ExchangePolicy/z-none  warning"},
	{"a policy that has expired", func(s *sound) { s.policy.Governance.ExpiresAt = new(noon) }, "policy-never-matches ExchangePolicy/staff  warning"},
	{"a policy that is about to expire", func(s *sound) { s.policy.Governance.ExpiresAt = new(noon.Add(1)) }, ""},
	{"a policy that is disabled cannot match, and is meant to", func(s *sound) {
		s.second("z-off", func(p *catalog.ExchangePolicy) { p.Mode, p.Clients = catalog.ModeDisabled, []string{"nobody"} })
	}, ""},
	{"a policy behind its like", func(s *sound) { s.second("z-behind", nil) }, "policy-shadowed ExchangePolicy/z-behind /spec/priority warning"},
	{"a narrower policy, behind by priority", func(s *sound) {
		s.second("a-behind", func(p *catalog.ExchangePolicy) {
			p.Priority = -1
			p.Subject.Conditions = catalogtest.Rules(`subject.sub == "alice"`)
		})
	}, "policy-shadowed ExchangePolicy/a-behind /spec/priority warning"},
	{"a policy behind a condition", func(s *sound) { s.conditions(`subject.sub == "alice"`); s.second("z-rest", nil) }, ""},
	{"a policy behind the same condition", func(s *sound) {
		s.conditions(`subject.sub == "alice"`)
		s.second("z-rest", func(p *catalog.ExchangePolicy) {
			p.Subject.Conditions = catalogtest.Rules(`subject.iss == "x"`, `subject.sub == "alice"`)
		})
	}, "policy-shadowed ExchangePolicy/z-rest /spec/priority warning"},
	{"a policy that takes another type too", func(s *sound) {
		s.issuer().TokenTypes = []string{"jwt", "id_token"}
		s.second("z-more", func(p *catalog.ExchangePolicy) { p.Subject.TokenTypes = []string{"jwt", "id_token"} })
	}, ""},
	{"a policy behind another audience", func(s *sound) {
		s.issuer().Audiences = []string{"https://a.example", "https://b.example"}
		s.rule().Subject.Audiences = []string{"https://a.example"}
		s.second("z-b", func(p *catalog.ExchangePolicy) { p.Subject.Audiences = []string{"https://b.example"} })
	}, ""},
	{"a policy with one target, behind one with two, decides where no target is asked for", func(s *sound) {
		s.rule().Targets = []string{"orders", "billing"}
		s.second("z-default", nil)
	}, ""},
	{"delegation behind downscope", func(s *sound) {
		s.second("z-delegate", func(p *catalog.ExchangePolicy) { p.Flow, p.Actor = "delegation", &catalog.PolicyActor{From: "client"} })
	}, ""},
	{"downscope behind delegation by the client", func(s *sound) {
		s.rule().Flow, s.rule().Actor = "delegation", &catalog.PolicyActor{From: "client"}
		s.second("z-plain", nil)
	}, "policy-shadowed ExchangePolicy/z-plain /spec/priority warning"},
	{"a lifetime of two hours", func(s *sound) { s.rule().Issue.Lifetime = catalog.Duration(2 * time.Hour) },
		"long-lifetime ExchangePolicy/staff /spec/issue/lifetime warning"},
	{"a lifetime of one hour", func(s *sound) { s.rule().Issue.Lifetime = catalog.Duration(time.Hour) }, ""},
	{"a lifetime of two hours that the target caps", func(s *sound) {
		s.rule().Issue.Lifetime = catalog.Duration(2 * time.Hour)
		s.orders.Spec.(*catalog.Target).Token.MaxLifetime = catalog.Duration(5 * time.Minute)
	}, ""},
	{"a lifetime of 89 s", func(s *sound) { s.rule().Issue.Lifetime = catalog.Duration(89 * time.Second) },
		"short-lifetime ExchangePolicy/staff /spec/issue/lifetime info"},
	{"a lifetime of 90 s", func(s *sound) { s.rule().Issue.Lifetime = catalog.Duration(90 * time.Second) }, ""},
	{"five actors", func(s *sound) { s.rule().Issue.MaxActDepth = 5 }, "deep-chain ExchangePolicy/staff /spec/issue/maxActDepth warning"},
	{"a name as the subject", func(s *sound) { s.issuer().ClaimMappings.Subject.Claim = "preferred_username" },
		"mutable-claim TrustedIssuer/okta /spec/claimMappings/subject/claim warning"},
	{"a verified address as the subject", func(s *sound) {
		s.issuer().ClaimMappings.Subject.Claim = "email"
		s.issuerRules(`claims.email_verified == true`)
	}, "mutable-claim TrustedIssuer/okta /spec/claimMappings/subject/claim warning"},
	{"a name in the expression of the subject", func(s *sound) {
		s.issuer().ClaimMappings.Subject = catalog.SubjectMapping{Expression: `claims.tid + "/" + claims.upn`, Prefix: new("x:")}
	}, "mutable-claim TrustedIssuer/okta /spec/claimMappings/subject/expression warning"},
	{"a name as the subject of an issuer that is disabled", func(s *sound) {
		s.more = append(s.more, catalogtest.Issuer("old", func(i *catalog.TrustedIssuer) {
			i.ClaimMappings.Subject.Claim, i.Mode = "preferred_username", catalog.ModeDisabled
		}))
	}, ""},
	{"a rule on an address", func(s *sound) { s.issuerRules(`claims.email.endsWith("@acme.example")`) },
		"mutable-claim TrustedIssuer/okta /spec/claimValidationRules warning"},
	{"a rule on a verified address", func(s *sound) {
		s.issuerRules(`claims.email.endsWith("@acme.example")`, `claims.email_verified == true`)
	}, ""},
	{"the actor by a name", func(s *sound) {
		s.suppress("uncached-claim")
		s.rule().Flow = "delegation"
		s.rule().Actor = &catalog.PolicyActor{From: "token", Issuers: []string{"okta"}, Conditions: catalogtest.Rules(`actor.claims.preferred_username == "robot"`)}
	}, "mutable-claim ExchangePolicy/staff /spec/actor/conditions warning"},
	{"a guardrail on a name", func(s *sound) {
		s.rail(`subject.claims.preferred_username == "guest"`)
		s.more[0].Metadata.Annotations["strait.dev/suppress-uncached-claim"] = "by sub; until 2027-03-01"
	}, "mutable-claim Guardrail/rail /spec/deny warning"},
	{"the subject by sub", func(s *sound) { s.conditions(`subject.claims.sub == "alice"`) }, ""},
	{"the subject by group", func(s *sound) { s.conditions(`"staff" in subject.claims.groups`) },
		"uncached-claim ExchangePolicy/staff /spec/subject/conditions info"},
	{"the subject by group, among the actor's conditions", func(s *sound) {
		s.rule().Flow = "delegation"
		s.rule().Actor = &catalog.PolicyActor{From: "client", Conditions: catalogtest.Rules(`"staff" in subject.claims.groups`)}
	}, "uncached-claim ExchangePolicy/staff /spec/actor/conditions info"},
	{"the actor by its owner", func(s *sound) {
		s.rule().Flow = "delegation"
		s.rule().Actor = &catalog.PolicyActor{From: "token", Issuers: []string{"okta"}, Conditions: catalogtest.Rules(`actor.claims.owner == subject.claims.sub`)}
	}, "uncached-claim ExchangePolicy/staff /spec/actor/conditions info"},
	{"a guardrail on a group", func(s *sound) { s.rail(`!("staff" in subject.claims.groups)`) }, "uncached-claim Guardrail/rail /spec/deny info"},
	{"a guardrail on what gateways cache by", func(s *sound) { s.rail(`subject.claims.sub == "" || subject.claims.iss == "x"`) }, ""},
	{"the subject by scope", func(s *sound) { s.conditions(`subject.claims.scope != ""`) }, ""},
	{"a condition that an empty list passes", func(s *sound) {
		s.suppress("uncached-claim")
		s.conditions(`subject.claims.groups.all(g, g in ["staff", "sales"])`)
	}, "vacuous-all ExchangePolicy/staff /spec/subject/conditions warning"},
	{"a condition that asks for a member too", func(s *sound) {
		s.suppress("uncached-claim")
		s.conditions(`size(subject.claims.groups) > 0 && subject.claims.groups.all(g, g in ["staff", "sales"])`)
	}, ""},
	{"a rule that an empty list passes", func(s *sound) { s.issuerRules(`claims.groups.all(g, g in ["staff"])`) },
		"vacuous-all TrustedIssuer/okta /spec/claimValidationRules warning"},
	{"a guardrail that an empty list meets forbids", func(s *sound) {
		s.rail(`subject.claims.groups.all(g, g != "staff")`)
		s.more[0].Metadata.Annotations["strait.dev/suppress-uncached-claim"] = "by sub; until 2027-03-01"
	}, ""},
	{"a client that no policy names", func(s *sound) { s.more = append(s.more, catalogtest.Client("idle")) }, "client-without-policy Client/idle  warning"},
	{"a client that no policy names, disabled", func(s *sound) {
		s.more = append(s.more, catalogtest.Client("idle"))
		s.more[0].Spec.(*catalog.Client).Mode = catalog.ModeDisabled
	}, ""},
	{"a review yesterday", func(s *sound) { s.policy.Governance.ReviewBy = catalogtest.Day("2026-11-23") }, "review-overdue ExchangePolicy/staff /governance/reviewBy warning"},
	{"a review today", func(s *sound) { s.policy.Governance.ReviewBy = catalogtest.Day("2026-11-24") }, ""},
	{"a review of an issuer", func(s *sound) { s.okta.Governance.ReviewBy = catalogtest.Day("2026-11-01") }, "review-overdue TrustedIssuer/okta /governance/reviewBy warning"},
	{"no test that denies", func(s *sound) { s.denied = map[string]bool{} }, "no-deny-test ExchangePolicy/staff  warning"},
	{"a test that denies", func(s *sound) { s.denied = map[string]bool{"staff": true} }, ""},
}

func TestEachLint(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, c := range cases {
		s := newSound()
		c.change(s)
		report := s.lint(t)
		if c.want == "" {
			if len(report.Findings) > 0 {
				t.Errorf("%s: %+v, want no finding", c.name, report.Findings)
			}
			continue
		}
		seen[strings.Fields(c.want)[0]] = true
		want, severity := c.want[:strings.LastIndex(c.want, " ")], c.want[strings.LastIndex(c.want, " ")+1:]
		if got := places(report); !slices.Equal(got, []string{want}) {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, want)
			continue
		}
		if f := report.Findings[0]; string(f.Severity) != severity || f.Message == "" || f.Fix == "" {
			t.Errorf("%s: %+v, want severity %s, a message and a fix", c.name, f, severity)
		}
	}
	for _, rule := range analysis.Rules() {
		if !seen[rule.Code] && !strings.HasPrefix(rule.Code, "suppression-") && !strings.HasPrefix(rule.Code, "unused-") {
			t.Errorf("no case finds %s", rule.Code)
		}
	}
}

// What escalates: the same code, worse.
func TestGrantingToEverybodyIsAnError(t *testing.T) {
	t.Parallel()
	s := newSound()
	s.federation()
	s.rule().Scopes.Prove = "grant"
	report := s.lint(t)
	if got := places(report); len(got) != 2 || report.Findings[0].Code != "open-federation" || report.Findings[0].Severity != analysis.Error {
		t.Errorf("findings = %+v, want open-federation as an error first", report.Findings)
	}
}

func TestAReviewThatSuspendsIsAnError(t *testing.T) {
	t.Parallel()
	s := newSound()
	s.policy.Governance.ReviewBy = catalogtest.Day("2026-11-23")
	s.rule().Review.OnOverdue = "suspend"
	report := s.lint(t)
	if report.Count(analysis.Error) != 1 || report.Findings[0].Code != "review-overdue" || !slices.Contains(places(report), "policy-never-matches ExchangePolicy/staff ") {
		t.Errorf("findings = %+v, want review-overdue as an error, and that the policy issues nothing", report.Findings)
	}
}

func TestEmailIsAsGoodAsItsVerification(t *testing.T) {
	t.Parallel()
	const address = `subject.claims.email == "alice@acme.example"`
	for name, c := range map[string]struct {
		rules, conditions []string
		want              int
	}{
		"nobody looks":         {nil, []string{address}, 1},
		"the policy looks":     {nil, []string{address + ` && subject.claims.email_verified == true`}, 0},
		"another condition":    {nil, []string{address, `subject.claims.email_verified == true`}, 0},
		"the issuer's rule":    {[]string{`claims.email_verified == true`}, []string{address}, 0},
		"the actor's is other": {nil, []string{address, `actor.claims.email_verified == true`}, 1},
	} {
		s := newSound()
		s.issuerRules(c.rules...)
		s.conditions(c.conditions...)
		report := s.lint(t)
		got := 0
		for _, f := range report.Findings {
			if f.Code == "mutable-claim" {
				got++
			}
		}
		if got != c.want {
			t.Errorf("%s: %d findings, want %d: %+v", name, got, c.want, report.Findings)
		}
	}
}

func TestSuppression(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		annotation, text string
		suppressed       int
		want             []string
	}{
		"in force":           {"strait.dev/suppress-deep-chain", "accepted in SEC-12; until 2027-03-01", 1, nil},
		"on its last day":    {"strait.dev/suppress-deep-chain", "accepted; until 2026-11-24", 1, nil},
		"a reason of parts":  {"strait.dev/suppress-deep-chain", "five services; SEC-12; until 2027-03-01", 1, nil},
		"over":               {"strait.dev/suppress-deep-chain", "accepted; until 2026-11-23", 0, []string{"deep-chain", "suppression-expired"}},
		"without a reason":   {"strait.dev/suppress-deep-chain", " ; until 2027-03-01", 0, []string{"deep-chain", "suppression-malformed"}},
		"without an end":     {"strait.dev/suppress-deep-chain", "accepted", 0, []string{"deep-chain", "suppression-malformed"}},
		"for ever":           {"strait.dev/suppress-deep-chain", "accepted; until 2999-01-01", 0, []string{"deep-chain", "suppression-malformed"}},
		"a day that is none": {"strait.dev/suppress-deep-chain", "accepted; until 2027-02-30", 0, []string{"deep-chain", "suppression-malformed"}},
		"no until":           {"strait.dev/suppress-deep-chain", "accepted; 2027-03-01", 0, []string{"deep-chain", "suppression-malformed"}},
		"of nothing known":   {"strait.dev/suppress-deepchain", "accepted; until 2027-03-01", 0, []string{"deep-chain", "suppression-malformed"}},
		"of a suppression":   {"strait.dev/suppress-suppression-expired", "accepted; until 2027-03-01", 0, []string{"deep-chain", "suppression-malformed"}},
		"of another code":    {"strait.dev/suppress-long-lifetime", "accepted; until 2027-03-01", 0, []string{"deep-chain"}},
		"not ours":           {"example.com/suppress-deep-chain", "whatever", 0, []string{"deep-chain"}},
	} {
		s := newSound()
		s.rule().Issue.MaxActDepth = 5
		s.policy.Metadata.Annotations[c.annotation] = c.text
		report := s.lint(t)
		var codes []string
		for _, f := range report.Findings {
			codes = append(codes, f.Code)
		}
		if report.Suppressed != c.suppressed || !slices.Equal(codes, c.want) {
			t.Errorf("%s: %v, %d suppressed; want %v, %d", name, codes, report.Suppressed, c.want, c.suppressed)
		}
	}
}

// A suppression speaks for its own object alone.
func TestSuppressionOfAnotherObject(t *testing.T) {
	t.Parallel()
	s := newSound()
	s.rule().Issue.MaxActDepth = 5
	s.okta.Metadata.Annotations["strait.dev/suppress-deep-chain"] = "accepted; until 2027-03-01"
	if report := s.lint(t); len(report.Findings) != 1 || report.Suppressed != 0 {
		t.Errorf("report = %+v", report)
	}
}

func TestSuppressionFaultPointsAtItsAnnotation(t *testing.T) {
	t.Parallel()
	s := newSound()
	s.policy.Metadata.Annotations["strait.dev/suppress-x"] = "?"
	if got := places(s.lint(t)); !slices.Equal(got, []string{"suppression-malformed ExchangePolicy/staff /metadata/annotations/strait.dev~1suppress-x"}) {
		t.Errorf("got %q", got)
	}
}

func TestFindingsThatAChangeBrings(t *testing.T) {
	t.Parallel()
	s := newSound()
	s.rule().Issue.MaxActDepth = 5
	before := s.lint(t)
	s.rule().Issue.MaxActDepth = 6 // the same finding, in other words
	s.rule().Issue.Lifetime = catalog.Duration(2 * time.Hour)
	brought := s.lint(t).NewSince(before)
	if len(brought) != 1 || brought[0].Code != "long-lifetime" {
		t.Errorf("brought = %+v, want long-lifetime alone", brought)
	}
	if none := before.NewSince(s.lint(t)); none == nil || len(none) != 0 {
		t.Errorf("brought back = %#v, want an empty list", none)
	}
}

func TestWorstFirst(t *testing.T) {
	t.Parallel()
	s := newSound()
	s.issuer().Issuer = "https://token.actions.githubusercontent.com"
	s.rule().Issue = catalog.PolicyIssue{Lifetime: catalog.Duration(time.Minute), MaxActDepth: 5}
	got := places(s.lint(t))
	want := []string{
		"multi-tenant-issuer TrustedIssuer/okta /spec/claimValidationRules", "deep-chain ExchangePolicy/staff /spec/issue/maxActDepth",
		"short-lifetime ExchangePolicy/staff /spec/issue/lifetime",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestDocumentationListsEveryLint compares docs/lint.md with the table: codes,
// severities, titles and reasons, in the same order.
func TestDocumentationListsEveryLint(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "lint.md"))
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, r := range analysis.Rules() {
		want = append(want, "### `"+r.Code+"` ("+string(r.Severity)+")\n\n"+r.Title+". "+r.Why+"\n")
	}
	got := regexp.MustCompile("(?m)^### `[^\n]*\n\n[^\n]*\n").FindAllString(string(page), -1)
	if !slices.Equal(got, want) {
		t.Errorf("docs/lint.md differs from the table; it should have:\n%s", strings.Join(want, "\n"))
	}
}

// BenchmarkLint is over 10,000 policies, which should take less than 2 s; make
// bench shows it.
func BenchmarkLint(b *testing.B) {
	s, read := catalogtest.Crowd(10_000), claims(b)
	b.ReportAllocs()
	for b.Loop() {
		analysis.Lint(s, analysis.Options{Now: noon, Claims: read})
	}
}

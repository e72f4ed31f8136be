package analysis

import "strings"

// provider is an issuer that many tenants share: anybody can open an account
// there and have tokens signed by the same keys.
type provider struct {
	name    string
	issuers []string // iss, byte for byte but for a last slash
	tenant  []string // the claims that say whose the token is; any of them will do
}

// providers are the ones in wide use. An issuer with the tenant in its URL (Okta,
// Auth0, CircleCI, an Entra tenant) needs no such claim and is not among them.
// GitHub's job_workflow_ref is left out on purpose: it names whose workflow was
// called, not who called it.
var providers = []provider{
	{
		"GitHub Actions", []string{"https://token.actions.githubusercontent.com"},
		[]string{"repository_owner_id", "repository_id", "repository_owner", "repository", "enterprise_id", "enterprise", "sub"},
	},
	{
		"GitLab.com", []string{"https://gitlab.com"},
		[]string{"namespace_id", "project_id", "namespace_path", "project_path", "sub"},
	},
	{
		"Google", []string{"https://accounts.google.com", "accounts.google.com"},
		[]string{"hd", "sub"},
	},
	{
		"Microsoft Entra (many tenants)", []string{
			"https://login.microsoftonline.com/common", "https://login.microsoftonline.com/common/v2.0",
			"https://login.microsoftonline.com/organizations", "https://login.microsoftonline.com/organizations/v2.0",
			"https://login.microsoftonline.com/consumers", "https://login.microsoftonline.com/consumers/v2.0",
			"https://login.microsoftonline.com/{tenantid}/v2.0", "https://sts.windows.net/common",
			"https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0", // everybody's private account
		},
		[]string{"tid", "oid", "sub"},
	},
	{
		"HCP Terraform", []string{"https://app.terraform.io"},
		[]string{"terraform_organization_id", "terraform_organization_name", "terraform_project_id", "terraform_workspace_id", "sub"},
	},
	{
		"Buildkite", []string{"https://agent.buildkite.com"},
		[]string{"organization_id", "organization_slug", "pipeline_id", "sub"},
	},
	{
		"Vercel", []string{"https://oidc.vercel.com"},
		[]string{"owner_id", "owner", "project_id", "sub"},
	},
	{"Codefresh", []string{"https://oidc.codefresh.io"}, []string{"account_id", "account_name", "sub"}},
	{"Sigstore", []string{"https://oauth2.sigstore.dev/auth"}, []string{"sub", "email"}},
	{"Apple", []string{"https://appleid.apple.com"}, []string{"sub"}},
	{"Slack", []string{"https://slack.com"}, []string{"https://slack.com/team_id", "sub"}},
}

// providerOf finds the provider that the issuer is; nil for any other.
func providerOf(issuer string) *provider {
	plain := strings.ToLower(strings.TrimSuffix(issuer, "/"))
	for i := range providers {
		for _, known := range providers[i].issuers {
			if plain == known {
				return &providers[i]
			}
		}
	}
	return nil
}

// genericAudiences are values that many services share, or that a provider
// writes where nobody asks for another.
var genericAudiences = []string{
	"*", "account", "all", "any", "api", "apis", "app", "application", "backend", "client", "default", "gateway", "internal",
	"localhost", "oauth2", "openid", "public", "service", "services", "sts", "test", "token", "users", "vault", "web",
	"kubernetes", "https://kubernetes.default.svc", "https://kubernetes.default.svc.cluster.local",
	"sts.amazonaws.com", "sigstore", "api://azureadtokenexchange", "https://gitlab.com",
	"https://graph.microsoft.com", "00000003-0000-0000-c000-000000000000", // Microsoft Graph, by its two names
	"https://management.azure.com", "https://www.googleapis.com", "aws.workload.identity", "gcp.workload.identity", "tfc.workload.identity",
}

package schema_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/schema"
)

const opaqueJSON = `{"apiVersion": "strait/v1", "kind": "TrustedIssuer", "metadata": {"name": "acme"},
	"governance": {"owner": "id@example.com", "justification": "Partners", "reviewBy": "2027-03-01"},
	"spec": {"issuer": "https://acme.test", "acceptAs": ["subject"], "claimMappings": {"subject": {"prefix": "acme:"}},
		"keys": {"introspection": {"url": "https://acme.test/introspect", "clientId": "strait", "clientSecret": "s", "allowedClientIds": ["webshop"], "tokenPrefix": "acme_"}}}}`

func TestAnIssuerOfOpaqueTokens(t *testing.T) {
	o, faults := schema.DecodeJSON([]byte(opaqueJSON))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	spec, isIssuer := o.Spec.(*catalog.TrustedIssuer)
	if !isIssuer || !slices.Equal(spec.TokenTypes, []string{"access_token"}) || spec.Keys.Introspection.ClientSecret.Reveal() != "s" {
		t.Errorf("%+v", spec)
	}
	if canonical := string(o.Canonical()); strings.Contains(canonical, "lientSecret") || strings.Contains(canonical, "algorithms") {
		t.Error(canonical)
	}
	const at = "/spec/keys/introspection"
	for _, test := range []struct{ pointer, value, want string }{
		{at + "/url", `"-"`, at + "/url value"},
		{at + "/url", `"ftp://acme.test"`, at + "/url value"},
		{at + "/url", `""`, at + "/url required"},
		{at + "/clientId", `""`, at + "/clientId required"},
		{at + "/allowedClientIds", `[]`, at + "/allowedClientIds required"},
		{at + "/allowedClientIds", `["a", "a"]`, at + "/allowedClientIds/1 duplicate"},
		{at + "/tokenPrefix", `"ac"`, at + "/tokenPrefix value"},
		{at + "/tokenPrefix", `"a b_"`, at + "/tokenPrefix value"},
		{at + "/tokenPrefix", `"eyJ"`, at + "/tokenPrefix value"},
		{at + "/tokenPrefix", `"ewoi"`, at + "/tokenPrefix value"},
		{at + "/clientSecretFrom", `{"env": "A"}`, at + "/clientSecretFrom conflict"},
		{at + "/clientSecretFrom", `{}`, at + "/clientSecretFrom conflict " + at + "/clientSecretFrom conflict"},
		{at + "/secret", `"x"`, at + "/secret unknown_field"},
		{"/spec/algorithms", `["ES256"]`, "/spec/algorithms conflict"},
		{"/spec/typ", `["JWT"]`, "/spec/typ conflict"},
		{"/spec/tokenTypes", `["jwt"]`, "/spec/tokenTypes value"},
		{"/spec/keys/jwksUri", `"https://acme.test/jwks"`, "/spec/keys conflict"},
		{"/spec/audiences", `["a b"]`, "/spec/audiences/0 value"},
		{"/spec/audiences", `["https://gateway.example.com"]`, ""},
		{"/spec/singleUse", `true`, ""},
	} {
		_, faults := schema.DecodeJSON([]byte(spoil(t, opaqueJSON, test.pointer, test.value)))
		if got := strings.Join(places(faults), " "); got != test.want {
			t.Errorf("%s %s: %q, want %q", test.pointer, test.value, got, test.want)
		}
	}
}

// TestItIsClearWhomToAsk about an opaque token, or the write is refused.
func TestItIsClearWhomToAsk(t *testing.T) {
	issuer := func(name, prefix string) string {
		m := spoil(t, renamed(t, opaqueJSON, name), "/spec/keys/introspection/tokenPrefix", `"`+prefix+`"`)
		m = spoil(t, m, "/spec/issuer", `"https://`+name+`.test"`)
		return spoil(t, m, "/spec/claimMappings/subject/prefix", `"`+name+`:"`)
	}
	policy := func(name, issuers string) string {
		m := spoil(t, renamed(t, policyJSON, name), "/spec/subject/issuers", issuers)
		m = spoil(t, m, "/spec/subject/audiences", `[]`)
		return spoil(t, m, "/spec/subject/tokenTypes", `["access_token"]`)
	}
	off := func(m string) string { return spoil(t, m, "/spec/mode", `"disabled"`) }
	const at = "/spec/keys/introspection/tokenPrefix conflict"
	for name, test := range map[string]struct {
		manifests []string
		want      []string
	}{
		"prefixes apart":                    {[]string{issuer("a", "aaa_"), issuer("b", "aab_")}, nil},
		"the same prefix":                   {[]string{issuer("a", "aaa_"), issuer("b", "aaa_")}, []string{"b " + at}},
		"one begins the other":              {[]string{issuer("a", "aaa_1"), issuer("b", "aaa_")}, []string{"b " + at}},
		"a disabled one's":                  {[]string{off(issuer("a", "aaa_")), issuer("b", "aaa_")}, []string{"b " + at}},
		"two without, no policy":            {[]string{issuer("a", ""), issuer("b", "")}, nil},
		"two without, one in policies":      {[]string{issuer("a", ""), issuer("b", ""), policy("p", `["a"]`), policy("q", `["a"]`)}, nil},
		"two without in a policy":           {[]string{issuer("a", ""), issuer("b", ""), policy("p", `["a", "b"]`)}, []string{"p /spec/subject/issuers/1 conflict"}},
		"two without in policies of one":    {[]string{issuer("a", ""), issuer("b", ""), policy("p", `["a"]`), policy("q", `["b"]`)}, []string{"q /spec/subject/issuers/0 conflict"}},
		"one with, one without in a policy": {[]string{issuer("a", "aaa_"), issuer("b", ""), policy("p", `["a", "b"]`)}, nil},
		"one of the two is disabled":        {[]string{off(issuer("a", "")), issuer("b", ""), policy("p", `["a", "b"]`)}, nil},
		"one of the policies is disabled":   {[]string{issuer("a", ""), issuer("b", ""), policy("p", `["a"]`), off(policy("q", `["b"]`))}, nil},
	} {
		if got := found(t, with(test.manifests...)...); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

package schema_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/schema"
)

var own = schema.Identity{Issuer: "https://sts.example.com", AdminAudience: "https://sts.example.com/admin/v1"}

// assemble makes a snapshot of manifests; each is newer than the one before.
func assemble(t testing.TB, manifests ...string) *catalog.Snapshot {
	t.Helper()
	var entries []*catalog.Entry
	for i, manifest := range manifests {
		o, faults := schema.DecodeJSON([]byte(manifest))
		if len(faults) > 0 {
			t.Fatalf("%s: %v", manifest, faults)
		}
		entries = append(entries, &catalog.Entry{Object: o, Revision: int64(i)})
	}
	return catalog.NewSnapshot(1, entries...)
}

// found is the faults of the manifests together, as "name pointer code".
func found(t testing.TB, manifests ...string) []string {
	t.Helper()
	var all []string
	for _, f := range schema.Check(own)(assemble(t, manifests...)) {
		all = append(all, fmt.Sprintf("%s %s %s", f.Name, f.Pointer, f.Code))
	}
	return all
}

// with is the whole that stands together, with the last manifests changed.
func with(manifests ...string) []string {
	return append([]string{issuerJSON, targetJSON, clientJSON}, manifests...)
}

func renamed(t testing.TB, manifest, name string) string {
	return spoil(t, manifest, "/metadata/name", `"`+name+`"`)
}

func TestSoundManifestsStandTogether(t *testing.T) {
	if got := found(t, with(policyJSON, flowClientJSON, delegationJSON, guardrailJSON)...); len(got) > 0 {
		t.Error(got)
	}
}

func TestWhatAPolicyNamesIsThere(t *testing.T) {
	for _, test := range []struct{ pointer, value, want string }{
		{"/spec/clients", `["edge-gateway", "edge-gatway"]`, "/spec/clients/1 reference"},
		{"/spec/targets", `["order-api"]`, "/spec/targets/0 reference"},
		{"/spec/subject/issuers", `["okta"]`, "/spec/subject/issuers/0 reference"},
		{"/spec/scopes/allow", `["orders:read", "orders:delete"]`, "/spec/scopes/allow/1 reference"},
		{"/spec/subject/tokenTypes", `["jwt", "id_token"]`, "/spec/subject/tokenTypes/1 reference"},
		{"/spec/subject/audiences", `["https://other.example.com", "https://gateway.example.com"]`, "/spec/subject/audiences/0 reference"},
	} {
		if got := found(t, with(spoil(t, policyJSON, test.pointer, test.value))...); !slices.Equal(got, []string{"staff-orders " + test.want}) {
			t.Errorf("%s %s: %q", test.pointer, test.value, got)
		}
	}
}

// An issuer whose tokens are not taken in the role makes a policy that can never
// work, and a misspelt name a guardrail that forbids nothing.
func TestRolesOfIssuersAndNamesOfGuardrails(t *testing.T) {
	agents := spoil(t, spoil(t, spoil(t, renamed(t, issuerJSON, "agents"), "/spec/acceptAs", `["actor"]`), "/spec/issuer", `"https://agents.example"`), "/spec/claimMappings/subject/prefix", `"agents:"`)
	both := spoil(t, agents, "/spec/acceptAs", `["actor", "subject"]`)
	for _, test := range []struct {
		issuer, manifest, pointer, value string
		want                             []string
	}{
		{agents, delegationJSON, "/spec/actor/issuers", `["self", "agents"]`, nil},
		{agents, delegationJSON, "/spec/actor/issuers", `["okta-prod"]`, []string{"agents /spec/actor/issuers/0 reference"}},
		{agents, delegationJSON, "/spec/actor/issuers", `["nobody"]`, []string{"agents /spec/actor/issuers/0 reference"}},
		{agents, policyJSON, "/spec/subject/issuers", `["agents"]`, []string{"staff-orders /spec/subject/issuers/0 reference"}},
		{both, policyJSON, "/spec/subject/issuers", `["agents"]`, nil},
		{agents, guardrailJSON, "/spec/match", `{"issuers": ["self", "agents"], "clients": ["edge-gateway"]}`, nil},
		{agents, guardrailJSON, "/spec/match", `{"issuers": ["okta"]}`, []string{"short /spec/match/issuers/0 reference"}},
		{agents, guardrailJSON, "/spec/match", `{"targets": ["orders"]}`, []string{"short /spec/match/targets/0 reference"}},
		{agents, guardrailJSON, "/spec/match", `{"clients": ["edge"]}`, []string{"short /spec/match/clients/0 reference"}},
	} {
		if got := found(t, with(test.issuer, spoil(t, test.manifest, test.pointer, test.value))...); !slices.Equal(got, test.want) {
			t.Errorf("%s %s: %q", test.pointer, test.value, got)
		}
	}
}

func TestMisspeltNameIsMended(t *testing.T) {
	faults := schema.Check(own)(assemble(t, with(spoil(t, policyJSON, "/spec/clients", `["edge-gatway"]`))...))
	if len(faults) != 1 || !strings.Contains(faults[0].Message, `did you mean "edge-gateway"?`) {
		t.Error(faults)
	}
}

func TestServesNamesTargets(t *testing.T) {
	if got := found(t, clientJSON); !slices.Equal(got, []string{"edge-gateway /spec/serves/0 reference"}) {
		t.Error(got)
	}
}

func TestScopeOfOneTargetIsEnough(t *testing.T) {
	stock := spoil(t, spoil(t, renamed(t, targetJSON, "stock-api"), "/spec/audience", `"https://stock.internal"`), "/spec/resources", `[]`)
	both := spoil(t, policyJSON, "/spec/targets", `["orders-api", "stock-api"]`)
	if got := found(t, with(spoil(t, stock, "/spec/scopes", `["stock:read"]`), both)...); len(got) > 0 {
		t.Error(got)
	}
}

func TestSelfGivesAccessTokensAndJWTs(t *testing.T) {
	self := spoil(t, policyJSON, "/spec/subject/issuers", `["self"]`)
	if got := found(t, with(spoil(t, self, "/spec/subject/tokenTypes", `["access_token", "jwt"]`))...); len(got) > 0 {
		t.Error(got)
	}
	want := []string{"staff-orders /spec/subject/issuers/0 reference", "staff-orders /spec/subject/tokenTypes/0 reference"}
	if got := found(t, with(spoil(t, self, "/spec/subject/tokenTypes", `["id_token"]`))...); !slices.Equal(got, want) {
		t.Error(got)
	}
}

func TestIssuerWithSeveralAudiencesNeedsOneChosen(t *testing.T) {
	several := spoil(t, issuerJSON, "/spec/audiences", `["https://gateway-a.example.com", "https://gateway-b.example.com"]`)
	if got := found(t, several, targetJSON, clientJSON, policyJSON); !slices.Equal(got, []string{"staff-orders /spec/subject/audiences required"}) {
		t.Error(got)
	}
	chosen := spoil(t, policyJSON, "/spec/subject/audiences", `["https://gateway-a.example.com"]`)
	if got := found(t, several, targetJSON, clientJSON, chosen); len(got) > 0 {
		t.Error(got)
	}
}

func TestIssuerWithoutAChosenAudienceCanNeverMatch(t *testing.T) {
	other := spoil(t, renamed(t, issuerJSON, "entra"), "/spec/issuer", `"https://entra.example"`)
	other = spoil(t, spoil(t, other, "/spec/audiences", `["https://b.example.com"]`), "/spec/claimMappings/subject/prefix", `"entra:"`)
	both := spoil(t, spoil(t, policyJSON, "/spec/subject/issuers", `["okta-prod", "entra"]`), "/spec/subject/audiences", `["https://gateway.example.com"]`)
	if got := found(t, with(other, both)...); !slices.Equal(got, []string{"staff-orders /spec/subject/audiences reference"}) {
		t.Error(got)
	}
}

func TestOneClaimAValue(t *testing.T) {
	entra := spoil(t, renamed(t, issuerJSON, "entra"), "/spec/claimMappings/subject/prefix", `"entra:"`)
	stock := spoil(t, spoil(t, renamed(t, targetJSON, "a-stock"), "/spec/audience", `"https://stock.internal"`), "/spec/resources", `[]`)
	gateway := renamed(t, clientJSON, "a-gateway")
	for _, test := range []struct{ newer, want string }{
		{entra, "entra /spec/issuer duplicate"},
		{spoil(t, stock, "/spec/audience", `"https://orders.internal"`), "a-stock /spec/audience duplicate"},
		{spoil(t, stock, "/spec/audience", `"orders-api"`), "a-stock /spec/audience duplicate"},
		{spoil(t, stock, "/spec/resources", `["https://orders.internal/api"]`), "a-stock /spec/resources/0 duplicate"},
		{spoil(t, stock, "/spec/resources", `["https://orders.internal"]`), "a-stock /spec/resources/0 duplicate"},
		{spoil(t, gateway, "/spec/clientId", `"edge-gateway"`), "a-gateway /spec/clientId duplicate"},
	} {
		if got := found(t, with(test.newer)...); !slices.Equal(got, []string{test.want}) {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
	if got := found(t, with(gateway, stock)...); len(got) > 0 {
		t.Error(got)
	}
	if got := found(t, spoil(t, targetJSON, "/spec/audience", `"orders-api"`)); len(got) > 0 {
		t.Errorf("a target's audience may be its own name: %q", got)
	}
}

func TestTwoIssuersNeverSpeakOfOnePersonUnknowingly(t *testing.T) {
	for _, test := range []struct {
		first, second string
		collide       bool
	}{
		{"okta:", "okta:", true}, {"", "", true}, {"okta:", "okta:eu:", true}, {"okta:eu:", "okta:", true}, {"o", "okta:", true},
		{"okta:", "entra:", false}, {"", "okta:", false}, {"okta:", "", false}, {"okta-a:", "okta-b:", false},
	} {
		first := spoil(t, issuerJSON, "/spec/claimMappings/subject/prefix", `"`+test.first+`"`)
		second := spoil(t, spoil(t, renamed(t, issuerJSON, "an-other"), "/spec/issuer", `"https://other.example"`), "/spec/claimMappings/subject/prefix", `"`+test.second+`"`)
		var want []string
		if test.collide {
			want = []string{"an-other /spec/claimMappings/subject/prefix conflict"}
		}
		if got := found(t, first, second); !slices.Equal(got, want) {
			t.Errorf("%q and %q: %q", test.first, test.second, got)
		}
		shared := "/spec/claimMappings/subject/shared"
		if test.collide {
			if got := found(t, first, spoil(t, second, shared, "true")); !slices.Equal(got, []string{"okta-prod /spec/claimMappings/subject/prefix conflict"}) {
				t.Errorf("%q and %q, shared at the second: %q", test.first, test.second, got)
			}
		}
		if got := found(t, spoil(t, first, shared, "true"), spoil(t, second, shared, "true")); len(got) > 0 {
			t.Errorf("%q and %q, shared at both: %q", test.first, test.second, got)
		}
	}
}

// Whatever the prefixes, two entries that pass unshared map no two people of the
// same claims to one sub unless one prefix is empty.
func TestUnsharedPrefixesKeepPeopleApart(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		prefix := rapid.StringMatching(`[ab:]{1,4}`)
		claim := rapid.StringMatching(`[ab:]{1,4}`)
		p, q := prefix.Draw(rt, "p"), prefix.Draw(rt, "q")
		first := spoil(t, issuerJSON, "/spec/claimMappings/subject/prefix", `"`+p+`"`)
		second := spoil(t, spoil(t, renamed(t, issuerJSON, "other"), "/spec/issuer", `"https://other.example"`), "/spec/claimMappings/subject/prefix", `"`+q+`"`)
		if len(found(t, first, second)) > 0 {
			return
		}
		if a, b := p+claim.Draw(rt, "a"), q+claim.Draw(rt, "b"); a == b {
			rt.Fatalf("%q and %q both make %q", p, q, a)
		}
	})
}

func TestOurOwnNamesAreTakenByNobody(t *testing.T) {
	if got := found(t, spoil(t, issuerJSON, "/spec/issuer", `"https://sts.example.com"`)); !slices.Equal(got, []string{"okta-prod /spec/issuer conflict"}) {
		t.Error(got)
	}
	if got := found(t, renamed(t, issuerJSON, "self")); !slices.Equal(got, []string{"self /metadata/name conflict"}) {
		t.Error(got)
	}
	for _, value := range []string{
		"https://sts.example.com", "https://sts.example.com/", "https://STS.example.com", "https://sts.example.com/token",
		"https://sts.example.com/introspect", "https://sts.example.com/revoke", "https://sts.example.com/.well-known/jwks.json", "https://sts.example.com/admin/v1",
	} {
		bare := spoil(t, targetJSON, "/spec/resources", `[]`)
		if got := found(t, spoil(t, bare, "/spec/audience", `"`+value+`"`)); !slices.Equal(got, []string{"orders-api /spec/audience conflict"}) {
			t.Errorf("audience %s: %q", value, got)
		}
		if got := found(t, spoil(t, targetJSON, "/spec/resources", `["urn:x", "`+value+`"]`)); !slices.Equal(got, []string{"orders-api /spec/resources/1 conflict"}) {
			t.Errorf("resource %s: %q", value, got)
		}
	}
	if got := found(t, spoil(t, targetJSON, "/spec/audience", `"https://sts.example.com.orders.internal"`)); len(got) > 0 {
		t.Errorf("a name that only begins like ours: %q", got)
	}
}

func TestCheckIsDeterministic(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		all := with(spoil(t, policyJSON, "/spec/clients", `["x", "y"]`), renamed(t, issuerJSON, "other"), renamed(t, targetJSON, "other"))
		first := found(t, all...)
		if second := found(t, all...); !slices.Equal(first, second) {
			rt.Fatalf("%q, then %q", first, second)
		}
	})
}

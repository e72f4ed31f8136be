package conformance_test

import (
	"maps"
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/strait-sts/strait/internal/ststest"
)

// caseHouse is a house with the fixtures of the catalogue.
type caseHouse struct {
	*house

	fixture *ststest.Fixture
	asked   *ststest.Introspector // of issuer O
	names   map[string]string     // audit_reason to our reason
	secrets map[string]string     // of clients, by client_id
	seen    int                   // how much of the log was searched
	added   string                // a policy that a case has added
	changed bool                  // a case has changed the manifests
	agreed  int                   // the requests that explain decided as /token did
}

// sts is the issuer that the catalogue has in its tokens.
const sts = "https://sts.test"

func newCaseHouse(t *testing.T) *caseHouse {
	t.Helper()
	h := &caseHouse{house: open(t, flags{"issuer": sts, "tls": "proxy"}), names: map[string]string{}, secrets: map[string]string{}}
	h.asked = ststest.NewIntrospector(t)
	h.fixture = ststest.NewFixture(t, h.clock.Now())
	data, err := os.ReadFile("../../testdata/reasons.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(data, &h.names); err != nil {
		t.Fatal(err)
	}
	for _, id := range list("svc-gateway", "svc-other", "svc-noexchange", "svc-disabled", "svc-opaque", "strait") {
		h.secrets[id] = aSecret()
	}
	h.secrets["a:b"] = "p+q r" + aSecret()
	h.apply(t, h.issuers(t)...)
	h.apply(t, h.parties()...)
	h.apply(t, h.policies()...)
	h.apply(t, h.opaqueParties()...)
	return h
}

func (h *caseHouse) issuers(t *testing.T) []object {
	var all []object
	for name, algorithms := range map[string][]string{"A": list("ES256", "RS256"), "B": list("ES256"), "C": list("EdDSA"), "D": list("ES256"), "E": list("PS256")} {
		more := members{}
		if name == "D" {
			more["mode"] = "disabled"
		}
		maps.Copy(more, members{"algorithms": algorithms})
		all = append(all, h.issuer(t, name, more))
	}
	return all
}

// issuer is an issuer of the catalogue. All speak of the same people, so that
// sub stays alice.
func (h *caseHouse) issuer(t *testing.T, name string, more members) object {
	t.Helper()
	lower := strings.ToLower(name)
	spec := members{
		"audiences": list(sts), "tokenTypes": list("jwt", "access_token", "id_token"), "algorithms": list("ES256", "RS256"),
		"claimMappings": members{"subject": members{"claim": "sub", "prefix": "", "shared": true}},
	}
	maps.Copy(spec, more)
	return issuer("idp-"+lower, "https://idp-"+lower+".test", inline(h.fixture.JWKS(t, name)), spec)
}

func (h *caseHouse) parties() []object {
	return []object{
		target("orders", "https://api.test/orders", list("orders:read", "orders:write", "orders:admin"), nil),
		target("billing", "https://api.test/billing", list("billing:admin"), nil),
		client("svc-gateway", h.secrets["svc-gateway"], nil),
		client("svc-other", h.secrets["svc-other"], nil),
		client("svc-noexchange", h.secrets["svc-noexchange"], members{"grants": list("client_credentials")}),
		client("svc-disabled", h.secrets["svc-disabled"], members{"mode": "disabled"}),
		client("odd", h.secrets["a:b"], members{"clientId": "a:b"}),
	}
}

// everyType is what P1 takes.
var everyType = list("access_token", "jwt", "id_token")

func (h *caseHouse) policies() []object {
	all := []object{h.p1(nil), policy("p4", "svc-gateway", "idp-a", list("billing"), list("billing:admin"), subject(everyType, "idp-a"))}
	for _, name := range list("b", "c", "d", "e") {
		p := h.p1(subject(everyType, "idp-"+name))
		p["metadata"] = members{"name": "p1-" + name}
		all = append(all, p)
	}
	odd := h.p1(members{"clients": list("odd")})
	odd["metadata"] = members{"name": "p1-odd"}
	return append(all, odd)
}

// p1 is the catalogue's policy P1, without its condition on dept.
func (h *caseHouse) p1(more members) object {
	spec := scopes(list("orders:read", "orders:write"), list("orders:read"))
	maps.Copy(spec, subject(everyType, "idp-a"))
	maps.Copy(spec, more)
	return policy("p1", "svc-gateway", "idp-a", list("orders"), nil, spec)
}

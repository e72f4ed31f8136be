package trust_test

import (
	"strings"
	"testing"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/fetch"
	"github.com/strait-sts/strait/internal/ststest"
	"github.com/strait-sts/strait/internal/trust"
)

func TestCheckRefusesEntriesThatCanNeverWork(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIssuer(t)
	good := catalog.Keys{JWKS: idp.JWKS()}
	private := idp.Key().JWK(t, map[string]any{"d": "AAAA"})
	for name, c := range map[string]struct {
		issuer string
		keys   catalog.Keys
		change func(*catalog.TrustedIssuer)
		want   []string // pointer and code
	}{
		"inline keys":         {"urn:idp", good, nil, nil},
		"jwksUri":             {"https://idp.test", catalog.Keys{JWKSURI: "https://idp.test/jwks?p=1"}, nil, nil},
		"discovery":           {"https://idp.test/t", catalog.Keys{Discovery: &catalog.Discovery{}}, nil, nil},
		"discovery elsewhere": {"https://idp.test", catalog.Keys{Discovery: &catalog.Discovery{URL: "https://x.test/doc"}}, nil, nil},
		"http":                {"https://idp.test", catalog.Keys{JWKSURI: "http://idp.test/jwks"}, nil, []string{"/spec/keys/jwksUri value"}},
		"a private address":   {"https://10.0.0.1", catalog.Keys{Discovery: &catalog.Discovery{URL: "https://169.254.169.254/x"}}, nil, []string{"/spec/keys/discovery/url value", "/spec/issuer value"}},
		"an issuer's query":   {"https://idp.test?x", catalog.Keys{Discovery: &catalog.Discovery{}}, nil, []string{"/spec/issuer value"}},
		"no JWK Set":          {"urn:idp", catalog.Keys{JWKS: []byte(`{"keys":1}`)}, nil, []string{"/spec/keys/jwks value"}},
		"private keys alone":  {"urn:idp", catalog.Keys{JWKS: ststest.KeySet(t, private)}, nil, []string{"/spec/keys/jwks value"}},
		"no key that fits":    {"urn:idp", good, func(s *catalog.TrustedIssuer) { s.Algorithms = []string{"RS256", "ES384"} }, []string{"/spec/keys/jwks conflict"}},
		"DPoP proofs":         {"urn:idp", good, func(s *catalog.TrustedIssuer) { s.Typ = []string{"at+jwt", "application/DPoP+jwt"} }, []string{"/spec/typ/1 value"}},
	} {
		change := c.change
		if change == nil {
			change = func(*catalog.TrustedIssuer) {}
		}
		var got []string
		for _, fault := range trust.Checker(fetch.Policy{})(catalog.NewSnapshot(1, entryOf("idp", c.issuer, c.keys, change))) {
			got = append(got, fault.Pointer+" "+fault.Code)
			if fault.Kind != catalog.KindTrustedIssuer || fault.Name != "idp" || fault.Message == "" || strings.Contains(fault.Message, "AAAA") {
				t.Errorf("%s: %+v", name, fault)
			}
		}
		if strings.Join(got, ", ") != strings.Join(c.want, ", ") {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestCheckOpensWhatTheFetchPolicyOpens(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIssuer(t)
	entry := entryOf("idp", idp.URL, catalog.Keys{JWKSURI: idp.URL + ststest.JWKSPath})
	if faults := trust.Checker(loopback())(catalog.NewSnapshot(1, entry)); len(faults) != 0 {
		t.Error(faults)
	}
	if faults := trust.Checker(fetch.Policy{})(catalog.NewSnapshot(1, entry)); len(faults) != 2 {
		t.Errorf("%v, want one fault a URL", faults)
	}
}

package schema_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/schema"
)

// rules is a list of so many conditions.
func rules(n int) string {
	return "[" + strings.TrimSuffix(strings.Repeat(`{"expression": "true"},`, n), ",") + "]"
}

// each rule in both halves: the values that it takes, and those that it refuses
// with the place and the code.
func TestRulesOfOneObject(t *testing.T) {
	long := strings.Repeat("x", 1001)
	for _, rule := range []struct {
		manifest, pointer string
		taken             []string
		refused           []string
		want              string
	}{
		{targetJSON, "/apiVersion", []string{`"strait/v1"`}, []string{`"strait/v2"`, `"v1"`}, "/apiVersion value"},
		{targetJSON, "/kind", nil, []string{`"Targets"`, `"ExchangeTest"`}, "/kind value"},
		{targetJSON, "/kind", nil, []string{`-`, `""`}, "/kind required"},
		{targetJSON, "/metadata/name", []string{`"a"`, `"0-"`, `"` + strings.Repeat("a", 63) + `"`},
			[]string{`"A"`, `"-a"`, `"a_b"`, `"a\n"`, `"` + strings.Repeat("a", 64) + `"`}, "/metadata/name value"},
		{targetJSON, "/metadata/labels/env", []string{`"prod"`, `""`}, []string{`"` + long + `"`, `"a\nb"`, `"\u0000"`}, "/metadata/labels/env value"},

		{targetJSON, "/governance/owner", []string{`"a@example.com"`}, []string{`"  "`, `"a\nb"`, `"` + long + `"`}, "/governance/owner value"},
		{targetJSON, "/governance/owner", nil, []string{`-`, `""`, `null`}, "/governance/owner required"},
		{targetJSON, "/governance/justification", []string{`-`, `"because"`}, []string{`"\t"`}, "/governance/justification value"},
		{targetJSON, "/governance/reviewBy", []string{`-`, `"2027-03-01"`}, nil, ""},
		{issuerJSON, "/governance/justification", nil, []string{`-`, `""`}, "/governance/justification required"},
		{issuerJSON, "/governance/reviewBy", nil, []string{`-`, `null`}, "/governance/reviewBy required"},
		{policyJSON, "/governance/justification", nil, []string{`-`}, "/governance/justification required"},
		{policyJSON, "/governance/reviewBy", nil, []string{`-`}, "/governance/reviewBy required"},
		{clientJSON, "/governance/owner", nil, []string{`-`}, "/governance/owner required"},

		{issuerJSON, "/spec/issuer", []string{`"https://a.example/x"`, `"http://127.0.0.1:9400"`},
			[]string{`"okta"`, `"ftp://a.example"`, `"https://"`, `"https://u:p@a.example"`, `"https://a.example?x=1"`, `"https://a.example#x"`, `"https://a.example/ x"`, `"https://é.example"`}, "/spec/issuer value"},
		{issuerJSON, "/spec/issuer", nil, []string{`-`}, "/spec/issuer required"},
		{issuerJSON, "/spec/keys", []string{`{"jwksUri": "https://a.example/keys"}`, `{"discovery": {"url": "https://a.example/d?x=1", "jwksHosts": ["b.example:8443"]}}`}, nil, ""},
		{issuerJSON, "/spec/keys", nil, []string{`-`, `{}`, `{"discovery": null}`}, "/spec/keys required"},
		{issuerJSON, "/spec/keys", nil, []string{`{"discovery": {}, "jwksUri": "https://a.example/keys"}`}, "/spec/keys conflict"},
		{issuerJSON, "/spec/keys", nil, []string{`{"jwksUri": "a.example/keys"}`}, "/spec/keys/jwksUri value"},
		{issuerJSON, "/spec/keys/discovery/jwksHosts", nil, []string{`["https://b.example"]`, `["b.example/x"]`}, "/spec/keys/discovery/jwksHosts/0 value"},
		{issuerJSON, "/spec/keys", nil, []string{`{"jwks": {}}`, `{"jwks": {"keys": []}}`, `{"jwks": []}`, `{"jwks": {"keys": [1]}}`}, "/spec/keys/jwks/keys value"},
		{issuerJSON, "/spec/keys", nil, []string{`{"jwks": {"keys": [{"kty": "EC", "d": "x"}]}}`, `{"jwks": {"keys": [{"kty": "oct", "k": "x"}]}}`}, "/spec/keys/jwks/keys/0 value"},
		{issuerJSON, "/spec/certificateAuthority", []string{`""`}, []string{`"x"`, `"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"`, `"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"`}, "/spec/certificateAuthority value"},
		{issuerJSON, "/spec/maxStale", []string{`"1s"`, `"24h"`}, []string{`"500ms"`, `"25h"`, `"-1h"`, `"1500ms"`}, "/spec/maxStale value"},
		{issuerJSON, "/spec/audiences", nil, []string{`[]`, `-`, `null`}, "/spec/audiences required"},
		{issuerJSON, "/spec/audiences", nil, []string{`["a", "a"]`}, "/spec/audiences/1 duplicate"},
		{issuerJSON, "/spec/algorithms", []string{`["RS256", "ES256", "EdDSA", "PS512"]`}, nil, ""},
		{issuerJSON, "/spec/algorithms", nil, []string{`["HS256"]`, `["none"]`, `["rs256"]`, `["RS1"]`, `["ECDH-ES"]`}, "/spec/algorithms/0 value"},
		{issuerJSON, "/spec/algorithms", nil, []string{`-`, `[]`}, "/spec/algorithms required"},
		{issuerJSON, "/spec/acceptAs", nil, []string{`-`, `[]`}, "/spec/acceptAs required"},
		{issuerJSON, "/spec/acceptAs", nil, []string{`["subjects"]`}, "/spec/acceptAs/0 value"},
		{issuerJSON, "/spec/tokenTypes", []string{`["jwt", "access_token", "id_token"]`}, []string{`["refresh_token"]`, `["urn:ietf:params:oauth:token-type:jwt"]`}, "/spec/tokenTypes/0 value"},
		{issuerJSON, "/spec/typ", []string{`["at+jwt", "JWT"]`, `[]`}, []string{`["a b"]`}, "/spec/typ/0 value"},
		{issuerJSON, "/spec/clockSkew", []string{`"0s"`, `"5m"`, `"30s"`}, []string{`"-1s"`, `"6m"`}, "/spec/clockSkew value"},
		{issuerJSON, "/spec/scopeClaim", []string{`"scp"`, `"/realm_access/roles"`, `"/a~1b/c~0d"`}, []string{`"/a~b"`, `"a\n"`}, "/spec/scopeClaim value"},
		{issuerJSON, "/spec/claimMappings/subject/prefix", []string{`""`, `"okta:"`, `"client"`}, []string{`"client:"`, `"client:x"`, `"a\n"`}, "/spec/claimMappings/subject/prefix value"},
		{issuerJSON, "/spec/claimMappings/subject/prefix", nil, []string{`-`, `null`}, "/spec/claimMappings/subject/prefix required"},
		{issuerJSON, "/spec/mode", []string{`"disabled"`}, []string{`"shadow"`, `"off"`}, "/spec/mode value"},

		{targetJSON, "/spec/audience", []string{`"orders"`, `"https://orders.internal/"`}, []string{`"a b"`, `"é"`}, "/spec/audience value"},
		{targetJSON, "/spec/audience", nil, []string{`-`, `""`}, "/spec/audience required"},
		{targetJSON, "/spec/resources", []string{`[]`, `["urn:orders"]`}, []string{`["/orders"]`, `["https://orders.internal/#x"]`, `["https://orders.internal/#"]`}, "/spec/resources/0 value"},
		{targetJSON, "/spec/scopes", []string{`[]`}, []string{`["a b"]`, `["a\"b"]`, `["é"]`}, "/spec/scopes/0 value"},
		{targetJSON, "/spec/token/algorithm", []string{`"EdDSA"`, `"RS256"`}, []string{`"ES384"`, `"HS256"`, `"none"`}, "/spec/token/algorithm value"},
		{targetJSON, "/spec/token/maxLifetime", []string{`"1s"`, `"24h"`}, []string{`"24h1s"`, `"1.5s"`}, "/spec/token/maxLifetime value"},
		{targetJSON, "/spec/requireProof", nil, []string{`"some"`}, "/spec/requireProof value"},
		{targetJSON, "/spec/mode", []string{`"disabled"`}, []string{`"shadow"`}, "/spec/mode value"},

		{clientJSON, "/spec/clientId", []string{`"a:b/c~d"`, `"` + strings.Repeat("a", 200) + `"`}, []string{`"a b"`, `"é"`, `"` + strings.Repeat("a", 201) + `"`}, "/spec/clientId value"},
		{clientJSON, "/spec/authentication", nil, []string{`-`, `[]`}, "/spec/authentication required"},
		{clientJSON, "/spec/authentication", nil, []string{`[{"method": "client_secret"}, {"method": "client_secret"}]`}, "/spec/authentication/1 duplicate"},
		{clientJSON, "/spec/authentication/0/method", nil, []string{`"none"`, `"client_secret_basic"`}, "/spec/authentication/0/method value"},
		{clientJSON, "/spec/authentication/0/secretFrom", []string{`{"env": "X"}`, `{"file": "x"}`}, []string{`{}`, `{"env": "X", "file": "x"}`}, "/spec/authentication/0/secretFrom conflict"},
		{clientJSON, "/spec/authentication/0", nil, []string{`{"method": "client_secret", "secret": "x", "secretFrom": {"env": "X"}}`}, "/spec/authentication/0/secretFrom conflict"},
		{clientJSON, "/spec/grants", []string{`["token-exchange", "client_credentials"]`}, []string{`["password"]`, `["urn:ietf:params:oauth:grant-type:token-exchange"]`}, "/spec/grants/0 value"},
		{clientJSON, "/spec/grants", nil, []string{`-`, `[]`}, "/spec/grants required"},
		{clientJSON, "/spec/serves", []string{`[]`}, []string{`["Orders"]`}, "/spec/serves/0 value"},

		{policyJSON, "/spec/flow", nil, []string{`"impersonation"`, `"downscop"`}, "/spec/flow value"},
		{policyJSON, "/spec/flow", nil, []string{`-`}, "/spec/flow required"},
		{policyJSON, "/spec/clients", nil, []string{`-`, `[]`}, "/spec/clients required"},
		{policyJSON, "/spec/clients", nil, []string{`["*"]`}, "/spec/clients/0 value"},
		{policyJSON, "/spec/targets", nil, []string{`-`, `[]`}, "/spec/targets required"},
		{policyJSON, "/spec/subject", nil, []string{`-`, `null`}, "/spec/subject required"},
		{policyJSON, "/spec/subject/issuers", nil, []string{`[]`, `-`}, "/spec/subject/issuers required"},
		{policyJSON, "/spec/subject/tokenTypes", nil, []string{`[]`, `-`}, "/spec/subject/tokenTypes required"},
		{policyJSON, "/spec/scopes/default", []string{`-`, `[]`}, []string{`["orders:write"]`}, "/spec/scopes/default/0 value"},
		{policyJSON, "/spec/scopes/prove", []string{`"same"`}, []string{`"any"`}, "/spec/scopes/prove value"},
		{policyJSON, "/spec/scopes/prove", nil, []string{`"map"`}, "/spec/scopes/map required"},
		{policyJSON, "/spec/scopes/map", []string{`{"sales.read": ["orders:read"]}`}, []string{`{"a": ["orders:write"]}`}, "/spec/scopes/map/a/0 value"},
		{policyJSON, "/spec/scopes/map", nil, []string{`{"a": []}`}, "/spec/scopes/map/a required"},
		{policyJSON, "/spec/issue/lifetime", []string{`"1s"`, `"24h"`}, []string{`"25h"`, `"1500ms"`, `"-5m"`}, "/spec/issue/lifetime value"},
		{policyJSON, "/spec/issue/lifetime", nil, []string{`-`}, "/spec/issue/lifetime required"},
		{policyJSON, "/spec/issue/maxActDepth", []string{`1`, `16`}, []string{`-1`, `17`}, "/spec/issue/maxActDepth value"},
		{policyJSON, "/spec/issue/tokenType", nil, []string{`"saml2"`}, "/spec/issue/tokenType value"},
		{policyJSON, "/spec/review", []string{`{"onOverdue": "suspend"}`, `{}`, `null`}, nil, ""},
		{policyJSON, "/spec/review/onOverdue", nil, []string{`"ignore"`}, "/spec/review/onOverdue value"},
		{policyJSON, "/spec/mode", []string{`"disabled"`, `"shadow"`}, []string{`"off"`}, "/spec/mode value"},

		{policyJSON, "/spec/subject/conditions", []string{`[]`, `[{"expression": "true"}]`, `[{"expression": "true", "message": "m"}]`}, []string{`[{"expression": "true", "message": "a\nb"}]`}, "/spec/subject/conditions/0/message value"},
		{policyJSON, "/spec/subject/conditions", nil, []string{`[{}]`, `[{"message": "m"}]`}, "/spec/subject/conditions/0/expression required"},
		{policyJSON, "/spec/subject/conditions", []string{rules(16)}, []string{rules(17)}, "/spec/subject/conditions too_large"},
		{policyJSON, "/spec/actor", []string{`{"from": "none"}`, `{}`, `null`}, []string{`{"from": "nobody"}`}, "/spec/actor/from value"},
		{policyJSON, "/spec/actor", nil, []string{`{"from": "client"}`, `{"from": "any", "issuers": ["self"]}`}, "/spec/actor/from conflict"},
		{policyJSON, "/spec/actor", nil, []string{`{"issuers": ["self"]}`, `{"from": "none", "conditions": [{"expression": "true"}]}`}, "/spec/actor conflict"},
		{policyJSON, "/spec/issue/claims", []string{`{}`, `{"dept": "subject.claims.department", "https://example.com/x": "1"}`}, []string{`{"a b": "1"}`}, "/spec/issue/claims/a b value"},
		{policyJSON, "/spec/issue/claims", nil, []string{`{"act": "{'sub':'x'}"}`}, "/spec/issue/claims/act conflict"}, // POL-080
		{policyJSON, "/spec/issue/claims", nil, []string{`{"Scope": "'admin'"}`}, "/spec/issue/claims/Scope conflict"},
		{policyJSON, "/spec/issue/claims", nil, []string{`{"dept": ""}`}, "/spec/issue/claims/dept required"},
		{delegationJSON, "/spec/actor", []string{`{"from": "client"}`, `{"from": "any", "issuers": ["self"], "conditions": [{"expression": "true"}]}`}, []string{`{"from": "nobody"}`}, "/spec/actor/from value"},
		{delegationJSON, "/spec/actor", nil, []string{`-`, `{}`, `{"from": "none"}`}, "/spec/actor/from required"},
		{delegationJSON, "/spec/actor", nil, []string{`{"from": "token"}`, `{"from": "any", "issuers": []}`}, "/spec/actor/issuers required"},
		{delegationJSON, "/spec/actor", nil, []string{`{"from": "client", "issuers": ["self"]}`}, "/spec/actor conflict"},
		{delegationJSON, "/spec/scopes/prove", []string{`"same"`}, []string{`"any"`}, "/spec/scopes/prove value"},
		{delegationJSON, "/spec/subject/issuers", []string{`["self"]`}, nil, ""},

		{guardrailJSON, "/governance/justification", nil, []string{`-`}, "/governance/justification required"},
		{guardrailJSON, "/governance/expiresAt", nil, []string{`"2027-09-01T00:00:00Z"`}, "/governance/expiresAt conflict"},
		{guardrailJSON, "/spec/deny", nil, []string{`[]`, `-`}, "/spec/deny required"},
		{guardrailJSON, "/spec/deny", nil, []string{`[{}]`}, "/spec/deny/0/expression required"},
		{guardrailJSON, "/spec/match", []string{`-`, `{}`, `{"flows": ["client", "delegation"]}`}, []string{`{"flows": ["impersonation"]}`}, "/spec/match/flows/0 value"},
		{guardrailJSON, "/spec/mode", nil, []string{`"enforce"`}, "/spec/mode unknown_field"},

		{flowClientJSON, "/spec/subject", nil, []string{`{"issuers": ["self"], "tokenTypes": ["jwt"]}`}, "/spec/subject conflict"},
		{flowClientJSON, "/spec/actor", nil, []string{`{"from": "none"}`}, "/spec/actor conflict"},
		{flowClientJSON, "/spec/scopes/prove", nil, []string{`"same"`}, "/spec/scopes/prove conflict"},
		{flowClientJSON, "/spec/scopes/map", nil, []string{`{"a": ["orders:read"]}`}, "/spec/scopes/map conflict"},
	} {
		for _, value := range rule.taken {
			if _, faults := schema.DecodeJSON([]byte(spoil(t, rule.manifest, rule.pointer, value))); len(faults) > 0 {
				t.Errorf("%s %.80s: %v", rule.pointer, value, faults)
			}
		}
		for _, value := range rule.refused {
			_, faults := schema.DecodeJSON([]byte(spoil(t, rule.manifest, rule.pointer, value)))
			if got := places(faults); !slices.Equal(got, []string{rule.want}) {
				t.Errorf("%s %.80s: %q, want %q", rule.pointer, value, got, rule.want)
			}
		}
	}
}

func TestFederationTakesForeignTokensAlone(t *testing.T) {
	federation := spoil(t, policyJSON, "/spec/flow", `"federation"`)
	if _, faults := schema.DecodeJSON([]byte(federation)); len(faults) > 0 {
		t.Error(faults)
	}
	_, faults := schema.DecodeJSON([]byte(spoil(t, federation, "/spec/subject/issuers", `["okta-prod", "self"]`)))
	if got := places(faults); !slices.Equal(got, []string{"/spec/subject/issuers/1 value"}) {
		t.Error(got)
	}
}

func TestScopesThatNobodyHeldNeedATicket(t *testing.T) {
	grant := spoil(t, spoil(t, policyJSON, "/spec/flow", `"federation"`), "/spec/scopes/prove", `"grant"`)
	_, faults := schema.DecodeJSON([]byte(grant))
	if got := places(faults); !slices.Equal(got, []string{"/governance/ticket required"}) {
		t.Error(got)
	}
	if _, faults := schema.DecodeJSON([]byte(spoil(t, grant, "/governance/ticket", `"SEC-40"`))); len(faults) > 0 {
		t.Error(faults)
	}
}

func TestOnlyFederationGrantsScopesThatNobodyHeld(t *testing.T) {
	grant := spoil(t, spoil(t, policyJSON, "/spec/scopes/prove", `"grant"`), "/governance/ticket", `"SEC-40"`)
	_, faults := schema.DecodeJSON([]byte(grant))
	if got := places(faults); !slices.Equal(got, []string{"/spec/scopes/prove value"}) {
		t.Error(got)
	}
}

func TestInlineKeysNeedNoURLAsIssuer(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	jwks, _ := json.Marshal(map[string]any{"keys": []any{map[string]any{"kty": "EC", "crv": "P-256", "x": point[1:33], "y": point[33:]}}})
	inline := spoil(t, spoil(t, issuerJSON, "/spec/keys", `{"jwks": `+string(jwks)+`}`), "/spec/issuer", `"urn:legacy:sso"`)
	o, faults := schema.DecodeJSON([]byte(inline))
	if len(faults) > 0 || !strings.Contains(string(o.Canonical()), `"crv":"P-256"`) {
		t.Errorf("%v: %s", faults, o.Canonical())
	}
}

func TestCertificateAuthorityIsRead(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour), IsCA: true}
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	if _, faults := schema.DecodeJSON([]byte(spoil(t, issuerJSON, "/spec/certificateAuthority", string(text)))); len(faults) > 0 {
		t.Error(faults)
	}
}

func TestTooManyLabels(t *testing.T) {
	labels := map[string]string{}
	for i := range 65 {
		labels[strings.Repeat("x", i+1)] = "v"
	}
	body, _ := json.Marshal(labels)
	_, faults := schema.DecodeJSON([]byte(spoil(t, targetJSON, "/metadata/labels", string(body))))
	if got := places(faults); !slices.Equal(got, []string{"/metadata/labels too_large"}) {
		t.Error(got)
	}
}

func TestEscapedBackslashIsNotNUL(t *testing.T) {
	if _, faults := schema.DecodeJSON([]byte(spoil(t, targetJSON, "/metadata/labels/path", `"c:\\u0000"`))); len(faults) > 0 {
		t.Error(faults)
	}
}

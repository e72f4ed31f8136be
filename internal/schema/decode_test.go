package schema_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/schema"
)

// The sound manifests that the tests below spoil.
const (
	issuerJSON = `{"apiVersion": "strait/v1", "kind": "TrustedIssuer", "metadata": {"name": "okta-prod"},
		"governance": {"owner": "identity@example.com", "justification": "Workforce sign-on", "reviewBy": "2027-03-01"},
		"spec": {"issuer": "https://acme.okta.example", "keys": {"discovery": {}}, "audiences": ["https://gateway.example.com"],
			"algorithms": ["RS256"], "acceptAs": ["subject"], "claimMappings": {"subject": {"prefix": "okta:"}}}}`
	targetJSON = `{"apiVersion": "strait/v1", "kind": "Target", "metadata": {"name": "orders-api"}, "governance": {"owner": "orders@example.com"},
		"spec": {"audience": "https://orders.internal", "resources": ["https://orders.internal/api"], "scopes": ["orders:read", "orders:write"]}}`
	clientJSON = `{"apiVersion": "strait/v1", "kind": "Client", "metadata": {"name": "edge-gateway"}, "governance": {"owner": "platform@example.com"},
		"spec": {"authentication": [{"method": "client_secret"}], "grants": ["token-exchange"], "serves": ["orders-api"]}}`
	policyJSON = `{"apiVersion": "strait/v1", "kind": "ExchangePolicy", "metadata": {"name": "staff-orders"},
		"governance": {"owner": "orders@example.com", "justification": "Staff place orders", "reviewBy": "2027-03-01"},
		"spec": {"flow": "downscope", "clients": ["edge-gateway"], "subject": {"issuers": ["okta-prod"], "tokenTypes": ["jwt"]},
			"targets": ["orders-api"], "scopes": {"allow": ["orders:read"], "default": ["orders:read"]}, "issue": {"lifetime": "5m"}}}`
	flowClientJSON = `{"apiVersion": "strait/v1", "kind": "ExchangePolicy", "metadata": {"name": "nightly"},
		"governance": {"owner": "orders@example.com", "justification": "Nightly export", "reviewBy": "2027-03-01"},
		"spec": {"flow": "client", "clients": ["edge-gateway"], "targets": ["orders-api"], "scopes": {"allow": ["orders:read"]}, "issue": {"lifetime": "5m"}}}`
	delegationJSON = `{"apiVersion": "strait/v1", "kind": "ExchangePolicy", "metadata": {"name": "agents"},
		"governance": {"owner": "orders@example.com", "justification": "Agents read orders", "reviewBy": "2027-03-01"},
		"spec": {"flow": "delegation", "clients": ["edge-gateway"], "subject": {"issuers": ["okta-prod"], "tokenTypes": ["jwt"]},
			"actor": {"from": "token", "issuers": ["self"]},
			"targets": ["orders-api"], "scopes": {"allow": ["orders:read"]}, "issue": {"lifetime": "5m"}}}`
	guardrailJSON = `{"apiVersion": "strait/v1", "kind": "Guardrail", "metadata": {"name": "short"},
		"governance": {"owner": "security@example.com", "justification": "Short tokens"},
		"spec": {"match": {"targets": ["orders-api"]}, "deny": [{"expression": "issue.lifetime > duration(\"2m\")", "message": "at most two minutes"}]}}`
)

var sound = []string{issuerJSON, targetJSON, clientJSON, policyJSON, flowClientJSON, delegationJSON, guardrailJSON}

// spoil sets the value at the pointer; "-" takes the member away.
func spoil(t testing.TB, manifest, pointer, value string) string {
	t.Helper()
	var tree any
	if err := json.Unmarshal([]byte(manifest), &tree); err != nil {
		t.Fatal(err)
	}
	put(tree, strings.Split(pointer, "/")[1:], value)
	body, err := json.Marshal(tree)
	if err != nil {
		t.Fatalf("%s: %v", value, err)
	}
	return string(body)
}

func put(tree any, tokens []string, value string) {
	last := len(tokens) == 1
	switch node := tree.(type) {
	case map[string]any:
		switch {
		case last && value == "-":
			delete(node, tokens[0])
		case last:
			node[tokens[0]] = json.RawMessage(value)
		default:
			if node[tokens[0]] == nil {
				node[tokens[0]] = map[string]any{}
			}
			put(node[tokens[0]], tokens[1:], value)
		}
	case []any:
		i, _ := strconv.Atoi(tokens[0])
		if last {
			node[i] = json.RawMessage(value)
		} else {
			put(node[i], tokens[1:], value)
		}
	}
}

// places is the faults as "pointer code".
func places(faults []catalog.FieldError) []string {
	var all []string
	for _, f := range faults {
		all = append(all, f.Pointer+" "+f.Code)
	}
	return all
}

func TestSoundManifestsAreRead(t *testing.T) {
	for _, manifest := range sound {
		if o, faults := schema.DecodeJSON([]byte(manifest)); len(faults) > 0 || o.Spec == nil {
			t.Errorf("%s: %v", o.Ref(), faults)
		}
	}
}

func TestDefaultsAreFilledIn(t *testing.T) {
	want := []string{
		`"maxStale":"1h"`, `"maxTokenAge":"24h"`, `"tokenTypes":["jwt"]`, `"scopeClaim":"scope"`, `"claim":"sub"`, `"mode":"enforce"`,
		`"token":{"algorithm":"ES256","maxLifetime":"1h"}`, `"requireProof":"none"`, `"clientId":"edge-gateway"`,
		`"actor":{"from":"none"}`, `"prove":"same"`, `"maxActDepth":4`, `"tokenType":"access_token"`, `"review":{"onOverdue":"warn"}`,
	}
	var all strings.Builder
	for _, manifest := range sound {
		o, _ := schema.DecodeJSON([]byte(manifest))
		all.Write(o.Canonical())
	}
	for _, w := range want {
		if !strings.Contains(all.String(), w) {
			t.Errorf("%s is not there", w)
		}
	}
	o, _ := schema.DecodeJSON([]byte(flowClientJSON))
	if text := string(o.Canonical()); strings.Contains(text, "actor\"") || strings.Contains(text, "prove") {
		t.Errorf("a policy of flow client has an actor or a proof: %s", text)
	}
}

func TestCanonicalReadsBackToItself(t *testing.T) {
	for _, manifest := range sound {
		o, _ := schema.DecodeJSON([]byte(manifest))
		again, faults := schema.DecodeJSON(o.Canonical())
		if len(faults) > 0 || string(again.Canonical()) != string(o.Canonical()) {
			t.Errorf("%s: %v\n%s\n%s", o.Ref(), faults, o.Canonical(), again.Canonical())
		}
	}
}

func TestExplicitZeroIsNotTheDefault(t *testing.T) {
	for _, test := range []struct{ manifest, pointer, value string }{
		{issuerJSON, "/spec/maxStale", `"0s"`},
		{issuerJSON, "/spec/maxTokenAge", `"0s"`},
		{issuerJSON, "/spec/tokenTypes", `[]`},
		{targetJSON, "/spec/token/maxLifetime", `"0s"`},
		{policyJSON, "/spec/issue/maxActDepth", `0`},
		{policyJSON, "/spec/issue/lifetime", `"0s"`},
	} {
		_, faults := schema.DecodeJSON([]byte(spoil(t, test.manifest, test.pointer, test.value)))
		if len(faults) != 1 || faults[0].Pointer != test.pointer {
			t.Errorf("%s %s: %v", test.pointer, test.value, faults)
		}
	}
}

func TestStrictReading(t *testing.T) {
	for _, test := range []struct{ manifest, pointer, value, want, message string }{
		{targetJSON, "/spec/audiance", `"x"`, "/spec/audiance unknown_field", `did you mean "audience"?`},
		{targetJSON, "/sepc", `{}`, "/sepc unknown_field", `did you mean "spec"?`},
		{targetJSON, "/spec/token/colour", `1`, "/spec/token/colour unknown_field", "known: algorithm, maxLifetime"},
		{targetJSON, "/metadata/labels", `{"build": 17}`, "/metadata/labels/build type", "want a string (quote it), not a number"},
		{targetJSON, "/spec/scopes", `"orders:read"`, "/spec/scopes type", "want a list, not a string"},
		{targetJSON, "/spec/token", `[]`, "/spec/token type", "want an object, not a list"},
		{targetJSON, "/spec/token/maxLifetime", `300`, "/spec/token/maxLifetime type", "want a string"},
		{targetJSON, "/spec/token/maxLifetime", `"5 minutes"`, "/spec/token/maxLifetime value", "want a duration such as 5m"},
		{targetJSON, "/governance/reviewBy", `"1 March"`, "/governance/reviewBy value", "want a date such as 2027-03-01"},
		{targetJSON, "/governance/reviewBy", `20270301`, "/governance/reviewBy type", "want a string"},
		{targetJSON, "/governance/expiresAt", `"tomorrow"`, "/governance/expiresAt value", "2027-09-01T00:00:00Z"},
		{issuerJSON, "/spec/claimMappings/subject/shared", `"yes"`, "/spec/claimMappings/subject/shared type", "want true or false"},
		{policyJSON, "/spec/priority", `1.5`, "/spec/priority type", "want a whole number"},
		{policyJSON, "/spec/priority", `123456789012345678901`, "/spec/priority type", "want a whole number"},
		{targetJSON, "/spec", `-`, "/spec required", "missing"},
		{targetJSON, "/spec", `null`, "/spec required", "missing"},
	} {
		_, faults := schema.DecodeJSON([]byte(spoil(t, test.manifest, test.pointer, test.value)))
		if got := places(faults); !slices.Equal(got, []string{test.want}) {
			t.Errorf("%s %s: %q, want %q", test.pointer, test.value, got, test.want)
			continue
		}
		if !strings.Contains(faults[0].Message, test.message) {
			t.Errorf("%s %s says %q, want %q", test.pointer, test.value, faults[0].Message, test.message)
		}
	}
}

func TestUnreadableBodies(t *testing.T) {
	for body, want := range map[string]string{
		``:                     " required",
		`{`:                    " unreadable",
		`[]`:                   " type",
		`null`:                 " required",
		`{"kind": "Target"} x`: " unreadable",
		`{"kind": "Target", "spec": {"a": 1, "a": 2}}`:               "/spec/a duplicate",
		`{"Kind": "Target"}`:                                         "/Kind unknown_field",
		"{\"kind\": \"\xff\"}":                                       "/kind unreadable",
		`{"kind": "\ud800"}`:                                         "/kind unreadable",
		`{"a":"` + strings.Repeat("x", schema.MaxObjectBytes) + `"}`: " too_large",
	} {
		_, faults := schema.DecodeJSON([]byte(body))
		if got := places(faults); len(got) == 0 || got[0] != want {
			t.Errorf("%.60s: %q, want %q", body, got, want)
		}
	}
}

func TestStatusIsIgnoredAndApiVersionMayBeAbsent(t *testing.T) {
	body := spoil(t, spoil(t, targetJSON, "/status", `{"any": [1]}`), "/apiVersion", "-")
	o, faults := schema.DecodeJSON([]byte(body))
	if len(faults) > 0 || o.APIVersion != catalog.APIVersion || strings.Contains(string(o.Canonical()), "any") {
		t.Errorf("%v: %s", faults, o.Canonical())
	}
}

func TestFaultsNameTheirObject(t *testing.T) {
	_, faults := schema.DecodeJSON([]byte(spoil(t, targetJSON, "/spec/audience", "-")))
	want := "Target/orders-api: /spec/audience: is required"
	if len(faults) != 1 || faults[0].Error() != want {
		t.Errorf("%v, want %s", faults, want)
	}
}

// TestSubjectComesFromOnePlace: a claim or an expression; neither means sub.
func TestSubjectComesFromOnePlace(t *testing.T) {
	for value, want := range map[string]string{
		`{"prefix": "p:"}`:                             "sub",
		`{"claim": "email", "prefix": "p:"}`:           "email",
		`{"expression": "claims.oid", "prefix": "p:"}`: "",
	} {
		o, faults := schema.DecodeJSON([]byte(spoil(t, issuerJSON, "/spec/claimMappings/subject", value)))
		if len(faults) > 0 || o.Spec.(*catalog.TrustedIssuer).ClaimMappings.Subject.Claim != want {
			t.Errorf("%s: %v", value, faults)
		}
	}
	_, faults := schema.DecodeJSON([]byte(spoil(t, issuerJSON, "/spec/claimMappings/subject", `{"claim": "sub", "expression": "claims.oid", "prefix": ""}`)))
	if got := places(faults); !slices.Equal(got, []string{"/spec/claimMappings/subject/expression conflict"}) {
		t.Errorf("both: %q", got)
	}
}

func TestWhatIsNotBuiltIsRefused(t *testing.T) {
	for _, test := range []struct{ manifest, pointer, value, want string }{
		{issuerJSON, "/kind", `"AdminGrant"`, "/kind"},
		{issuerJSON, "/spec/acceptAs", `["subject", "client"]`, "/spec/acceptAs/1"},
		{issuerJSON, "/spec/acceptAs", `["client"]`, "/spec/acceptAs/0"},
		{issuerJSON, "/spec/acceptAs", `["admin"]`, "/spec/acceptAs/0"},
		{targetJSON, "/spec/requireProof", `"dpop"`, "/spec/requireProof"},
		{targetJSON, "/spec/requireProof", `"mtls"`, "/spec/requireProof"},
		{targetJSON, "/spec/requireProof", `"any"`, "/spec/requireProof"},
		{clientJSON, "/spec/requireProof", `"any"`, "/spec/requireProof"},
		{clientJSON, "/spec/authentication/0", `{"method": "private_key_jwt", "jwksUri": "https://x"}`, "/spec/authentication/0/method"},
		{clientJSON, "/spec/authentication/0", `{"method": "tls_client_auth", "sanUri": "spiffe://x"}`, "/spec/authentication/0/method"},
		{clientJSON, "/spec/authentication/0", `{"method": "self_signed_tls_client_auth"}`, "/spec/authentication/0/method"},
		{clientJSON, "/spec/authentication/0", `{"method": "workload_jwt", "subject": "x"}`, "/spec/authentication/0/method"},
		{policyJSON, "/spec/issue/tokenType", `"jwt"`, "/spec/issue/tokenType"},
	} {
		_, faults := schema.DecodeJSON([]byte(spoil(t, test.manifest, test.pointer, test.value)))
		if got := places(faults); !slices.Equal(got, []string{test.want + " not_implemented"}) {
			t.Errorf("%s %s: %q", test.pointer, test.value, got)
		}
	}
}

// The same fields with what they mean when nothing is asked of them.
func TestWhatAsksNothingOfTheUnbuiltIsTaken(t *testing.T) {
	for _, test := range []struct{ manifest, pointer, value string }{
		{issuerJSON, "/spec/singleUse", `false`},
		{issuerJSON, "/spec/claimValidationRules", `[]`},
		{targetJSON, "/spec/requireProof", `"none"`},
		{clientJSON, "/spec/requireProof", `"none"`},
		{policyJSON, "/spec/issue/tokenType", `"access_token"`},
	} {
		if _, faults := schema.DecodeJSON([]byte(spoil(t, test.manifest, test.pointer, test.value))); len(faults) > 0 {
			t.Errorf("%s %s: %v", test.pointer, test.value, faults)
		}
	}
}

// A field that is spoilt at random is refused, or changes nothing that is kept:
// in no case does reading panic or keep what was not written.
func TestNothingIsKeptThatWasNotRead(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		manifest := rapid.SampledFrom(sound).Draw(rt, "manifest")
		field := rapid.StringMatching(`/(spec|governance|metadata)/[a-zA-Z]{1,12}`).Draw(rt, "field")
		value := rapid.SampledFrom([]string{`1`, `"x"`, `[]`, `{}`, `true`, `null`, `["y"]`}).Draw(rt, "value")
		o, faults := schema.DecodeJSON([]byte(spoil(t, manifest, field, value)))
		if len(faults) > 0 {
			return
		}
		if again, more := schema.DecodeJSON(o.Canonical()); len(more) > 0 || string(again.Canonical()) != string(o.Canonical()) {
			rt.Fatalf("%s %s is kept as %s, which reads back with %v", field, value, o.Canonical(), more)
		}
	})
}

func FuzzDecodeJSON(f *testing.F) {
	for _, manifest := range sound {
		f.Add([]byte(manifest))
	}
	f.Add([]byte(fmt.Sprintf(`{"kind":"Target","spec":%s1%s}`, strings.Repeat("[", 200), strings.Repeat("]", 200))))
	f.Fuzz(func(t *testing.T, body []byte) {
		o, faults := schema.DecodeJSON(body)
		if len(faults) > 0 {
			return
		}
		again, more := schema.DecodeJSON(o.Canonical())
		if len(more) > 0 || string(again.Canonical()) != string(o.Canonical()) {
			t.Fatalf("%s reads back with %v", o.Canonical(), more)
		}
	})
}

package trust_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/ststest"
)

// caseAreas are the areas of the catalogue whose unit cases a verifier answers,
// with the number of those that are about the token alone.
var caseAreas = map[string]int{"claims": 64, "jose_header": 60, "trust": 2, "actor": 13}

// elsewhere are cases about tokens that another package answers, with the reason.
var elsewhere = map[string]string{
	"TRU-010": "which tenants are welcome is a claimValidationRule of the entry (CEL)",
	"ACT-015": "exchange compares may_act with who acts", "ACT-020": "exchange: may_act {} names nobody",
	"ACT-021": "exchange: may_act with a sub that is no string names nobody", "ACT-023": "exchange: may_act without an actor",
	"ACT-027": "policy: the depth that a policy allows", "ACT-039": "policy: cycles are within the depth",
	"ACT-012": "policy: the same party twice", "ACT-045": "own_test.go",
	"ACT-001": "form", "ACT-004": "form", "ACT-005": "form", "ACT-044": "the entry's tokenTypes, TestTypesOfTokens", "ACT-047": "form", "ACT-050": "form",
}

// TestSecurityCases runs the cases of testdata/security-cases.json that a
// verifier answers, each beside its unmodified token. The names of its refusals
// are ours by testdata/reasons.yaml.
func TestSecurityCases(t *testing.T) {
	t.Parallel()
	names := reasonNames(t)
	fixture := ststest.NewFixture(t, start())
	ran := map[string]int{}
	for _, c := range ststest.LoadCases(t, "../../testdata/security-cases.json") {
		_, ours := caseAreas[c.Area]
		if _, theirs := elsewhere[c.ID]; !ours || theirs || !aboutTokens(c) {
			continue
		}
		ran[c.Area]++
		t.Run(c.ID, func(t *testing.T) { runCase(t, fixture, c, names) })
	}
	if !maps.Equal(ran, caseAreas) {
		t.Errorf("ran %v, want %v: the catalogue or the interpreter has changed", ran, caseAreas)
	}
}

// aboutTokens: every op is one of a token's, or one that caseHouse knows.
func aboutTokens(c ststest.Case) bool {
	known := []string{
		"hdr_set", "hdr_del", "hdr_raw", "claim_set", "claim_del", "claim_raw", "payload_raw", "claims_bulk", "sign", "sig", "wire",
		"token_literal", "use_token", "copy_token", "swap_tokens", "with_actor", "env", "form_set", "issuer_patch",
	}
	settings := []any{"skew", "subject_token_type", "required_typ", "expected_audiences", "max_token_age"}
	for _, op := range c.Mutation.Ops {
		name, _ := op["op"].(string)
		if !slices.Contains(known, name) || (name == "env" || name == "form_set") && !slices.Contains(settings, op["k"]) {
			return false
		}
		for field := range patch(op) {
			if !slices.Contains(settings, any(field)) {
				return false
			}
		}
	}
	return len(c.Mutation.Ops) > 0
}

func patch(op ststest.Op) map[string]any {
	set, _ := op["set"].(map[string]any)
	return set
}

// runCase decides one case, and its unmodified tokens before it.
func runCase(t *testing.T, fixture *ststest.Fixture, c ststest.Case, names map[string]string) {
	good, actor, _ := fixture.Tokens(t, nil)
	h, typ := caseHouse(t, fixture, nil)
	if _, err := h.both(typ, good, actor); err != nil {
		t.Fatalf("positive control: %v", err)
	}
	subject, actor, others := fixture.Tokens(t, c.Mutation.Ops)
	h, typ = caseHouse(t, fixture, others)
	token, err := h.both(typ, subject, actor)
	if n := h.fetches.n.Load(); n != 0 {
		t.Errorf("%d requests went out", n)
	}
	switch {
	case !c.Refused():
		if err == nil && token.Subject != "alice" {
			t.Errorf("%s: believed as %q", c.Description, token.Subject)
		}
		if c.ID == "JOSE-065" && err != nil {
			t.Errorf("%s: %v", c.Description, err)
		}
	case !slices.Contains(wanted(t, c, names), reasonOf(t, err)):
		t.Errorf("%s: %v, want one of %v", c.Description, err, wanted(t, c, names))
	}
}

// wanted is our reasons for a case: by its id, or by the catalogue's names.
func wanted(t *testing.T, c ststest.Case, names map[string]string) []exchange.Reason {
	t.Helper()
	if name, found := names[c.ID]; found {
		return []exchange.Reason{exchange.Reason(name)}
	}
	var all []exchange.Reason
	for _, reason := range c.Reasons() {
		name, found := names[reason]
		if !found {
			t.Fatalf("testdata/reasons.yaml has no %q", reason)
		}
		all = append(all, exchange.Reason(name))
	}
	return all
}

// reasonNames reads testdata/reasons.yaml.
func reasonNames(t *testing.T) map[string]string {
	t.Helper()
	data, err := os.ReadFile("../../testdata/reasons.yaml")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{}
	if err := yaml.Unmarshal(data, &names); err != nil {
		t.Fatal(err)
	}
	return names
}

// both verifies subject and actor as an exchange does.
func (h *house) both(typ exchange.TokenType, subject, actor string) (*exchange.Token, error) {
	h.t.Helper()
	believed, err := h.subject(typ, subject)
	if err != nil {
		return nil, err
	}
	req := &exchange.Request{Time: h.clock.Now(), Client: h.client, Actor: exchange.Presented{Token: exchange.Secret(actor), Type: exchange.TypeJWT}}
	_, err = h.verifier.Verify(h.t.Context(), req, exchange.RoleActor)
	return believed, err
}

// caseHouse is the issuers of the catalogue after the ops that are not about
// tokens, and the subject_token_type.
func caseHouse(t *testing.T, fixture *ststest.Fixture, ops []ststest.Op) (*house, exchange.TokenType) {
	t.Helper()
	typ, patchA := exchange.TypeAccessToken, func(*catalog.TrustedIssuer) {}
	skew := 30 * time.Second
	for _, op := range ops {
		switch op["op"] {
		case "env":
			seconds, err := time.ParseDuration(fmt.Sprint(op["v"], "s"))
			if err != nil {
				t.Fatal(err)
			}
			skew = seconds
		case "form_set":
			typ = exchange.TokenType(fmt.Sprint(op["v"]))
		case "issuer_patch":
			set := patch(op)
			patchA = func(s *catalog.TrustedIssuer) {
				if typ, found := set["required_typ"].(string); found {
					s.Typ = []string{typ}
				}
				if _, found := set["expected_audiences"]; found {
					s.Audiences = nil
				}
			}
		}
	}
	var entries []*catalog.Entry
	for _, issuer := range []struct{ name, algorithms, accepts string }{
		{"A", "ES256 RS256", "subject"}, {"B", "ES256", "subject"}, {"C", "EdDSA", "actor subject"}, {"D", "ES256", "subject"}, {"E", "PS256", "subject"},
	} {
		url := "https://idp-" + strings.ToLower(issuer.name) + ".test"
		entries = append(entries, entryOf(strings.ToLower(issuer.name), url, catalog.Keys{JWKS: fixture.JWKS(t, issuer.name)}, func(s *catalog.TrustedIssuer) {
			s.ClockSkew = (*catalog.Duration)(&skew)
			s.Audiences, s.Algorithms, s.AcceptAs = []string{ours}, strings.Fields(issuer.algorithms), strings.Fields(issuer.accepts)
			s.TokenTypes = []string{"jwt", "access_token", "id_token"}
			if issuer.name == "A" {
				patchA(s)
			}
			if issuer.name == "C" && len(ops) > 0 && ops[0]["op"] == "with_actor" { // JOSE-105 presents its token as a subject
				s.AcceptAs = []string{"actor"}
			}
			if issuer.name == "D" {
				s.Mode = catalog.ModeDisabled
			}
		}))
	}
	return newHouse(t, nil, entries...), typ
}

package conformance_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/strait-sts/strait/internal/ststest"
)

// aboutConditions are the cases of what policies say in CEL (docs/cel.md).
var aboutConditions = map[string]special{
	"POL-010": conditioned(`subject.claims.dept == "eng"`),
	"POL-011": conditioned(`!(subject.claims.dept == "sales")`),
	"POL-016": conditioned(`subject.claims.admin`),
	"POL-013": vacuousAll,
	"POL-014": unwritable(`"true"`),
	"POL-018": unwritable(strings.Repeat("(", 2500) + "true" + strings.Repeat(")", 2500)),
	"POL-080": reservedClaims,
}

// conditions is a policy's subject with conditions.
func (h *caseHouse) conditions(t *testing.T, expressions ...string) {
	t.Helper()
	h.changed = true
	h.apply(t, h.p1(when(expressions...)))
}

func when(expressions ...string) members {
	var rules []any
	for _, expression := range expressions {
		rules = append(rules, members{"expression": expression, "message": "the condition of the case"})
	}
	return members{"subject": members{"issuers": list("idp-a"), "tokenTypes": everyType, "conditions": rules}}
}

// conditioned: under the condition the case's token is refused, since the
// condition errs, and one that it can be asked of is issued.
func conditioned(expression string) special {
	return func(t *testing.T, h *caseHouse, c ststest.Case) {
		h.conditions(t, expression)
		token, _, _ := h.fixture.Tokens(t, c.Mutation.Ops)
		r := h.baseline(t, token)
		a := h.sendCase(t, r)
		h.judge(t, c, r, a)
		a.mustRefuse(http.StatusBadRequest, "invalid_request", "condition_failed")
		h.sendCase(t, h.claiming(t, "admin", "true")).mustIssue()
		h.restore(t)
	}
}

// vacuousAll: all() of an empty list is true, as it is written. Who wants a
// member says so.
func vacuousAll(t *testing.T, h *caseHouse, c ststest.Case) {
	token, _, _ := h.fixture.Tokens(t, c.Mutation.Ops)
	const all = `subject.claims.groups.all(g, g in ["ok"])`
	h.conditions(t, all)
	h.sendCase(t, h.baseline(t, token)).mustIssue()
	h.conditions(t, `size(subject.claims.groups) > 0 && `+all)
	h.sendCase(t, h.baseline(t, token)).mustRefuse(http.StatusBadRequest, "invalid_request", "condition_failed")
	h.sendCase(t, h.claiming(t, "groups", `["ok"]`)).mustIssue()
	h.restore(t)
}

// unwritable: a write with the condition is refused where it stands.
func unwritable(expression string) special {
	return func(t *testing.T, h *caseHouse, _ ststest.Case) {
		h.tryApply(t, h.p1(when(expression))).mustBeInvalid("expression")
	}
}

// reservedClaims: what the token itself says no policy can set, in any letters.
func reservedClaims(t *testing.T, h *caseHouse, _ ststest.Case) {
	for _, name := range list("iss", "sub", "aud", "client_id", "azp", "iat", "nbf", "exp", "jti", "scope", "txn", "act", "may_act", "cnf", "auth_time", "acr", "amr", "sid", "nonce", "Act") {
		h.tryApply(t, h.p1(members{"issue": members{"lifetime": "5m", "claims": members{name: `"x"`}}})).mustBeInvalid("conflict")
	}
	h.changed = true
	h.apply(t, h.p1(members{"issue": members{"lifetime": "5m", "claims": members{"dept": `"x"`}}}))
	h.restore(t)
}

// namedClaims: what the policy names goes into the token as it stands in the
// subject's, by the registered names.
func namedClaims(name string, given claims) check {
	return func(t *testing.T, w *world) {
		expressions := members{}
		for claim := range given {
			expressions[claim] = "subject.claims." + claim
		}
		w.apply(t, target(name, "https://"+name+".example.com", list("read"), nil),
			policy(name, "gateway", "idp", list(name), list("read"), members{"issue": members{"lifetime": "5m", "claims": expressions}}))
		_, payload := w.issued(t, with(given), set("audience", name), set("scope", "read"))
		for claim, want := range given {
			if fmt.Sprint(payload[claim]) != fmt.Sprint(want) {
				t.Errorf("%s %v, want %v", claim, payload[claim], want)
			}
		}
	}
}

package conformance_test

import (
	"net/http"
	"testing"

	"github.com/strait-sts/strait/internal/ststest"
)

// aboutRules are the cases of which tokens of a good issuer are welcome.
var aboutRules = map[string]special{
	"CLM-132": ruledTwice(`claims.uid == 9007199254740992`, "uid", "9007199254740992"),
	"CLM-139": twoAts, "TRU-010": otherTenant,
	"TRU-011": ruled(`claims.sub.startsWith("repo:acme/app:")`, "sub", `"repo:acme/app:pull_request"`),
	"TRU-012": ruled(`claims.sub.matches("^repo:acme/[^:]*:ref:refs/heads/main$")`, "sub", `"repo:acme/a:ref:refs/heads/main"`),
	"TRU-016": ruled(`claims.sub == "cert-manager.io"`, "sub", `"cert-manager.io"`),
	"TRU-017": ruled(`claims.tid == ""`, "tid", `""`),
}

// ruled is a case about which tokens of an issuer are welcome: that is a rule
// of its entry in CEL (docs/cel.md). The case's token is refused by it; the
// same token with this claim, as JSON, passes.
func ruled(expression, claim, good string) special {
	return func(t *testing.T, h *caseHouse, c ststest.Case) {
		h.rule(t, expression)
		token, _, _ := h.fixture.Tokens(t, c.Mutation.Ops)
		r := h.baseline(t, token)
		a := h.sendCase(t, r)
		h.judge(t, c, r, a)
		a.mustRefuse(http.StatusBadRequest, "invalid_request", "subject_rule_failed")
		h.sendCase(t, h.claiming(t, claim, good)).mustIssue()
		h.restore(t)
	}
}

// rule is the one rule of issuer A from here on, until restore.
func (h *caseHouse) rule(t *testing.T, expression string) {
	t.Helper()
	h.changed = true
	h.apply(t, h.issuer(t, "A", members{"claimValidationRules": []any{members{"expression": expression, "message": "the rule of the case"}}}))
}

// claiming is the baseline with another claim, as JSON.
func (h *caseHouse) claiming(t *testing.T, claim, value string) *request {
	t.Helper()
	token, _, _ := h.fixture.Tokens(t, []ststest.Op{{"op": "claim_raw", "t": "subject", "k": claim, "v": value}})
	return h.baseline(t, token)
}

// otherTenant: an issuer of many tenants is held to one by its rule; an issuer
// of the tenant's own, which is not on the list, is nobody.
func otherTenant(t *testing.T, h *caseHouse, c ststest.Case) {
	h.rule(t, `claims.tid == "tenant1"`)
	for _, tid := range list(`"tenant2"`, `["tenant1"]`, `"tenant1 "`, `null`) {
		r := h.claiming(t, "tid", tid)
		h.judge(t, c, r, h.sendCase(t, r))
	}
	h.sendCase(t, h.plain(t)).mustRefuse(http.StatusBadRequest, "invalid_request", "subject_rule_failed") // no tid at all
	h.sendCase(t, h.claiming(t, "tid", `"tenant1"`)).mustIssue()
	h.sendCase(t, h.bend(t, c)).mustRefuse(http.StatusBadRequest, "invalid_request", "subject_issuer_not_trusted")
	h.restore(t)
}

// twoAts: the end of an address is not its domain. A rule that looks at the end
// alone is answered as it is written; one that is anchored refuses.
func twoAts(t *testing.T, h *caseHouse, c ststest.Case) {
	token, _, _ := h.fixture.Tokens(t, c.Mutation.Ops)
	h.rule(t, `claims.email.endsWith("@eng.test")`)
	h.sendCase(t, h.baseline(t, token)).mustIssue()
	ruledTwice(`claims.email.matches("^[^@]+@eng[.]test$")`, "email", `"alice@eng.test"`)(t, h, c)
}

// ruledTwice is a case of a condition: a rule of the issuer says it, and so does a
// condition of the policy on the subject.
func ruledTwice(expression, claim, good string) special {
	return func(t *testing.T, h *caseHouse, c ststest.Case) {
		ruled(expression, claim, good)(t, h, c)
		h.conditions(t, "subject."+expression)
		token, _, _ := h.fixture.Tokens(t, c.Mutation.Ops)
		h.sendCase(t, h.baseline(t, token)).mustRefuse(http.StatusBadRequest, "invalid_request", "condition_failed")
		h.sendCase(t, h.claiming(t, claim, good)).mustIssue()
		h.restore(t)
	}
}

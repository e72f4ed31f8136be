package conformance_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/ststest"
)

// aboutRevocation are the cases of what an administrator revoked.
var aboutRevocation = map[string]special{"CLM-110": latestCutOff, "TRU-029": endedSubject, "ACT-026": endedAgent}

// revokes gives an order, as POST /revocations takes it.
func (h *caseHouse) revokes(t *testing.T, order members) {
	t.Helper()
	if a := h.manage(t, http.MethodPost, "/revocations", order); a.status/100 != 2 {
		t.Fatalf("%v: %d %s", order, a.status, a.raw)
	}
}

// refused holds that the request is refused as the case wants.
func (h *caseHouse) refused(t *testing.T, c ststest.Case, r *request) {
	t.Helper()
	a := h.sendCase(t, r).mustRefuse(http.StatusBadRequest, "invalid_request", "subject_revoked")
	if reasons := h.reasons(t, c); len(reasons) != 1 || reasons[0] != a.text("reason") {
		t.Errorf("%s: %s, expected %v", c.Description, a.raw, reasons)
	}
}

// endedSubject: what a person had up to then is refused, nobody else's is, and
// what they are given later is not.
func endedSubject(t *testing.T, h *caseHouse, c ststest.Case) {
	bob := ststest.Op{"op": "claim_set", "t": "subject", "k": "sub", "v": "bob"}
	h.sendCase(t, h.bearing(t)).mustIssue()
	h.revokes(t, members{"subject": members{"issuer": "idp-a", "sub": "alice"}})
	h.refused(t, c, h.bearing(t))
	h.sendCase(t, h.bearing(t, bob)).mustIssue()
	h.clock.advance(time.Minute)
	h.fixture.Now = h.clock.Now()
	h.sendCase(t, h.bearing(t)).mustIssue()
}

// latestCutOff: an earlier cut-off of the client's, or one of the issuer's that
// was ordered later, hides none that reaches further.
func latestCutOff(t *testing.T, _ *caseHouse, c ststest.Case) {
	h := newCaseHouse(t) // an issuer's whole past ends
	now := h.clock.Now()
	old := h.bearing(t, ststest.Op{"op": "claim_set", "t": "subject", "k": "iat", "v": "${T-60}"}, ststest.Op{"op": "claim_set", "t": "subject", "k": "nbf", "v": "${T-60}"})
	h.sendCase(t, old).mustIssue()
	for _, order := range []members{
		{"issuer": "idp-a", "before": now.Add(-5 * time.Second).Format(time.RFC3339)},
		{"client": "svc-gateway", "before": now.Add(-500 * time.Second).Format(time.RFC3339)},
		{"issuer": "idp-a", "before": now.Add(-500 * time.Second).Format(time.RFC3339)},
	} {
		h.revokes(t, order)
		h.refused(t, c, old.again())
	}
	h.sendCase(t, h.bearing(t, ststest.Op{"op": "claim_set", "t": "subject", "k": "iat", "v": "${T-1}"})).mustIssue()
}

// endedAgent: who acted with the token of an agent that was ended acts no more,
// with any token that was made of it.
func endedAgent(t *testing.T, h *caseHouse, c ststest.Case) {
	again := h.p1(subject(list("access_token"), "self"))
	again["metadata"] = members{"name": "act-026"}
	h.apply(t, again)
	h.added = "act-026"
	_, agent, _ := h.fixture.Tokens(t, nil)
	delegated := func(actor string) *request {
		r := h.plain(t)
		if actor != "" {
			r.form.Set("actor_token", actor)
			r.form.Set("actor_token_type", jwtType)
		}
		return h.baseline(t, h.sendCase(t, r).mustIssue().text("access_token"))
	}
	acted, alone := delegated(agent), delegated("")
	h.sendCase(t, acted).mustIssue()
	h.revokes(t, members{"subject": members{"issuer": "idp-c", "sub": "agent-1"}})
	h.refused(t, c, acted.again())
	h.sendCase(t, alone).mustIssue()
	h.restore(t)
}

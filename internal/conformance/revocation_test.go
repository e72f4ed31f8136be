package conformance_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/ststest"
)

// aboutRevocation are the cases about what an administrator has revoked.
var aboutRevocation = map[string]special{"CLM-110": earlierCutOff, "TRU-029": deniedSubject, "ACT-026": deniedActor}

// revoke gives an order as an administrator.
func (h *caseHouse) revoke(t *testing.T, order members) {
	t.Helper()
	if a := h.manage(t, http.MethodPost, "/revocations", order, "X-Change-Reason", "a case"); a.status != http.StatusOK {
		t.Fatalf("revoke: %d %s", a.status, a.raw)
	}
}

// later is a token of later than what a case has revoked.
func (h *caseHouse) later() {
	h.clock.advance(time.Minute)
	h.fixture.Now = h.clock.Now()
}

// earlierCutOff: the cut-off of the issuer holds beside an earlier one that would
// let the token pass, in whatever order they were given.
func earlierCutOff(t *testing.T, h *caseHouse, c ststest.Case) {
	now := h.clock.Now()
	h.revoke(t, members{"issuer": "idp-a", "before": now.Add(-5 * time.Second)})
	h.revoke(t, members{"client": "svc-gateway", "before": now.Add(-500 * time.Second)})
	h.revoke(t, members{"issuer": "idp-a", "before": now.Add(-time.Hour)})
	token, _, _ := h.fixture.Tokens(t, []ststest.Op{{"op": "claim_set", "t": "subject", "k": "iat", "v": float64(now.Unix() - 60)}})
	r := h.baseline(t, token)
	h.judge(t, c, r, h.sendCase(t, r))
	token, _, _ = h.fixture.Tokens(t, []ststest.Op{{"op": "claim_set", "t": "subject", "k": "iat", "v": float64(now.Unix() - 4)}})
	h.sendCase(t, h.baseline(t, token)).mustIssue()
	h.later()
}

// deniedSubject: what alice holds, and what was made of it, is of no use any more.
func deniedSubject(t *testing.T, h *caseHouse, c ststest.Case) {
	r := h.plain(t)
	h.sendCase(t, r).mustIssue()
	h.revoke(t, members{"subject": members{"issuer": "idp-a", "sub": "alice"}})
	r = h.plain(t)
	h.judge(t, c, r, h.sendCase(t, r))
	h.later()
}

// deniedActor: a token in which somebody acts ends with him, though its subject is
// not meant.
func deniedActor(t *testing.T, h *caseHouse, c ststest.Case) {
	again := h.p1(subject(list("access_token"), "self"))
	again["metadata"] = members{"name": "act-026"}
	h.apply(t, again)
	h.added = "act-026"
	subjectToken, actorToken, _ := h.fixture.Tokens(t, nil)
	delegated := h.baseline(t, subjectToken)
	delegated.form.Set("actor_token", actorToken)
	delegated.form.Set("actor_token_type", jwtType)
	token := h.sendCase(t, delegated).mustIssue().text("access_token")
	ask := func() *request {
		r := h.baseline(t, token)
		r.form.Set("subject_token_type", accessType)
		return r
	}
	h.sendCase(t, ask()).mustIssue()
	h.revoke(t, members{"subject": members{"issuer": "idp-c", "sub": "agent-1"}})
	r := ask()
	h.judge(t, c, r, h.sendCase(t, r))
	h.sendCase(t, h.plain(t)).mustIssue() // alice herself
	h.later()
	h.restore(t)
}

package conformance_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/strait-sts/strait/internal/ststest"
)

// apart are the areas where explain cannot know what happens to a request: a
// claim that is used up, an issuer or a database that does not answer just then.
var apart = list("replay", "availability")

// explainAgrees asks explain, over HTTP, about the request that a record is of:
// it must decide the same, for the same reason. It is not asked about what never
// became an exchange: a form that cannot be read, a client that nobody knows.
func (h *caseHouse) explainAgrees(t *testing.T, c ststest.Case, r *request, record map[string]any) {
	t.Helper()
	reason, _ := record["reason"].(string)
	unread := list("malformed_request", "client_authentication_failed", "rate_limited")
	if record["client"] == nil || r.body != "" || slices.Contains(unread, reason) || slices.Contains(apart, c.Area) {
		return
	}
	asked := members{
		"client": record["client"], "subjectToken": r.form.Get("subject_token"), "subjectTokenType": r.form.Get("subject_token_type"),
		"audience": r.form["audience"], "resource": r.form["resource"], "scope": r.form.Get("scope"), "requestedTokenType": r.form.Get("requested_token_type"),
	}
	if token := r.form.Get("actor_token"); token != "" {
		asked["actorToken"], asked["actorTokenType"] = token, r.form.Get("actor_token_type")
	}
	a := h.manage(t, http.MethodPost, "/explain", asked)
	said, _ := a.body["reason"].(string)
	if a.status != http.StatusOK || a.text("decision") != record["decision"] || said != reason {
		t.Errorf("%s: /token %v %q, explain %d %s", c.ID, record["decision"], reason, a.status, a.raw)
		return
	}
	h.agreed++
}

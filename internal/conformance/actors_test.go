package conformance_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/ststest"
)

// The rows about actors.

// agentBearer presents a token of the agents' issuer for one of alice's agents,
// as the actor.
func agentBearer(header, more claims) bend {
	return func(w *world, a *ask) {
		all := claims{"sub": "bot-7", "owner": "alice", "jti": "actor-1"}
		for name, value := range more {
			all[name] = value
		}
		actor(w.agents.IssueWith(w.agents.Key(), w.clock.Now(), header, all))(w, a)
	}
}

// actor presents a token as the actor's, to the client that lets agents act.
func actor(token string) bend {
	return func(w *world, a *ask) {
		as("delegate")(w, a)
		a.form.Set("actor_token", token)
		a.form.Set("actor_token_type", jwtType)
	}
}

// hop is one level of act, as it is issued.
func hop(issuer, sub string) string { return fmt.Sprintf("map[iss:%s sub:%s]", issuer, sub) }

// wantAct holds that the bent request is issued with this act.
func wantAct(t *testing.T, w *world, want string, bends ...bend) {
	t.Helper()
	if _, payload := w.issued(t, bends...); fmt.Sprint(payload["act"]) != want {
		t.Errorf("act %v, want %s", payload["act"], want)
	}
}

// actorsAreValidated: each thing that spoils a subject token spoils an actor's.
func actorsAreValidated(t *testing.T, w *world) {
	now := w.clock.Now()
	w.send(t, agentBearer(nil, nil)).mustIssue()
	for reason, bends := range map[string][]bend{
		"actor_expired":               {agentBearer(nil, claims{"exp": now.Unix()})},
		"actor_not_yet_valid":         {agentBearer(nil, claims{"nbf": now.Add(time.Minute).Unix()})},
		"actor_too_old":               {agentBearer(nil, claims{"iat": now.Add(-25 * time.Hour).Unix()})},
		"actor_audience_mismatch":     {agentBearer(nil, claims{"aud": "https://other.example.com"})},
		"actor_type_mismatch":         {agentBearer(claims{"typ": "at+jwt"}, nil)},
		"actor_algorithm_not_allowed": {agentBearer(claims{"alg": "none"}, nil), agentBearer(claims{"alg": "RS256"}, nil)},
		"actor_signature_invalid":     {agentBearer(claims{"kid": "another"}, nil), actor(w.idp.IssueWith(w.idp.Key(), now, nil, claims{"iss": w.agents.URL, "owner": "alice"}))},
		"actor_issuer_not_trusted":    {agentBearer(nil, claims{"iss": "https://nobody.example.com"}), actor(w.alice(nil))},
		"actor_token_malformed":       {actor("a.b"), agentBearer(nil, claims{"exp": "soon"})},
		"actor_not_allowed":           {agentBearer(nil, claims{"act": claims{"sub": "x"}}), agentBearer(nil, claims{"may_act": claims{"sub": "x"}})},
		"condition_failed":            {agentBearer(nil, claims{"owner": "bob"})},
	} {
		bad("invalid_request", reason, bends...)(t, w)
	}
	bad("invalid_request", "actor_type_mismatch", all(agentBearer(nil, nil), set("actor_token_type", idType)))(t, w)
}

// currentActor: act is who acts, by the names that its issuer gave it; where no
// token says so it is the client.
func currentActor(t *testing.T, w *world) {
	wantAct(t, w, hop(w.agents.URL, "bot-7"), agentBearer(nil, nil))
	wantAct(t, w, hop(w.app.Issuer(), "client:sole"), as("sole"))
}

// nestedActorsDoNotDecide: a policy that lets one actor pass is not met by the
// same actor deeper in the chain.
func nestedActorsDoNotDecide(t *testing.T, w *world) {
	inner := claims{"sub": "trusted"}
	w.apply(t, client("tx-63", w.secret, nil), policy("tx-63", "tx-63", "idp", list("orders"), list("orders:read"), members{"subject": members{
		"issuers": list("idp"), "tokenTypes": list("jwt"), "conditions": []any{members{"expression": `subject.act[0].sub == "trusted"`, "message": "by the trusted one"}},
	}}))
	w.send(t, as("tx-63"), with(claims{"act": inner})).mustIssue()
	bad("invalid_request", "condition_failed", all(as("tx-63"), with(claims{"act": claims{"sub": "other", "act": inner}})))(t, w)
}

// wholePair: iss and sub of may_act are one party.
func wholePair(t *testing.T, w *world) {
	names := func(m claims) bend {
		return func(w *world, a *ask) {
			agentBearer(nil, nil)(w, a)
			with(claims{"may_act": m})(w, a)
		}
	}
	wantAct(t, w, hop(w.agents.URL, "bot-7"), names(claims{"iss": w.agents.URL, "sub": "bot-7"}))
	bad("invalid_request", "may_act_mismatch",
		names(claims{"iss": w.idp.URL, "sub": "bot-7"}), names(claims{"iss": w.agents.URL, "sub": "bot-8"}), names(claims{"sub": "bot-7"}),
		names(claims{"iss": w.agents.URL}), names(claims{"iss": w.agents.URL, "sub": "bot-7", "email": "x"}), names(claims{"client_id": "somebody"}))(t, w)
}

// otherMembers: what is not understood names nobody.
func otherMembers(t *testing.T, w *world) {
	past := w.clock.Now().Add(-time.Hour).Unix()
	for _, member := range list("exp", "nbf", "aud") {
		m := claims{"iss": w.agents.URL, "sub": "bot-7", member: past}
		bad("invalid_request", "may_act_mismatch", all(agentBearer(nil, nil), with(claims{"may_act": m})))(t, w)
	}
}

// The cases of the area actor.

// actorHouse is the house of the catalogue with issuer C for actors alone, and
// policy P2: agent-1 of issuer C acts for subjects of issuer A.
func newActorHouse(t *testing.T) *caseHouse {
	t.Helper()
	h := newCaseHouse(t)
	h.remove(t, "p1-c")
	h.apply(t, h.issuer(t, "C", members{"algorithms": list("EdDSA"), "acceptAs": list("actor"), "tokenTypes": list("jwt")}))
	p2 := h.p1(members{"flow": "delegation", "actor": members{
		"from": "token", "issuers": list("idp-c"), "conditions": []any{members{"expression": `actor.claims.sub == "agent-1"`, "message": "agent-1 alone"}},
	}})
	p2["metadata"] = members{"name": "p2"}
	h.apply(t, p2)
	return h
}

// aboutActors are the cases of the area that ask for more than a status.
var aboutActors = map[string]special{
	"ACT-039": acts("map[act:map[act:map[iss:https://idp-c.test sub:agent-1] iss:https://idp-c.test sub:agent-1] iss:https://idp-c.test sub:agent-1]"),
	"ACT-041": acts(hop(sts, "client:svc-gateway")),
	"ACT-045": ownTokenAsActor, "ACT-046": anothersToken,
}

// acts holds that the case's request is issued with this act.
func acts(want string) special {
	return func(t *testing.T, h *caseHouse, c ststest.Case) {
		_, payload := h.sendCase(t, h.bend(t, c)).mustIssue().token()
		h.restore(t)
		if got := fmt.Sprint(payload["act"]); got != want {
			t.Errorf("act %s, want %s", got, want)
		}
	}
}

// minted is a token of ours for orders, issued to svc-gateway.
func (h *caseHouse) minted(t *testing.T) string {
	t.Helper()
	return h.control(t).text("access_token")
}

// ownTokenAsActor: the client may present a token that it was issued, and it says
// who acts as little as any other token of alice's: no policy names it.
func ownTokenAsActor(t *testing.T, h *caseHouse, c ststest.Case) {
	r := h.plain(t)
	r.form.Set("actor_token", h.minted(t))
	r.form.Set("actor_token_type", accessType)
	h.judge(t, c, r, h.sendCase(t, r))
}

// anothersToken: a token of ours is of use to the client that it was issued to,
// and to those that serve its audience; to nobody else, whatever policies say.
func anothersToken(t *testing.T, h *caseHouse, c ststest.Case) {
	again := h.p1(subject(list("access_token"), "self"))
	again["metadata"] = members{"name": "act-046"}
	spec, _ := again["spec"].(members)
	spec["clients"] = list("svc-gateway", "svc-other")
	h.apply(t, again)
	h.added = "act-046"
	token := h.minted(t)
	ask := func(id string) *request {
		r := h.baseline(t, token)
		r.header.Set("Authorization", basic(id, h.secrets[id]))
		return r
	}
	h.sendCase(t, ask("svc-gateway")).mustIssue()
	r := ask("svc-other")
	a := h.sendCase(t, r)
	h.judge(t, c, r, a)
	a.mustRefuse(http.StatusBadRequest, "invalid_request", "subject_audience_mismatch")
	h.apply(t, client("svc-other", h.secrets["svc-other"], members{"serves": list("orders")}))
	h.sendCase(t, ask("svc-other")).mustIssue()
	h.apply(t, client("svc-other", h.secrets["svc-other"], nil))
	h.changed = true
	h.restore(t)
}

package conformance_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/ststest"
)

// bugs are faults that others had in this place (the field's advisories and
// issues), by our number, as far as they are about policies and actors.
var bugs = map[string]check{
	// Keycloak #52691: without actor_token a token with may_act or act became a
	// clean one.
	"BUG-01": both(bad("invalid_request", "actor_required", with(claims{"may_act": claims{"client_id": "gateway"}})), priorChain),
	// Keycloak #53029: introspection left act out.
	"BUG-02": actIsTold,
	// Keycloak CVE-2026-9704: what dropped the subject token made the request one
	// of the client's own.
	"BUG-03": noSubjectNoToken,
	// Keycloak CVE-2026-37979: introspection did not look at the audience.
	"BUG-05": onlyServed,
	// Keycloak CVE-2026-18214: what is asked of an issuer's tokens was asked of
	// one type alone.
	"BUG-06": rulesOfEveryType,
	// Keycloak #49993: another type of token got past the client's issuers.
	"BUG-07": issuersOfEveryType,
	// Keycloak CVE-2022-1245: any client could exchange into any client.
	"BUG-08": bad("invalid_target", "target_not_allowed", set("audience", "tenant-2"), set("audience", "https://api.example.com/t2")),
	// cloudflare/workers-oauth-provider #120: a resource that was never granted.
	"BUG-09": bad("invalid_target", "target_not_allowed", all(drop("audience"), set("resource", "https://api.example.com/t2")), set("resource", "https://api.example.com/t2")),
	// giantswarm/mcp-oauth #383, #384: cnf was ignored for a bearer.
	"BUG-10": bad("invalid_request", "proof_required", with(claims{"cnf": claims{"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}), with(claims{"cnf": claims{}})),
	// OAuth WG, February 2026: subject and actor each good by itself, and strangers.
	"BUG-12": noSplicing,
	"BUG-13": bad("invalid_request", "subject_issuer_not_trusted", swappedTokens),
	"BUG-14": neverCut,
	"BUG-15": againInTheChain,
	"BUG-16": disabledAtOnce,
	"BUG-17": revisionOfThePolicy,
}

// TestKnownBugs holds each of them against the running program.
func TestKnownBugs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for id, holds := range bugs {
		t.Run(id, func(t *testing.T) { holds(t, w) })
	}
}

// noSubjectNoToken: a client that may also ask for itself gets nothing by an
// exchange without a subject.
func noSubjectNoToken(t *testing.T, w *world) {
	w.apply(t, client("bug-03", w.secret, members{"grants": list("token-exchange", "client_credentials")}),
		policy("bug-03", "bug-03", "idp", list("orders"), list("orders:read"), nil), clientPolicy("bug-03-own", "bug-03", list("orders"), list("orders:read")))
	own := all(as("bug-03"), drop("subject_token", "subject_token_type"), set("grant_type", "client_credentials"))
	w.send(t, own).mustIssue()
	w.send(t, as("bug-03")).mustIssue()
	bad("invalid_request", "malformed_request", all(as("bug-03"), drop("subject_token")), all(as("bug-03"), set("subject_token", "")), all(as("bug-03"), drop("subject_token", "subject_token_type")))(t, w)
	bad("invalid_request", "subject_token_malformed", all(as("bug-03"), set("subject_token", "x")))(t, w)
}

// everyKind is each type that the partner's tokens come as.
func everyKind() map[string]claims {
	return map[string]claims{jwtType: nil, accessType: {"typ": "at+jwt"}, idType: nil}
}

func rulesOfEveryType(t *testing.T, w *world) {
	keys := ststest.NewIssuer(t)
	w.apply(t, issuer("bug-06", keys.URL, inline(keys.JWKS()), members{
		"tokenTypes": list("jwt", "access_token", "id_token"), "claimValidationRules": []any{members{"expression": `claims.hd == "acme.example"`, "message": "acme alone"}},
	}), policy("bug-06", "gateway", "bug-06", list("orders"), list("orders:read"), subject(list("jwt", "access_token", "id_token"), "bug-06")))
	for kind, header := range everyKind() {
		present := func(more claims) bend {
			return all(func(w *world, a *ask) { a.form.Set("subject_token", w.tokenOf(keys, header, more)) }, set("subject_token_type", kind))
		}
		w.send(t, present(claims{"hd": "acme.example"})).mustIssue()
		bad("invalid_request", "subject_rule_failed", present(nil), present(claims{"hd": "other.example"}))(t, w)
	}
}

func issuersOfEveryType(t *testing.T, w *world) {
	w.send(t, as("simple")).mustIssue()
	for kind, header := range everyKind() {
		w.send(t, foreign(kind, header, nil)).mustIssue() // the gateway may
		bad("invalid_request", "no_policy", all(foreign(kind, header, nil), as("simple")))(t, w)
	}
}

// noSplicing: where nothing ties an actor token to the request, a stranger's is no
// actor; not even of a subject that is as good.
func noSplicing(t *testing.T, w *world) {
	w.apply(t, client("bug-12", w.secret, nil), policy("bug-12", "bug-12", "idp", list("orders"), list("orders:read"), members{
		"flow": "delegation", "actor": members{"from": "token", "issuers": list("agents")},
	}))
	strangers := all(agentBearer(nil, nil), as("bug-12"))
	bad("invalid_request", "actor_not_allowed", strangers)(t, w)
	named := with(claims{"may_act": claims{"iss": w.agents.URL, "sub": "bot-7"}})
	wantAct(t, w, hop(w.agents.URL, "bot-7"), strangers, named)
	bad("invalid_request", "may_act_mismatch", all(strangers, with(claims{"may_act": claims{"iss": w.agents.URL, "sub": "bot-8"}})))(t, w)
}

func swappedTokens(w *world, a *ask) {
	agentBearer(nil, nil)(w, a)
	a.form["subject_token"], a.form["actor_token"] = a.form["actor_token"], a.form["subject_token"]
}

// neverCut: a chain that would be too deep by one is refused, not shortened.
func neverCut(t *testing.T, w *world) {
	chain := func(depth int) bend {
		act := claims{"sub": "a0"}
		for i := 1; i < depth; i++ {
			act = claims{"sub": fmt.Sprint("a", i), "act": act}
		}
		return with(claims{"act": act})
	}
	w.send(t, as("sole"), chain(3)).mustIssue()
	bad("invalid_request", "chain_too_deep", all(as("sole"), chain(4)))(t, w) // four, and the client: five
	w.send(t, chain(4)).mustIssue()                                           // without a new hop
	bad("invalid_request", "chain_too_deep", chain(5))(t, w)
}

// againInTheChain: the same actor may come again; the chain says so each time.
func againInTheChain(t *testing.T, w *world) {
	w.apply(t, policy("bug-15", "sole", "self", list("orders"), list("orders:read"), members{
		"subject": members{"issuers": list("self"), "tokenTypes": list("access_token")}, "flow": "delegation", "actor": members{"from": "client"},
	}))
	first := w.send(t, as("sole")).mustIssue().text("access_token")
	mine := fmt.Sprintf("iss:%s sub:client:sole]", w.app.Issuer())
	wantAct(t, w, "map[act:map["+mine+" "+mine, as("sole"), set("subject_token", first), set("subject_token_type", accessType))
}

// disabledAtOnce: what is disabled is so for the next request, also for a token
// whose signature is remembered.
func disabledAtOnce(t *testing.T, w *world) {
	keys := ststest.NewIssuer(t)
	on := func(mode string) []object {
		m := members{"mode": mode}
		return []object{
			issuer("bug-16", keys.URL, inline(keys.JWKS()), m), target("bug-16", "https://bug-16.example.com", list("read"), m),
			client("bug-16", w.secret, m), policy("bug-16", "bug-16", "bug-16", list("bug-16"), list("read"), m),
		}
	}
	w.apply(t, on("enforce")...)
	token := w.tokenOf(keys, nil, nil)
	ask := all(as("bug-16"), set("subject_token", token), set("audience", "bug-16"), set("scope", "read"))
	for i, want := range []struct {
		status       int
		code, reason string
	}{
		{400, "invalid_request", "issuer_disabled"}, {400, "invalid_target", "target_unknown"}, {401, "invalid_client", ""}, {400, "unauthorized_client", "no_policy"},
	} {
		w.send(t, ask).mustIssue()
		w.apply(t, on("disabled")[i])
		w.send(t, ask).mustRefuse(want.status, want.code, want.reason)
		w.apply(t, on("enforce")[i])
	}
	w.send(t, ask).mustIssue()
}

// revisionOfThePolicy: a record names the revision of the policy that decided,
// whatever became of the policy since.
func revisionOfThePolicy(t *testing.T, w *world) {
	versions := map[any]bool{}
	for _, lifetime := range list("5m", "4m") {
		w.apply(t, target("bug-17", "https://bug-17.example.com", list("read"), nil),
			policy("bug-17", "gateway", "idp", list("bug-17"), list("read"), members{"issue": members{"lifetime": lifetime}}))
		status, _ := w.manage(t, http.MethodGet, "/exchange-policies/bug-17", nil).body["status"].(members)
		a := w.send(t, set("audience", "bug-17"), set("scope", "read")).mustIssue()
		w.clock.advance(time.Second)
		record := w.record(t, a.header.Get("X-Strait-Decision"))
		if record["policy"] != "bug-17" || record["policyRevision"] != status["revision"] || versions[status["revision"]] {
			t.Errorf("record of policy %v revision %v, want %v", record["policy"], record["policyRevision"], status["revision"])
		}
		versions[status["revision"]] = true
	}
}

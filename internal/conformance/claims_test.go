package conformance_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/ststest"
)

// claimRows are RFC 8693 §3 to §7.
var claimRows = []row{
	{"TX-50", "3", "prose", "types are URIs; what is none is refused", bad("invalid_request", "unsupported_token_type",
		set("subject_token_type", "jwt"), set("subject_token_type", "urn:example:custom")), "", false},
	{"TX-51", "3", "prose", "`access_token` is a token of this server: a foreign one needs an entry that lists the type", both(
		bad("invalid_request", "subject_type_mismatch", set("subject_token_type", accessType)), allows(foreign(accessType, nil, nil))), "", true},
	{"TX-52", "3", "prose", "`refresh_token` is one of this server, which has none", bad("invalid_request", "unsupported_token_type", set("subject_token_type", typePrefix+"refresh_token")), "", false},
	{"TX-53", "3", "prose", "an ID token is for whom it names in `aud`", both(
		bad("invalid_request", "subject_audience_mismatch", foreign(idType, nil, claims{"aud": "another-client"})), allows(foreign(idType, nil, nil))), "", false},
	{"TX-54", "3", "prose", "SAML assertions are not read", bad("invalid_request", "unsupported_token_type", set("subject_token_type", typePrefix+"saml1"), set("subject_token_type", typePrefix+"saml2")), "", false},
	{"TX-55", "3", "prose", "`jwt` is a JWT of any issuer on the trust list", allows(drop(), foreign(jwtType, nil, nil)), "", false},
	{"TX-56", "3", "prose", "other encodings are tied to their URI", nil, "custom token types", false},
	{"TX-60", "4.1", "prose", "`act` names the current actor", currentActor, "", false},
	{"TX-61", "4.1", "prose", "`act` holds identity alone", priorChain, "", false},
	{"TX-62", "4.1", "prose", "the chain nests, the newest outermost, and is kept whole", priorChain, "", false},
	{"TX-63", "4.1", "MUST", "nested actors do not decide", nestedActorsDoNotDecide, "", false},
	{"TX-64", "4.1", "prose", "`act` in introspection, as in the token", actIsTold, "", false},
	{"TX-65", "4.2", "prose", "`scope` is one string", hasClaim("scope", "orders:read"), "", false},
	{"TX-66", "4.3", "prose", "`client_id` is the client that asked, not that of the subject token", func(t *testing.T, w *world) {
		if _, payload := w.issued(t, with(claims{"client_id": "somebody", "azp": "somebody"})); payload["client_id"] != "gateway" {
			t.Errorf("client_id %v", payload["client_id"])
		}
	}, "", false},
	{"TX-67", "4.4", "prose", "`may_act` decides who may act: nobody else, and nobody without an actor in the policy", both(
		bad("invalid_request", "may_act_mismatch", with(claims{"may_act": claims{"sub": "gateway"}})),
		bad("invalid_request", "actor_required", with(claims{"may_act": claims{"client_id": "gateway"}}))), "", false},
	{"TX-68", "4.4", "prose", "all members of `may_act` identify the party", wholePair, "", false},
	{"TX-69", "4.4", "prose", "`exp`, `nbf` and `aud` within `may_act` mean nothing: a `may_act` that has them names nobody", otherMembers, "", true},
	{"TX-70", "4.4", "prose", "`may_act` in introspection, where a token has it: that of a subject token binds its own exchange and goes no further", mayActIsTold, "", false},
	{"TX-71", "1.1", "prose", "a subject token alone gives no new `act`", func(t *testing.T, w *world) {
		if _, payload := w.issued(t); payload["act"] != nil {
			t.Errorf("act %v", payload["act"])
		}
	}, "", false},
	{"TX-72", "5", "prose", "scope and lifetime only shrink", func(t *testing.T, w *world) {
		now := w.clock.Now()
		a, payload := w.issued(t, with(claims{"exp": now.Add(42 * time.Second).Unix()}))
		if whole(t, a.body["expires_in"]) != 42 || payload["scope"] != "orders:read" {
			t.Errorf("expires_in %v, scope %v", a.body["expires_in"], payload["scope"])
		}
	}, "", false},
	{"TX-73", "6", "MUST", "tokens travel over TLS alone: an issuer off loopback without it does not start", overTLS, "", false},
	{"TX-74", "6", "MUST", "a token that the client must not read is encrypted", nil, "encrypted tokens", false},
	{"TX-75", "6", "SHOULD", "no more data than needed: claims that nobody asked for stay behind", onlyTheseClaims, "", false},
	{"TX-76", "7", "prose", "the registered names: the grant in the metadata", func(t *testing.T, w *world) {
		if grants, _ := w.get(t, oauthMetadata).body["grant_types_supported"].([]any); !slices.Contains(grants, any(exchangeURN)) {
			t.Errorf("grant_types_supported %v", grants)
		}
	}, "", false},
}

// priorChain: a chain that came with the subject token goes on, each hop
// reduced to who it is (RFC 8693 §4.1, figure 6).
func priorChain(t *testing.T, w *world) {
	_, payload := w.issued(t, with(claims{"act": claims{
		"sub": "service16", "exp": 1, "email": "x@example.com", "act": claims{"sub": "service77", "iss": "https://other.example.com", "scope": "all"},
	}}))
	want := `{"act":{"iss":"https://other.example.com","sub":"service77"},"iss":"` + w.idp.URL + `","sub":"service16"}`
	got, err := json.Marshal(payload["act"])
	if err != nil || string(got) != want {
		t.Errorf("act %s, want %s", got, want)
	}
	bad("invalid_request", "subject_rule_failed", with(claims{"act": claims{"iss": "x"}}), with(claims{"act": claims{"sub": "x", "iss": w.app.Issuer()}}))(t, w)
}

// hasClaim holds that the issued token has a claim with this value.
func hasClaim(name string, want any) check {
	return func(t *testing.T, w *world) {
		if _, payload := w.issued(t); payload[name] != want {
			t.Errorf("%s %v, want %v", name, payload[name], want)
		}
	}
}

func onlyTheseClaims(t *testing.T, w *world) {
	header, payload := w.send(t, with(claims{"email": "alice@example.com", "groups": list("staff"), "nonce": "n"})).mustIssue().token()
	if names := slices.Sorted(maps.Keys(payload)); !slices.Equal(names, list("aud", "client_id", "exp", "iat", "iss", "jti", "scope", "sub", "txn")) {
		t.Errorf("claims %v", names)
	}
	if names := slices.Sorted(maps.Keys(header)); !slices.Equal(names, list("alg", "kid", "typ")) {
		t.Errorf("header %v", names)
	}
}

// issuedRows are RFC 9068.
var issuedRows = []row{
	{"AT-01", "2.1", "MUST", "signed, never `none`", inHeader("alg", "ES256"), "", false},
	{"AT-02", "2.1", "RECOMMENDED", "an asymmetric algorithm: ES256 where the target says nothing", inHeader("alg", "ES256"), "", false},
	{"AT-03", "2.1", "MUST", "RS256 is among the algorithms", func(t *testing.T, w *world) {
		for name, alg := range map[string]string{"rs256": "RS256", "eddsa": "EdDSA"} {
			if head, _ := w.send(t, set("audience", name), set("scope", "read")).mustIssue().token(); head["alg"] != alg {
				t.Errorf("%s: alg %v", name, head["alg"])
			}
		}
	}, "", false},
	{"AT-04", "2.1", "MUST", "`typ` is `at+jwt`", inHeader("typ", "at+jwt"), "", false},
	{"AT-05", "2.2", "req", "`iss`, `exp`, `aud`, `sub`, `client_id`, `iat` and `jti`", requiredClaims, "", false},
	{"AT-06", "2.2", "SHOULD", "`sub` is the resource owner, or the client where there is none", func(t *testing.T, w *world) {
		_, own := w.issued(t)
		_, client := w.issued(t, machine)
		if own["sub"] != "idp|alice" || client["sub"] != "client:machine" {
			t.Errorf("sub %v, %v", own["sub"], client["sub"])
		}
	}, "", false},
	{"AT-07", "2.2.1", "MAY", "`auth_time`, `acr` and `amr` keep their values across an exchange", func(t *testing.T, w *world) {
		_, payload := w.issued(t, with(claims{"auth_time": 1700000000, "acr": "urn:mace:incommon:iap:silver", "amr": list("pwd", "otp")}))
		if payload["auth_time"] != json.Number("1700000000") || payload["acr"] != "urn:mace:incommon:iap:silver" || !same(payload["amr"], "pwd", "otp") {
			t.Errorf("%v %v %v", payload["auth_time"], payload["acr"], payload["amr"])
		}
	}, "", false},
	{"AT-08", "2.2.2", "SHOULD", "registered names for identity attributes, where a policy names them", namedClaims("at-08", claims{
		"email": "alice@example.com", "email_verified": true, "name": "Alice Adams", "locale": "de-DE", "zoneinfo": "Europe/Berlin",
	}), "", false},
	{"AT-09", "2.2.3", "SHOULD", "`scope` where scope was asked", hasClaim("scope", "orders:read"), "", false},
	{"AT-10", "2.2.3", "MUST", "each scope means something to the `aud`", bad("invalid_scope", "scope_not_allowed", set("scope", "billing:read")), "", false},
	{"AT-11", "2.2.3.1", "SHOULD", "groups, roles and entitlements by RFC 7643, where a policy names them", namedClaims("at-11", claims{
		"groups": list("staff", "oncall"), "roles": list("buyer"), "entitlements": list("refunds-under-100"),
	}), "", false},
	{"AT-12", "3", "SHOULD", "`aud` is the requested resource: always the target's audience", func(t *testing.T, w *world) {
		wantAudience(t, w, ordersAudience, drop("audience"), set("resource", ordersResource))
	}, "", true},
	{"AT-13", "3", "MUST", "no resource: the default one", func(t *testing.T, w *world) {
		wantAudience(t, w, ordersAudience, as("simple"), drop("audience"))
		w.send(t, drop("audience")).mustRefuse(400, "invalid_target", "target_ambiguous")
	}, "", false},
	{"AT-14", "3", "SHOULD", "scopes of different resources in one request: `invalid_scope`", bad("invalid_scope", "scope_not_allowed", set("scope", "orders:read billing:read")), "", false},
	{"AT-15", "3", "MUST NOT", "no token where authorization would be ambiguous", bad("invalid_scope", "scope_not_allowed", all(set("audience", "orders", "billing"), set("scope", "orders:read common"))), "", false},
	{"AT-16", "4", "SHOULD", "`jwks_uri` and `issuer` in the metadata lead to the key", func(t *testing.T, w *world) { verifyIndependently(t, w.house, w.send(t).mustIssue(), ordersAudience) }, "", false},
	{"AT-17", "5", "MUST", "each resource has an `aud` of its own", func(t *testing.T, w *world) {
		w.tryApply(t, target("at-17", billingAudience, list("read"), nil)).mustBeInvalid("duplicate")
		w.tryApply(t, target("at-17", "orders", list("read"), nil)).mustBeInvalid("duplicate")
	}, "", false},
	{"AT-18", "5", "prose", "no client can look like a person: `client:` is ours, and every other `sub` has its issuer's prefix", clientsAreNobody, "", false},
	{"AT-19", "6", "prose", "a `sub` a resource where correlation must not be", nil, "pairwise subjects", false},
}

func inHeader(name, want string) check {
	return func(t *testing.T, w *world) {
		if head, _ := w.send(t).mustIssue().token(); head[name] != want {
			t.Errorf("%s %v, want %s", name, head[name], want)
		}
	}
}

func requiredClaims(t *testing.T, w *world) {
	seen := map[any]bool{}
	for range 20 {
		a, payload := w.issued(t)
		for _, name := range list("iss", "exp", "aud", "sub", "client_id", "iat", "jti") {
			if payload[name] == nil || payload[name] == "" {
				t.Errorf("no %s", name)
			}
		}
		if payload["iss"] != w.app.Issuer() || payload["jti"] != a.header.Get("X-Strait-Decision") || seen[payload["jti"]] {
			t.Errorf("iss %v, jti %v", payload["iss"], payload["jti"])
		}
		seen[payload["jti"]] = true
	}
}

func clientsAreNobody(t *testing.T, w *world) {
	keys := ststest.NewIssuer(t)
	bare := issuer("at-18", keys.URL, inline(keys.JWKS()), members{"claimMappings": members{"subject": members{"claim": "sub", "prefix": ""}}})
	w.apply(t, bare, policy("at-18", "gateway", "at-18", list("orders"), list("orders:read"), nil))
	present := func(sub string) bend {
		return func(w *world, a *ask) { a.form.Set("subject_token", w.tokenOf(keys, nil, claims{"sub": sub})) }
	}
	w.send(t, present("bob")).mustIssue()
	for _, sub := range list("client:gateway", "client:nobody", "idp|alice") {
		w.send(t, present(sub)).mustRefuse(400, "invalid_request", "subject_rule_failed")
	}
	if strings.HasPrefix(oddID, "client:") {
		t.Error("the odd client is no test of this")
	}
}

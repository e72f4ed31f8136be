package conformance_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/strait-sts/strait/internal/ststest"
)

// requestRows are RFC 8693 §2.1 and what RFC 6749 §3.2 says of any request.
var requestRows = []row{
	{"TX-01", "2.1", "req", "`grant_type` is the token-exchange URN; another is another grant, and none is no request", both(
		bad("unsupported_grant_type", "malformed_request", set("grant_type", "foo")),
		bad("invalid_request", "malformed_request", drop("grant_type"))), "", false},
	{"TX-02", "2.1", "req", "HTTP POST alone: others are 405 with `Allow: POST`", otherMethods(http.MethodGet, http.MethodPut, http.MethodDelete), "", false},
	{"TX-03", "2.1", "prose", "a form-encoded body in UTF-8: nothing else, and nothing in the query", both(
		refuses(415, "invalid_request", "malformed_request", all(header("Content-Type", "application/json"), body(`{"grant_type":"`+exchangeURN+`"}`))),
		bad("invalid_request", "malformed_request", inQuery, all(set("scope", "\xff")))), "", false},
	{"TX-04", "2.1", "prose", "a client authenticates; without credentials there is no token", unauthenticated(header("Authorization")), "", false},
	{"TX-05", "2.1", "req", "`subject_token` is required", bad("invalid_request", "malformed_request", drop("subject_token")), "", false},
	{"TX-06", "2.1", "req", "`subject_token_type` is required", bad("invalid_request", "malformed_request", drop("subject_token_type")), "", false},
	{"TX-07", "2.1", "MUST", "`actor_token_type` is required with `actor_token`", bad("invalid_request", "malformed_request",
		func(w *world, a *ask) { a.form.Set("actor_token", w.alice(nil)) }), "", false},
	{"TX-08", "2.1", "MUST NOT", "`actor_token_type` is not sent otherwise", bad("invalid_request", "malformed_request", set("actor_token_type", jwtType)), "", false},
	{"TX-09", "2.1", "MUST", "an empty value is an omitted one (RFC 6749 §3.2)", both(
		bad("invalid_request", "malformed_request", set("subject_token", ""), all(set("actor_token", ""), set("actor_token_type", jwtType))),
		allows(all(set("actor_token", ""), set("actor_token_type", "")), set("scope", ""), set("resource", ""), set("audience", "", ordersAudience))), "", false},
	{"TX-10", "2.1", "MUST", "`resource` is an absolute URI (RFC 3986 §4.3)", malformedResource("/api", "api", "//orders.example.com/api"), "", false},
	{"TX-11", "2.1", "MUST NOT", "`resource` has no fragment, not even an empty one", malformedResource(ordersResource+"#x", ordersResource+"#"), "", false},
	{"TX-12", "2.1", "MAY", "`resource` may have a query; the whole string decides", func(t *testing.T, w *world) {
		wantAudience(t, w, ordersAudience, drop("audience"), set("resource", ordersQuery))
		w.send(t, drop("audience"), set("resource", ordersResource+"?tenant=2")).mustRefuse(400, "invalid_target", "target_unknown")
	}, "", false},
	{"TX-13", "2.1", "prose", "`resource` may repeat: all of them or none", func(t *testing.T, w *world) {
		wantAudience(t, w, []any{ordersAudience, billingAudience}, drop("audience"), set("resource", ordersResource, billingAudience), set("scope", "common"))
		w.send(t, drop("audience"), set("resource", ordersResource, "https://unknown.example.com")).mustRefuse(400, "invalid_target", "target_unknown")
	}, "", false},
	{"TX-14", "2.1", "prose", "`audience` may repeat: all of them or none", func(t *testing.T, w *world) {
		wantAudience(t, w, []any{ordersAudience, billingAudience}, set("audience", ordersAudience, "billing"), set("scope", "common"))
		w.send(t, set("audience", ordersAudience, "nobody")).mustRefuse(400, "invalid_target", "target_unknown")
	}, "", false},
	{"TX-15", "2.1", "prose", "`audience` and `resource` may be mixed; what is named twice counts once", func(t *testing.T, w *world) {
		wantAudience(t, w, []any{billingAudience, ordersAudience}, set("audience", billingAudience), set("resource", ordersResource), set("scope", "common"))
		wantAudience(t, w, ordersAudience, set("resource", ordersResource))
	}, "", false},
	{"TX-16", "2.1", "prose", "audience values are unique within the server", func(t *testing.T, w *world) {
		w.tryApply(t, target("tx-16", ordersAudience, list("read"), nil)).mustBeInvalid("duplicate")
	}, "", false},
	{"TX-17", "2.1", "req", "`scope` is space-delimited and case-sensitive (RFC 6749 §3.3)", both(
		bad("invalid_scope", "scope_malformed", set("scope", "orders:read  orders:write"), set("scope", `orders:read"`), set("scope", "orders:read\torders:write")),
		bad("invalid_scope", "scope_not_allowed", set("scope", "ORDERS:READ"))), "", false},
	{"TX-18", "2.1", "req", "`requested_token_type` is optional: without it the policy chooses", func(t *testing.T, w *world) {
		if a, _ := w.issued(t); a.text("issued_token_type") != accessType {
			t.Errorf("issued_token_type %q", a.text("issued_token_type"))
		}
	}, "", false},
	{"TX-19", "2.2.2", "MUST", "an unknown or unsupported `requested_token_type` is refused", bad("invalid_request", "unsupported_token_type",
		set("requested_token_type", typePrefix+"nonsense"), set("requested_token_type", "not a uri"), set("requested_token_type", jwtType)), "", false},
	{"TX-20", "2.1", "MUST", "the subject token is validated as the type that it is said to be", func(t *testing.T, w *world) {
		identity := claims{"at_hash": "x"}
		w.send(t, foreign(idType, nil, identity)).mustIssue()
		w.send(t, foreign(accessType, claims{"typ": "at+jwt"}, nil)).mustIssue()
		bad("invalid_request", "subject_type_mismatch", foreign(accessType, nil, identity), foreign(idType, claims{"typ": "at+jwt"}, nil), set("subject_token_type", accessType))(t, w)
		bad("invalid_request", "unsupported_token_type", set("subject_token_type", typePrefix+"refresh_token"))(t, w)
	}, "", false},
	{"TX-21", "2.1", "MUST", "the actor token is validated in the same way", actorsAreValidated, "", false},
	{"TX-22", "2.1", "prose", "an exchange does not change the validity of its inputs", func(t *testing.T, w *world) {
		token := w.alice(nil)
		_, first := w.issued(t, set("subject_token", token))
		if _, second := w.issued(t, set("subject_token", token)); first["jti"] == second["jti"] {
			t.Error("two exchanges issued one jti")
		}
	}, "", false},
	{"TX-23", "2.1", "prose", "one-time use only where the input has it", onceEach, "", false},
	{"TX-24", "2.1", "prose", "renewal of the input does not extend the output", renewalExtendsNothing, "", false},
	{"TX-25", "2.1", "prose", "revocation of the input reaches the output (docs/introspection.md)", revocationCascades, "", false},
	{"TX-26", "2.1.1", "prose", "rights are scopes times targets: a scope of one target is not issued for two", func(t *testing.T, w *world) {
		_, payload := w.issued(t, set("audience", ordersAudience, billingAudience), set("scope", "common"))
		if payload["scope"] != "common" {
			t.Errorf("scope %v", payload["scope"])
		}
		w.send(t, set("audience", ordersAudience, billingAudience)).mustRefuse(400, "invalid_scope", "scope_not_allowed")
	}, "", false},
	{"TX-27", "2.1.1", "prose", "too many targets are `invalid_target`", tooManyTargets, "", false},
	{"TX-28", "2.1", "MUST", "unrecognised parameters are ignored (RFC 6749 §3.2)", allows(all(set("foo", "bar"), set("requested_subject", "root"), set("expires_in", "999999"))), "", false},
	{"TX-29", "2.1", "MUST NOT", "nothing repeats but `audience` and `resource` (RFC 6749 §3.2)", bad("invalid_request", "malformed_request",
		twice("grant_type"), twice("subject_token"), twice("subject_token_type"), twice("actor_token"), twice("actor_token_type"), twice("requested_token_type"),
		twice("scope"), twice("client_id"), twice("client_secret"), twice("client_assertion"), twice("client_assertion_type"), twice("unknown")), "", false},
}

// otherMethods are refused with 405, Allow and the JSON of the endpoint.
func otherMethods(methods ...string) check {
	return func(t *testing.T, w *world) {
		for _, m := range methods {
			a := w.send(t, method(m)).mustRefuse(http.StatusMethodNotAllowed, "invalid_request", "malformed_request")
			if allow := a.header.Get("Allow"); allow != http.MethodPost {
				t.Errorf("%s: Allow %q", m, allow)
			}
		}
	}
}

// inQuery sends everything in the URL (RFC 6749 §2.3.1, RFC 9700 §4.3.2).
func inQuery(_ *world, a *ask) {
	a.path, a.body = "/token?"+a.form.Encode(), "grant_type="+exchangeURN
}

// unauthenticated holds that each bend is 401 invalid_client without a reason.
func unauthenticated(bends ...bend) check { return refuses(401, "invalid_client", "", bends...) }

func malformedResource(values ...string) check {
	return func(t *testing.T, w *world) {
		w.send(t, drop("audience"), set("resource", ordersResource)).mustIssue()
		for _, value := range values {
			a := w.send(t, drop("audience"), set("resource", value))
			if a.status != 400 || a.text("error") != "invalid_target" {
				t.Errorf("%q: %d %s", value, a.status, a.raw)
			}
		}
	}
}

// wantAudience holds that the issued aud is exactly this: a string where there
// is one.
func wantAudience(t *testing.T, w *world, want any, bends ...bend) {
	t.Helper()
	_, payload := w.issued(t, bends...)
	switch want := want.(type) {
	case string:
		if payload["aud"] != want {
			t.Errorf("aud %v, want %v", payload["aud"], want)
		}
	case []any:
		if got, isList := payload["aud"].([]any); !isList || !slices.Equal(got, want) {
			t.Errorf("aud %v, want %v", payload["aud"], want)
		}
	}
}

func tooManyTargets(t *testing.T, w *world) {
	w.send(t, set("audience", ordersAudience, billingAudience), set("scope", "common")).mustIssue()
	five := list("orders", "billing", "tenant-1", "tenant-2", "tx-27")
	w.apply(t, target("tx-27", "https://tx-27.example.com", list("read"), nil))
	w.send(t, set("audience", five...)).mustRefuse(400, "invalid_target", "target_not_allowed")
}

// resourceRows are RFC 8707.
var resourceRows = []row{
	{"RI-01", "2", "MUST", "`resource` is an absolute URI without a fragment", malformedResource("orders", "https://orders.example.com/api#"), "", false},
	{"RI-02", "2", "SHOULD NOT", "a query is taken all the same", allows(all(drop("audience"), set("resource", ordersQuery))), "", false},
	{"RI-03", "2", "MAY", "`resource` may repeat", allows(all(drop("audience"), set("resource", ordersResource, billingAudience), set("scope", "common"))), "", false},
	{"RI-04", "2", "req", "invalid, missing, unknown or malformed: `invalid_target`", both(
		bad("invalid_target", "target_ambiguous", drop("audience")),
		bad("invalid_target", "target_unknown", all(drop("audience"), set("resource", "https://unknown.example.com")))), "", false},
	{"RI-05", "2", "SHOULD", "the token is restricted to the resources that were named", func(t *testing.T, w *world) {
		wantAudience(t, w, ordersAudience, drop("audience"), set("resource", ordersResource))
	}, "", false},
	{"RI-06", "2.2", "prose", "a refresh may narrow and never widen", nil, "refresh tokens", false},
	{"RI-07", "2.2", "prose", "the scopes are those that the resource knows, and the answer says which", func(t *testing.T, w *world) {
		if a, payload := w.issued(t, drop("scope")); a.text("scope") != "orders:read" || payload["scope"] != "orders:read" {
			t.Errorf("scope %q, claim %v", a.text("scope"), payload["scope"])
		}
		w.send(t, set("scope", "billing:read")).mustRefuse(400, "invalid_scope", "scope_not_allowed")
	}, "", false},
	{"RI-08", "3", "prose", "a tenant in the URI counts: two tenants are two audiences", func(t *testing.T, w *world) {
		wantAudience(t, w, "https://api.example.com/t1", set("audience", "https://api.example.com/t1"), set("scope", "read"))
		w.send(t, set("audience", "https://api.example.com/t2"), set("scope", "read")).mustRefuse(400, "invalid_target", "target_not_allowed")
	}, "", false},
	{"RI-09", "draft-skokan-oauth-resource-response §2", "MAY", "`resource` in the answer is not sent: only registered members are", func(t *testing.T, w *world) {
		a, _ := w.issued(t)
		if names := slices.Sorted(maps.Keys(a.body)); !slices.Equal(names, list("access_token", "expires_in", "issued_token_type", "scope", "token_type")) {
			t.Errorf("members %v", names)
		}
	}, "", false},
}

// swapped is a token of one issuer with the key of another (RFC 8725 §3.8).
func swapped(w *world, a *ask) {
	now := w.clock.Now()
	stolen := ststest.Key{ID: w.idp.Key().ID, Alg: "ES256", Private: w.partner.Key().Private}
	a.form.Set("subject_token", w.idp.IssueWith(stolen, now, nil, claims{"scope": held}))
}

// mustBeInvalid holds that a write was refused with this code among its errors
// (RFC 9457 §3.2).
func (a *answer) mustBeInvalid(code string) *answer {
	a.t.Helper()
	if a.status != http.StatusUnprocessableEntity || !strings.Contains(a.raw, `"code":"`+code+`"`) {
		a.t.Fatalf("%d %s, want 422 with %s", a.status, a.raw, code)
	}
	return a
}

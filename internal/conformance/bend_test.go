package conformance_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/ststest"
)

// bend makes the request of a case: first the tokens, then the manifests and
// the request, in the order of the ops.
func (h *caseHouse) bend(t *testing.T, c ststest.Case) *request {
	t.Helper()
	token, actor, others := h.fixture.Tokens(t, c.Mutation.Ops)
	r := h.baseline(t, token)
	for _, op := range others {
		name, _ := op["op"].(string)
		switch {
		case name == "with_actor":
			r.form.Set("actor_token", actor)
			r.form.Set("actor_token_type", jwtType)
		case r.bendForm(name, op, h.expander(t, r)), r.bendHTTP(name, op, h.expander(t, r)):
		case h.bendClient(r, name, op):
		case h.bendHouse(t, name, op):
		default:
			t.Fatalf("no such operation: %v", op)
		}
	}
	return r
}

func (r *request) bendForm(name string, op ststest.Op, text func(string) string) bool {
	k, v := text(fmt.Sprint(op["k"])), text(fmt.Sprint(op["v"]))
	switch name {
	case "form_set":
		r.form.Set(k, v)
	case "form_add":
		if v == "${current}" {
			v = r.form.Get(k)
		}
		if !r.form.Has(k) {
			v = map[string]string{"client_id": "svc-gateway", "requested_token_type": accessType}[k]
			r.form.Set(k, v)
		}
		r.form.Add(k, v)
	case "form_del":
		r.form.Del(k)
	case "body_raw":
		r.body = v
	default:
		return false
	}
	return true
}

func (r *request) bendHTTP(name string, op ststest.Op, text func(string) string) bool {
	k, v := text(fmt.Sprint(op["k"])), text(fmt.Sprint(op["v"]))
	switch name {
	case "http_header_set":
		if k == "Host" {
			r.host = v
			return true
		}
		r.header.Set(k, v)
	case "http_header_add":
		r.header.Add(k, v)
	case "http_header_del":
		r.header.Del(k)
	case "headers_bulk":
		for i := range 500 {
			r.header.Set(fmt.Sprintf("X-Bulk-%d", i), "v")
		}
	case "method_set":
		r.method = v
	case "path_set":
		r.path = v
	default:
		return false
	}
	return true
}

// bendClient changes who calls, and how it says so.
func (h *caseHouse) bendClient(r *request, name string, op ststest.Op) bool {
	id := "svc-gateway"
	switch {
	case name == "client" && op["use"] == "a:b%": // '%' is in no client_id of ours
		r.header.Set("Authorization", basic(url.QueryEscape("a:b"), url.QueryEscape(h.secrets["a:b"])))
		return true
	case name == "client":
		id = fmt.Sprint(op["use"])
		r.header.Set("Authorization", basic(id, h.secrets[id]))
		return true
	case name != "client_auth":
		return false
	case op["encode"] == "rfc6749":
		return true // the client's entry has put them so already
	}
	secret := h.secrets[id]
	if given, ok := op["id"].(string); ok {
		id = given
	}
	if given, ok := op["secret"].(string); ok {
		secret = given
	}
	r.header.Set("Authorization", basic(id, secret))
	return true
}

// bendHouse changes manifests; restore puts them back.
func (h *caseHouse) bendHouse(t *testing.T, name string, op ststest.Op) bool {
	t.Helper()
	patch, _ := op["set"].(map[string]any)
	h.changed = true
	switch {
	case name == "issuer_patch" && patch["required_typ"] != nil:
		h.apply(t, h.issuer(t, "A", members{"typ": list(fmt.Sprint(patch["required_typ"]))}))
	case name == "issuer_patch" && patch["max_token_age"] != nil:
		h.apply(t, h.issuer(t, "A", members{"maxTokenAge": fmt.Sprint(patch["max_token_age"], "s")}))
	case name == "issuer_patch" && patch["single_use"] == true:
		h.apply(t, h.issuer(t, "A", members{"singleUse": true}))
	case name == "issuer_patch" && patch["accept_act"] != nil: // no such field: act is read everywhere
	case name == "env" && op["k"] == "skew":
		h.skew(t, op["v"])
	case name == "client_patch" && patch["allowed_issuers"] != nil: // a client's issuers are those of its policies
		h.apply(t, h.p1(subject(everyType, "idp-b")))
	case name == "policy_patch":
		return h.bendPolicy(t, patch)
	case name == "policy_add":
		p := h.p1(members{"scopes": members{"allow": op["scopes"]}})
		p["metadata"] = members{"name": "p1b"}
		h.apply(t, p)
		h.added = "p1b"
	case name == "select_policy":
	default:
		return false
	}
	return true
}

// skew sets issuer A's; more than 5 minutes are not taken, and exp has none.
func (h *caseHouse) skew(t *testing.T, seconds any) {
	t.Helper()
	number, _ := seconds.(json.Number)
	n, err := number.Int64()
	if err != nil {
		t.Fatal(err)
	}
	if n > 0 {
		h.apply(t, h.issuer(t, "A", members{"clockSkew": fmt.Sprint(min(n, 300), "s")}))
	}
}

func (h *caseHouse) bendPolicy(t *testing.T, patch map[string]any) bool {
	t.Helper()
	for field, value := range patch {
		switch field {
		case "client":
			h.apply(t, h.p1(members{"clients": list(fmt.Sprint(value))}))
		case "issuer":
			h.apply(t, h.p1(subject(everyType, "idp-b")))
		case "scope_mapping":
			h.apply(t, h.p1(members{"scopes": members{"allow": list("orders:read", "orders:write"), "prove": "map", "map": members{"read": list("orders:read")}}}))
		case "valid_until":
			ended := h.p1(nil)
			governance, _ := ended["governance"].(members)
			governance["expiresAt"] = h.clock.Now().Add(-time.Second).Format(time.RFC3339)
			h.apply(t, ended)
		case "require_actor":
			h.apply(t, h.p1(members{"flow": "delegation", "actor": members{"from": "token", "issuers": list("idp-c")}}))
		case "mode": // delegation_client is the one that cases have
			h.apply(t, h.p1(members{"flow": "delegation", "actor": members{"from": "client"}}))
		case "default_audience": // there is none to take away
		default:
			return false
		}
	}
	return true
}

// expander fills in the fixtures that a text names.
func (h *caseHouse) expander(t *testing.T, r *request) func(string) string {
	return func(text string) string {
		without := url.Values{}
		for name, values := range r.form {
			if name != "scope" {
				without[name] = values
			}
		}
		other, _, _ := h.fixture.Tokens(t, []ststest.Op{{"op": "use_token", "t": "subject", "fixture": "ST_B"}})
		return strings.NewReplacer(
			"${form}", r.form.Encode(), "${form_without:scope}", without.Encode(), "${token:ST_B}", other, "${token:AT_C2}", other,
			"${repeat:A:66000}", strings.Repeat("A", 66000),
			"${multipart:form}", "--B\r\nContent-Disposition: form-data; name=\"grant_type\"\r\n\r\n"+exchangeURN+"\r\n--B--\r\n",
			"${basic:svc-gateway}", base64.StdEncoding.EncodeToString([]byte("svc-gateway:"+h.secrets["svc-gateway"])),
			"${b64::secret}", base64.StdEncoding.EncodeToString([]byte(":secret")),
		).Replace(text)
	}
}

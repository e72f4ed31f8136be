package conformance_test

import (
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/ststest"
)

// aboutOpaque are the cases of tokens that only their issuer can read (RFC 7662).
var aboutOpaque = map[string]special{
	"TRU-024": notSprayed,
	"INT-002": answering(`{"active":"true"}`), "INT-004": answering(`{"sub":"alice","exp":4000000000}`),
	"INT-008": answering(`{"active":false,"active":true}`), "INT-009": answering(`{"Active":true}`),
	"INT-006": answeringAs("text/html", "<!DOCTYPE html><title>active</title>"),
	"INT-030": answeringAs("application/token-introspection+jwt", "eyJhbGciOiJub25lIn0.eyJ0b2tlbl9pbnRyb3NwZWN0aW9uIjp7ImFjdGl2ZSI6dHJ1ZX19."),
	"INT-011": expired, "INT-018": early,
	"INT-013": active(claims{"iss": "https://idp-a.test"}), "INT-014": active(claims{"aud": "https://other.test"}),
	"INT-015": active(claims{"token_type": "refresh_token"}), "INT-016": active(claims{"sub": nil}),
	"INT-017": active(claims{"client_id": "svc-other"}), "INT-019": active(claims{"scope": list("orders:read")}),
	"INT-026": judgedAnew, "INT-027": revokedThere, "INT-028": notKept,
}

// opaqueIssuer is issuer O of the catalogue, whose tokens are opaque. Its client
// is another than the baseline's, so that what is no JWT there is not asked about.
func (h *caseHouse) opaqueIssuer(name, url string, more members) object {
	asked := members{"url": url, "clientId": "strait", "clientSecret": h.secrets["strait"], "allowedClientIds": list("svc-gateway")}
	maps.Copy(asked, more)
	return issuer(name, "https://"+name+".test", members{"introspection": asked}, members{
		"audiences": list(sts), "tokenTypes": list("access_token"), "algorithms": nil,
		"claimMappings": members{"subject": members{"claim": "sub", "prefix": name + "|"}},
	})
}

// opaqueParties are who trades the tokens of issuer O.
func (h *caseHouse) opaqueParties() []object {
	p := h.p1(subject(list("access_token"), "idp-o"))
	p["metadata"] = members{"name": "p1-o"}
	spec, _ := p["spec"].(members)
	spec["clients"] = list("svc-opaque")
	return []object{client("svc-opaque", h.secrets["svc-opaque"], nil), h.opaqueIssuer("idp-o", h.asked.URL, nil), p}
}

// opaque is the baseline with a token of issuer O, which nobody else has.
func (h *caseHouse) opaque(t *testing.T) (r *request, token string) {
	t.Helper()
	token = "opq_" + aSecret()[:26]
	r = h.baseline(t, token)
	r.header.Set("Authorization", basic("svc-opaque", h.secrets["svc-opaque"]))
	return r, token
}

// activate makes the token active, with these claims over the usual.
func (h *caseHouse) activate(t *testing.T, token string, more claims) {
	t.Helper()
	all := claims{"aud": sts, "client_id": "svc-gateway"}
	maps.Copy(all, more)
	h.asked.Activate(t, token, h.clock.Now(), all)
}

// again is the same request under another id.
func (r *request) again() *request {
	second := *r
	second.id, second.header = r.id+"-again", r.header.Clone()
	return &second
}

// active is a case whose token is active, with claims that make it no good; the
// usual ones pass.
func active(more claims) special {
	return func(t *testing.T, h *caseHouse, c ststest.Case) {
		r, token := h.opaque(t)
		h.activate(t, token, more)
		h.judge(t, c, r, h.sendCase(t, r))
		h.opaqueControl(t)
	}
}

// opaqueControl is a token of issuer O that is in order.
func (h *caseHouse) opaqueControl(t *testing.T) {
	t.Helper()
	r, token := h.opaque(t)
	h.activate(t, token, nil)
	if _, payload := h.sendCase(t, r).mustIssue().token(); payload["sub"] != "idp-o|alice" {
		t.Errorf("sub %v", payload["sub"])
	}
}

func expired(t *testing.T, h *caseHouse, c ststest.Case) {
	active(claims{"exp": h.clock.Now().Unix()})(t, h, c)
}

func early(t *testing.T, h *caseHouse, c ststest.Case) {
	active(claims{"nbf": h.clock.Now().Add(10 * time.Minute).Unix()})(t, h, c)
}

// answering is a case whose endpoint answers with this JSON.
func answering(body string) special {
	return answeringAs("application/json", body)
}

func answeringAs(contentType, body string) special {
	return func(t *testing.T, h *caseHouse, c ststest.Case) {
		h.asked.Behave(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			_, _ = w.Write([]byte(body))
		})
		defer h.asked.Behave(nil)
		r, _ := h.opaque(t)
		h.judge(t, c, r, h.sendCase(t, r))
		h.asked.Behave(nil)
		h.opaqueControl(t)
	}
}

// notSprayed: a token that no entry claims is shown to none; a configuration
// that would leave the choice open is refused on write.
func notSprayed(t *testing.T, h *caseHouse, c ststest.Case) {
	h.apply(t, h.opaqueIssuer("idp-o", h.asked.URL, members{"tokenPrefix": "acme_"}), h.opaqueIssuer("idp-o2", h.asked.URL, members{"tokenPrefix": "umbra_"}))
	both := h.p1(subject(list("access_token"), "idp-o", "idp-o2"))
	both["metadata"] = members{"name": "p1-o"}
	spec, _ := both["spec"].(members)
	spec["clients"] = list("svc-opaque")
	h.apply(t, both)
	before := len(h.asked.Asked())
	r, token := h.opaque(t)
	h.activate(t, token, nil)
	h.judge(t, c, r, h.sendCase(t, r))
	if n := len(h.asked.Asked()) - before; n != 0 {
		t.Errorf("%d questions went out", n)
	}
	r, token = h.opaque(t)
	token = strings.Replace(token, "opq_", "umbra_", 1)
	r.form.Set("subject_token", token)
	h.activate(t, token, nil)
	if _, payload := h.sendCase(t, r).mustIssue().token(); payload["sub"] != "idp-o2|alice" {
		t.Errorf("sub %v", payload["sub"])
	}
	h.tryApply(t, h.opaqueIssuer("idp-o", h.asked.URL, nil), h.opaqueIssuer("idp-o2", h.asked.URL, nil)).mustBeInvalid("conflict")
	h.apply(t, h.opaqueParties()...)
}

// judgedAnew: what is remembered of an answer spares no check.
func judgedAnew(t *testing.T, h *caseHouse, c ststest.Case) {
	r, token := h.opaque(t)
	h.activate(t, token, nil)
	h.sendCase(t, r).mustIssue()
	before := len(h.asked.Asked())
	for name, value := range map[string]string{"audience": "https://unknown.test", "scope": "orders:write"} {
		bad := r.again()
		bad.form = maps.Clone(r.form)
		bad.form.Set(name, value)
		bad.id += name
		h.judge(t, c, bad, h.sendCase(t, bad))
	}
	h.sendCase(t, r.again()).mustIssue()
	if n := len(h.asked.Asked()) - before; n != 0 {
		t.Errorf("asked %d times more: nothing was remembered, and nothing is shown", n)
	}
}

// revokedThere: a token that its issuer has revoked is refused when the answer
// has been remembered for 30 s.
func revokedThere(t *testing.T, h *caseHouse, c ststest.Case) {
	r, token := h.opaque(t)
	h.activate(t, token, nil)
	h.sendCase(t, r).mustIssue()
	h.asked.Know(token, `{"active":false}`)
	h.clock.advance(30 * time.Second)
	h.fixture.Now = h.clock.Now()
	second := r.again()
	h.judge(t, c, second, h.sendCase(t, second))
}

// notKept: an issuer that fails is asked again at once.
func notKept(t *testing.T, h *caseHouse, _ ststest.Case) {
	r, token := h.opaque(t)
	h.activate(t, token, nil)
	h.asked.Behave(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	defer h.asked.Behave(nil)
	h.sendCase(t, r).mustRefuse(http.StatusServiceUnavailable, "temporarily_unavailable", "issuer_keys_unavailable")
	h.asked.Behave(nil)
	h.sendCase(t, r.again()).mustIssue()
}

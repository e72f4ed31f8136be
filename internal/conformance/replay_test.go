package conformance_test

import (
	"crypto/elliptic"
	"encoding/base64"
	"math/big"
	"net/http"
	"strings"
	"testing"

	"github.com/strait-sts/strait/internal/ststest"
)

// aboutReplay are the cases of tokens that are good for one exchange.
var aboutReplay = map[string]special{
	"RPL-001": usedOnce(asItWas), "RPL-003": usedOnce(highS), "RPL-007": usedBefore, "RPL-009": claimsGone,
}

// singly makes the tokens of issuer A good for one exchange each, and gives the
// ops of one that nobody has used.
func (h *caseHouse) singly(t *testing.T) []ststest.Op {
	t.Helper()
	h.changed = true
	h.apply(t, h.issuer(t, "A", members{"singleUse": true}))
	return []ststest.Op{{"op": "claim_set", "t": "subject", "k": "jti", "v": aSecret()}}
}

// bearing is the baseline with the token of these ops.
func (h *caseHouse) bearing(t *testing.T, ops ...ststest.Op) *request {
	t.Helper()
	token, _, _ := h.fixture.Tokens(t, ops)
	return h.baseline(t, token)
}

func asItWas(_ *testing.T, compact string) string { return compact }

// highS is the same token with the other S that its ES256 signature may have:
// whoever sees one signature can make this one (RFC 7518 §3.4).
func highS(t *testing.T, compact string) string {
	t.Helper()
	cut := strings.LastIndexByte(compact, '.') + 1
	signature := unbase64(t, compact[cut:])
	s := new(big.Int).SetBytes(signature[32:])
	s.Sub(elliptic.P256().Params().N, s).FillBytes(signature[32:])
	return compact[:cut] + base64.RawURLEncoding.EncodeToString(signature)
}

// usedOnce: the second exchange of a token is refused, also when the token is
// respelled so that its signature still holds.
func usedOnce(respell func(*testing.T, string) string) special {
	return func(t *testing.T, h *caseHouse, c ststest.Case) {
		ops := h.singly(t)
		token, _, _ := h.fixture.Tokens(t, ops)
		fresh, _, _ := h.fixture.Tokens(t, h.singly(t))
		h.sendCase(t, h.baseline(t, respell(t, fresh))).mustIssue() // so respelled it is good
		h.sendCase(t, h.baseline(t, token)).mustIssue()
		r := h.baseline(t, respell(t, token))
		h.judge(t, c, r, h.sendCase(t, r))
		h.restore(t)
	}
}

// usedBefore: another program on the same database knows what was used.
func usedBefore(t *testing.T, h *caseHouse, c ststest.Case) {
	ops := h.singly(t)
	h.sendCase(t, h.bearing(t, ops...)).mustIssue()
	second := *h
	second.house = openOn(t, h.db, flags{"issuer": sts, "tls": "proxy", "keys-dir": h.cfg.KeysDir})
	second.clock.advance(h.clock.Now().Sub(second.clock.Now()))
	r := second.bearing(t, ops...)
	second.judge(t, c, r, second.sendCase(t, r))
	h.restore(t)
}

// claimsGone: where a claim cannot be kept, nothing is issued.
func claimsGone(t *testing.T, h *caseHouse, _ ststest.Case) {
	ops := h.singly(t)
	h.execute(t, "ALTER TABLE replay_claims RENAME TO replay_claims_away")
	h.sendCase(t, h.bearing(t, ops...)).mustRefuse(http.StatusServiceUnavailable, "temporarily_unavailable", "audit_unavailable")
	h.execute(t, "ALTER TABLE replay_claims_away RENAME TO replay_claims")
	h.sendCase(t, h.bearing(t, ops...)).mustIssue()
	h.restore(t)
}

// onceEach: a token is used up where its issuer's entry says so, and only by
// what was issued for it.
func onceEach(t *testing.T, w *world) {
	i := ststest.NewIssuer(t)
	w.apply(t, issuer("once", i.URL, inline(i.JWKS()), members{"singleUse": true}),
		policy("once", "gateway", "once", list("orders"), list("orders:read"), nil))
	token := w.tokenOf(i, nil, claims{"jti": "once"})
	w.send(t, set("subject_token", token), set("scope", "orders:write")).mustRefuse(400, "invalid_scope", "scope_not_allowed")
	w.issued(t, set("subject_token", token))
	w.send(t, set("subject_token", token)).mustRefuse(400, "invalid_request", "subject_replayed")
	w.issued(t, set("subject_token", w.tokenOf(i, nil, claims{"jti": "another"})))
	for range 2 {
		w.issued(t, set("subject_token", w.alice(nil)))
	}
}

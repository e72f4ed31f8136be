package trust_test

import (
	"crypto"
	"reflect"
	"testing"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/ststest"
)

// ring is our keys in a test.
type ring map[string]ststest.Key

func (r ring) Public(kid string) (string, crypto.PublicKey, bool) {
	key, found := r[kid]
	if !found {
		return "", nil, false
	}
	return key.Alg, key.Private.Public(), true
}

// ownHouse knows one target, which its client serves, and our key.
func ownHouse(t *testing.T) (h *house, keys ring, issue func(header, claims map[string]any) string) {
	t.Helper()
	key := ststest.NewKey(t, "own-1", "ES256")
	keys = ring{key.ID: key}
	orders := &catalog.Entry{Object: catalog.Object{
		Kind: catalog.KindTarget, Metadata: catalog.Metadata{Name: "orders"}, Spec: &catalog.Target{Audience: "https://orders.test"},
	}}
	h = newHouse(t, keys, orders)
	h.client.Serves = []string{"unknown", "orders"}
	idp := ststest.NewIssuer(t)
	return h, keys, func(header, more map[string]any) string {
		all := claims{"iss": ours, "aud": "https://orders.test", "client_id": "gateway-id", "jti": "d1", "txn": "d0", "scope": "a"}
		for name, v := range more {
			all[name] = v
		}
		usual := map[string]any{"typ": "at+jwt"}
		for name, v := range header {
			usual[name] = v
		}
		return idp.IssueWith(key, start(), usual, all)
	}
}

func TestOwnTokenIsBelievedUnderSelf(t *testing.T) {
	t.Parallel()
	h, _, issue := ownHouse(t)
	token, err := h.subject(exchange.TypeAccessToken, issue(nil, claims{
		"sub": "client:edge", "act": claims{"iss": ours, "sub": "client:gateway"}, "auth_time": 1,
	}))
	if err != nil {
		t.Fatal(err)
	}
	if token.Issuer != exchange.SelfIssuer || !token.Own() || token.IssuerURL != ours || token.Subject != "client:edge" || token.Original != token.Subject {
		t.Errorf("issuer %q %q, subject %q of %q", token.Issuer, token.IssuerURL, token.Subject, token.Original)
	}
	if token.Txn != "d0" || token.JTI != "d1" || token.ClientID != "gateway-id" || !reflect.DeepEqual(token.Scopes, []string{"a"}) {
		t.Errorf("%+v", token)
	}
	if want := (exchange.Chain{{Issuer: ours, Subject: "client:gateway"}}); !reflect.DeepEqual(token.Act, want) {
		t.Errorf("act %v, want %v", token.Act, want)
	}
}

func TestOwnTokenIsRefused(t *testing.T) {
	t.Parallel()
	h, keys, issue := ownHouse(t)
	h.believes(issue(nil, nil))
	for name, c := range map[string]struct {
		header, claims map[string]any
		reason         exchange.Reason
	}{
		"another kind of JWT of ours": {claims{"typ": "token-introspection+jwt"}, nil, "subject_type_mismatch"},
		"typ JWT":                     {claims{"typ": "JWT"}, nil, "subject_type_mismatch"},
		"typ absent":                  {claims{"typ": nil}, nil, "subject_type_mismatch"},
		"unknown kid":                 {claims{"kid": "own-2"}, nil, "subject_signature_invalid"},
		"no kid":                      {claims{"kid": nil}, nil, "subject_signature_invalid"},
		"another alg":                 {claims{"alg": "ES384"}, nil, "subject_algorithm_not_allowed"},
		"another target":              {nil, claims{"aud": "https://payments.test"}, "subject_audience_mismatch"},
		"no audience":                 {nil, claims{"aud": nil}, "subject_audience_mismatch"},
		"no client, no target":        {nil, claims{"aud": "x", "client_id": nil}, "subject_audience_mismatch"},
		"expired":                     {nil, claims{"exp": 1, "iat": 0}, "subject_expired"},
		"txn a number":                {nil, claims{"txn": 1}, "subject_token_malformed"},
		"act without sub":             {nil, claims{"act": claims{}}, "subject_rule_failed"},
	} {
		t.Run(name, func(t *testing.T) {
			h := *h
			h.t = t
			h.refuses(issue(c.header, c.claims), c.reason)
		})
	}
	_, err := h.subject(exchange.TypeIDToken, issue(nil, nil))
	wantReason(t, err, "subject_type_mismatch")
	good := issue(nil, nil)
	delete(keys, "own-1")
	h.refuses(good, "subject_signature_invalid") // a key that was believed before, gone from our ring
}

func TestOwnTokenObeysServes(t *testing.T) {
	t.Parallel()
	h, _, issue := ownHouse(t)
	h.client.Serves = nil
	h.refuses(issue(nil, nil), "subject_audience_mismatch")
	h.client.ID = "gateway-id" // whom the token was issued to
	h.believes(issue(nil, nil))
	h.client.ID, h.client.Serves = "", []string{"orders"}
	h.believes(issue(nil, nil))
	h.refuses(issue(nil, claims{"aud": "orders", "client_id": ""}), "subject_audience_mismatch") // a name is no audience
	h.apply(&catalog.Entry{Object: catalog.Object{
		Kind: catalog.KindTarget, Metadata: catalog.Metadata{Name: "orders"},
		Spec: &catalog.Target{Audience: "https://orders.test", Mode: catalog.ModeDisabled},
	}})
	h.refuses(issue(nil, nil), "subject_audience_mismatch")
}

func TestTokenOfAnotherStraitIsForeign(t *testing.T) {
	t.Parallel()
	h, _, issue := ownHouse(t)
	h.refuses(issue(nil, claims{"iss": ours + "/"}), "subject_issuer_not_trusted")
	if n := h.fetches.n.Load(); n != 0 {
		t.Errorf("%d requests went out", n)
	}
}

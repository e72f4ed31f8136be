package trust_test

import (
	"crypto"
	"reflect"
	"testing"
	"time"

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

// ownTarget is the target of our tokens, in a mode.
func ownTarget(mode catalog.Mode) *catalog.Entry {
	return &catalog.Entry{Object: catalog.Object{
		Kind: catalog.KindTarget, Metadata: catalog.Metadata{Name: "orders"},
		Spec: &catalog.Target{Audience: "https://orders.test", Scopes: []string{"a", "b"}, Mode: mode},
	}}
}

// holder is a client that our tokens are issued to.
func holder(id string, mode catalog.Mode, expires *time.Time) *catalog.Entry {
	return &catalog.Entry{Object: catalog.Object{
		Kind: catalog.KindClient, Metadata: catalog.Metadata{Name: id}, Governance: catalog.Governance{ExpiresAt: expires},
		Spec: &catalog.Client{ClientID: id, Mode: mode},
	}}
}

// ownHouse knows one target, which its client serves, the client that tokens
// are issued to, and our key.
func ownHouse(t *testing.T) (h *house, keys ring, issue func(header, claims map[string]any) string) {
	t.Helper()
	key := ststest.NewKey(t, "own-1", "ES256")
	keys = ring{key.ID: key}
	h = newHouse(t, keys, ownTarget(""), holder("gateway-id", "", nil))
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
	h.apply(ownTarget(catalog.ModeDisabled), holder("gateway-id", "", nil))
	h.refuses(issue(nil, nil), "subject_audience_mismatch")
}

// BUG-16, CVE-2026-1486: what a client holds ends with the client, whoever
// presents it.
func TestOwnTokenOfADisabledClientIsRefused(t *testing.T) {
	t.Parallel()
	h, _, issue := ownHouse(t)
	token := issue(nil, nil)
	end, later := start(), start().Add(time.Second)
	for name, entries := range map[string][]*catalog.Entry{
		"disabled": {ownTarget(""), holder("gateway-id", catalog.ModeDisabled, nil)},
		"expired":  {ownTarget(""), holder("gateway-id", "", &end)},
		"gone":     {ownTarget("")},
	} {
		h.apply(ownTarget(""), holder("gateway-id", "", &later))
		h.believes(token)
		h.apply(entries...)
		if _, err := h.subject(exchange.TypeJWT, token); reasonOf(t, err) != "subject_inactive" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// IN-06, RV-02: who may present a token of ours depends on what for. A token of
// anybody else is believed for an exchange alone, and nobody is asked about it.
func TestOwnTokenByPurpose(t *testing.T) {
	t.Parallel()
	h, _, issue := ownHouse(t)
	idp := ststest.NewIssuer(t)
	h.apply(ownTarget(""), holder("gateway-id", "", nil), inline(idp, accepting("access_token")), asking("opaque", ststest.NewIntrospector(t)))
	server := exchange.Client{Name: "server", ID: "server-id", Serves: []string{"orders"}}
	gateway := exchange.Client{Name: "gateway", ID: "gateway-id"}
	for _, c := range []struct {
		purpose exchange.Purpose
		client  exchange.Client
		token   string
		want    exchange.Reason
	}{
		{exchange.ToExchange, server, issue(nil, nil), ""},
		{exchange.ToExchange, gateway, issue(nil, nil), ""},
		{exchange.ToIntrospect, server, issue(nil, nil), ""},
		{exchange.ToIntrospect, gateway, issue(nil, nil), "subject_audience_mismatch"},
		{exchange.ToRevoke, gateway, issue(nil, nil), ""},
		{exchange.ToRevoke, server, issue(nil, nil), "subject_audience_mismatch"},
		{exchange.ToIntrospect, server, idp.IssueWith(idp.Key(), start(), nil, nil), "subject_issuer_not_trusted"},
		{exchange.ToRevoke, gateway, idp.IssueWith(idp.Key(), start(), nil, nil), "subject_issuer_not_trusted"},
		{exchange.ToIntrospect, server, "opaque", "subject_token_malformed"},
	} {
		req := h.request(exchange.TypeAccessToken, c.token, "idp", "opaque")
		req.Client, req.Purpose = &c.client, c.purpose
		before := h.fetches.n.Load()
		token, err := h.verifier.Verify(t.Context(), req, exchange.RoleSubject)
		if reasonOf(t, err) != c.want {
			t.Errorf("purpose %d of %s: %v, want %q", c.purpose, c.client.Name, err, c.want)
		}
		if c.want == "" && (len(token.Served) == 1) != (c.client.Name == "server") {
			t.Errorf("purpose %d of %s: served %v", c.purpose, c.client.Name, token.Served)
		}
		if h.fetches.n.Load() != before {
			t.Errorf("purpose %d of %s: somebody was asked", c.purpose, c.client.Name)
		}
	}
}

func TestTokenOfAnotherStraitIsForeign(t *testing.T) {
	t.Parallel()
	h, _, issue := ownHouse(t)
	h.refuses(issue(nil, claims{"iss": ours + "/"}), "subject_issuer_not_trusted")
	if n := h.fetches.n.Load(); n != 0 {
		t.Errorf("%d requests went out", n)
	}
}

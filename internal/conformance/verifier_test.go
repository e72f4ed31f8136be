package conformance_test

import (
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
)

// verifyIndependently hands the token to coreos/go-oidc, which knows nothing
// but the issuer's URL and finds the keys by discovery (RFC 8414 §3).
func verifyIndependently(t *testing.T, h *house, a *answer, audience string) {
	t.Helper()
	ctx := oidc.ClientContext(t.Context(), h.client)
	provider, err := oidc.NewProvider(ctx, h.app.Issuer())
	if err != nil {
		t.Fatal(err)
	}
	token, err := provider.Verifier(&oidc.Config{ClientID: audience, Now: h.clock.Now}).Verify(ctx, a.text("access_token"))
	if err != nil {
		t.Fatal(err)
	}
	if token.Issuer != h.app.Issuer() || token.Subject == "" || token.Expiry.Sub(h.clock.Now()).Seconds() < 1 {
		t.Errorf("verified as %+v", token)
	}
}

// TestIndependentVerifierAcceptsEveryAlgorithm, and refuses each token with a
// bit changed or for another audience.
func TestIndependentVerifierAcceptsEveryAlgorithm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, alg := range map[string]string{"orders": "ES256", "eddsa": "EdDSA", "rs256": "RS256"} {
		scope, audience := "read", "https://"+name+".example.com"
		if name == "orders" {
			scope = "orders:read"
		}
		a := w.send(t, set("audience", name), set("scope", scope)).mustIssue()
		if head, _ := a.token(); head["alg"] != alg {
			t.Errorf("%s: alg %v", name, head["alg"])
		}
		verifyIndependently(t, w.house, a, audience)
		provider, err := oidc.NewProvider(oidc.ClientContext(t.Context(), w.client), w.app.Issuer())
		if err != nil {
			t.Fatal(err)
		}
		token := a.text("access_token")
		if _, err := provider.Verifier(&oidc.Config{ClientID: audience, Now: w.clock.Now}).Verify(t.Context(), flip(token)); err == nil {
			t.Errorf("%s: a changed signature was accepted", alg)
		}
		if _, err := provider.Verifier(&oidc.Config{ClientID: "https://else.example.com", Now: w.clock.Now}).Verify(t.Context(), token); err == nil {
			t.Errorf("%s: another audience was accepted", alg)
		}
	}
}

// flip changes a character in the middle of the signature.
func flip(compact string) string {
	b := []byte(compact)
	i := len(b) - 20
	if b[i] == 'A' {
		b[i] = 'B'
	} else {
		b[i] = 'A'
	}
	return string(b)
}

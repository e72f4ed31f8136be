package conformance_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/ststest"
)

// databaseDown: no record, no token, and no excuse in a 4xx; what needs no
// database goes on; and it ends by itself.
func databaseDown(t *testing.T) {
	t.Helper()
	postgres := ststest.StartServer(t)
	w := &world{house: openOn(t, postgres.Migrated(t), nil), idp: ststest.NewIssuer(t), secret: aSecret()}
	w.apply(t, issuer("idp", w.idp.URL, inline(w.idp.JWKS()), nil), target("orders", ordersAudience, list("orders:read"), nil),
		client("gateway", w.secret, nil), policy("orders", "gateway", "idp", list("orders"), list("orders:read"), nil))
	w.send(t).mustIssue()
	ready := func() int { return w.request(t, http.MethodGet, w.admin+"/readyz", nil, nil).status }
	if ready() != http.StatusOK {
		t.Fatal("not ready before")
	}

	postgres.Stop(t)
	stopped := time.Now()
	a := w.send(t).mustRefuse(http.StatusServiceUnavailable, "temporarily_unavailable", "audit_unavailable")
	if a.header.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
	if took := time.Since(stopped); took > 5*time.Second {
		t.Errorf("503 after %v", took)
	}
	w.send(t, set("audience", "nobody")).mustRefuse(http.StatusServiceUnavailable, "temporarily_unavailable", "audit_unavailable")
	w.send(t, header("Authorization", basic("gateway", "wrong"))).mustRefuse(http.StatusUnauthorized, "invalid_client", "")
	for _, path := range list(jwksPath, oauthMetadata, openIDMetadata) {
		if a := w.get(t, path); a.status != http.StatusOK {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	if status := ready(); status != http.StatusServiceUnavailable {
		t.Errorf("/readyz: %d", status)
	}
	if a := w.request(t, http.MethodGet, w.admin+"/livez", nil, nil); a.status != http.StatusOK {
		t.Errorf("/livez: %d", a.status)
	}

	postgres.Start(t)
	began := time.Now()
	for w.send(t).status != http.StatusOK || ready() != http.StatusOK {
		if time.Since(began) > 15*time.Second {
			t.Fatal("it has not come back")
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Logf("back after %v", time.Since(began))
}

package telemetry_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/telemetry"
)

func TestSecretsCannotBeLogged(t *testing.T) {
	const secret = "s3cr3t-value"
	for _, format := range []string{"json", "text"} {
		var out bytes.Buffer
		log := telemetry.NewLogger(&out, format, slog.LevelInfo)
		log.Info("typed", "value", exchange.Secret(secret), "inside", struct{ S exchange.Secret }{exchange.Secret(secret)})
		log.Info("named", "subject_token", secret, slog.Group("request", "Authorization", secret))
		log.With("client_secret", secret).Info("bound")
		log.Info("wrapped", "err", fmt.Errorf("refused: %v", exchange.Secret(secret)))
		if strings.Contains(out.String(), secret) {
			t.Errorf("%s log shows the secret:\n%s", format, out.String())
		}
		if strings.Count(out.String(), "[redacted]") < 5 {
			t.Errorf("%s log does not say what it hid:\n%s", format, out.String())
		}
	}
}

func TestLogKeepsWhatIsNoSecret(t *testing.T) {
	var out bytes.Buffer
	telemetry.NewLogger(&out, "json", slog.LevelWarn).Warn("kept", "client", "edge-gateway", "tokenType", "jwt")
	telemetry.NewLogger(&out, "json", slog.LevelWarn).Info("below the level")
	if got := out.String(); !strings.Contains(got, `"client":"edge-gateway"`) || !strings.Contains(got, `"tokenType":"jwt"`) || strings.Contains(got, "below") {
		t.Errorf("log: %s", got)
	}
}

func TestMetricsCountExchanges(t *testing.T) {
	m := telemetry.NewMetrics("v1.2.3", func() telemetry.PoolStats {
		return telemetry.PoolStats{Acquired: 2, Idle: 3, Max: 10, Waited: 7}
	})
	m.Exchanged("issued", "", 150*time.Microsecond)
	m.Exchanged("denied", "scope_not_held", time.Millisecond)
	m.Rejected("client")
	m.Introspected("inactive")
	m.RevocationAsked("revoked")
	m.KeysFetched("ok")
	m.Revision(42)
	age := 90 * time.Second
	m.WatchIssuers(func() []telemetry.IssuerStats {
		return []telemetry.IssuerStats{
			{Name: "okta-prod", State: "stale", Age: &age, UnknownKids: 3, Failures: 2}, {Name: "new", State: "neverFetched"},
		}
	})
	m.WatchRevocations(func() telemetry.RevocationStats {
		return telemetry.RevocationStats{Revision: 9, Tokens: 1000, Rules: 4, Age: 250 * time.Millisecond}
	})
	answer := httptest.NewRecorder()
	m.Handler().ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	body, _ := io.ReadAll(answer.Body)
	for _, line := range []string{
		`strait_exchanges_total{decision="issued",reason=""} 1`,
		`strait_exchanges_total{decision="denied",reason="scope_not_held"} 1`,
		`strait_exchange_duration_seconds_bucket{decision="issued",le="0.0001"} 0`,
		`strait_exchange_duration_seconds_bucket{decision="issued",le="0.0002"} 1`,
		`strait_rejected_total{kind="client"} 1`,
		`strait_token_requests_total{endpoint="introspect",result="inactive"} 1`,
		`strait_token_requests_total{endpoint="revoke",result="revoked"} 1`,
		`strait_key_fetches_total{result="ok"} 1`,
		`strait_config_revision 42`,
		`strait_db_connections_acquired 2`,
		`strait_db_acquire_waits_total 7`,
		`version="v1.2.3"`,
		`strait_issuer_state{issuer="okta-prod",state="stale"} 1`,
		`strait_issuer_keys_age_seconds{issuer="okta-prod"} 90`,
		`strait_issuer_unknown_kids_total{issuer="okta-prod"} 3`,
		`strait_issuer_fetch_failures_total{issuer="okta-prod"} 2`,
		`strait_issuer_state{issuer="new",state="neverFetched"} 1`,
		`strait_revocation_revision 9`,
		`strait_revoked_tokens 1000`,
		`strait_revocation_rules 4`,
		`strait_revocations_age_seconds 0.25`,
	} {
		if !strings.Contains(string(body), line) {
			t.Errorf("/metrics lacks %s", line)
		}
	}
}

package app

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/ststest"
)

// ruled is a catalogue whose issuer has one rule, and maps the subject by an
// expression.
func ruled(idp *ststest.Issuer, secret, rule, subject string) string {
	governance := fmt.Sprintf(`"governance":{"owner":"o","justification":"j","reviewBy":%q}`, time.Now().AddDate(0, 1, 0).Format(time.DateOnly))
	return fmt.Sprintf(`{"objects":[
		{"kind":"TrustedIssuer","metadata":{"name":"idp"},%[1]s,"spec":{"issuer":%[2]q,"keys":{"discovery":{}},"acceptAs":["subject"],
			"audiences":["https://gateway.example.com"],"algorithms":["ES256"],
			"claimValidationRules":[{"expression":%[3]q,"message":"tenant must be acme"}],
			"claimMappings":{"subject":{"expression":%[4]q,"prefix":"idp:"}}}},
		{"kind":"Target","metadata":{"name":"orders"},"governance":{"owner":"o"},"spec":{"audience":"https://orders.example","scopes":["orders:read"]}},
		{"kind":"Client","metadata":{"name":"gw"},"governance":{"owner":"o"},"spec":{"authentication":[{"method":"client_secret","secret":%[5]q}],"grants":["token-exchange"]}},
		{"kind":"ExchangePolicy","metadata":{"name":"p"},%[1]s,"spec":{"flow":"downscope","clients":["gw"],
			"subject":{"issuers":["idp"],"tokenTypes":["jwt"]},"targets":["orders"],"scopes":{"allow":["orders:read"]},"issue":{"lifetime":"5m"}}}]}`,
		governance, idp.URL, rule, subject, secret)
}

// TestRulesOfAnIssuerDecide, as an administrator wrote them in CEL.
func TestRulesOfAnIssuerDecide(t *testing.T) {
	t.Parallel()
	secret, idp := rand.Text()+rand.Text(), ststest.NewIssuer(t)
	w := started(t, ststest.Migrated(t), t.TempDir(), secret)
	if code, body := w.admin("POST", "/admin/v1/apply", ruled(idp, secret, `claims.tenant == "acme"`, `claims.tenant + "/" + claims.sub`)); code != http.StatusOK {
		t.Fatal(body)
	}
	for name, c := range map[string]struct {
		claims map[string]any
		want   string
	}{
		"holds":                {map[string]any{"tenant": "acme"}, ""},
		"does not hold":        {map[string]any{"tenant": "other"}, "subject_rule_failed"},
		"claim absent":         {map[string]any{}, "subject_rule_failed"},
		"claim of other type":  {map[string]any{"tenant": []string{"acme"}}, "subject_rule_failed"},
		"mapping is no string": {map[string]any{"tenant": 7}, "subject_rule_failed"},
	} {
		c.claims["scope"] = "orders:read"
		if got := w.exchange(exchange.TypeJWT, idp.Issue(time.Now(), c.claims)); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	_, body := w.admin("GET", "/admin/v1/exchanges?decision=issued", "")
	if !strings.Contains(body, `"sub":"idp:acme/alice"`) {
		t.Errorf("the mapped subject is not in the record: %s", body)
	}
	_, body = w.admin("GET", "/admin/v1/exchanges?reason=subject_rule_failed", "")
	if !strings.Contains(body, "tenant must be acme") {
		t.Errorf("the rule's message is not in the record: %s", body)
	}
}

// TestExpressionsThatDoNotCompileAreRefusedOnWrite, with their place.
func TestExpressionsThatDoNotCompileAreRefusedOnWrite(t *testing.T) {
	t.Parallel()
	secret, idp := rand.Text()+rand.Text(), ststest.NewIssuer(t)
	w := started(t, ststest.Migrated(t), t.TempDir(), secret)
	for _, c := range []struct{ rule, subject, pointer string }{
		{`claims.tenant ==`, `claims.sub`, "/spec/claimValidationRules/0/expression"},
		{`claims.tenant`, `claims.sub + 1`, "/spec/claimMappings/subject/expression"},
		{`subject.sub == "a"`, `claims.sub`, "/spec/claimValidationRules/0/expression"},
		{`"text"`, `claims.sub`, "/spec/claimValidationRules/0/expression"},
		{`true`, `1`, "/spec/claimMappings/subject/expression"},
	} {
		code, body := w.admin("POST", "/admin/v1/apply", ruled(idp, secret, c.rule, c.subject))
		if code != http.StatusUnprocessableEntity || !strings.Contains(body, c.pointer) || !strings.Contains(body, `"code":"expression"`) {
			t.Errorf("%s | %s: %d %s", c.rule, c.subject, code, body)
		}
	}
	if w.catalog.Current().Revision != 0 {
		t.Error("something was stored")
	}
}

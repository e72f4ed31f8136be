package app

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/config"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/postgres"
	"github.com/strait-sts/strait/internal/ststest"
)

// whole is a running Strait, spoken to over HTTP.
type whole struct {
	*App
	t      *testing.T
	secret string // of its client, gw
}

// started is a Strait on this database that may reach loopback.
func started(t *testing.T, db ststest.Database, keys, secret string, change ...func(*config.Config)) *whole {
	t.Helper()
	cfg, err := config.Load(func(string) (string, bool) { return "", false }, nil,
		map[string]string{"public-addr": "127.0.0.1:0", "admin-addr": "127.0.0.1:0", "keys-dir": keys, "log-level": "error"})
	if err != nil {
		t.Fatal(err)
	}
	cfg.DatabaseURL, cfg.AdminToken = exchange.Secret(db.AppURL), exchange.Secret(rand.Text()+rand.Text())
	cfg.FetchAllowCIDRs, cfg.FetchAllowHTTP = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, true
	cfg.Issuer, cfg.IssuerSet = "http://localhost:1", true // the same for all replicas
	for _, f := range change {
		f(&cfg)
	}
	a, err := Start(t.Context(), cfg, Options{Version: "test", Log: io.Discard, Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := a.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return &whole{a, t, secret}
}

// admin calls the admin API and gives status and body.
func (w *whole) admin(method, path, body string) (int, string) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, "http://"+w.Addr("admin")+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+w.AdminToken().Reveal())
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("If-Match", "*")
	return w.do(r)
}

func (w *whole) do(r *http.Request) (int, string) {
	w.t.Helper()
	answer, err := (&http.Client{Timeout: 20 * time.Second}).Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// exchange trades a token of a type, and gives the reason of a refusal.
func (w *whole) exchange(typ exchange.TokenType, token string) string {
	w.t.Helper()
	form := url.Values{
		"grant_type": {string(exchange.GrantTokenExchange)}, "subject_token": {token}, "subject_token_type": {string(typ)},
		"audience": {"orders"}, "scope": {"orders:read"},
	}
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, "http://"+w.Addr("public")+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("gw", w.secret)
	code, body := w.do(r)
	var answer struct {
		Reason string `json:"reason"`
		Token  string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || (code == http.StatusOK) != (answer.Token != "") {
		w.t.Fatalf("%d %s", code, body)
	}
	return answer.Reason
}

// trustList is a catalogue: opaque tokens of acme, single-use JWTs of idp.
func trustList(asked *ststest.Introspector, idp *ststest.Issuer, secret string) string {
	governance := fmt.Sprintf(`"governance":{"owner":"o","justification":"j","reviewBy":%q}`, time.Now().AddDate(0, 1, 0).Format(time.DateOnly))
	return fmt.Sprintf(`{"objects":[
		{"kind":"TrustedIssuer","metadata":{"name":"acme"},%[1]s,"spec":{"issuer":"https://acme.example","acceptAs":["subject"],
			"keys":{"introspection":{"url":%[2]q,"clientId":"strait","clientSecret":"p:resented%%","allowedClientIds":["webshop"]}},
			"claimMappings":{"subject":{"prefix":"acme:"}}}},
		{"kind":"TrustedIssuer","metadata":{"name":"idp"},%[1]s,"spec":{"issuer":%[3]q,"keys":{"discovery":{}},"acceptAs":["subject"],"singleUse":true,
			"audiences":["https://gateway.example.com"],"algorithms":["ES256"],"claimMappings":{"subject":{"prefix":"idp:"}}}},
		{"kind":"Target","metadata":{"name":"orders"},"governance":{"owner":"o"},"spec":{"audience":"https://orders.example","scopes":["orders:read"]}},
		{"kind":"Client","metadata":{"name":"gw"},"governance":{"owner":"o"},"spec":{"authentication":[{"method":"client_secret","secret":%[4]q}],"grants":["token-exchange"]}},
		{"kind":"ExchangePolicy","metadata":{"name":"p"},%[1]s,"spec":{"flow":"downscope","clients":["gw"],
			"subject":{"issuers":["acme","idp"],"tokenTypes":["access_token","jwt"]},"targets":["orders"],"scopes":{"allow":["orders:read"]},"issue":{"lifetime":"5m"}}}]}`,
		governance, asked.URL, idp.URL, secret)
}

// TestIssuersFromEndToEnd: what this release believes, over HTTP and PostgreSQL.
func TestIssuersFromEndToEnd(t *testing.T) {
	t.Parallel()
	db, keys, secret := ststest.Migrated(t), t.TempDir(), rand.Text()+rand.Text()
	asked, idp := ststest.NewIntrospector(t), ststest.NewIssuer(t)
	first := started(t, db, keys, secret)
	if code, body := first.admin("POST", "/admin/v1/apply", trustList(asked, idp, secret)); code != http.StatusOK {
		t.Fatal(body)
	}
	asked.Activate(t, "opaque", time.Now(), map[string]any{"scope": "orders:read"})

	if reason := first.exchange(exchange.TypeAccessToken, "opaque"); reason != "" {
		t.Error(reason)
	}
	if q := asked.Asked()[0]; q.User != "strait" || q.Password != "p:resented%" {
		t.Errorf("asked as %q", q.User)
	}
	if reason := first.exchange(exchange.TypeAccessToken, "unknown"); reason != "subject_inactive" {
		t.Error(reason)
	}

	// Each jti once, on every replica; a denial in between uses nothing up.
	second := started(t, db, keys, secret)
	now := time.Now()
	token := idp.Issue(now, map[string]any{"jti": rand.Text(), "scope": "orders:read"})
	poor := idp.Issue(now, map[string]any{"jti": rand.Text(), "scope": "other"})
	for i, step := range []struct {
		on          *whole
		token, want string
	}{{first, poor, "scope_not_held"}, {second, poor, "scope_not_held"}, {first, token, ""}, {second, token, "subject_replayed"}, {first, token, "subject_replayed"}} {
		if reason := step.on.exchange(exchange.TypeJWT, step.token); reason != step.want {
			t.Errorf("step %d: %q, want %q", i, reason, step.want)
		}
	}
	if reason := second.exchange(exchange.TypeAccessToken, "opaque"); reason != "" {
		t.Errorf("the second replica cannot open the secret: %s", reason)
	}

	first.tellsOfIssuers()
	first.keepsTheSecret(db)
}

// tellsOfIssuers: health, probe and metrics.
func (w *whole) tellsOfIssuers() {
	w.t.Helper()
	if _, body := w.admin("GET", "/admin/v1/trusted-issuers/idp", ""); !strings.Contains(body, `"health":{"state":"healthy","keys":[{"kid"`) {
		w.t.Error(body)
	}
	for _, name := range []string{"idp", "acme"} {
		if code, body := w.admin("POST", "/admin/v1/trusted-issuers/"+name+":probe", ""); code != http.StatusOK || !strings.Contains(body, `"ok":true`) {
			w.t.Errorf("%d %s", code, body)
		}
	}
	if _, body := w.admin("GET", "/metrics", ""); !strings.Contains(body, `strait_issuer_state{issuer="acme",state="healthy"} 1`) {
		w.t.Error("no state of the issuer in /metrics")
	}
}

// keepsTheSecret: no answer and no row shows what we present.
func (w *whole) keepsTheSecret(db ststest.Database) {
	w.t.Helper()
	const path = "/admin/v1/trusted-issuers/acme"
	_, object := w.admin("GET", path, "")
	_, changes := w.admin("GET", "/admin/v1/changes", "")
	for _, shown := range []string{object, changes} {
		if strings.Contains(shown, "resented") || strings.Contains(shown, "clientSecret") {
			w.t.Errorf("an answer shows the secret: %s", shown)
		}
	}
	store, err := postgres.Open(w.t.Context(), db.AppURL, postgres.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	defer store.Close()
	_, rows, err := store.Load(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, row := range rows {
		kept := row.Body
		for _, sealed := range row.Sealed {
			kept = append(kept, sealed...)
		}
		if bytes.Contains(kept, []byte("resented")) || (row.Name == "acme") != (len(row.Sealed) == 1) {
			w.t.Errorf("%s/%s is stored as %s, %d sealed", row.Kind, row.Name, row.Body, len(row.Sealed))
		}
	}
	if code, body := w.admin("PUT", path, object); code != http.StatusOK {
		w.t.Errorf("what was read cannot be written: %s", body)
	}
	moved := strings.Replace(object, "/introspect", "/elsewhere", 1)
	if code, body := w.admin("PUT", path, moved); code != http.StatusUnprocessableEntity || !strings.Contains(body, "must be sent anew") {
		w.t.Errorf("%d %s", code, body)
	}
}

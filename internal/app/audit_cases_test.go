package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/audit"
	"github.com/strait-sts/strait/internal/config"
	"github.com/strait-sts/strait/internal/ststest"
)

// auditCases are the cases of the area audit in testdata/security-cases.json,
// each by its id.
var auditCases = map[string]func(*testing.T){
	"AUD-006": recordSurvivesACrash,
	"AUD-007": asynchronousCommitsAreNoticed,
	"AUD-010": strangersCannotFillTheRecords,
	"AUD-011": nothingSecretIsKept,
	"AUD-012": nothingSecretIsToldOfErrors,
	"AUD-013": adminsSecretsAreNotKept,
	"AUD-014": linesCannotBeForged,
	"AUD-015": nulIsRefusedAndRecorded,
	"AUD-017": servingRoleCannotAlterRecords,
	"AUD-018": alteredRecordIsNamed,
	"AUD-021": everyTokenHasItsOwnRecord,
}

// waiting are the cases whose feature does not exist, and which that is.
var waiting = map[string]string{
	"AUD-019": "there are no tenants, nor roles below that of the bootstrap token (AdminGrant)",
}

// TestAuditCases runs each case of the area, and wants none left out.
func TestAuditCases(t *testing.T) {
	t.Parallel()
	for _, c := range ststest.LoadCases(t, "../../testdata/security-cases.json") {
		if c.Area != "audit" || waiting[c.ID] != "" {
			continue
		}
		run, known := auditCases[c.ID]
		if !known {
			t.Errorf("%s is neither tested nor waiting: %s", c.ID, c.Description)
			continue
		}
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			run(t)
		})
	}
}

// watched is a Strait whose log is read.
type watched struct {
	*App
	t      *testing.T
	issuer *ststest.Issuer
	secret string
	log    *journal
}

// journal is a log that can be read while it is written.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

// watch starts one on a database, at log level debug.
func watch(t *testing.T, appURL string, change func(*config.Config)) *watched {
	t.Helper()
	w := &watched{t: t, issuer: ststest.NewIssuer(t, "ES256"), secret: benchSecret(), log: &journal{}}
	cfg := settings(t, appURL)
	cfg.LogLevel = -4 // debug
	if change != nil {
		change(&cfg)
	}
	var err error
	if w.App, err = Start(t.Context(), cfg, Options{Version: "test", Log: w.log}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { halt(t, w.App) })
	furnish(t, w.App, w.issuer, "ES256", "ES256", w.secret)
	return w
}

// token is the good subject token with some claims changed.
func (w *watched) token(claims map[string]any) string {
	all := map[string]any{"iss": "https://idp.example", "aud": "https://gw.example", "sub": "alice", "scope": "orders:read"}
	for name, value := range claims {
		all[name] = value
	}
	return w.issuer.Issue(time.Now(), all)
}

// post sends a form to /token over HTTP.
func (w *watched) post(form, secret string) *http.Response {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, "http://"+w.Addr("public")+"/token", strings.NewReader(form))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if secret != "" {
		req.SetBasicAuth("gw", secret)
	}
	return w.do(req)
}

// admin calls the admin API.
func (w *watched) admin(method, path, body string) *http.Response {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, "http://"+w.Addr("admin")+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.AdminToken().Reveal())
	req.Header.Set("Content-Type", "application/json")
	return w.do(req)
}

// do gives the answer with its body read.
func (w *watched) do(req *http.Request) *http.Response {
	w.t.Helper()
	resp, err := (&http.Client{Timeout: 20 * time.Second}).Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		w.t.Fatal(err)
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp
}

func text(resp *http.Response) string {
	body, _ := io.ReadAll(resp.Body)
	return string(body)
}

// want fails the test unless the answer has the status.
func (w *watched) want(resp *http.Response, status int) *http.Response {
	w.t.Helper()
	if resp.StatusCode != status {
		w.t.Errorf("answered %d %s, want %d", resp.StatusCode, text(resp), status)
	}
	return resp
}

// compact is anything that looks like the beginning of a JWS.
var compact = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{10,}`)

// scan looks for secrets in everything that is kept or told.
func (w *watched) scan(secrets ...string) {
	w.t.Helper()
	places := map[string]string{
		"log": w.log.String(), "metrics": text(w.admin(http.MethodGet, "/metrics", "")),
		"records": text(w.admin(http.MethodGet, "/admin/v1/exchanges", "")), "changes": text(w.admin(http.MethodGet, "/admin/v1/changes", "")),
		"clients": text(w.admin(http.MethodGet, "/admin/v1/clients", "")),
	}
	for place, text := range places {
		for _, secret := range append(secrets, w.secret, w.AdminToken().Reveal()) {
			if strings.Contains(text, secret) {
				w.t.Errorf("the %s hold a secret", place)
			}
		}
		if found := compact.FindString(text); found != "" {
			w.t.Errorf("the %s hold a token: %.20s…", place, found)
		}
	}
}

func recordSurvivesACrash(t *testing.T) {
	db := ststest.StartServer(t)
	w := watch(t, db.Migrated(t).AppURL, nil)
	id := w.want(w.post(form(w.token(nil)), w.secret), http.StatusOK).Header.Get("X-Strait-Decision")
	db.Kill(t)
	db.Start(t)
	if row, err := w.db.Record(t.Context(), id); err != nil || row.Decision != "issued" {
		t.Errorf("the record of %s: %+v, %v", id, row.Copies, err)
	}
}

func asynchronousCommitsAreNoticed(t *testing.T) {
	db := ststest.StartServer(t).Migrated(t)
	if _, err := db.Exec(t, db.OwnerURL, "ALTER DATABASE "+db.Name+" SET synchronous_commit = off"); err != nil {
		t.Fatal(err)
	}
	w := watch(t, db.AppURL, nil)
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) { // the first look at the session comes with the start
		resp := w.admin(http.MethodGet, "/readyz", "")
		if resp.StatusCode == http.StatusServiceUnavailable && strings.Contains(text(resp), `"audit"`) {
			break
		}
		if time.Since(began) > 10*time.Second {
			t.Fatalf("still ready: %d", resp.StatusCode)
		}
	}
	w.want(w.post(form(w.token(nil)), w.secret), http.StatusServiceUnavailable)
}

func strangersCannotFillTheRecords(t *testing.T) {
	w := watch(t, ststest.Migrated(t).AppURL, nil)
	began := time.Now()
	const flood = 2000
	var group sync.WaitGroup
	handler := w.front(t)
	for range 4 {
		group.Go(func() {
			for range flood / 4 {
				answer, req := httptest.NewRecorder(), request(form("x"), "")
				req.Header.Del("Authorization")
				handler.ServeHTTP(answer, req)
				if answer.Code != http.StatusUnauthorized && answer.Code != http.StatusTooManyRequests {
					t.Errorf("answered %d", answer.Code)
				}
			}
		})
	}
	group.Wait()
	w.want(w.post(form(w.token(nil)), w.secret), http.StatusOK)
	most := strangersBurst + int(strangersPerSecond*time.Since(began).Seconds()) + 2
	if report := w.verified(); int(report.Records) > most || report.Records < strangersBurst {
		t.Errorf("%d records of %d requests, want at most %d", report.Records, flood, most)
	}
	if metrics := text(w.admin(http.MethodGet, "/metrics", "")); !strings.Contains(metrics, fmt.Sprintf(`strait_rejected_total{kind="client"} %d`, flood)) {
		t.Error("they are not all counted")
	}
}

// front is the token endpoint as serve has it.
func (w *watched) front(t *testing.T) http.Handler {
	t.Helper()
	front, err := w.newFront()
	if err != nil {
		t.Fatal(err)
	}
	return front.Routes()[0].Handler
}

// verified is the server's own report.
func (w *watched) verified() *audit.Report {
	w.t.Helper()
	report := &audit.Report{}
	if err := json.Unmarshal([]byte(text(w.want(w.admin(http.MethodGet, "/admin/v1/audit/verify", ""), http.StatusOK))), report); err != nil {
		w.t.Fatal(err)
	}
	return report
}

func nothingSecretIsKept(t *testing.T) {
	w := watch(t, ststest.Migrated(t).AppURL, nil)
	wrong := benchSecret()
	w.want(w.post(form(w.token(nil)), w.secret), http.StatusOK)
	w.want(w.post(form(w.token(nil)), wrong), http.StatusUnauthorized)
	w.want(w.post(form(w.token(map[string]any{"aud": "https://elsewhere.example"})), w.secret), http.StatusBadRequest)
	w.scan(wrong)
}

func nothingSecretIsToldOfErrors(t *testing.T) {
	server := ststest.StartServer(t)
	w := watch(t, server.Migrated(t).AppURL, nil)
	flipped := []byte(w.token(nil))
	flipped[len(flipped)-20] ^= 1
	w.want(w.post(form(string(flipped)), w.secret), http.StatusBadRequest)
	w.want(w.post(form(w.token(nil))+"&subject_token="+w.token(nil), w.secret), http.StatusBadRequest)
	w.want(w.post(form(strings.Repeat(w.token(nil), 2)), w.secret), http.StatusBadRequest)
	server.Stop(t)
	w.want(w.post(form(w.token(nil)), w.secret), http.StatusServiceUnavailable)
	server.Start(t)
	w.scan()
}

func adminsSecretsAreNotKept(t *testing.T) {
	w := watch(t, ststest.Migrated(t).AppURL, nil)
	sentinel := "SENTINEL-" + benchSecret()
	for body, status := range map[string]int{
		`{"kind":"Client","metadata":{"name":"x"},"governance":{"owner":"o"},"spec":{"authentication":[{"method":"client_secret","secret":%q}],"grants":["token-exchange"]}}`: http.StatusCreated,
		`{"kind":"Client","metadata":{"name":"y","annotations":{"n":1}},"meta":{"s":%q}}`:                                                                                     http.StatusUnprocessableEntity,
		`{"kind":"Client","metadata":{"name":"z"},"spec":{"authentication":[{"method":"client_secret","secret":[%q]}]}}`:                                                      http.StatusUnprocessableEntity,
		`{"secret":%q`: http.StatusUnprocessableEntity,
	} {
		name := "z"
		for _, n := range []string{"x", "y"} {
			if strings.Contains(body, `"name":"`+n+`"`) {
				name = n
			}
		}
		resp := w.want(w.admin(http.MethodPut, "/admin/v1/clients/"+name, fmt.Sprintf(body, sentinel)), status)
		if strings.Contains(text(resp), sentinel) {
			t.Errorf("the answer to %s holds the secret", name)
		}
	}
	w.scan(sentinel)
}

func linesCannotBeForged(t *testing.T) {
	w := watch(t, ststest.Migrated(t).AppURL, nil)
	hostile := "x\r\n{\"level\":\"info\"}\x1b[2J\u2028"
	for _, claims := range []map[string]any{{"sub": hostile}, {"iss": hostile}, {"scope": hostile}} {
		w.want(w.post(form(w.token(claims)), w.secret), http.StatusBadRequest)
	}
	w.want(w.post(strings.Replace(form(w.token(nil)), "audience=orders", "audience=a%E2%80%A8b%0D%0A%7B", 1), w.secret), http.StatusBadRequest)
	lines := strings.Split(strings.TrimSuffix(w.log.String(), "\n"), "\n")
	for _, line := range lines {
		var event map[string]any
		if err := json.Unmarshal([]byte(line), &event); err != nil || event["msg"] == nil {
			t.Errorf("not one event: %q", line)
		}
	}
	if len(lines) < 5 {
		t.Errorf("%d lines of log", len(lines))
	}
	if report := w.verified(); !report.OK() || report.Records != 4 {
		t.Errorf("%+v", report)
	}
}

func nulIsRefusedAndRecorded(t *testing.T) {
	w := watch(t, ststest.Migrated(t).AppURL, nil)
	resp := w.want(w.post(form(w.token(map[string]any{"dept": "eng\x00"})), w.secret), http.StatusBadRequest)
	row, err := w.db.Record(t.Context(), resp.Header.Get("X-Strait-Decision"))
	if err != nil || row.Reason != "subject_token_malformed" {
		t.Errorf("%+v, %v", row.Copies, err)
	}
}

func servingRoleCannotAlterRecords(t *testing.T) {
	db := ststest.Migrated(t)
	w := watch(t, db.AppURL, nil)
	w.want(w.post(form(w.token(nil)), w.secret), http.StatusOK)
	for _, statement := range []string{"UPDATE records SET decision = 'denied'", "DELETE FROM records", "TRUNCATE records"} {
		if _, err := db.Exec(t, db.AppURL, statement); err == nil || !strings.Contains(err.Error(), "permission denied") {
			t.Errorf("%s: %v", statement, err)
		}
	}
}

func alteredRecordIsNamed(t *testing.T) {
	db := ststest.Migrated(t)
	w := watch(t, db.AppURL, nil)
	var ids []string
	for range 5 {
		ids = append(ids, w.want(w.post(form(w.token(nil)), w.secret), http.StatusOK).Header.Get("X-Strait-Decision"))
	}
	if report := w.verified(); !report.OK() || report.Records != 5 {
		t.Fatalf("untouched: %+v", report)
	}
	if n, err := db.Exec(t, db.OwnerURL, "UPDATE records SET subject = 'mallory' WHERE id = '"+ids[2]+"'"); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	report := w.verified()
	if len(report.Findings) != 1 || report.Findings[0].ID != ids[2] || report.Findings[0].Seq != 3 || report.Findings[0].Kind != audit.Changed {
		t.Errorf("%+v", report.Findings)
	}
}

// everyTokenHasItsOwnRecord is the case with three replicas and fewer tokens
// than a load test has.
func everyTokenHasItsOwnRecord(t *testing.T) {
	first := watch(t, ststest.Migrated(t).AppURL, nil)
	replicas := []*App{first.App}
	for range 2 {
		cfg := first.cfg
		cfg.PublicAddr, cfg.AdminAddr = "127.0.0.1:0", "127.0.0.1:0"
		replicas = append(replicas, run(t, cfg))
	}
	const each = 300
	body := form(first.token(nil))
	var mu sync.Mutex
	ids := map[string]bool{}
	var group sync.WaitGroup
	for i := range 6 {
		handler := endpoint(t, replicas[i%3], replicas[i%3].recorder)
		group.Go(func() {
			for range each / 2 {
				answer := httptest.NewRecorder()
				handler.ServeHTTP(answer, request(body, first.secret))
				mu.Lock()
				ids[answer.Header().Get("X-Strait-Decision")] = answer.Code == http.StatusOK
				mu.Unlock()
			}
		})
	}
	group.Wait()
	kept := 0
	err := first.db.Log(t.Context(), time.Time{}, time.Time{}, func(_ audit.Evidence, rows audit.Rows) error {
		for row, err := range rows {
			if err != nil {
				return err
			}
			if !ids[row.ID] || row.JTI != row.ID {
				t.Errorf("record %s has jti %q", row.ID, row.JTI)
			}
			kept++
		}
		return nil
	})
	if err != nil || kept != 3*each || len(ids) != 3*each {
		t.Errorf("%d tokens, %d records, %v", len(ids), kept, err)
	}
	if report := first.verified(); !report.OK() || len(report.Chains) != 3 {
		t.Errorf("%+v", report)
	}
}

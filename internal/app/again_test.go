package app

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/strait-sts/strait/internal/analysis"
	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/config"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/postgres"
	"github.com/strait-sts/strait/internal/ststest"
)

// told is what POST /explain says of a recorded exchange.
type told struct {
	Decision, Reason, Unknown, Policy string
	Agrees                            bool
	Revision                          int64
	Recorded                          struct {
		Revision         int64
		Decision, Reason string
	}
}

func (w *whole) again(id, at string) (a told) {
	w.t.Helper()
	code, body := w.admin("POST", "/admin/v1/explain", fmt.Sprintf(`{"exchange":%q,"at":%q}`, id, at))
	if err := json.Unmarshal([]byte(body), &a); err != nil || code != http.StatusOK {
		w.t.Fatalf("%d %s", code, body)
	}
	return a
}

// newest gives the newest record.
func (w *whole) newest() (rec struct {
	ID      string `json:"id"`
	Subject struct {
		Claims map[string]any `json:"claims"`
		Absent []string       `json:"claimsAbsent"`
	} `json:"subject"`
},
) {
	w.t.Helper()
	_, body := w.admin("GET", "/admin/v1/exchanges?limit=1", "")
	var page struct {
		Items []json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal([]byte(body), &page); err != nil || len(page.Items) != 1 {
		w.t.Fatal(body)
	}
	if err := json.Unmarshal(page.Items[0], &rec); err != nil {
		w.t.Fatal(err)
	}
	return rec
}

// TestADecisionIsExplainedAtItsRevision: whatever the configuration is by now, a
// record is explained by the one that decided it; or by the one of now, if asked;
// and by none where history is missing.
func TestADecisionIsExplainedAtItsRevision(t *testing.T) {
	t.Parallel()
	db := ststest.Migrated(t)
	secret, idp := rand.Text()+rand.Text(), ststest.NewIssuer(t)
	w := started(t, db, t.TempDir(), secret)
	apply := func(rule string) {
		if code, body := w.admin("POST", "/admin/v1/apply", ruled(idp, secret, rule, "claims.sub")); code != http.StatusOK {
			t.Fatal(body)
		}
	}
	apply(`claims.tenant == "acme"`)
	token := idp.Issue(time.Now(), map[string]any{"scope": "orders:read", "tenant": "acme", "email": "alice@example.com"})
	if got := w.exchange(exchange.TypeJWT, token); got != "" {
		t.Fatal(got)
	}
	rec := w.newest()
	if want := map[string]any{"tenant": "acme", "sub": "alice"}; !maps.Equal(rec.Subject.Claims, want) {
		t.Errorf("the record keeps %v, want %v: what the rules read", rec.Subject.Claims, want)
	}
	apply(`claims.tenant == "other"`)
	apply(`claims.tenant == "other" || claims.?department.orValue("") == "x"`)
	if a := w.again(rec.ID, ""); !a.Agrees || a.Decision != "issued" || a.Policy != "p" || a.Revision != a.Recorded.Revision || a.Revision != 1 {
		t.Errorf("at its revision: %+v", a)
	}
	if a := w.again(rec.ID, "now"); a.Decision != "unknown" || !strings.Contains(a.Unknown, "claim department of the subject") || a.Revision != 3 || a.Agrees {
		t.Errorf("now, by a rule on what was not kept: %+v", a)
	}
	apply(`claims.tenant == "other"`)
	if a := w.again(rec.ID, "now"); a.Decision != "denied" || a.Reason != "subject_rule_failed" || a.Agrees || a.Recorded.Decision != "issued" {
		t.Errorf("now: %+v", a)
	}

	owner, err := pgx.Connect(t.Context(), db.OwnerURL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = owner.Close(context.Background()) }()
	if _, err := owner.Exec(t.Context(), "DELETE FROM catalog_changes WHERE revision = 1"); err != nil {
		t.Fatal(err)
	}
	if a := w.again(rec.ID, "record"); a.Decision != "unknown" || !strings.Contains(a.Unknown, "history of the catalogue") {
		t.Errorf("without history: %+v", a)
	}
}

// TestNoClaimsAreKeptWhenTold: STRAIT_AUDIT_CLAIMS=none. What turned on claims is
// unknown then, and nothing is guessed.
func TestNoClaimsAreKeptWhenTold(t *testing.T) {
	t.Parallel()
	secret, idp := rand.Text()+rand.Text(), ststest.NewIssuer(t)
	w := started(t, ststest.Migrated(t), t.TempDir(), secret, func(c *config.Config) { c.AuditClaims = "none" })
	if code, body := w.admin("POST", "/admin/v1/apply", ruled(idp, secret, `claims.tenant == "acme"`, "claims.sub")); code != http.StatusOK {
		t.Fatal(body)
	}
	if got := w.exchange(exchange.TypeJWT, idp.Issue(time.Now(), map[string]any{"scope": "orders:read", "tenant": "acme"})); got != "" {
		t.Fatal(got)
	}
	rec := w.newest()
	if len(rec.Subject.Claims)+len(rec.Subject.Absent) > 0 {
		t.Errorf("kept %+v", rec.Subject)
	}
	if a := w.again(rec.ID, ""); a.Decision != "unknown" || !strings.Contains(a.Unknown, "does not keep claim tenant of the subject token") || a.Agrees {
		t.Errorf("%+v", a)
	}
}

// steps is a log with one use that notes how it is read.
type steps struct {
	read    [][2]time.Time
	at      time.Time     // of the use
	longest time.Duration // a longer time is given up
	fault   error
}

func (s *steps) Uses(_ context.Context, since, until time.Time) ([]postgres.Use, error) {
	if s.fault != nil {
		return nil, s.fault
	}
	if s.longest > 0 && until.Sub(since) > s.longest {
		return nil, fmt.Errorf("the database is unavailable: %w", context.DeadlineExceeded)
	}
	s.read = append(s.read, [2]time.Time{since, until})
	if s.at.Before(since) || !s.at.Before(until) {
		return nil, nil
	}
	return []postgres.Use{{Client: "edge", Policy: "p", Issuers: []string{"idp"}, Scopes: []string{"read"}, Last: s.at}}, nil
}

// span is how much of the log was read, all steps together.
func (s *steps) span() (all time.Duration) {
	for _, r := range s.read {
		all += r[1].Sub(r[0])
	}
	return all
}

// TestUsageIsReadOnce: from now backwards, as far as a call has time for; the next
// call goes on from there, and reads what came since.
func TestUsageIsReadOnce(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	now := start
	clock := func() time.Time { return now }
	log := &steps{at: start.Add(-30 * time.Hour)}
	var u usage
	const day = 24 * time.Hour
	since, last, err := u.read(t.Context(), log, start.Add(-day), clock)
	if err != nil || !since.Equal(start.Add(-day)) || len(last) != 0 || log.span() != day+usageLate {
		t.Fatalf("read since %v, %v in all, %v, %v", since, log.span(), last, err)
	}
	log.read = nil
	since, last, err = u.read(t.Context(), log, start.Add(-2*day), clock)
	want := map[analysis.Used]time.Time{
		{Kind: catalog.KindClient, Name: "edge"}: log.at, {Kind: catalog.KindTrustedIssuer, Name: "idp"}: log.at,
		{Kind: catalog.KindExchangePolicy, Name: "p"}: log.at, {Kind: catalog.KindExchangePolicy, Name: "p", Scope: "read"}: log.at,
	}
	if err != nil || !since.Equal(start.Add(-2*day)) || !maps.Equal(last, want) || log.span() != day+usageLate {
		t.Fatalf("read since %v, %v in all, %v, %v", since, log.span(), last, err)
	}
	log.read, now = nil, start.Add(3*time.Hour)
	if _, _, err = u.read(t.Context(), log, start.Add(-2*day), clock); err != nil || log.span() != 3*time.Hour+usageLate {
		t.Errorf("later: read %v, %v", log.read, err)
	}
	log.fault = errors.New("the database is gone")
	if _, _, err := u.read(t.Context(), log, start.Add(-100*day), clock); err == nil {
		t.Error("a log that cannot be read tells that nothing is used")
	}
}

// TestABusyLogIsReadInShortSteps: what takes too long is given up and read in
// parts; what a call has no time for is not called unused.
func TestABusyLogIsReadInShortSteps(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	const day = 24 * time.Hour
	log := &steps{longest: 10 * time.Minute}
	var u usage
	since, _, err := u.read(t.Context(), log, start.Add(-day), func() time.Time { return start })
	if err != nil || !since.Equal(start.Add(-day)) || log.span() != day+usageLate {
		t.Errorf("read since %v, %v in all, %v", since, log.span(), err)
	}
	now := start
	slow := func() time.Time { now = now.Add(usageSlow); return now }
	log, u = &steps{}, usage{}
	since, _, err = u.read(t.Context(), log, start.Add(-100*day), slow)
	if err != nil || len(log.read) < 3 || len(log.read) > 20 || since.Before(start.Add(-day)) || !since.Before(start) {
		t.Errorf("with a budget: %d steps, since %v, %v", len(log.read), since, err)
	}
	log.longest = time.Second // less than the least step
	if _, _, err = u.read(t.Context(), log, start.Add(-100*day), func() time.Time { return now }); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a log that answers nothing in time: %v", err)
	}
}

// TestUsageOfARunningStrait: a fresh log says how young it is, and nothing of what
// is unused.
func TestUsageOfARunningStrait(t *testing.T) {
	t.Parallel()
	secret, idp := rand.Text()+rand.Text(), ststest.NewIssuer(t)
	w := started(t, ststest.Migrated(t), t.TempDir(), secret)
	if code, body := w.admin("POST", "/admin/v1/apply", ruled(idp, secret, "true", "claims.sub")); code != http.StatusOK {
		t.Fatal(body)
	}
	lint := func() *analysis.Report {
		code, body := w.admin("GET", "/admin/v1/lint?usage=90d", "")
		report := &analysis.Report{}
		if err := json.Unmarshal([]byte(body), report); err != nil || code != http.StatusOK || report.Usage == nil {
			t.Fatalf("%d %s", code, body)
		}
		for _, f := range report.Findings {
			if strings.HasPrefix(f.Code, "unused-") {
				t.Errorf("%+v", f)
			}
		}
		return report
	}
	if u := lint().Usage; time.Since(u.Since) > time.Minute {
		t.Errorf("an empty log tells of %v", u)
	}
	if got := w.exchange(exchange.TypeJWT, idp.Issue(time.Now(), map[string]any{"scope": "orders:read"})); got != "" {
		t.Fatal(got)
	}
	lint()
	u, err := w.usage(t.Context(), 90*24*time.Hour)
	for _, used := range []analysis.Used{
		{Kind: catalog.KindClient, Name: "gw"}, {Kind: catalog.KindTrustedIssuer, Name: "idp"}, {Kind: catalog.KindExchangePolicy, Name: "p", Scope: "orders:read"},
	} {
		if err != nil || u.Last[used].IsZero() {
			t.Errorf("%+v is not known to be used: %v, %v", used, u.Last, err)
		}
	}
	if age := u.Ages[catalog.Ref{Kind: catalog.KindClient, Name: "gw"}]; age.Created.IsZero() || time.Since(age.Changed) > time.Minute {
		t.Errorf("the client's age is %+v", age)
	}
	if code, _ := w.admin("GET", "/admin/v1/lint?usage=3d", ""); code != http.StatusBadRequest {
		t.Errorf("three days: %d", code)
	}
}

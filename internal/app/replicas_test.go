package app

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/ststest"
)

// eventually waits until it holds, and says how long that took. The limit is for
// a test that hangs: how fast it is stands in docs/performance.md.
func eventually(t testing.TB, what string, holds func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !holds() {
		if time.Since(began) > 20*time.Second {
			t.Fatalf("%s: not within 20 s", what)
		}
		time.Sleep(100 * time.Microsecond)
	}
	return time.Since(began)
}

// TestEveryKindOfChangeReachesTheOtherReplica: catalogue, keys and revocations,
// with the connections that listen in place and cut. AVL-009: a key that is taken
// away is used on no replica.
func TestEveryKindOfChangeReachesTheOtherReplica(t *testing.T) {
	t.Parallel()
	r := newReplicas(t)
	a, b := r.apps[0], r.apps[1]
	for _, cut := range []bool{false, true} {
		for topic, change := range map[string]func() (holds func() bool){
			"catalog": func() func() bool {
				revision := touch(t, a)
				return func() bool { return b.world.Load().Revision >= revision }
			},
			"revocations": func() func() bool {
				done, err := a.revocations.Revoke(t.Context(), exchange.Revocation{Client: "nobody"})
				if err != nil {
					t.Fatal(err)
				}
				return func() bool { return b.revocations.Stats().Revision >= done.Revision }
			},
			"keys": func() func() bool {
				before, _ := b.ring.JWKS()
				for _, statement := range []string{ // as an administrator who takes a key away
					`DELETE FROM sealed_keys WHERE id = (SELECT max(id) FROM sealed_keys WHERE purpose = 'signing' AND algorithm <> 'ES256')`,
					`UPDATE revisions SET revision = revision + 1 WHERE topic = 'keys'`, `NOTIFY strait`,
				} {
					if _, err := r.database.Exec(t, r.database.OwnerURL, statement); err != nil {
						t.Fatal(err)
					}
				}
				return func() bool { now, _ := b.ring.JWKS(); return string(now) != string(before) }
			},
		} {
			if cut {
				cutWatchers(t, r.database.AppURL)
			}
			t.Logf("%s, cut %v: after %v", topic, cut, eventually(t, topic, change()))
		}
	}
}

// touch writes the policy anew, and gives the catalogue's revision.
func touch(t testing.TB, a *App) int64 {
	t.Helper()
	policy := a.catalog.Current().Policy("p")
	changed, spec := policy.Object, *policy.Spec
	spec.Priority++
	changed.Spec = &spec
	done, err := (writes{a.catalog, a}).Apply(t.Context(), catalog.ApplyRequest{Objects: []catalog.Object{changed}, By: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return done.Revision
}

// cutWatchers ends the database's side of every connection that listens.
func cutWatchers(t testing.TB, url string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	var cut int
	err = conn.QueryRow(t.Context(), `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
		WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE '%FROM revisions'`).Scan(&cut)
	if err != nil || cut == 0 {
		t.Fatalf("%d connections cut, %v", cut, err)
	}
}

// INT-021: a replica that is cut off from the database knows of no revocation
// any more; after ten seconds it issues nothing, and is not ready.
func TestAReplicaThatIsCutOffIssuesNothing(t *testing.T) {
	t.Parallel()
	server, issuer, secret := ststest.StartServer(t), ststest.NewIssuer(t, "ES256"), benchSecret()
	var ahead atomic.Int64
	a, err := Start(t.Context(), settings(t, server.Migrated(t).AppURL), Options{
		Version: "test", Log: io.Discard, Steady: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { halt(t, a) })
	furnish(t, a, issuer, "ES256", "ES256", secret)
	body := form(issuer.Issue(time.Now(), map[string]any{"iss": "https://idp.example", "aud": "https://gw.example", "sub": "alice", "scope": "orders:read"}))
	ask := func() (int, exchange.Reason) { // without records, which would fail too
		answer := httptest.NewRecorder()
		endpoint(t, a, nobody{}).ServeHTTP(answer, request(body, secret))
		var got struct{ Reason exchange.Reason }
		if err := json.Unmarshal(answer.Body.Bytes(), &got); err != nil {
			t.Error(err)
		}
		return answer.Code, got.Reason
	}
	server.Stop(t)
	if code, reason := ask(); code != http.StatusOK {
		t.Errorf("at once: %d %s", code, reason)
	}
	ahead.Store(int64(11 * time.Second))
	if code, reason := ask(); code != http.StatusServiceUnavailable || reason != exchange.DatabaseUnavailable {
		t.Errorf("after ten seconds: %d %s", code, reason)
	}
	if err := a.revocations.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "last confirmed") {
		t.Errorf("ready: %v", err)
	}
	server.Start(t)
	eventually(t, "the database is back", func() bool { code, _ := ask(); return code == http.StatusOK })
}

// BenchmarkReplicas is the time from the answer to a change until it decides on
// another replica that has no traffic, with the connection that listens in place,
// and cut at that moment: mean and worst.
func BenchmarkReplicas(b *testing.B) {
	r := newReplicas(b)
	first, second := r.apps[0], r.apps[1]
	for _, cut := range []string{"listening", "cut"} {
		measure := func(change func() func() bool) func(*testing.B) {
			return func(b *testing.B) {
				var worst time.Duration
				b.ResetTimer()
				for b.Loop() {
					b.StopTimer()
					if cut == "cut" {
						cutWatchers(b, r.database.AppURL)
					}
					holds := change()
					b.StartTimer()
					worst = max(worst, eventually(b, "a change", holds))
				}
				b.ReportMetric(float64(worst.Microseconds())/1000, "worst-ms")
			}
		}
		b.Run("revocation/"+cut, measure(func() func() bool {
			done, err := first.revocations.Revoke(b.Context(), exchange.Revocation{Client: "nobody", Cascade: true})
			if err != nil {
				b.Fatal(err)
			}
			return func() bool { return second.revocations.Stats().Revision >= done.Revision }
		}))
		b.Run("catalog/"+cut, measure(func() func() bool {
			revision := touch(b, first)
			return func() bool { return second.world.Load().Revision >= revision }
		}))
	}
}

package app

import (
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/ststest"
)

// The flags of make bench-audit.
var (
	auditFolder = flag.String("audit-folder", os.TempDir(), "folder on a disk for BenchmarkAudit's database")
	auditCalls  = flag.String("audit-callers", "1,16,64", "how many callers BenchmarkAudit has, in turn")
	auditPiece  = flag.Duration("audit-piece", 200*time.Millisecond, "how long a piece of BenchmarkAudit is")
	auditTokens = flag.String("audit-tokens", "same", "same: every exchange brings one token, whose verification is remembered; new: each one that is not")
)

// auditPieces is how many pieces each recorder has in turn: what the machine
// does meanwhile falls on all alike.
const auditPieces = 5

// BenchmarkAudit prints what durable records cost the whole exchange: its rate
// and its times with PostgreSQL on a disk, beside a recorder that keeps nothing
// and the floor, in turn in the same run. First in process, from the handler to
// the bytes of the answer; then over HTTP on kept connections, as a gateway sees
// it, with the callers on the same cores.
func BenchmarkAudit(b *testing.B) {
	issuer, secret := ststest.NewIssuer(b, "ES256"), benchSecret()
	server := ststest.StartServerIn(b, *auditFolder)
	database := server.Migrated(b)
	a := idleOn(b, database.AppURL, issuer, "ES256", "ES256", secret)
	body := auditBodies(b, issuer)
	recorders := [...]exchange.Recorder{nobody{}, floorRecorder(b, a, database), a.recorder}
	for b.Loop() {
		b.Logf("GOGC=%d, tokens: %s", gogc(), *auditTokens)
		b.Logf("%-8s %-7s %9s %9s %12s %6s %8s %10s %10s %12s %10s %10s %10s %11s %10s", "callers", "by", "null /s", "floor /s", "postgres /s",
			"ratio", "to floor", "p50 added", "p99 added", "rows/commit", "null cpu", "cpu added", "PostgreSQL", "floor added", "PostgreSQL")
		for _, by := range []string{"handler", "http"} {
			way := inProcess
			if by == "http" {
				way = overHTTP
			}
			var contestants [len(recorders)]func() bool
			for i, recorder := range recorders {
				contestants[i] = way(b, endpoint(b, a, recorder), body, secret)
			}
			for _, callers := range auditCallers(b) {
				before := a.recorder.Stats()
				samples := inTurn(b, server, contestants[:], callers)
				after := a.recorder.Stats()
				null, floor, ours := &samples[0], &samples[1], &samples[2]
				b.Logf("%-8d %-7s %9.0f %9.0f %12.0f %6.3f %8.3f %10v %10v %12.1f %10v %10v %10v %11v %10v", callers, by,
					null.rate(), floor.rate(), ours.rate(), ours.rate()/null.rate(), ours.rate()/floor.rate(),
					ours.quantile(0.5)-null.quantile(0.5), ours.quantile(0.99)-null.quantile(0.99),
					float64(after.Records-before.Records)/float64(after.Batches-before.Batches), null.each(null.cpu),
					ours.each(ours.cpu)-null.each(null.cpu), ours.each(ours.theirs), floor.each(floor.cpu)-null.each(null.cpu), floor.each(floor.theirs))
			}
		}
	}
}

// gogc is the garbage collector's setting, which serve is not here to change.
func gogc() uint64 {
	setting := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(setting)
	return setting[0].Value.Uint64()
}

// auditCallers reads -audit-callers.
func auditCallers(b *testing.B) (all []int) {
	b.Helper()
	for text := range strings.SplitSeq(*auditCalls, ",") {
		callers, err := strconv.Atoi(text)
		if err != nil || callers < 1 {
			b.Fatalf("-audit-callers: want numbers, not %q", text)
		}
		all = append(all, callers)
	}
	return all
}

// inTurn gives each contestant its pieces, one after the other.
func inTurn(b *testing.B, server *ststest.PrivateServer, contestants []func() bool, callers int) []sample {
	b.Helper()
	samples := make([]sample, len(contestants))
	for range auditPieces {
		for i, exchange := range contestants {
			used := server.CPU(b)
			samples[i].add(measured(b, exchange, callers))
			samples[i].theirs += server.CPU(b) - used
		}
	}
	return samples
}

// forgottenAfter is more bytes of tokens than package trust remembers, so that
// a token which comes back after so many others is verified anew.
const forgottenAfter = 12 << 20

// auditBodies gives each exchange its request, by -audit-tokens. What is new is
// the signature alone, so that the records are the same either way.
func auditBodies(b *testing.B, issuer *ststest.Issuer) func() string {
	b.Helper()
	now := time.Now()
	issue := func() string {
		return issuer.Issue(now, map[string]any{
			"iss": "https://idp.example", "aud": "https://gw.example", "sub": "alice", "scope": "openid orders:read orders:write",
			"exp": now.Add(time.Hour).Unix(),
		})
	}
	if *auditTokens == "same" {
		body := form(issue())
		return func() string { return body }
	}
	if *auditTokens != "new" {
		b.Fatalf("-audit-tokens: want same or new, not %q", *auditTokens)
	}
	bodies := make([]string, forgottenAfter/len(issue()))
	var group sync.WaitGroup
	for half := range 2 {
		group.Go(func() {
			for i := half; i < len(bodies); i += 2 {
				bodies[i] = form(issue())
			}
		})
	}
	group.Wait()
	var used atomic.Uint64
	return func() string { return bodies[used.Add(1)%uint64(len(bodies))] }
}

// inProcess exchanges once, and says whether a token came.
func inProcess(_ *testing.B, handler http.Handler, body func() string, secret string) func() bool {
	return func() bool {
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request(body(), secret))
		return answer.Code == http.StatusOK
	}
}

// overHTTP is inProcess over connections that are kept.
func overHTTP(b *testing.B, handler http.Handler, body func() string, secret string) func() bool {
	server := httptest.NewServer(handler)
	b.Cleanup(server.Close)
	client := &http.Client{Transport: &http.Transport{MaxIdleConns: 1 << 10, MaxIdleConnsPerHost: 1 << 10}}
	return func() bool {
		r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, server.URL, strings.NewReader(body()))
		if err != nil {
			return false
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.SetBasicAuth("gw", secret)
		answer, err := client.Do(r)
		if err != nil {
			return false
		}
		_, err = io.Copy(io.Discard, answer.Body)
		return err == nil && answer.Body.Close() == nil && answer.StatusCode == http.StatusOK
	}
}

// sample is exchanges that were measured.
type sample struct {
	took         []time.Duration
	elapsed, cpu time.Duration // cpu is this process's alone
	theirs       time.Duration // PostgreSQL's
}

func (s *sample) add(more sample) {
	s.took, s.elapsed, s.cpu = append(s.took, more.took...), s.elapsed+more.elapsed, s.cpu+more.cpu
}

// each is an exchange's part of a time. Other load on the machine changes CPU
// times less than it does the others.
func (s *sample) each(of time.Duration) time.Duration {
	return (of / time.Duration(len(s.took))).Round(100 * time.Nanosecond)
}

// cpuTime is what this process has used.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func (s *sample) rate() float64 { return float64(len(s.took)) / s.elapsed.Seconds() }

func (s *sample) quantile(q float64) time.Duration {
	slices.Sort(s.took)
	return s.took[int(q*float64(len(s.took)-1))].Round(time.Microsecond)
}

// measured is a piece of callers who exchange one after the other.
func measured(b *testing.B, exchange func() bool, callers int) sample {
	b.Helper()
	var group sync.WaitGroup
	var stop, failed atomic.Bool
	all := make([][]time.Duration, callers)
	began, used := time.Now(), cpuTime(b)
	for i := range callers {
		group.Go(func() {
			for !stop.Load() {
				at := time.Now()
				if !exchange() {
					failed.Store(true)
				}
				all[i] = append(all[i], time.Since(at))
			}
		})
	}
	time.Sleep(*auditPiece)
	stop.Store(true)
	group.Wait()
	if failed.Load() {
		b.Error("an exchange failed")
	}
	return sample{took: slices.Concat(all...), elapsed: time.Since(began), cpu: cpuTime(b) - used}
}

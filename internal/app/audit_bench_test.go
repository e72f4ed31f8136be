package app

import (
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/ststest"
)

// The flags of make bench-audit.
var (
	auditFolder = flag.String("audit-folder", os.TempDir(), "folder on a disk for BenchmarkAudit's database")
	auditCalls  = flag.String("audit-callers", "1,16,64", "how many callers BenchmarkAudit has, in turn")
	auditPiece  = flag.Duration("audit-piece", 200*time.Millisecond, "how long a piece of BenchmarkAudit is")
)

// auditPieces is how many pieces each recorder has in turn: what the machine
// does meanwhile falls on both alike.
const auditPieces = 5

// BenchmarkAudit prints what durable records cost the whole exchange: its rate
// and its times with PostgreSQL on a disk, beside a recorder that keeps
// nothing, in turn in the same run. First in process, from the handler to the
// bytes of the answer; then over HTTP on kept connections, as a gateway sees
// it, with the callers on the same cores.
func BenchmarkAudit(b *testing.B) {
	issuer, secret := ststest.NewIssuer(b, "ES256"), benchSecret()
	server := ststest.StartServerIn(b, *auditFolder)
	a := idleOn(b, server.Migrated(b).AppURL, issuer, "ES256", "ES256", secret)
	body := form(issuer.Issue(time.Now(), map[string]any{
		"iss": "https://idp.example", "aud": "https://gw.example", "sub": "alice", "scope": "openid orders:read orders:write",
		"exp": time.Now().Add(time.Hour).Unix(),
	}))
	null, durable := endpoint(b, a, nobody{}), endpoint(b, a, a.recorder)
	for b.Loop() {
		b.Logf("%-8s %-7s %9s %12s %6s %10s %10s %12s %10s %10s %10s", "callers", "by", "null /s", "postgres /s", "ratio",
			"p50 added", "p99 added", "rows/commit", "null cpu", "cpu added", "PostgreSQL")
		for _, by := range []string{"handler", "http"} {
			way := inProcess
			if by == "http" {
				way = overHTTP
			}
			for text := range strings.SplitSeq(*auditCalls, ",") {
				callers, err := strconv.Atoi(text)
				if err != nil || callers < 1 {
					b.Fatalf("-audit-callers: want numbers, not %q", text)
				}
				before := a.recorder.Stats()
				var without, with sample
				for range auditPieces {
					without.add(measured(b, way(b, null, body, secret), callers))
					used := server.CPU(b)
					with.add(measured(b, way(b, durable, body, secret), callers))
					with.theirs += server.CPU(b) - used
				}
				after := a.recorder.Stats()
				b.Logf("%-8d %-7s %9.0f %12.0f %6.3f %10v %10v %12.1f %10v %10v %10v", callers, by, without.rate(), with.rate(), with.rate()/without.rate(),
					with.quantile(0.5)-without.quantile(0.5), with.quantile(0.99)-without.quantile(0.99),
					float64(after.Records-before.Records)/float64(after.Batches-before.Batches),
					without.each(without.cpu), with.each(with.cpu)-without.each(without.cpu), with.each(with.theirs))
			}
		}
	}
}

// inProcess exchanges once, and says whether a token came.
func inProcess(_ *testing.B, handler http.Handler, body, secret string) func() bool {
	return func() bool {
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request(body, secret))
		return answer.Code == http.StatusOK
	}
}

// overHTTP is inProcess over connections that are kept.
func overHTTP(b *testing.B, handler http.Handler, body, secret string) func() bool {
	server := httptest.NewServer(handler)
	b.Cleanup(server.Close)
	client := &http.Client{Transport: &http.Transport{MaxIdleConns: 1 << 10, MaxIdleConnsPerHost: 1 << 10}}
	return func() bool {
		r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, server.URL, strings.NewReader(body))
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

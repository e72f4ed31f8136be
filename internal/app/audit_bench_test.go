package app

import (
	"flag"
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
// nothing, in turn in the same run.
func BenchmarkAudit(b *testing.B) {
	issuer, secret := ststest.NewIssuer(b, "ES256"), benchSecret()
	a := idleOn(b, ststest.StartServerIn(b, *auditFolder).Migrated(b).AppURL, issuer, "ES256", "ES256", secret)
	body := form(issuer.Issue(time.Now(), map[string]any{
		"iss": "https://idp.example", "aud": "https://gw.example", "sub": "alice", "scope": "openid orders:read orders:write",
		"exp": time.Now().Add(time.Hour).Unix(),
	}))
	null, durable := endpoint(b, a, nobody{}), endpoint(b, a, a.recorder)
	for b.Loop() {
		b.Logf("%-8s %9s %12s %6s %10s %10s %12s %10s", "callers", "null /s", "postgres /s", "ratio", "p50 added", "p99 added", "rows/commit", "cpu added")
		for text := range strings.SplitSeq(*auditCalls, ",") {
			callers, err := strconv.Atoi(text)
			if err != nil || callers < 1 {
				b.Fatalf("-audit-callers: want numbers, not %q", text)
			}
			before := a.recorder.Stats()
			var without, with sample
			for range auditPieces {
				without.add(measured(b, null, body, secret, callers))
				with.add(measured(b, durable, body, secret, callers))
			}
			after := a.recorder.Stats()
			b.Logf("%-8d %9.0f %12.0f %6.3f %10v %10v %12.1f %10v", callers, without.rate(), with.rate(), with.rate()/without.rate(),
				with.quantile(0.5)-without.quantile(0.5), with.quantile(0.99)-without.quantile(0.99),
				float64(after.Records-before.Records)/float64(after.Batches-before.Batches), with.cpuEach()-without.cpuEach())
		}
	}
}

// sample is exchanges that were measured.
type sample struct {
	took         []time.Duration
	elapsed, cpu time.Duration // cpu is this process's alone, without PostgreSQL's
}

func (s *sample) add(more sample) {
	s.took, s.elapsed, s.cpu = append(s.took, more.took...), s.elapsed+more.elapsed, s.cpu+more.cpu
}

// cpuEach is what one exchange cost, which other load on the machine changes
// less than it does the times.
func (s *sample) cpuEach() time.Duration {
	return (s.cpu / time.Duration(len(s.took))).Round(100 * time.Nanosecond)
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
func measured(b *testing.B, handler http.Handler, body, secret string, callers int) sample {
	b.Helper()
	var group sync.WaitGroup
	var stop, failed atomic.Bool
	all := make([][]time.Duration, callers)
	began, used := time.Now(), cpuTime(b)
	for i := range callers {
		group.Go(func() {
			for !stop.Load() {
				at, answer := time.Now(), httptest.NewRecorder()
				handler.ServeHTTP(answer, request(body, secret))
				if answer.Code != http.StatusOK {
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
	return sample{slices.Concat(all...), time.Since(began), cpuTime(b) - used}
}

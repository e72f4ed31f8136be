package revocation

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/exchange"
)

// filled is a state of so many ids, added in batches as orders would.
func filled(n, batch int) *state {
	s := New(Options{Steady: time.Now}).state.Load()
	for from := 0; from < n; from += batch {
		tokens := make([]Token, min(batch, n-from))
		for i := range tokens {
			tokens[i] = numbered(uint64(from+i), noon.Add(time.Hour))
		}
		s = s.with(Increment{Tokens: tokens}, noon)
	}
	return s
}

// BenchmarkRevoked is what an exchange pays for revocations: one subject token
// that is not revoked, and the record, by the number of revoked ids.
func BenchmarkRevoked(b *testing.B) {
	for _, n := range []int{0, 1_000, 1_000_000} {
		b.Run(fmt.Sprint("ids=", n), func(b *testing.B) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			s := filled(n, 1000)
			runtime.GC()
			runtime.ReadMemStats(&after)
			token := &exchange.Token{Issuer: exchange.SelfIssuer, JTI: "0198c1d2-7a10-7c3e-9f00-2b1f6f1d3a55", KeyID: "k", Subject: "okta:alice", IssuedAt: noon}
			rec := &exchange.Record{ID: "0198c1d2-7a10-7c3e-9f00-2b1f6f1d3a56", Client: "edge", Policy: "p", Time: noon}
			b.ReportAllocs()
			for b.Loop() {
				if s.Revoked(token) || s.Stopped(rec) {
					b.Fatal("revoked")
				}
			}
			b.ReportMetric(float64(after.HeapAlloc-min(before.HeapAlloc, after.HeapAlloc))/(1<<20), "MiB")
			b.ReportMetric(float64(len(s.tokens)), "layers")
			runtime.KeepAlive(s)
		})
	}
}

// BenchmarkAdd is what a replica pays for each revocation that it hears of,
// one id at a time, a million in all.
func BenchmarkAdd(b *testing.B) {
	s := filled(1_000_000, 1000)
	n := uint64(1_000_000)
	b.ReportAllocs()
	for b.Loop() {
		n++
		s = s.with(Increment{Tokens: []Token{numbered(n, noon.Add(time.Hour))}}, noon)
	}
}

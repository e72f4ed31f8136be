package replay_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/audit"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/rehearsal"
	"github.com/strait-sts/strait/internal/rehearsal/replay"
)

// exportOf writes so many records as strait audit export does.
func exportOf(b *testing.B, h *house, count int) string {
	b.Helper()
	var lines [][]byte
	record := func(req exchange.Request) {
		h.record(b, req)
		lines = append(lines, h.last)
	}
	alice, agent := h.token(nil), h.token(map[string]any{"sub": "agent", "dept": "bots"})
	record(exchange.Request{Subject: alice, Audiences: []string{"orders"}, Scope: "read"})
	record(exchange.Request{Subject: alice, Actor: agent, Audiences: []string{"https://orders.example"}})
	record(exchange.Request{Grant: exchange.GrantClientCredentials, Audiences: []string{"billing"}})
	record(exchange.Request{Subject: alice, Audiences: []string{"orders"}, Scope: "write"})
	path := filepath.Join(b.TempDir(), "log.jsonl")
	file, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	out := bufio.NewWriter(file)
	hash := audit.Hash{}.String()
	for i := range count {
		line := lines[i%len(lines)]
		id := fmt.Sprintf(`"id":"0198c1d2-7a30-7c11-8f00-%012d"`, i)
		line = append([]byte("{"+id), line[bytes.IndexByte(line, ','):]...)
		_, _ = fmt.Fprintf(out, `%s,"writer":"w","seq":%d,"prevHash":%q,"hash":%q}`+"\n", bytes.TrimSuffix(line, []byte("}")), i+1, hash, hash)
	}
	if err := out.Flush(); err != nil {
		b.Fatal(err)
	}
	if err := file.Close(); err != nil {
		b.Fatal(err)
	}
	return path
}

// BenchmarkReplay decides 100,000 records of an export again: by the same
// manifests, and by some that change all. B/record is the heap that is live at
// its end, so that it shows what grows with the log.
func BenchmarkReplay(b *testing.B) {
	const count = 100_000
	h := newHouse(b)
	path := exportOf(b, h, count)
	for name, s := range map[string]*rehearsal.Stage{
		"same":   h.stage,
		"denied": stage(b, manifests(h.idp.JWKS(), "'shop'", "'sales'")),
	} {
		b.Run(name, func(b *testing.B) {
			var report *replay.Report
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			began := cpuTime(b)
			for b.Loop() {
				report = replayed(b, s, path)
			}
			b.ReportMetric((cpuTime(b)-began).Seconds()/float64(b.N), "cpu-s/100k")
			runtime.GC()
			runtime.ReadMemStats(&after)
			if report.Records != count || (name == "same") == report.Changes() {
				b.Fatalf("%+v", report)
			}
			b.ReportMetric(float64(b.Elapsed().Seconds())/float64(b.N), "s/100k")
			b.ReportMetric(max(0, float64(after.HeapAlloc)-float64(before.HeapAlloc))/count, "B/record")
		})
	}
}

// cpuTime is what the process has used so far: on a machine that others use too
// it says more than the clock.
func cpuTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func replayed(b *testing.B, s *rehearsal.Stage, path string) *replay.Report {
	file, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	_, rows, err := audit.ReadExport(file)
	if err != nil {
		b.Fatal(err)
	}
	report, err := replay.Run(b.Context(), s, func(yield func(*rehearsal.Recorded, error) bool) {
		for row, err := range rows {
			var rec *rehearsal.Recorded
			if err == nil {
				rec, err = rehearsal.ReadRecord(row.Body)
			}
			if !yield(rec, err) || err != nil {
				return
			}
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	return report
}

// BenchmarkRecord is an exchange and its record as JSON, by what is read of
// claims: nothing, two claims that are kept, and two with
// STRAIT_AUDIT_CLAIMS=none.
func BenchmarkRecord(b *testing.B) {
	h := newHouse(b)
	plain := stage(b, manifests(h.idp.JWKS(), `,"conditions":[{"expression":"subject.claims.dept == 'shop'"}]`, "", `,"conditions":[{"expression":"actor.claims.?kind.orValue('agent') == 'agent'"}]`, "", `"from":"any","issuers":["idp"]`, `"from":"client"`))
	two := stage(b, manifests(h.idp.JWKS(), `subject.claims.dept == 'shop'`, `subject.claims.dept == 'shop' && !has(subject.claims.tenant)`))
	alice := h.token(nil)
	for _, c := range []struct {
		name  string
		stage *rehearsal.Stage
		keep  bool
	}{{"nothing read", plain, true}, {"two claims kept", two, true}, {"two claims not kept", two, false}} {
		b.Run(strings.ReplaceAll(c.name, " ", "-"), func(b *testing.B) {
			h.service.KeepClaims = c.keep
			h.service.Minter = unsigned{}
			size := 0
			b.ReportAllocs()
			for b.Loop() {
				req := exchange.Request{
					ID: "0198c1d2-7a30-7c11-8f00-000000000001", Time: now, World: c.stage.World, Client: c.stage.World.Clients["edge"],
					Grant: exchange.GrantTokenExchange, Subject: alice, Audiences: []string{"orders"}, Scope: "read",
				}
				if _, err := h.service.Exchange(b.Context(), &req); err != nil {
					b.Fatal(err)
				}
				size = len(h.last)
			}
			if kept := bytes.Contains(h.last, []byte(`"dept":"shop"`)); kept != (c.keep && c.stage == two) || !json.Valid(h.last) {
				b.Fatalf("%s", h.last)
			}
			b.ReportMetric(float64(size), "B/record")
		})
	}
}

// unsigned is a Minter that signs nothing, so that what a record costs is seen.
type unsigned struct{}

func (unsigned) Mint(_ context.Context, _ *exchange.Request, g *exchange.Grant) (*exchange.Issued, error) {
	return &exchange.Issued{Type: exchange.TypeAccessToken, ExpiresIn: g.Lifetime(), Scopes: g.Scopes(), Claims: []string{"aud", "exp", "iss", "sub"}}, nil
}

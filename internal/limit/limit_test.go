package limit_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/strait-sts/strait/internal/limit"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// guess is one wrong secret, refused or compared.
func guess(l *limit.Limits, at time.Time, client, addr string) (wait time.Duration) {
	if wait = l.Guess(at, client, addr); wait == 0 {
		l.Failed(at, client, addr)
	}
	return wait
}

func TestGuessesAreSlowedDownAndTheRightSecretIsNotKeptOutForLong(t *testing.T) {
	l := limit.New(limit.Options{Failures: 20})
	for i := range 20 {
		if wait := guess(l, noon, "gateway", "192.0.2.1"); wait != 0 {
			t.Fatalf("guess %d has to wait %v", i+1, wait)
		}
	}
	wait := guess(l, noon, "gateway", "192.0.2.1")
	if wait <= 0 || wait > 3*time.Second {
		t.Fatalf("guess 21 waits %v, want up to a twentieth of a minute", wait)
	}
	for range 1000 { // hammering on does not make it longer
		guess(l, noon, "gateway", "192.0.2.1")
	}
	if again := l.Guess(noon, "gateway", "192.0.2.1"); again != wait {
		t.Errorf("the wait has grown from %v to %v", wait, again)
	}
	if left := l.Guess(noon.Add(wait), "gateway", "192.0.2.1"); left != 0 {
		t.Errorf("after the wait there are %v left", left)
	}
}

func TestOthersAreNotKeptOut(t *testing.T) {
	l := limit.New(limit.Options{Failures: 5})
	for range 100 {
		guess(l, noon, "gateway", "192.0.2.1")
	}
	for _, other := range []struct{ client, addr string }{{"gateway", "192.0.2.2"}, {"billing", "192.0.2.1"}, {"gateway", "2001:db8::1"}} {
		if wait := l.Guess(noon, other.client, other.addr); wait != 0 {
			t.Errorf("%s from %s waits %v", other.client, other.addr, wait)
		}
	}
	if l.Guess(noon, "gateway", "192.0.2.1") == 0 {
		t.Error("who guesses does not wait")
	}
}

func TestManyNamesFromOneAddressAreOneGuesser(t *testing.T) {
	l := limit.New(limit.Options{Failures: 5})
	let := 0
	for i := range 1000 {
		if guess(l, noon, fmt.Sprint("client-", i), "192.0.2.1") == 0 {
			let++
		}
	}
	if let != 50 {
		t.Errorf("%d guesses were let through, want ten clients' worth", let)
	}
}

func TestAnIPv6CallerIsItsNetwork(t *testing.T) {
	l := limit.New(limit.Options{Failures: 5})
	for i := range 5 {
		guess(l, noon, "gateway", fmt.Sprintf("2001:db8::%x", i+1))
	}
	if l.Guess(noon, "gateway", "2001:db8::ffff") == 0 {
		t.Error("the next address of the same network is a stranger")
	}
	if l.Guess(noon, "gateway", "2001:db8:0:1::1") != 0 {
		t.Error("another network waits")
	}
}

func TestRequestsAreLimitedByClientAndByAddress(t *testing.T) {
	l := limit.New(limit.Options{Requests: 10})
	let := func(ask func(i int) time.Duration) (n int) {
		for i := range 500 {
			if ask(i) == 0 {
				n++
			}
		}
		return n
	}
	if n := let(func(int) time.Duration { return l.Client(noon, "gateway") }); n != 10 {
		t.Errorf("a client made %d requests at once, want 10", n)
	}
	if n := let(func(int) time.Duration { return l.Source(noon, "192.0.2.1") }); n != 100 {
		t.Errorf("an address made %d requests at once, want 100", n)
	}
	if wait := l.Client(noon, "billing"); wait != 0 {
		t.Errorf("another client waits %v", wait)
	}
	if wait := l.Client(noon.Add(100*time.Millisecond), "gateway"); wait != 0 {
		t.Errorf("after a tenth of a second the client still waits %v", wait)
	}
}

func TestNoLimitIsNone(t *testing.T) {
	l := limit.New(limit.Options{})
	for range 10_000 {
		if guess(l, noon, "gateway", "a") != 0 || l.Client(noon, "gateway") != 0 || l.Source(noon, "a") != 0 {
			t.Fatal("somebody waits without a limit")
		}
	}
}

// TestNeverMoreThanBurstAndRate: whatever the pauses, a window of any length
// lets through no more than the burst and what came back meanwhile; and who
// keeps to the rate never waits.
func TestNeverMoreThanBurstAndRate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := limit.Rate{PerSecond: float64(rapid.IntRange(1, 1000).Draw(t, "rate")), Burst: rapid.IntRange(1, 50).Draw(t, "burst")}
		g, now, let := limit.NewGate(rate), noon, 0
		for _, pause := range rapid.SliceOfN(rapid.IntRange(0, 50), 1, 300).Draw(t, "pauses in ms") {
			now = now.Add(time.Duration(pause) * time.Millisecond)
			wait := g.Take(now, "k")
			if wait == 0 {
				let++
			}
			if most := float64(rate.Burst) + rate.PerSecond*now.Sub(noon).Seconds(); float64(let) > most+1e-6 {
				t.Fatalf("%d let through in %v, want at most %v", let, now.Sub(noon), most)
			}
			if g.Wait(now.Add(wait), "k") > 0 && wait > 0 {
				t.Fatalf("the wait of %v was not enough", wait)
			}
		}
		calm := limit.NewGate(rate)
		for i := range 100 {
			if wait := calm.Take(noon.Add(time.Duration(float64(i)*float64(time.Second)/rate.PerSecond)+time.Duration(i)), "k"); wait != 0 {
				t.Fatalf("who keeps to the rate waits %v", wait)
			}
		}
	})
}

func TestMemoryIsBounded(t *testing.T) {
	g := limit.NewGate(limit.Rate{PerSecond: 1, Burst: 1})
	for i := range 300_000 {
		g.Take(noon, strings.Repeat("x", 50)+fmt.Sprint(i))
	}
	if n := g.Keys(); n > 1<<16 {
		t.Errorf("%d keys are remembered", n)
	}
	if n := g.Keys(); n < 1<<15 {
		t.Errorf("only %d keys are left: a flood makes the gate forget everybody", n)
	}
	// What has its burst back is forgotten before anything else is.
	later := noon.Add(time.Minute)
	for i := range 20_000 {
		g.Take(later, fmt.Sprint("y", i))
	}
	for i := range 20_000 {
		if g.Wait(later, fmt.Sprint("y", i)) == 0 {
			t.Fatalf("key %d was forgotten although others were idle", i)
		}
	}
}

func TestAGateIsSafeForConcurrentUse(t *testing.T) {
	g := limit.NewGate(limit.Rate{PerSecond: 1, Burst: 100})
	var group sync.WaitGroup
	var mu sync.Mutex
	let := 0
	for range 8 {
		group.Go(func() {
			for range 100 {
				if g.Take(noon, "k") == 0 {
					mu.Lock()
					let++
					mu.Unlock()
				}
			}
		})
	}
	group.Wait()
	if let != 100 {
		t.Errorf("%d let through, want 100", let)
	}
}

// BenchmarkSuccessfulRequest is what the limits cost an exchange that none of
// them stops.
func BenchmarkSuccessfulRequest(b *testing.B) {
	l := limit.New(limit.Options{Failures: 20, Requests: 1 << 30})
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		if l.Source(now, "192.0.2.1") != 0 || l.Guess(now, "gateway", "192.0.2.1") != 0 || l.Client(now, "gateway") != 0 {
			b.Fatal("it waits")
		}
	}
}

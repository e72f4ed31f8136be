package keysource

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/strait-sts/strait/internal/jws"
)

// The state machine of fetched keys, in bubbles where time is the test's: a
// sleep costs nothing and is exact.

// publisher is an issuer's key set as a loader finds it.
type publisher struct {
	t     testing.TB
	key   *ecdsa.PrivateKey
	mu    sync.Mutex
	kids  []string
	err   error
	takes time.Duration
	doc   keyDocument // what else a fetch brings
	n     int         // fetches
}

func newPublisher(t testing.TB, kids ...string) *publisher {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &publisher{t: t, key: key, kids: kids}
}

// publish changes the set, or makes it fail.
func (p *publisher) publish(err error, kids ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err, p.kids = err, kids
}

func (p *publisher) load(context.Context) (keyDocument, error) {
	p.mu.Lock()
	p.n++
	takes, err, kids, document := p.takes, p.err, p.kids, p.doc
	p.mu.Unlock()
	time.Sleep(takes)
	if err != nil {
		return keyDocument{}, err
	}
	if document.unchanged {
		return document, nil
	}
	for _, kid := range kids {
		key, err := jws.NewKey(kid, p.key.Public())
		if err != nil {
			p.t.Error(err)
		}
		document.set.Keys = append(document.set.Keys, key)
	}
	return document, nil
}

func (p *publisher) fetches() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.n
}

// keys is the machine over the publisher.
func (p *publisher) keys() *fetchedKeys {
	return &fetchedKeys{
		load: p.load, clock: time.Now, random: func() float64 { return 0 }, maxStale: time.Hour, wait: maxWait,
		told: observer{"idp", slog.New(slog.DiscardHandler), noMetrics{}},
	}
}

// found says whether the kid's key is there.
func found(t testing.TB, k *fetchedKeys, kid string) error {
	t.Helper()
	key, err := k.Key(t.Context(), kid, jws.ES256)
	if err == nil && key.ID() != kid {
		t.Errorf("asked for %q, got %q", kid, key.ID())
	}
	return err
}

var errDown = errors.New("down")

func TestKeysAreFetchedOnceAndKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPublisher(t, "a")
		k := p.keys()
		for range 100 {
			if err := found(t, k, "a"); err != nil {
				t.Fatal(err)
			}
		}
		if n := p.fetches(); n != 1 {
			t.Errorf("%d fetches", n)
		}
	})
}

func TestWaitersShareOneFetchThatTheFirstMayLeave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPublisher(t, "a")
		p.takes = time.Second
		k := p.keys()
		gone, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		defer cancel()
		if _, err := k.Key(gone, "a", jws.ES256); !errors.Is(err, ErrUnavailable) {
			t.Errorf("who went away got %v", err)
		}
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if err := found(t, k, "a"); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n := p.fetches(); n != 1 {
			t.Errorf("%d fetches", n)
		}
	})
}

func TestAHangingIssuerHoldsARequestForSecondsAtMost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPublisher(t, "a")
		p.takes = 15 * time.Second
		k := p.keys()
		began := time.Now()
		err := found(t, k, "a")
		if took := time.Since(began); !errors.Is(err, ErrUnavailable) || took > 3*time.Second {
			t.Errorf("%v after %s", err, took)
		}
		time.Sleep(15 * time.Second) // the fetch itself went on
		if err := found(t, k, "a"); err != nil || p.fetches() != 1 {
			t.Errorf("%v after %d fetches", err, p.fetches())
		}
	})
}

func TestJW33_RotationIsSeenWithTheFirstToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPublisher(t, "a")
		k := p.keys()
		if err := found(t, k, "a"); err != nil {
			t.Fatal(err)
		}
		p.publish(nil, "b")
		if err := found(t, k, "b"); err != nil {
			t.Errorf("the new key: %v", err)
		}
		if err := found(t, k, "a"); !errors.Is(err, jws.ErrNoKey) { // TRU-018: the set is replaced whole
			t.Errorf("the removed key: %v", err)
		}
		if n := p.fetches(); n != 2 {
			t.Errorf("%d fetches, want 2", n)
		}
	})
}

// TestJWK058 and JWK-059: a flood of strange kids.
func TestJWK058_StrangeKidsCostOneFetchACoolDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPublisher(t, "a")
		k := p.keys()
		for i := range 10_000 { // in 60 s
			if err := found(t, k, fmt.Sprintf("strange-%d", i)); !errors.Is(err, jws.ErrNoKey) {
				t.Fatal(err)
			}
			if err := found(t, k, "a"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(6 * time.Millisecond)
		}
		if n := p.fetches(); n > 1+3 {
			t.Errorf("%d fetches", n)
		}
		if n := len(k.strange); n > 3 {
			t.Errorf("%d kids remembered", n)
		}
		if n := k.Status().UnknownKids; n != 10_000 {
			t.Errorf("%d unknown kids counted", n)
		}
	})
}

func TestAStrangeKidLeavesTheSearchToANewOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPublisher(t, "a")
		k := p.keys()
		_ = found(t, k, "old")
		time.Sleep(coolDown)
		_ = found(t, k, "old") // strange by now: costs nothing
		p.publish(nil, "a", "b")
		if err := found(t, k, "b"); err != nil {
			t.Errorf("the new key: %v", err)
		}
		if n := p.fetches(); n != 3 {
			t.Errorf("%d fetches, want 3", n)
		}
	})
}

// TestJWK071: a key that was published a moment after it was looked for.
func TestJWK071_AKeyPublishedLateHealsWithinTheCoolDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPublisher(t, "a")
		k := p.keys()
		_ = found(t, k, "strange")
		p.publish(nil, "a", "b")
		if err := found(t, k, "b"); !errors.Is(err, jws.ErrNoKey) {
			t.Errorf("within the cool-down: %v", err)
		}
		time.Sleep(coolDown)
		if err := found(t, k, "b"); err != nil {
			t.Errorf("after it: %v", err)
		}
	})
}

func TestAKeyPublishedDuringARefreshIsFound(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPublisher(t, "a")
		k := p.keys()
		_ = found(t, k, "a")
		p.takes = time.Second
		time.Sleep(usualFresh)
		_ = found(t, k, "a") // begins the refresh
		synctest.Wait()
		p.publish(nil, "a", "b")
		if err := found(t, k, "b"); err != nil || p.fetches() != 3 {
			t.Errorf("%v after %d fetches", err, p.fetches())
		}
	})
}

func TestASearchEndsWithTheRequestsPatience(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPublisher(t, "a")
		k := p.keys()
		_ = found(t, k, "a")
		p.takes = 2 * time.Second
		time.Sleep(usualFresh)
		_ = found(t, k, "a") // begins the refresh
		began := time.Now()
		if err := found(t, k, "strange"); !errors.Is(err, ErrUnavailable) || time.Since(began) > maxWait {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		time.Sleep(time.Minute)
	})
}

func TestStrangeKidsRememberedAreBounded(t *testing.T) {
	t.Parallel()
	k := newPublisher(t).keys()
	for i := range 3 * maxStrange {
		k.remember(fmt.Sprint(i), time.Now())
		if len(k.strange) > maxStrange {
			t.Fatalf("%d kids remembered", len(k.strange))
		}
	}
}

func TestJWK040_StaleKeysServeUntilMaxStale(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPublisher(t, "a")
		k := p.keys()
		if err := found(t, k, "a"); err != nil {
			t.Fatal(err)
		}
		p.publish(errDown)
		due := k.Status().NextRefresh
		time.Sleep(time.Until(due))
		if err := found(t, k, "a"); err != nil {
			t.Errorf("when the refresh was due: %v", err)
		}
		synctest.Wait()
		if state := k.Status().State; state != Stale {
			t.Errorf("state %s", state)
		}
		time.Sleep(time.Until(due.Add(k.maxStale - time.Nanosecond)))
		if err := found(t, k, "a"); err != nil {
			t.Errorf("just before maxStale: %v", err)
		}
		synctest.Wait()
		time.Sleep(coolDown + time.Nanosecond)
		if err := found(t, k, "a"); !errors.Is(err, ErrUnavailable) {
			t.Errorf("after maxStale: %v", err)
		}
		if state := k.Status().State; state != Failing {
			t.Errorf("state %s", state)
		}
		p.publish(nil, "a")
		time.Sleep(coolDown)
		if err := found(t, k, "a"); err != nil || k.Status().State != Healthy {
			t.Errorf("after recovery: %v, %s", err, k.Status().State)
		}
	})
}

func TestADueRefreshMakesNobodyWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPublisher(t, "a")
		k := p.keys()
		_ = found(t, k, "a")
		p.takes = 5 * time.Second
		p.publish(nil, "b")
		time.Sleep(usualFresh)
		began := time.Now()
		if err := found(t, k, "a"); err != nil || time.Since(began) != 0 {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		time.Sleep(5 * time.Second)
		if err := found(t, k, "b"); err != nil || p.fetches() != 2 {
			t.Errorf("%v after %d fetches", err, p.fetches())
		}
	})
}

func TestAFailureIsRemembered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPublisher(t)
		p.err = errDown
		k := p.keys()
		for range 100 {
			if err := found(t, k, "a"); !errors.Is(err, ErrUnavailable) {
				t.Fatal(err)
			}
		}
		if n := p.fetches(); n != 1 {
			t.Errorf("%d fetches within the cool-down", n)
		}
		p.publish(nil, "a")
		time.Sleep(coolDown)
		if err := found(t, k, "a"); err != nil {
			t.Error(err)
		}
	})
}

func TestAnUnknownKidIsNotJudgedWhileTheIssuerIsDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPublisher(t, "a")
		k := p.keys()
		_ = found(t, k, "a")
		p.publish(errDown)
		for range 10 { // the first one fetches
			if err := found(t, k, "new"); !errors.Is(err, ErrUnavailable) {
				t.Errorf("%v, want that nothing can be said", err)
			}
			if err := found(t, k, "a"); err != nil {
				t.Errorf("a known key: %v", err)
			}
		}
		if n := p.fetches(); n != 2 {
			t.Errorf("%d fetches, want 2", n)
		}
	})
}

func TestAPanicWhileReadingKeysIsAFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := newPublisher(t).keys()
		k.load = func(context.Context) (keyDocument, error) { panic("poison") }
		if err := found(t, k, "a"); !errors.Is(err, ErrUnavailable) {
			t.Error(err)
		}
	})
}

func TestUnchangedKeysStay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPublisher(t, "a")
		k := p.keys()
		_ = found(t, k, "a")
		before := k.Status()
		p.mu.Lock()
		p.doc.unchanged = true
		p.mu.Unlock()
		time.Sleep(usualFresh)
		_ = found(t, k, "a")
		synctest.Wait()
		after := k.Status()
		if err := found(t, k, "a"); err != nil || after.Generation != before.Generation || !after.NextRefresh.After(before.NextRefresh) {
			t.Errorf("%v; %+v, then %+v", err, before, after)
		}
		fresh := p.keys()
		if err := found(t, fresh, "a"); !errors.Is(err, ErrUnavailable) {
			t.Errorf("unchanged though nothing was fetched before: %v", err)
		}
	})
}

func TestStatusTellsWhenKeysWereSeen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPublisher(t, "a", "b")
		k := p.keys()
		if state := k.Status().State; state != NeverFetched {
			t.Errorf("state %s", state)
		}
		_ = found(t, k, "a")
		first := time.Now()
		p.publish(nil, "b", "c")
		time.Sleep(time.Minute)
		_ = found(t, k, "c")
		second := time.Now()
		if n := k.Status().Generation; n != 2 {
			t.Errorf("generation %d after two key sets", n)
		}
		want := []SeenKey{{"a", first, first}, {"b", first, second}, {"c", second, second}}
		if got := k.Status().Keys; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
		for i := range 3 * maxSightings {
			p.publish(nil, fmt.Sprint("k", i))
			time.Sleep(coolDown)
			_ = found(t, k, fmt.Sprint("k", i))
		}
		if n := len(k.Status().Keys); n != maxSightings {
			t.Errorf("%d kids remembered", n)
		}
	})
}

// TestRefreshesStayWithinTheirBounds: JWK-064 and JWK-065, and no herd.
func TestRefreshesStayWithinTheirBounds(t *testing.T) {
	t.Parallel()
	k := newPublisher(t).keys()
	rapid.Check(t, func(t *rapid.T) {
		document := keyDocument{fresh: time.Duration(rapid.Int64Range(0, 1<<60).Draw(t, "max-age")), hasFresh: rapid.Bool().Draw(t, "has")}
		share := rapid.Float64Range(0, 0.999999).Draw(t, "random")
		k := &fetchedKeys{random: func() float64 { return share }}
		got := k.spread(document.freshFor())
		if got < minFresh || got > maxFresh {
			t.Fatalf("%+v leads to a refresh after %s", document, got)
		}
		if asked := document.fresh; document.hasFresh && asked > minFresh && asked < maxFresh && (got < asked*8/10 || got > asked*11/10) {
			t.Fatalf("%s was asked for, the refresh is after %s", asked, got)
		}
	})
	k.random = func() float64 { return 0.5 }
	if k.spread(minFresh) == minFresh || k.spread(maxFresh) == maxFresh {
		t.Error("no jitter at the bounds")
	}
}

// TestRunRefreshesAThousandIssuers: everything is fetched ahead of need, and one
// that hangs holds up nobody.
func TestRunRefreshesAThousandIssuers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		keeper := New(Options{Clock: time.Now})
		p := newPublisher(t, "a")
		p.takes = 50 * time.Millisecond
		hanging := newPublisher(t, "a")
		hanging.takes = time.Hour
		for i := range 1000 {
			keys := p.keys()
			if i%500 == 0 {
				keys = hanging.keys()
			}
			keeper.kept = append(keeper.kept, kept{source: keys})
		}
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { keeper.Run(ctx) })
		time.Sleep(10 * time.Second)
		if n := p.fetches(); n != 998 {
			t.Errorf("%d issuers fetched, want 998", n)
		}
		time.Sleep(usualFresh)
		if n := p.fetches(); n < 2*998 || n > 3*998 {
			t.Errorf("%d fetches after the refresh", n)
		}
		stop()
		running.Wait()
		time.Sleep(time.Hour) // for the fetches that hang
	})
}

func TestRunFetchesNothingForExpiredEntries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		keeper := New(Options{Clock: time.Now})
		p := newPublisher(t, "a")
		end := time.Now().Add(7 * time.Minute)
		keeper.kept = []kept{{spec: Spec{Expires: end}, source: p.keys()}}
		ctx, stop := context.WithTimeout(t.Context(), time.Hour)
		defer stop()
		keeper.Run(ctx)
		if n := p.fetches(); n != 2 {
			t.Errorf("%d fetches, want the first and one refresh", n)
		}
	})
}

func TestRunLeavesAFailingIssuerItsCoolDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		keeper := New(Options{Clock: time.Now})
		p := newPublisher(t)
		p.err = errDown
		keeper.kept = []kept{{source: p.keys()}}
		ctx, stop := context.WithTimeout(t.Context(), 10*coolDown-time.Second)
		defer stop()
		keeper.Run(ctx)
		if n := p.fetches(); n < 9 || n > 10 {
			t.Errorf("%d fetches in ten cool-downs", n)
		}
	})
}

func TestASourceBelongsToOneEntryAndOneVersionOfItsKeys(t *testing.T) {
	t.Parallel()
	base := Spec{Name: "a", Issuer: "https://a.test"}
	for name, change := range map[string]func(*Spec){
		"name":      func(s *Spec) { s.Name = "x" },
		"issuer":    func(s *Spec) { s.Issuer = "x" },
		"jwks":      func(s *Spec) { s.JWKS = []byte(`{}`) },
		"jwksUri":   func(s *Spec) { s.JWKSURI = "x" },
		"discovery": func(s *Spec) { s.Discovery = &Discovery{} },
		"hosts":     func(s *Spec) { s.Discovery = &Discovery{JWKSHosts: []string{"x"}} },
		"authority": func(s *Spec) { s.Authorities = "x" },
		"maxStale":  func(s *Spec) { s.MaxStale = 1 },
		"expires":   func(s *Spec) { s.Expires = time.Now() },
	} {
		k, other := New(Options{Clock: time.Now, Fetch: &script{}}), base
		change(&other)
		first := k.Use([]Spec{base, other})
		if again := k.Use([]Spec{other, base}); again[0] != first[1] || again[1] != first[0] || first[0] == first[1] {
			t.Errorf("%s: the sources are %p, later %p", name, first, again)
		}
	}
}

// TestJWK058_TenThousandStrangeKids: however many come at once, the issuer sees
// a bounded number of fetches, and what is remembered of them is bounded too.
func TestJWK058_TenThousandStrangeKids(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPublisher(t, "a")
		p.takes = 10 * time.Millisecond
		k := p.keys()
		_ = found(t, k, "a")
		const minutes = 10
		for i := range minutes {
			var all sync.WaitGroup
			for n := range 1000 {
				all.Go(func() {
					if err := found(t, k, fmt.Sprint("strange ", i, n)); !errors.Is(err, jws.ErrNoKey) {
						t.Error(err)
					}
				})
			}
			all.Wait()
			if err := found(t, k, "a"); err != nil {
				t.Error(err)
			}
			time.Sleep(time.Minute)
		}
		// One search a cool-down, the first fetch, and the refreshes.
		if n := p.fetches(); n > 2*minutes+1+2 {
			t.Errorf("%d fetches for %d strange kids in %d minutes", n, 1000*minutes, minutes)
		}
		if s := k.Status(); s.UnknownKids != 1000*minutes || len(s.Keys) != 1 || len(k.strange) > maxStrange {
			t.Errorf("%d unknown, %d keys, %d strange kids remembered", s.UnknownKids, len(s.Keys), len(k.strange))
		}
	})
}

func TestStatusCountsFailuresAndUse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPublisher(t, "a")
		k := p.keys()
		if s := k.Status(); !s.LastUsed.IsZero() {
			t.Errorf("used at %s", s.LastUsed)
		}
		p.publish(errDown)
		_ = found(t, k, "a")
		time.Sleep(coolDown)
		p.publish(nil, "a")
		_ = found(t, k, "a")
		if s := k.Status(); s.Failures != 1 || !s.LastUsed.Equal(time.Now().Truncate(time.Second)) || s.State != Healthy {
			t.Errorf("%+v", s)
		}
	})
}

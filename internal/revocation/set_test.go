package revocation

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/exchange"
	"pgregory.net/rapid"
)

// memory is a store without a database: what was ordered, and the ids that the
// next order is to reach.
type memory struct {
	mu     sync.Mutex
	orders []Order
	tokens map[int64][]Token // by revision
	next   []Token
	broken error
	asked  int
}

func (m *memory) Revoke(_ context.Context, order Order) (exchange.RevocationResult, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken != nil {
		return exchange.RevocationResult{}, m.broken
	}
	order.Revision, order.Tokens = int64(len(m.orders)+1), len(m.next)
	m.orders = append(m.orders, order)
	if m.tokens == nil {
		m.tokens = map[int64][]Token{}
	}
	m.tokens[order.Revision], m.next = m.next, nil
	return exchange.RevocationResult{Revision: order.Revision, Tokens: order.Tokens}, nil
}

func (m *memory) Since(_ context.Context, revision int64, now time.Time) (Increment, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked++
	in := Increment{Revision: int64(len(m.orders))}
	for _, order := range m.orders {
		if order.Revision > revision && order.Until.After(now) {
			in.Orders = append(in.Orders, order)
		}
		if order.Revision > revision {
			in.Tokens = append(in.Tokens, m.tokens[order.Revision]...)
		}
	}
	return in, m.broken
}

// clock is one that tests move.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

// noon is when tests begin.
var noon = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

func loaded(t testing.TB) (*Set, *memory, *clock) {
	t.Helper()
	store, at := &memory{}, &clock{noon}
	s := New(Options{Store: store, Clock: at.now, Steady: at.now, Rand: rand.Reader})
	if err := s.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s, store, at
}

func stateOf(t testing.TB, s *Set) exchange.RevocationState {
	t.Helper()
	state, err := s.State()
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func revoke(t testing.TB, s *Set, order exchange.Revocation) {
	t.Helper()
	if _, err := s.Revoke(t.Context(), order); err != nil {
		t.Fatal(err)
	}
}

// numbered is a token of ours, the n-th.
func numbered(n uint64, until time.Time) Token {
	t := Token{Until: until.Unix()}
	binary.BigEndian.PutUint64(t.ID[:], n)
	return t
}

// jti is an id as a token has it.
func jti(t Token) string {
	const digits = "0123456789abcdef"
	var b strings.Builder
	for i, c := range t.ID {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			b.WriteByte('-')
		}
		b.WriteByte(digits[c>>4])
		b.WriteByte(digits[c&15])
	}
	return b.String()
}

// INT-021: what could not be confirmed lately decides nothing.
func TestUnconfirmedForTenSecondsDecidesNothing(t *testing.T) {
	t.Parallel()
	at := &clock{noon}
	s := New(Options{Store: &memory{}, Clock: at.now, Steady: at.now, Rand: rand.Reader})
	if _, err := s.State(); err == nil {
		t.Error("a set that has loaded nothing answers")
	}
	if err := s.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	stateOf(t, s)
	at.at = noon.Add(Trusted)
	stateOf(t, s)
	at.at = at.at.Add(time.Millisecond)
	_, err := s.State()
	var refusal *exchange.Error
	if !errors.As(err, &refusal) || refusal.Reason != exchange.DatabaseUnavailable || !refusal.OurFault() || s.Ready(t.Context()) == nil {
		t.Errorf("after more than ten seconds: %v", err)
	}
	if err := s.Seen(t.Context(), 0, noon.Add(5*time.Second)); err != nil {
		t.Fatal(err)
	}
	stateOf(t, s)
	if err := s.Seen(t.Context(), 0, noon.Add(time.Second)); err != nil { // an answer that came late
		t.Fatal(err)
	}
	if age := s.Stats().Age; age != 5*time.Second+time.Millisecond {
		t.Errorf("a late answer moved the confirmation back: %v", age)
	}
}

func TestARevisionThatIsNotKnownConfirmsNothing(t *testing.T) {
	t.Parallel()
	s, store, at := loaded(t)
	store.orders = append(store.orders, Order{Revision: 1, Until: noon.Add(time.Hour)})
	store.broken = errors.New("the database is away")
	at.at = noon.Add(9 * time.Second)
	if err := s.Seen(t.Context(), 1, at.at); !errors.Is(err, store.broken) || s.Stats().Age != 9*time.Second {
		t.Errorf("%v, age %v", err, s.Stats().Age)
	}
	store.broken = nil
	if err := s.Seen(t.Context(), 1, at.at); err != nil || s.Stats().Age != 0 || s.Stats().Revision != 1 {
		t.Errorf("%v, %+v", err, s.Stats())
	}
	if _, err := s.CatchUp(t.Context(), 2); !errors.Is(err, errBehind) {
		t.Errorf("a revision that the store does not have: %v", err)
	}
}

func TestCatchUpReadsOnceForAll(t *testing.T) {
	t.Parallel()
	s, store, _ := loaded(t)
	store.orders = append(store.orders, Order{Revision: 1, Until: noon.Add(time.Hour)})
	before := store.asked
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			if state, err := s.CatchUp(t.Context(), 1); err != nil || state.Revision() < 1 {
				t.Errorf("%v, %v", state, err)
			}
		})
	}
	group.Wait()
	if store.asked != before+1 {
		t.Errorf("the store was asked %d times", store.asked-before)
	}
}

// A state that an exchange has begun with stays what it was.
func TestAStateNeverChanges(t *testing.T) {
	t.Parallel()
	s, store, at := loaded(t)
	token := numbered(7, noon.Add(time.Hour))
	old := stateOf(t, s)
	store.next = []Token{token}
	revoke(t, s, exchange.Revocation{Client: "edge", Cascade: true})
	mine := &exchange.Token{Issuer: exchange.SelfIssuer, JTI: jti(token), IssuedAt: noon.Add(time.Hour)}
	if old.Revoked(mine) || !stateOf(t, s).Revoked(mine) {
		t.Errorf("before %v, after %v", old.Revoked(mine), stateOf(t, s).Revoked(mine))
	}
	kept := stateOf(t, s)
	at.at = noon.Add(2 * time.Hour)
	s.Prune()
	if err := s.Seen(t.Context(), 1, at.at); err != nil {
		t.Fatal(err)
	}
	if got := s.Stats(); got.Tokens != 0 || got.Rules != 0 || !kept.Revoked(mine) {
		t.Errorf("after its time: %+v", got)
	}
}

// BUG-11: of cut-offs for an issuer and for a subject, the one that reaches the
// token counts, whatever the other says; of two for one name, the latest.
func TestTheLatestCutOffCounts(t *testing.T) {
	t.Parallel()
	s, _, _ := loaded(t)
	hour := func(n int) time.Time { return noon.Add(time.Duration(n) * time.Hour) }
	token := func(sub string, iat time.Time) *exchange.Token {
		return &exchange.Token{Issuer: "okta", Subject: sub, JTI: "1", IssuedAt: iat}
	}
	revoke(t, s, exchange.Revocation{Issuer: "okta", Before: hour(-5)})
	revoke(t, s, exchange.Revocation{Subject: &exchange.RevokedSubject{Issuer: "okta", Subject: "alice"}, Before: hour(-2)})
	revoke(t, s, exchange.Revocation{Subject: &exchange.RevokedSubject{Issuer: "okta", Subject: "alice"}, Before: hour(-3)})
	state := stateOf(t, s)
	for _, c := range []struct {
		sub  string
		iat  time.Time
		want bool
	}{
		{"alice", hour(-6), true},
		{"alice", hour(-2), true},
		{"alice", hour(-2).Add(time.Second), false},
		{"bob", hour(-5), true},
		{"bob", hour(-4), false},
		{"bob", time.Time{}, true}, // an introspection answer without iat: of any age
	} {
		if got := state.Revoked(token(c.sub, c.iat)); got != c.want {
			t.Errorf("%s of %v: %v", c.sub, c.iat, got)
		}
	}
	other := token("alice", hour(-6))
	other.Issuer = "github"
	if state.Revoked(other) {
		t.Error("another issuer's alice is revoked")
	}
}

func TestOurOwnTokensByKeySubjectAndIssuer(t *testing.T) {
	t.Parallel()
	mine := func() *exchange.Token {
		return &exchange.Token{Issuer: exchange.SelfIssuer, Subject: "okta:alice", JTI: jti(numbered(1, noon)), KeyID: "k1", IssuedAt: noon}
	}
	for name, order := range map[string]exchange.Revocation{
		"key":     {Key: "k1"},
		"subject": {Subject: &exchange.RevokedSubject{Issuer: exchange.SelfIssuer, Subject: "okta:alice"}},
		"issuer":  {Issuer: exchange.SelfIssuer},
	} {
		s, _, _ := loaded(t)
		revoke(t, s, order)
		if !stateOf(t, s).Revoked(mine()) {
			t.Errorf("%s: not revoked", name)
		}
		later := mine()
		later.IssuedAt = noon.Add(time.Second)
		if stateOf(t, s).Revoked(later) {
			t.Errorf("%s: one of later is", name)
		}
	}
	s, _, _ := loaded(t)
	revoke(t, s, exchange.Revocation{Key: "k2"})
	revoke(t, s, exchange.Revocation{Subject: &exchange.RevokedSubject{Issuer: "okta", Subject: "okta:alice"}})
	revoke(t, s, exchange.Revocation{Issuer: "okta"})
	revoke(t, s, exchange.Revocation{Token: &exchange.RevokedToken{Issuer: "okta", JTI: mine().JTI}})
	if stateOf(t, s).Revoked(mine()) {
		t.Error("orders about others reach it without its id")
	}
}

// A foreign token that is named is refused whatever its iat: clocks differ.
func TestANamedForeignTokenIsRefused(t *testing.T) {
	t.Parallel()
	s, _, _ := loaded(t)
	revoke(t, s, exchange.Revocation{Token: &exchange.RevokedToken{Issuer: "okta", JTI: "a"}})
	for id, want := range map[string]bool{"a": true, "b": false, "": false} {
		if got := stateOf(t, s).Revoked(&exchange.Token{Issuer: "okta", JTI: id, IssuedAt: noon.Add(time.Minute)}); got != want {
			t.Errorf("%q: %v", id, got)
		}
	}
}

func TestWhatIsUnderWayIsStopped(t *testing.T) {
	t.Parallel()
	at := func(d time.Duration) *exchange.Record {
		return &exchange.Record{
			ID: exchange.ID(jti(numbered(1, noon))), Time: noon.Add(d), Client: "edge", Policy: "p", Key: "k1",
			Subject: &exchange.RecordParty{Issuer: "okta", Subject: "okta:alice"},
			Actor:   &exchange.RecordParty{Issuer: exchange.SelfIssuer, Subject: "client:edge-1"},
		}
	}
	for name, order := range map[string]exchange.Revocation{
		"client":           {Client: "edge"},
		"policy":           {Policy: "p"},
		"key":              {Key: "k1"},
		"issuer":           {Issuer: exchange.SelfIssuer},
		"subject":          {Subject: &exchange.RevokedSubject{Issuer: exchange.SelfIssuer, Subject: "okta:alice"}},
		"client that acts": {Subject: &exchange.RevokedSubject{Issuer: exchange.SelfIssuer, Subject: "client:edge-1"}},
	} {
		s, _, _ := loaded(t)
		if stateOf(t, s).Stopped(at(0)) {
			t.Errorf("%s: stopped before the order", name)
		}
		revoke(t, s, order)
		if !stateOf(t, s).Stopped(at(0)) || !stateOf(t, s).Stopped(at(-time.Second)) || stateOf(t, s).Stopped(at(time.Second)) {
			t.Errorf("%s: at %v, before %v, after %v", name, stateOf(t, s).Stopped(at(0)), stateOf(t, s).Stopped(at(-time.Second)), stateOf(t, s).Stopped(at(time.Second)))
		}
	}
	s, store, _ := loaded(t)
	store.next = []Token{numbered(1, noon.Add(time.Hour))}
	revoke(t, s, exchange.Revocation{Exchange: at(0).ID})
	if !stateOf(t, s).Stopped(at(time.Second)) {
		t.Error("the exchange itself goes on")
	}
}

func TestAnOrderNamesExactlyOneThing(t *testing.T) {
	t.Parallel()
	s, store, _ := loaded(t)
	for _, order := range []exchange.Revocation{
		{}, {Client: "a", Key: "b"}, {Token: &exchange.RevokedToken{Issuer: "okta"}}, {Token: &exchange.RevokedToken{JTI: "x"}},
		{Subject: &exchange.RevokedSubject{Subject: "x"}}, {Subject: &exchange.RevokedSubject{Issuer: "okta", Subject: "x"}, Policy: "p"},
	} {
		if _, err := s.Revoke(t.Context(), order); !errors.Is(err, errSelector) || len(store.orders) != 0 {
			t.Errorf("%+v: %v", order, err)
		}
	}
	store.broken = errors.New("no disk")
	if _, err := s.Revoke(t.Context(), exchange.Revocation{Client: "a"}); !errors.Is(err, store.broken) || s.Stats().Revision != 0 {
		t.Errorf("what was not kept: %v", err)
	}
	store.broken = nil
	revoke(t, s, exchange.Revocation{Client: "a"})
	kept := store.orders[0]
	if len(kept.ID) != 36 || !kept.Time.Equal(noon) || !kept.Before.Equal(noon) {
		t.Errorf("what the order did not say: %+v", kept)
	}
}

// Each order is forgotten no sooner than what it reaches is over.
func TestOrdersHoldAsLongAsTheyCanMatter(t *testing.T) {
	t.Parallel()
	id, err := exchange.NewID(noon.Add(-20*time.Hour), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	old := noon.Add(-48 * time.Hour)
	for _, c := range []struct {
		order exchange.Revocation
		until time.Time
	}{
		{exchange.Revocation{Client: "a", Before: noon}, noon.Add(underWay)},
		{exchange.Revocation{Policy: "a", Before: old}, noon.Add(underWay)},
		{exchange.Revocation{Key: "a", Before: noon}, noon.Add(ourLife)},
		{exchange.Revocation{Issuer: exchange.SelfIssuer, Before: old}, noon.Add(underWay)},
		{exchange.Revocation{Issuer: "okta", Before: noon}, noon.Add(foreignLife)},
		{exchange.Revocation{Token: &exchange.RevokedToken{Issuer: "okta", JTI: "1"}, Before: old}, noon.Add(foreignLife)},
		{exchange.Revocation{Exchange: id, Before: noon}, noon.Add(4 * time.Hour)},
		{exchange.Revocation{Exchange: "ffffffff-ffff-7fff-bfff-ffffffffffff", Before: noon}, noon.Add(ourLife)}, // of a time to come
	} {
		c.order.Time = noon
		selector, err := SelectorOf(c.order)
		if err != nil {
			t.Fatal(err)
		}
		if got := until(c.order, selector); got.Sub(c.until.Add(Grace)).Abs() > time.Millisecond {
			t.Errorf("%+v: until %v, want %v", selector, got, c.until.Add(Grace))
		}
		var back exchange.Revocation
		selector.Put(&back)
		if again, err := SelectorOf(back); err != nil || again != selector {
			t.Errorf("%+v comes back as %+v, %v", selector, again, err)
		}
	}
}

// TestLayersAreASet adds ids in batches of any size and compares the layers with
// a map; what is over falls out, and nothing else.
func TestLayersAreASet(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		s := &state{seed: New(Options{Steady: time.Now}).state.Load().seed}
		model := map[[16]byte]int64{}
		now := noon.Unix()
		for range rapid.IntRange(1, 30).Draw(rt, "batches") {
			var batch []Token
			for range rapid.IntRange(0, 40).Draw(rt, "size") {
				token := numbered(rapid.Uint64Range(0, 300).Draw(rt, "id"), time.Unix(now+rapid.Int64Range(1, 100).Draw(rt, "life"), 0))
				batch = append(batch, token)
				model[token.ID] = max(model[token.ID], token.Until)
			}
			before := *s
			s = s.with(Increment{Tokens: batch}, time.Unix(now, 0))
			if rapid.Bool().Draw(rt, "prune") {
				s = s.pruned(time.Unix(now, 0))
			}
			for n := range uint64(301) {
				token := numbered(n, noon)
				if until, in := model[token.ID]; in && until > now && !s.has(jti(token)) || !in && s.has(jti(token)) {
					rt.Fatalf("%d: in the model %v (%d at %d), in the set %v", n, in, until, now, s.has(jti(token)))
				}
			}
			if before.tokens.count() > 0 && len(before.tokens) > 12 {
				rt.Fatalf("%d layers for %d ids", len(before.tokens), before.tokens.count())
			}
			now += rapid.Int64Range(0, 30).Draw(rt, "later")
		}
	})
}

func FuzzParseID(f *testing.F) {
	f.Add("0198c1d2-7a10-7c3e-9f00-2b1f6f1d3a55")
	f.Add("0198C1D2-7A10-7C3E-9F00-2B1F6F1D3A55")
	f.Add("0198c1d2-7a10-7c3e-9f00-2b1f6f1d3a5g")
	f.Add("------------------------------------")
	f.Fuzz(func(t *testing.T, text string) {
		id, ok := parseID(text)
		if ok && !strings.EqualFold(jti(Token{ID: id}), text) {
			t.Errorf("%q is read as %s", text, jti(Token{ID: id}))
		}
		if !ok && id != [16]byte{} {
			t.Errorf("%q is refused and read", text)
		}
	})
}

func TestALookupAllocatesNothing(t *testing.T) {
	s, store, _ := loaded(t)
	store.next = []Token{numbered(1, noon.Add(time.Hour))}
	revoke(t, s, exchange.Revocation{Client: "edge"})
	token := &exchange.Token{Issuer: exchange.SelfIssuer, JTI: jti(numbered(2, noon)), IssuedAt: noon.Add(time.Hour)}
	rec := &exchange.Record{ID: exchange.ID(jti(numbered(3, noon))), Time: noon.Add(time.Hour), Client: "gw", Policy: "p"}
	if n := testing.AllocsPerRun(100, func() {
		state, err := s.State()
		if err != nil || state.Revoked(token) || state.Stopped(rec) {
			t.Error("wrong")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestAloneEndsWithTheLastTokenThatWasRevokedSo(t *testing.T) {
	t.Parallel()
	whole, alone := numbered(1, noon.Add(3*time.Hour)), numbered(2, noon.Add(time.Hour))
	alone.Alone = true
	s := New(Options{Store: &memory{}, Clock: time.Now, Steady: time.Now, Rand: rand.Reader}).state.Load()
	if s = s.with(Increment{Revision: 1, Tokens: []Token{whole}}, noon); s.Alone() {
		t.Error("alone by an order that cascades")
	}
	if s = s.with(Increment{Revision: 2, Tokens: []Token{alone}}, noon); !s.Alone() || !s.pruned(noon).Alone() {
		t.Error("not alone")
	}
	if s.pruned(noon.Add(time.Hour)).Alone() {
		t.Error("alone when it is over")
	}
}

// A standby that takes over may lack the newest orders. They stay in force here,
// and those that are kept from then on, under the same numbers, are not taken for
// them.
func TestAStoreThatLostOrdersIsReadAnew(t *testing.T) {
	t.Parallel()
	s, store, at := loaded(t)
	lost, kept := numbered(1, noon.Add(time.Hour)), numbered(2, noon.Add(time.Hour))
	revoke(t, s, exchange.Revocation{Client: "first"})
	store.next = []Token{lost}
	revoke(t, s, exchange.Revocation{Client: "second"})

	store.orders = store.orders[:1] // the standby's
	store.next = []Token{kept}
	if _, err := store.Revoke(t.Context(), Order{Revocation: exchange.Revocation{Client: "third"}}); err != nil { // on another replica
		t.Fatal(err)
	}
	asked := at.at
	at.at = noon.Add(time.Second)
	if err := s.Seen(t.Context(), 1, asked); err != nil || s.Stats().Revision != 2 { // was read before the second order
		t.Fatalf("an answer that came late: %v, revision %d", err, s.Stats().Revision)
	}
	if err := s.Seen(t.Context(), 1, at.at); err != nil { // before the third
		t.Fatal(err)
	}
	state := stateOf(t, s)
	for name, token := range map[string]Token{"lost": lost, "kept since": kept} {
		if !state.Revoked(&exchange.Token{Issuer: exchange.SelfIssuer, JTI: jti(token)}) {
			t.Errorf("the token of the order that was %s holds", name)
		}
	}
	if state.Revision() != 2 {
		t.Errorf("revision %d", state.Revision())
	}
}

func TestRulesOfALostOrderStopNothingByItsNumber(t *testing.T) {
	t.Parallel()
	s, store, at := loaded(t)
	revoke(t, s, exchange.Revocation{Client: "edge"})
	store.orders = nil
	at.at = noon.Add(time.Second)
	if err := s.Seen(t.Context(), 0, at.at); err != nil {
		t.Fatal(err)
	}
	for selector, r := range s.state.Load().rules {
		if r.present != 0 || !r.before.Equal(noon) {
			t.Errorf("%v: %+v", selector, r)
		}
	}
	if s.Stats().Revision != 0 || s.Stats().Rules != 1 {
		t.Errorf("%+v", s.Stats())
	}
}

// A foreign token that is named holds no more whatever its iat, and so for as long
// as it could be accepted, whatever the order's before.
func TestANamedForeignTokenStaysRevokedWhateverBeforeSays(t *testing.T) {
	t.Parallel()
	s, _, at := loaded(t)
	revoke(t, s, exchange.Revocation{Token: &exchange.RevokedToken{Issuer: "okta", JTI: "j"}, Before: noon.Add(-500 * 24 * time.Hour)})
	at.at = noon.Add(399 * 24 * time.Hour)
	s.Prune()
	if err := s.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !stateOf(t, s).Revoked(&exchange.Token{Issuer: "okta", JTI: "j", IssuedAt: noon.Add(-time.Minute)}) {
		t.Error("it holds again")
	}
}

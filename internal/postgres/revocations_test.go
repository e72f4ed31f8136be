package postgres_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/strait-sts/strait/internal/audit"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/pgserver"
	"github.com/strait-sts/strait/internal/postgres"
	"github.com/strait-sts/strait/internal/revocation"
	"github.com/strait-sts/strait/internal/ststest"
	"pgregory.net/rapid"
)

// issue is an issued record as revocations look at it.
type issue struct {
	ID, Parent, ActorParent      string
	Client, Policy, Key          string
	Issuer, Subject, SubjectJTI  string
	ActorIssuer, Actor, ActorJTI string
	Time, Expires                time.Time
	children                     []*issue
}

// forest keeps issued records as rows of one chain.
type forest struct {
	t      testing.TB
	conn   *pgx.Conn
	writer string
	seq    int64
}

func newForest(t testing.TB, d ststest.Database) *forest {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), d.AppURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	f := &forest{t: t, conn: conn, writer: newID(t, time.Now())}
	if _, err := conn.Exec(t.Context(), `INSERT INTO writers (id, hash) VALUES ($1::uuid, '')`, f.writer); err != nil {
		t.Fatal(err)
	}
	return f
}

func newID(t testing.TB, at time.Time) string {
	t.Helper()
	id, err := exchange.NewID(at, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return string(id)
}

// keep keeps them in one transaction with the head of the chain, as a recorder
// does.
func (f *forest) keep(issues ...*issue) {
	f.t.Helper()
	batch := &pgx.Batch{}
	batch.Queue(`BEGIN`)
	for _, i := range issues {
		f.seq++
		batch.Queue(`
			INSERT INTO records (id, time, decision, client, issuer, subject, policy, targets, jti, parent, writer, seq, hash, body,
				expires, key, subject_jti, actor_issuer, actor, actor_jti, actor_parent)
			VALUES ($1::uuid, $2, 'issued', $3, nullif($4, ''), nullif($5, ''), $6, '{}', $1::text, nullif($7, ''), $8::uuid, $9, '', '',
				$10, $11, nullif($12, ''), nullif($13, ''), nullif($14, ''), nullif($15, ''), nullif($16, ''))`,
			i.ID, i.Time, i.Client, i.Issuer, i.Subject, i.Policy, i.Parent, f.writer, f.seq, i.Expires, i.Key, i.SubjectJTI,
			i.ActorIssuer, i.Actor, i.ActorJTI, i.ActorParent)
	}
	batch.Queue(`UPDATE writers SET seq = $1 WHERE id = $2::uuid`, f.seq, f.writer)
	batch.Queue(`COMMIT`)
	if err := f.conn.SendBatch(f.t.Context(), batch).Close(); err != nil {
		f.t.Fatal(err)
	}
}

// setOn is a set on the database.
func setOn(db *postgres.DB, clock func() time.Time) *revocation.Set {
	return revocation.New(revocation.Options{Store: db, Clock: clock, Steady: time.Now, Rand: rand.Reader})
}

// ours is one of our own tokens, as it would be presented.
func ours(i *issue) *exchange.Token {
	return &exchange.Token{Issuer: exchange.SelfIssuer, JTI: i.ID, Subject: i.Subject, KeyID: i.Key, IssuedAt: i.Time, Expires: i.Expires}
}

// TestRevocationReachesWhatTheModelSays grows random trees, through expired
// tokens and actors too, gives random orders, and compares the tokens that hold
// no more with a model that is a loop over a list.
func TestRevocationReachesWhatTheModelSays(t *testing.T) {
	t.Parallel()
	db, d := opened(t)
	now := time.Now().UTC().Truncate(time.Millisecond)
	set := setOn(db, func() time.Time { return now })
	f := newForest(t, d)
	round := 0
	rapid.Check(t, func(rt *rapid.T) {
		round++
		all := grown(rt, t, now, round)
		f.keep(all...)
		model := map[string]bool{}
		for range rapid.IntRange(1, 3).Draw(rt, "orders") {
			order := drawOrder(rt, now, round, all)
			if _, err := set.Revoke(t.Context(), order); err != nil {
				rt.Fatal(err)
			}
			for _, i := range reached(order, all) {
				model[i.ID] = true
			}
			state, err := set.State()
			if err != nil {
				rt.Fatal(err)
			}
			for n, i := range all {
				if i.Expires.After(now) && state.Revoked(ours(i)) != model[i.ID] {
					rt.Fatalf("token %d of %d: revoked %v, the model says %v, after %+v", n, len(all), !model[i.ID], model[i.ID], order)
				}
			}
		}
	})
}

// grown is a random forest. Names are the round's own, so that orders of other
// rounds reach nothing here.
func grown(rt *rapid.T, t testing.TB, now time.Time, round int) []*issue {
	name := func(kind string, n int) string {
		return fmt.Sprintf("%s-%d-%d", kind, round, rapid.IntRange(0, n-1).Draw(rt, kind))
	}
	var all []*issue
	for n := range rapid.IntRange(1, 25).Draw(rt, "tokens") {
		at := now.Add(-time.Duration(rapid.IntRange(0, 20*60).Draw(rt, "age")) * time.Minute)
		i := &issue{
			ID: newID(t, at), Time: at, Expires: now.Add(time.Duration(rapid.SampledFrom([]int{-30, 10, 60}).Draw(rt, "life")) * time.Minute),
			Client: name("client", 3), Policy: name("policy", 3), Key: name("key", 2),
		}
		parent := func(label string) *issue {
			if n == 0 || rapid.IntRange(0, 3).Draw(rt, label) == 0 {
				return nil
			}
			return all[rapid.IntRange(0, n-1).Draw(rt, label+" of")]
		}
		if p := parent("subject"); p != nil {
			i.Parent, i.Issuer, i.Subject, i.SubjectJTI = p.ID, exchange.SelfIssuer, p.Subject, p.ID
			p.children = append(p.children, i)
		} else {
			i.Issuer, i.Subject, i.SubjectJTI = name("idp", 2), name("person", 3), name("jti", 4)
		}
		switch rapid.IntRange(0, 3).Draw(rt, "acts") {
		case 0:
			if p := parent("actor"); p != nil {
				i.ActorParent, i.ActorIssuer, i.Actor, i.ActorJTI = p.ID, exchange.SelfIssuer, p.Subject, p.ID
				p.children = append(p.children, i)
			}
		case 1:
			i.ActorIssuer, i.Actor, i.ActorJTI = name("idp", 2), name("person", 3), name("jti", 4)
		}
		all = append(all, i)
	}
	return all
}

func drawOrder(rt *rapid.T, now time.Time, round int, all []*issue) exchange.Revocation {
	some := rapid.SampledFrom(all).Draw(rt, "named")
	order := exchange.Revocation{
		Time: now, Before: now.Add(-time.Duration(rapid.SampledFrom([]int{0, 0, 5}).Draw(rt, "before")) * time.Hour),
		By: "model", Cascade: rapid.IntRange(0, 3).Draw(rt, "cascade") > 0,
	}
	foreign := fmt.Sprintf("idp-%d-0", round)
	switch rapid.SampledFrom([]revocation.Kind{
		revocation.KindToken, revocation.KindExchange, revocation.KindSubject, revocation.KindClient, revocation.KindPolicy,
		revocation.KindIssuer, revocation.KindKey,
	}).Draw(rt, "kind") {
	case revocation.KindToken:
		order.Token = &exchange.RevokedToken{Issuer: some.Issuer, JTI: some.SubjectJTI}
	case revocation.KindExchange:
		order.Exchange = exchange.ID(some.ID)
	case revocation.KindSubject:
		order.Subject = &exchange.RevokedSubject{Issuer: rapid.SampledFrom([]string{some.Issuer, foreign, exchange.SelfIssuer}).Draw(rt, "of"), Subject: some.Subject}
	case revocation.KindClient:
		order.Client = some.Client
	case revocation.KindPolicy:
		order.Policy = some.Policy
	case revocation.KindIssuer:
		order.Issuer = foreign
	case revocation.KindKey:
		order.Key = some.Key
	}
	return order
}

// reached is the model: the tokens that an order matches, and all below them.
// Below one that had expired when the order came is nothing that only an order
// for a client, policy, issuer, subject or key would reach: nothing outlives what
// it was made from, so that no such tree grows in life.
func reached(order exchange.Revocation, all []*issue) []*issue {
	selector, _ := revocation.SelectorOf(order)
	_, named := selector.Names()
	var found []*issue
	var walk func(i *issue)
	walk = func(i *issue) {
		if slices.Contains(found, i) {
			return
		}
		found = append(found, i)
		if order.Cascade {
			for _, child := range i.children {
				walk(child)
			}
		}
	}
	for _, i := range all {
		if matches(order, selector, i) && (named || i.Expires.After(order.Time)) {
			walk(i)
		}
	}
	return found
}

func matches(order exchange.Revocation, s revocation.Selector, i *issue) bool {
	of := func(issuer, value, gotIssuer, got string) bool { return issuer == gotIssuer && value == got }
	early := !i.Time.After(order.Before)
	switch s.Kind {
	case revocation.KindExchange:
		return i.ID == s.Value
	case revocation.KindClient:
		return early && i.Client == s.Value
	case revocation.KindPolicy:
		return early && i.Policy == s.Value
	case revocation.KindKey:
		return early && i.Key == s.Value
	case revocation.KindToken:
		if s.Issuer == exchange.SelfIssuer {
			return i.ID == s.Value
		}
		return order.Cascade && (of(s.Issuer, s.Value, i.Issuer, i.SubjectJTI) || of(s.Issuer, s.Value, i.ActorIssuer, i.ActorJTI))
	case revocation.KindSubject:
		acts := order.Cascade && of(s.Issuer, s.Value, i.ActorIssuer, i.Actor)
		if s.Issuer == exchange.SelfIssuer {
			return early && (i.Subject == s.Value || acts)
		}
		return order.Cascade && of(s.Issuer, s.Value, i.Issuer, i.Subject) || acts
	case revocation.KindIssuer:
		return order.Cascade && (i.Issuer == s.Value || i.ActorIssuer == s.Value)
	}
	return false
}

func TestRevokingTwiceCountsOnce(t *testing.T) {
	t.Parallel()
	db, d := opened(t)
	now := time.Now().UTC()
	set := setOn(db, time.Now)
	root := &issue{ID: newID(t, now), Time: now, Expires: now.Add(time.Hour), Client: "edge", Policy: "p", Key: "k"}
	child := &issue{ID: newID(t, now), Time: now, Expires: now.Add(time.Hour), Client: "other", Policy: "p", Key: "k", Parent: root.ID, Issuer: "self"}
	newForest(t, d).keep(root, child)
	first, err := set.Revoke(t.Context(), exchange.Revocation{Client: "edge", Cascade: true, By: "admin", Reason: "lost", RequestID: "r-1"})
	if err != nil || first.Tokens != 2 || first.Revision != 1 {
		t.Fatalf("%+v, %v", first, err)
	}
	again, err := set.Revoke(t.Context(), exchange.Revocation{Exchange: exchange.ID(root.ID), Cascade: true, By: "admin"})
	if err != nil || again.Tokens != 0 || again.Revision != 2 {
		t.Errorf("again: %+v, %v", again, err)
	}
	never, err := set.Revoke(t.Context(), exchange.Revocation{Exchange: exchange.ID(newID(t, now)), Cascade: true, By: "admin"})
	if err != nil || never.Tokens != 0 || never.Revision != 3 {
		t.Errorf("what never was: %+v, %v", never, err)
	}
	orders, err := db.Revocations(t.Context(), "", 10)
	if err != nil || len(orders) != 3 || orders[2].Client != "edge" || orders[2].Tokens != 2 || orders[2].Reason != "lost" || orders[2].By != "admin" || orders[2].RequestID != "r-1" || orders[0].Exchange == "" {
		t.Errorf("%+v, %v", orders, err)
	}
	older, err := db.Revocations(t.Context(), orders[1].ID, 10)
	if err != nil || len(older) != 1 || older[0].ID != orders[2].ID {
		t.Errorf("older: %+v, %v", older, err)
	}
	if in, err := db.Since(t.Context(), 0, now); err != nil || len(in.Orders) != 1 || len(in.Tokens) != 3 {
		t.Errorf("to be loaded: %+v, %v; want the order for the client, and all tokens", in, err)
	}
	fresh := setOn(db, time.Now)
	if err := fresh.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := fresh.Stats(); got.Revision != 3 || got.Tokens != 3 || got.Rules != 1 {
		t.Errorf("a set that starts now: %+v", got)
	}
}

// TestRevocationsCannotBeTakenBack: neither an order nor a token in force can be
// deleted or altered by the role that serves.
func TestRevocationsCannotBeTakenBack(t *testing.T) {
	t.Parallel()
	db, d := opened(t)
	now := time.Now()
	f := newForest(t, d)
	f.keep(&issue{ID: newID(t, now), Time: now, Expires: now.Add(time.Hour), Client: "edge"})
	if _, err := setOn(db, time.Now).Revoke(t.Context(), exchange.Revocation{Client: "edge", Cascade: true}); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		"DELETE FROM revocations", "UPDATE revocations SET before = 'epoch'", "TRUNCATE revocations",
		"DELETE FROM revoked", "UPDATE revoked SET until = now()", "TRUNCATE revoked",
	} {
		if err := attempt(t, d.AppURL, statement); err == nil || !strings.Contains(err.Error(), "permission denied") {
			t.Errorf("%s: %v", statement, err)
		}
	}
	execute(t, d.AppURL, "INSERT INTO revoked VALUES (uuid_floor(now()), uuid_floor(now()), now() - interval '2 hours')")
	if pruned, err := db.PruneRevoked(t.Context()); err != nil || pruned != 1 {
		t.Errorf("pruned %d, %v", pruned, err)
	}
	execute(t, d.OwnerURL, "GRANT DELETE ON revoked TO "+pgserver.App)
	if err := db.CheckPrivileges(t.Context()); err == nil || !strings.Contains(err.Error(), "revoked") {
		t.Errorf("a role that may take back: %v", err)
	}
}

// inFlight is a record that is being kept: its transaction holds the shared lock
// and has not committed.
func (f *forest) inFlight(i *issue) pgx.Tx {
	f.t.Helper()
	tx, err := f.conn.Begin(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	f.seq++
	for _, statement := range []string{
		fmt.Sprintf(`SELECT pg_advisory_xact_lock_shared(%d)`, postgres.RevocationLock),
		fmt.Sprintf(`INSERT INTO records (id, time, decision, client, targets, jti, parent, writer, seq, hash, body, expires)
			VALUES ('%s', now(), 'issued', 'late', '{}', '%s', nullif('%s', ''), '%s', %d, '', '', now() + interval '1 hour')`, i.ID, i.ID, i.Parent, f.writer, f.seq),
		fmt.Sprintf(`UPDATE writers SET seq = %d WHERE id = '%s'`, f.seq, f.writer),
	} {
		if _, err := tx.Exec(f.t.Context(), statement); err != nil {
			f.t.Fatal(err)
		}
	}
	return tx
}

// TestRevocationWaitsForWhatIsBeingKept: a child whose record is in flight when
// its parent is revoked is found, by the chain that was known and by one that
// began meanwhile, with what was made from it.
func TestRevocationWaitsForWhatIsBeingKept(t *testing.T) {
	t.Parallel()
	db, d := opened(t)
	now := time.Now()
	known := newForest(t, d)
	root := &issue{ID: newID(t, now), Time: now, Expires: now.Add(time.Hour), Client: "edge"}
	known.keep(root)
	child := &issue{ID: newID(t, now), Parent: root.ID}
	tx := known.inFlight(child)
	type answer struct {
		result exchange.RevocationResult
		err    error
	}
	done := make(chan answer, 1)
	set := setOn(db, time.Now)
	go func() {
		result, err := set.Revoke(t.Context(), exchange.Revocation{Exchange: exchange.ID(root.ID), Cascade: true})
		done <- answer{result, err}
	}()
	waiting(t, d.AppURL)
	begun := newForest(t, d) // a chain that the search did not know
	grandchild := &issue{ID: newID(t, now), Time: now, Expires: now.Add(time.Hour), Client: "late", Parent: child.ID}
	begun.keep(grandchild)
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := <-done; got.err != nil || got.result.Tokens != 3 {
		t.Fatalf("%+v, want all three", got)
	}
	state, err := set.State()
	if err != nil || !state.Revoked(ours(root)) || !state.Revoked(ours(child)) || !state.Revoked(ours(grandchild)) {
		t.Errorf("%v", err)
	}
}

// INT-021: a replica that hangs with a record in flight does not hang the others:
// the revocation gives up, says so, and has kept nothing.
func TestRevocationGivesUpBehindAHangingReplica(t *testing.T) {
	t.Parallel()
	db, d := opened(t)
	f := newForest(t, d)
	tx := f.inFlight(&issue{ID: newID(t, time.Now())})
	set := setOn(db, time.Now)
	if result, err := set.Revoke(t.Context(), exchange.Revocation{Client: "late", Cascade: true}); err == nil || !strings.Contains(err.Error(), "lock timeout") {
		t.Errorf("%+v, %v", result, err)
	}
	if orders, err := db.Revocations(t.Context(), "", 1); err != nil || len(orders) != 0 {
		t.Errorf("kept: %+v, %v", orders, err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if result, err := set.Revoke(t.Context(), exchange.Revocation{Client: "late", Cascade: true}); err != nil || result.Tokens != 1 {
		t.Errorf("then: %+v, %v", result, err)
	}
}

// TestAHangingReplicaIsCutOff: a writer that stopped in the middle of an append
// keeps no revocation waiting for long, and writes nothing once it goes on.
func TestAHangingReplicaIsCutOff(t *testing.T) {
	t.Parallel()
	db, d := opened(t)
	chain := claimedChain(t, open(t, d.AppURL))
	if err := postgres.Hang(t.Context(), chain); err != nil {
		t.Fatal(err)
	}
	set := setOn(db, time.Now)
	if _, err := set.Revoke(t.Context(), exchange.Revocation{Client: "edge", Cascade: true}); err != nil {
		t.Errorf("the revocation waited in vain: %v", err)
	}
	if err := chain.Append(t.Context(), []audit.Row{following(t, chain.Head())}); !errors.Is(err, postgres.ErrUnavailable) {
		t.Errorf("appended with %v", err)
	}
}

// TestRevocationWithoutADatabaseIsAnError: no success that did not happen.
func TestRevocationWithoutADatabaseIsAnError(t *testing.T) {
	t.Parallel()
	server := ststest.StartServer(t)
	db := open(t, server.Migrated(t).AppURL)
	set := setOn(db, time.Now)
	if err := set.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	server.Stop(t)
	if _, err := set.Revoke(t.Context(), exchange.Revocation{Client: "edge"}); !errors.Is(err, postgres.ErrUnavailable) {
		t.Errorf("down: %v", err)
	}
	server.Start(t)
	if result, err := set.Revoke(t.Context(), exchange.Revocation{Client: "edge"}); err != nil || result.Revision != 1 {
		t.Errorf("up again: %+v, %v", result, err)
	}
}

// TestSelectorsAreValuesNeverSQL: what an administrator names is compared, not run.
func TestSelectorsAreValuesNeverSQL(t *testing.T) {
	t.Parallel()
	db, d := opened(t)
	now := time.Now()
	newForest(t, d).keep(&issue{ID: newID(t, now), Time: now, Expires: now.Add(time.Hour), Client: "edge", Issuer: "okta", Subject: "okta:alice"})
	set := setOn(db, time.Now)
	for _, evil := range []string{"' OR true --", `"; DROP TABLE revoked; --`, "$1", "%", "\\", "self"} {
		for _, order := range []exchange.Revocation{
			{Client: evil}, {Policy: evil}, {Key: evil}, {Subject: &exchange.RevokedSubject{Issuer: "okta", Subject: evil}},
			{Subject: &exchange.RevokedSubject{Issuer: evil, Subject: "x"}}, {Token: &exchange.RevokedToken{Issuer: "okta", JTI: evil}},
			{Token: &exchange.RevokedToken{Issuer: "self", JTI: evil}}, {Exchange: exchange.ID(evil)},
		} {
			order.Cascade, order.Reason, order.By = true, evil, evil
			if result, err := set.Revoke(t.Context(), order); err != nil || result.Tokens != 0 {
				t.Errorf("%+v: %+v, %v", order, result, err)
			}
		}
	}
}

// TestChildrenOfATokenRevokedAloneAreReachedByALaterOrder: that a token is revoked
// already neither hides what was made from it from an order that cascades, nor
// does a replica take it for ended.
func TestChildrenOfATokenRevokedAloneAreReachedByALaterOrder(t *testing.T) {
	t.Parallel()
	db, d := opened(t)
	now := time.Now().UTC()
	root := &issue{ID: newID(t, now), Time: now, Expires: now.Add(time.Hour), Client: "edge", Policy: "p", Key: "k"}
	child := &issue{ID: newID(t, now), Time: now, Expires: now.Add(time.Hour), Client: "other", Policy: "p", Key: "k", Parent: root.ID, Issuer: "self"}
	newForest(t, d).keep(root, child)
	set := setOn(db, time.Now)
	if _, err := set.Revoke(t.Context(), exchange.Revocation{Client: "edge", By: "admin"}); err != nil {
		t.Fatal(err)
	}
	state, err := set.State()
	if err != nil || !state.Revoked(ours(root)) || state.Revoked(ours(child)) || !state.Alone() {
		t.Fatalf("alone: %v, %v", state, err)
	}
	if _, err := set.Revoke(t.Context(), exchange.Revocation{Exchange: exchange.ID(root.ID), By: "client:edge", Cascade: true}); err != nil {
		t.Fatal(err)
	}
	if state, err := set.State(); err != nil || !state.Revoked(ours(child)) {
		t.Errorf("its child holds: %v", err)
	}
	later := now.Add(2 * time.Hour)
	aged := setOn(db, func() time.Time { return later })
	if err := aged.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if state, err := aged.State(); err != nil || state.Alone() {
		t.Errorf("long over, and still alone: %v", err)
	}
}

// TestAFloodOfRevocationsKeepsNobodyFromReadingThem: records that wait for a newer
// state, and the other replicas' news, need a connection of the pool too.
func TestAFloodOfRevocationsKeepsNobodyFromReadingThem(t *testing.T) {
	t.Parallel()
	db, d := opened(t)
	tx := newForest(t, d).inFlight(&issue{ID: newID(t, time.Now())})
	set := setOn(db, time.Now)
	var flood sync.WaitGroup
	for range 40 {
		flood.Go(func() { _, _ = set.Revoke(t.Context(), exchange.Revocation{Client: "late", Cascade: true}) })
	}
	for db.Stats().InUse < 4 {
		time.Sleep(time.Millisecond)
	}
	waiting(t, d.AppURL)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if _, err := db.Since(ctx, 0, time.Now()); err != nil {
		t.Errorf("the revocations could not be read: %v", err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	flood.Wait()
}

package audit_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/strait-sts/strait/internal/audit"
	"github.com/strait-sts/strait/internal/exchange"
)

// revocations are what no longer holds: since which revision each exchange is
// stopped. They are the store's, and the recorder catches up with them.
type revocations struct {
	mu       sync.Mutex
	revision int64
	stopped  map[exchange.ID]int64
	catchUp  func(ctx context.Context, atLeast int64) error // where set, before a state is given
	late     int64                                          // how far behind the states given are
}

// move is a revocation of ids.
func (v *revocations) move(ids ...exchange.ID) int64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.revision++
	for _, id := range ids {
		if v.stopped == nil {
			v.stopped = map[exchange.ID]int64{}
		}
		v.stopped[id] = v.revision
	}
	return v.revision
}

func (v *revocations) now() int64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.revision
}

func (v *revocations) CatchUp(ctx context.Context, atLeast int64) (exchange.RevocationState, error) {
	if v.catchUp != nil {
		if err := v.catchUp(ctx, atLeast); err != nil {
			return nil, err
		}
	}
	return stateOf{v, v.now() - v.late}, nil
}

// judge is what a store says of rows: nothing, or that they are stale.
func (v *revocations) judge(rows []audit.Row) error {
	now := v.now()
	for _, row := range rows {
		if row.Issues && row.Judged < now {
			return &audit.StaleError{Revision: now}
		}
	}
	return nil
}

// stateOf is the state at a revision.
type stateOf struct {
	of       *revocations
	revision int64
}

func (s stateOf) Revision() int64              { return s.revision }
func (s stateOf) Revoked(*exchange.Token) bool { return false }
func (s stateOf) Alone() bool                  { return false }
func (s stateOf) Stopped(rec *exchange.Record) bool {
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	since, stopped := s.of.stopped[rec.ID]
	return stopped && since <= s.revision
}

// judgedRecord was decided by the state of now.
func judgedRecord(t testing.TB, v *revocations) *exchange.Record {
	t.Helper()
	rec := record(t)
	if err := rec.Rejudge(stateOf{v, v.now()}); err != nil {
		t.Fatal(err)
	}
	return rec
}

func denial(t testing.TB) *exchange.Record {
	t.Helper()
	rec := record(t)
	rec.Decision, rec.Reason, rec.JTI, rec.Lifetime.Issued = exchange.OutcomeDenied, exchange.NoPolicy, "", 0
	return rec
}

func TestWhatIsRevokedWhileItWaitsIsRefusedAndTheOthersAreKept(t *testing.T) {
	t.Parallel()
	v := &revocations{}
	store := &memory{onAppend: func(rows []audit.Row) (bool, error) { err := v.judge(rows); return err == nil, err }}
	r, stop := running(t, audit.Options{Store: store, Revocations: v})
	escaping, innocent := judgedRecord(t, v), judgedRecord(t, v)
	v.move(escaping.ID)
	if err := r.Record(t.Context(), escaping); refusal(err) != "subject_revoked" {
		t.Errorf("a revoked one: %v", err)
	}
	if err := r.Record(t.Context(), innocent); err != nil {
		t.Errorf("another: %v", err)
	}
	if err := r.Record(t.Context(), denial(t)); err != nil {
		t.Errorf("a denial: %v", err)
	}
	stop()
	if rows := store.kept(); len(rows) != 2 || rows[0].ID != string(innocent.ID) || rows[0].Judged != 1 || !rows[0].Issues || rows[1].Issues {
		t.Errorf("kept %+v", rows)
	}
	if s := r.Stats(); s.Failures != 0 {
		t.Errorf("%d failures counted: a revocation is none of ours", s.Failures)
	}
}

// TestWhatIssuesNothingIsNotHeldUp: while the replica catches up, those of the
// same batch and later ones that no revocation matters to are answered.
func TestWhatIssuesNothingIsNotHeldUp(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	v := &revocations{catchUp: func(context.Context, int64) error { <-release; return nil }}
	entered, gate := make(chan struct{}, 1), make(chan struct{})
	store := &memory{}
	store.onAppend = func(rows []audit.Row) (bool, error) {
		select {
		case entered <- struct{}{}:
			<-gate // the first batch, so that the others share one
		default:
		}
		err := v.judge(rows)
		return err == nil, err
	}
	r, stop := running(t, audit.Options{Store: store, Revocations: v, Timeout: time.Minute})
	var denials, issues sync.WaitGroup
	deny := func() {
		denials.Go(func() {
			if err := r.Record(t.Context(), denial(t)); err != nil {
				t.Error(err)
			}
		})
	}
	deny()
	<-entered
	late := []*exchange.Record{judgedRecord(t, v), judgedRecord(t, v)}
	v.move()
	for _, rec := range late {
		issues.Go(func() {
			if err := r.Record(t.Context(), rec); err != nil {
				t.Error(err)
			}
		})
	}
	deny()
	for r.Stats().Queued < 3 {
		time.Sleep(time.Millisecond)
	}
	close(gate)
	denials.Wait()
	deny()
	denials.Wait()
	if kept := len(store.kept()); kept != 3 {
		t.Errorf("%d records kept before the replica has caught up, want the three denials", kept)
	}
	close(release)
	issues.Wait()
	stop()
	if kept := len(store.kept()); kept != 5 {
		t.Errorf("%d records kept", kept)
	}
}

// TestRevocationsThatKeepComingEndNoExchange: but its deadline does.
func TestRevocationsThatKeepComingEndNoExchange(t *testing.T) {
	t.Parallel()
	v := &revocations{}
	moves := 0
	store := &memory{}
	store.onAppend = func(rows []audit.Row) (bool, error) {
		if moves < 200 {
			moves++
			v.move()
		}
		err := v.judge(rows)
		return err == nil, err
	}
	r, _ := running(t, audit.Options{Store: store, Revocations: v, Timeout: time.Minute})
	if err := r.Record(t.Context(), judgedRecord(t, v)); err != nil || moves != 200 {
		t.Errorf("after %d revocations: %v", moves, err)
	}

	endless := &revocations{}
	store = &memory{onAppend: func(rows []audit.Row) (bool, error) { endless.move(); return false, endless.judge(rows) }}
	r, stop := running(t, audit.Options{Store: store, Revocations: endless, Timeout: 50 * time.Millisecond})
	if err := r.Record(t.Context(), judgedRecord(t, endless)); reason(err) != exchange.AuditUnavailable || !errors.Is(err, audit.ErrDeadline) {
		t.Errorf("without end: %v", err)
	}
	stop()
	if len(store.kept()) != 0 {
		t.Error("it was kept after all")
	}
}

func TestWithoutANewerStateNothingIsIssued(t *testing.T) {
	t.Parallel()
	for name, v := range map[string]*revocations{
		"cannot catch up": {catchUp: func(context.Context, int64) error { return errors.New("the database is away") }},
		"an older state":  {late: 1},
		"in no time":      {catchUp: func(ctx context.Context, _ int64) error { <-ctx.Done(); return ctx.Err() }},
		"a fault of ours": {catchUp: func(context.Context, int64) error {
			return exchange.Unavailable(exchange.DatabaseUnavailable, errors.New("not confirmed"))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := &memory{onAppend: func(rows []audit.Row) (bool, error) { err := v.judge(rows); return err == nil, err }}
			r, stop := running(t, audit.Options{Store: store, Revocations: v, Timeout: 50 * time.Millisecond})
			rec := judgedRecord(t, v)
			v.move()
			if err := r.Record(t.Context(), rec); reason(err) != exchange.AuditUnavailable {
				t.Errorf("answered %v", err)
			}
			stop()
			if len(store.kept()) != 0 || r.Stats().Failures != 1 {
				t.Errorf("%d kept, %d failures", len(store.kept()), r.Stats().Failures)
			}
		})
	}
}

// TestAStoreThatNamesNoStaleRowIsAFault, since trying again would be for ever.
func TestAStoreThatNamesNoStaleRowIsAFault(t *testing.T) {
	t.Parallel()
	store := &memory{onAppend: func([]audit.Row) (bool, error) { return false, &audit.StaleError{Revision: 0} }}
	r, _ := running(t, audit.Options{Store: store, Revocations: &revocations{}})
	if err := r.Record(t.Context(), judgedRecord(t, &revocations{})); reason(err) != exchange.AuditUnavailable {
		t.Errorf("answered %v", err)
	}
}

func TestRecordsAreHeldToNothingWhereNoRevocationsAreKnown(t *testing.T) {
	t.Parallel()
	store := &memory{}
	r, stop := running(t, audit.Options{Store: store})
	if err := r.Record(t.Context(), judgedRecord(t, &revocations{revision: 7})); err != nil {
		t.Fatal(err)
	}
	stop()
	if row := store.kept()[0]; row.Issues || row.Judged != 0 {
		t.Errorf("%v %d", row.Issues, row.Judged)
	}
}

// TestStopWaitsForWhatIsBeingJudged: their exchanges wait too.
func TestStopWaitsForWhatIsBeingJudged(t *testing.T) {
	t.Parallel()
	asked, release := make(chan struct{}), make(chan struct{})
	v := &revocations{catchUp: func(context.Context, int64) error { close(asked); <-release; return nil }}
	store := &memory{onAppend: func(rows []audit.Row) (bool, error) { err := v.judge(rows); return err == nil, err }}
	r, stop := running(t, audit.Options{Store: store, Revocations: v, Timeout: time.Minute})
	rec := judgedRecord(t, v)
	v.move()
	answer := make(chan error, 1)
	go func() { answer <- r.Record(t.Context(), rec) }()
	<-asked
	stopped := make(chan struct{})
	go func() { defer close(stopped); stop() }()
	time.Sleep(10 * time.Millisecond)
	close(release)
	if err := <-answer; err != nil {
		t.Errorf("answered %v", err)
	}
	<-stopped
	if len(store.kept()) != 1 {
		t.Error("the record is not there")
	}
}

// TestWhateverTheStoreDoesNoRevokedRecordIsKept: revocations, replays, refused
// batches and lost connections in any order, at any append.
func TestWhateverTheStoreDoesNoRevokedRecordIsKept(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		v := &revocations{}
		recs := make([]*exchange.Record, rapid.IntRange(1, 8).Draw(rt, "records"))
		for i := range recs {
			if rapid.Bool().Draw(rt, "issues") {
				recs[i] = judgedRecord(t, v)
			} else {
				recs[i] = denial(t)
			}
		}
		acts := rapid.SliceOfN(rapid.SampledFrom([]string{"", "move", "stop", "replay", "lose", "lose kept"}), 0, 12).Draw(rt, "acts")
		atCommit := map[string]int64{} // the revision that each row was kept at
		var mu sync.Mutex
		store := &memory{}
		store.onAppend = func(rows []audit.Row) (bool, error) {
			mu.Lock()
			defer mu.Unlock()
			act := ""
			if len(acts) > 0 {
				act, acts = acts[0], acts[1:]
			}
			switch act {
			case "move":
				v.move()
			case "stop":
				v.move(exchange.ID(rows[0].ID))
			case "replay":
				if rows[0].Issues {
					return false, &audit.ReplayedError{Rows: []int{0}}
				}
			case "lose":
				return false, errors.New("lost")
			}
			if err := v.judge(rows); err != nil {
				return false, err
			}
			for _, row := range rows {
				atCommit[row.ID] = v.now()
			}
			if act == "lose kept" {
				return true, errors.New("lost")
			}
			return true, nil
		}
		r, stop := running(t, audit.Options{Store: store, Revocations: v, Timeout: time.Minute})
		answers := make([]error, len(recs))
		var group sync.WaitGroup
		for i, rec := range recs {
			group.Go(func() { answers[i] = r.Record(t.Context(), rec) })
		}
		group.Wait()
		stop()
		kept := map[string]audit.Row{}
		for _, row := range store.kept() {
			if _, twice := kept[row.ID]; twice {
				rt.Fatal("a record was kept twice")
			}
			kept[row.ID] = row
		}
		for i, rec := range recs {
			row, is := kept[string(rec.ID)]
			issues := rec.Decision == exchange.OutcomeIssued
			switch {
			case (answers[i] == nil) != is && reason(answers[i]) == "":
				rt.Fatalf("answered %v, kept %v", answers[i], is)
			case is && issues && row.Judged != atCommit[row.ID]:
				rt.Fatalf("judged by %d, kept at %d", row.Judged, atCommit[row.ID])
			case is && issues && v.stopped[rec.ID] != 0 && v.stopped[rec.ID] <= atCommit[row.ID]:
				rt.Fatal("a revoked record was kept")
			case !issues && refusal(answers[i]) == "subject_revoked":
				rt.Fatal("a denial was refused")
			}
		}
		if report := verify(t, store.kept(), audit.Evidence{}); !report.OK() {
			rt.Fatalf("%+v", report.Findings)
		}
	})
}

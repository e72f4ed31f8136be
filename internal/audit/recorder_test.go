package audit_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/audit"
	"github.com/strait-sts/strait/internal/exchange"
)

func reason(err error) exchange.Reason {
	var e *exchange.Error
	if errors.As(err, &e) && e.OurFault() {
		return e.Reason
	}
	return ""
}

func TestEveryAnswerHasItsRecordOnce(t *testing.T) {
	t.Parallel()
	store := &memory{}
	r, _ := running(t, audit.Options{Store: store, Batch: 16})
	var ids sync.Map
	var group sync.WaitGroup
	for range 64 {
		group.Go(func() {
			for range 10 {
				rec := record(t)
				if err := r.Record(t.Context(), rec); err != nil {
					t.Error(err)
				}
				ids.Store(string(rec.ID), true)
			}
		})
	}
	group.Wait()
	rows := store.kept()
	if len(rows) != 640 {
		t.Fatalf("%d records, want 640", len(rows))
	}
	for _, row := range rows {
		if _, ok := ids.LoadAndDelete(row.ID); !ok {
			t.Fatalf("record %s was kept twice or never asked for", row.ID)
		}
	}
	if report := verify(t, rows, audit.Evidence{}); !report.OK() {
		t.Errorf("the chain: %+v", report.Findings)
	}
	if s := r.Stats(); s.Records != 640 || s.Batches != uint64(len(store.commits)) || s.Queued != 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestWaitingRecordsShareACommit(t *testing.T) {
	t.Parallel()
	gate := make(chan struct{})
	store := &memory{onAppend: func([]audit.Row) (bool, error) { <-gate; return true, nil }}
	r, _ := running(t, audit.Options{Store: store})
	var group sync.WaitGroup
	send := func() { group.Go(func() { _ = r.Record(t.Context(), record(t)) }) }
	send()
	time.Sleep(20 * time.Millisecond) // the first is being committed
	for range 9 {
		send()
	}
	for r.Stats().Queued < 9 {
		time.Sleep(time.Millisecond)
	}
	close(gate)
	group.Wait()
	if fmt.Sprint(store.commits) != "[1 9]" {
		t.Errorf("commits %v, want the nine that waited in one", store.commits)
	}
}

func TestNoSuccessWithoutACommit(t *testing.T) {
	t.Parallel()
	lost := errors.New("connection lost")
	for _, test := range []struct {
		name  string
		store *memory
	}{
		{"no chain", &memory{claimErr: lost}},
		{"refused", &memory{onAppend: func([]audit.Row) (bool, error) { return false, audit.ErrRefused }}},
		{"lost again and again", &memory{onAppend: func([]audit.Row) (bool, error) { return false, lost }}},
		{"lost and unsettled", &memory{onAppend: func([]audit.Row) (bool, error) { return false, lost }, onSettle: lost}},
		{"kept, but nobody can tell", &memory{onAppend: func([]audit.Row) (bool, error) { return true, lost }, onSettle: lost}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, _ := running(t, audit.Options{Store: test.store})
			if err := r.Record(t.Context(), record(t)); reason(err) != exchange.AuditUnavailable {
				t.Errorf("answered %v", err)
			}
			if r.Stats().Failures != 1 {
				t.Errorf("the failure was not counted")
			}
		})
	}
}

func TestUnknownOutcomeIsSettledBeforeARetry(t *testing.T) {
	t.Parallel()
	lost := errors.New("connection lost in commit")
	for _, kept := range []bool{true, false} {
		var calls atomic.Int32
		store := &memory{onAppend: func([]audit.Row) (bool, error) {
			if calls.Add(1) == 2 {
				return kept, lost
			}
			return true, nil
		}}
		r, _ := running(t, audit.Options{Store: store})
		for range 3 {
			if err := r.Record(t.Context(), record(t)); err != nil {
				t.Fatalf("kept %v: %v", kept, err)
			}
		}
		if rows := store.kept(); len(rows) != 3 || !verify(t, rows, audit.Evidence{}).OK() {
			t.Errorf("kept %v: %d records", kept, len(rows))
		}
		if store.claims != 2 {
			t.Errorf("kept %v: the chain was claimed %d times, want anew after the loss", kept, store.claims)
		}
	}
}

func TestOneBadRecordDoesNotFailTheOthers(t *testing.T) {
	t.Parallel()
	gate := make(chan struct{})
	bad := record(t)
	store := &memory{onAppend: func(rows []audit.Row) (bool, error) {
		<-gate
		for _, row := range rows {
			if row.ID == string(bad.ID) {
				return false, audit.ErrRefused
			}
		}
		return true, nil
	}}
	r, _ := running(t, audit.Options{Store: store})
	answers := make(chan error, 6)
	for range 5 {
		go func() { answers <- r.Record(t.Context(), record(t)) }()
	}
	time.Sleep(20 * time.Millisecond)
	go func() { answers <- r.Record(t.Context(), bad) }()
	time.Sleep(20 * time.Millisecond)
	close(gate)
	failures := 0
	for range 6 {
		if err := <-answers; err != nil {
			failures++
		}
	}
	if failures != 1 || len(store.kept()) != 5 || !verify(t, store.kept(), audit.Evidence{}).OK() {
		t.Errorf("%d failed, %d kept", failures, len(store.kept()))
	}
}

func TestFullQueueIsOverloaded(t *testing.T) {
	t.Parallel()
	gate, entered := make(chan struct{}), make(chan struct{}, 8)
	store := &memory{onAppend: func([]audit.Row) (bool, error) { entered <- struct{}{}; <-gate; return true, nil }}
	r, _ := running(t, audit.Options{Store: store, Queue: 2, Timeout: 10 * time.Second})
	answers := make(chan error, 8)
	var group sync.WaitGroup
	send := func() { group.Go(func() { answers <- r.Record(t.Context(), record(t)) }) }
	send()
	<-entered
	for range 7 {
		send()
	}
	for range 5 { // one is being written and two wait; the others are turned away at once
		if err := <-answers; reason(err) != exchange.Overloaded || !errors.Is(err, audit.ErrFull) {
			t.Errorf("answered %v", err)
		}
	}
	close(gate)
	group.Wait()
	if kept := len(store.kept()); kept != 3 {
		t.Errorf("%d records kept, want the three that were let in", kept)
	}
}

func TestDeadlineAndCancellationEndTheWait(t *testing.T) {
	t.Parallel()
	gate := make(chan struct{})
	defer close(gate)
	store := &memory{onAppend: func([]audit.Row) (bool, error) { <-gate; return true, nil }}
	r, _ := running(t, audit.Options{Store: store, Timeout: 30 * time.Millisecond})
	if err := r.Record(t.Context(), record(t)); reason(err) != exchange.AuditUnavailable || !errors.Is(err, audit.ErrDeadline) {
		t.Errorf("a slow store: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Record(ctx, record(t)); reason(err) != exchange.AuditUnavailable || !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that went away: %v", err)
	}
}

func TestStopWritesWhatWaitsAndSignsTheHead(t *testing.T) {
	t.Parallel()
	store := &memory{}
	path := filepath.Join(t.TempDir(), "anchor")
	anchor, err := audit.OpenFileAnchor(path)
	if err != nil {
		t.Fatal(err)
	}
	r, stop := running(t, audit.Options{Store: store, Signer: plainSigner{}, Anchor: anchor})
	var group sync.WaitGroup
	var answered atomic.Int32
	for range 20 {
		group.Go(func() {
			if r.Record(t.Context(), record(t)) == nil {
				answered.Add(1)
			}
		})
	}
	stop()
	group.Wait()
	if kept := len(store.kept()); kept < int(answered.Load()) {
		t.Errorf("%d answered, %d kept", answered.Load(), kept)
	}
	if err := r.Record(t.Context(), record(t)); !errors.Is(err, audit.ErrStopped) {
		t.Errorf("after the stop: %v", err)
	}
	if err := anchor.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	anchors, err := audit.ReadAnchors(file)
	if err != nil {
		t.Fatal(err)
	}
	report := verify(t, store.kept(), audit.Evidence{Checkpoints: store.checkpoints, Anchors: anchors})
	if !report.OK() || len(store.kept()) > 0 && report.Chains[0].Unanchored != 0 {
		t.Errorf("%+v", report)
	}
}

func TestCheckpointsFollowTheHeadAtIntervals(t *testing.T) {
	t.Parallel()
	store := &memory{}
	r, stop := running(t, audit.Options{Store: store, Signer: plainSigner{}, Interval: 5 * time.Millisecond})
	for range 3 {
		if err := r.Record(t.Context(), record(t)); err != nil {
			t.Fatal(err)
		}
		for made := r.Stats().Checkpoints; r.Stats().Checkpoints == made; {
			time.Sleep(time.Millisecond)
		}
	}
	time.Sleep(20 * time.Millisecond)
	stop()
	if len(store.checkpoints) != 3 {
		t.Errorf("%d checkpoints of a head that moved three times", len(store.checkpoints))
	}
}

func TestFailingSignerStopsNoExchange(t *testing.T) {
	t.Parallel()
	store := &memory{}
	r, _ := running(t, audit.Options{Store: store, Signer: plainSigner{errors.New("no key")}, Interval: time.Millisecond})
	for range 5 {
		if err := r.Record(t.Context(), record(t)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Millisecond)
	}
	if s := r.Stats(); s.Checkpoints != 0 || s.Records != 5 {
		t.Errorf("%+v", s)
	}
}

func TestChainIsResumed(t *testing.T) {
	t.Parallel()
	store := &memory{}
	for range 3 {
		r, stop := running(t, audit.Options{Store: store})
		for range 2 {
			if err := r.Record(t.Context(), record(t)); err != nil {
				t.Fatal(err)
			}
		}
		stop()
	}
	if report := verify(t, store.kept(), audit.Evidence{}); !report.OK() || report.Chains[0].Last != 6 {
		t.Errorf("%+v", report)
	}
}

func TestSamplerBoundsRecordsAndCountsAll(t *testing.T) {
	t.Parallel()
	s := audit.NewSampler(0.001, 5)
	allowed := 0
	for range 100 {
		if s.Allow() {
			allowed++
		}
	}
	if seen, skipped := s.Counts(); allowed != 5 || seen != 100 || skipped != 95 {
		t.Errorf("%d allowed, %d seen, %d skipped", allowed, seen, skipped)
	}
}

package audit_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/audit"
	"github.com/strait-sts/strait/internal/exchange"
)

// claimStore judges claims as postgres does: all rows of a batch, or none.
func claimStore() *memory {
	var mu sync.Mutex
	taken := map[string]bool{}
	store := &memory{}
	store.onAppend = func(rows []audit.Row) (bool, error) {
		mu.Lock()
		defer mu.Unlock()
		var late []int
		mine := map[string]bool{}
		for i, row := range rows {
			for _, c := range row.Claims {
				if taken[c.ID] || mine[c.ID] {
					late = append(late, i)
				}
				mine[c.ID] = true
			}
		}
		if len(late) > 0 {
			return false, &audit.ReplayedError{Rows: late}
		}
		for id := range mine {
			taken[id] = true
		}
		return true, nil
	}
	return store
}

// refusal is the reason of whatever error; "" for none.
func refusal(err error) exchange.Reason {
	var e *exchange.Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return ""
}

func TestOneOfManyReplaysIsIssuedAndTheOthersOfTheBatchToo(t *testing.T) {
	t.Parallel()
	store := claimStore()
	r, stop := running(t, audit.Options{Store: store})
	var all sync.WaitGroup
	var mu sync.Mutex
	outcomes := map[exchange.Reason]int{}
	for i := range 60 {
		rec := record(t)
		if i%2 == 0 {
			rec.Claims = []exchange.ReplayClaim{{Role: exchange.RoleSubject, Scope: "okta", ID: "same", Until: time.Now().Add(time.Hour)}}
		}
		all.Go(func() {
			err := r.Record(t.Context(), rec)
			mu.Lock()
			defer mu.Unlock()
			outcomes[refusal(err)]++
		})
	}
	all.Wait()
	stop()
	if outcomes[""] != 31 || outcomes["subject_replayed"] != 29 || len(store.kept()) != 31 {
		t.Errorf("%v, %d records kept", outcomes, len(store.kept()))
	}
	if s := r.Stats(); s.Failures != 0 {
		t.Errorf("%d failures counted: a replay is none of ours", s.Failures)
	}
	if report := verify(t, store.kept(), audit.Evidence{}); !report.OK() {
		t.Errorf("the chain does not hold: %+v", report)
	}
}

// TestALongRecordClaimsToo: what is shortened keeps its claims, or a token with
// a long name could be used twice.
func TestALongRecordClaimsToo(t *testing.T) {
	t.Parallel()
	store := claimStore()
	r, _ := running(t, audit.Options{Store: store})
	for i, want := range []exchange.Reason{"", "subject_replayed"} {
		rec := record(t)
		rec.Detail = strings.Repeat("long ", 10_000)
		rec.Claims = []exchange.ReplayClaim{{Role: exchange.RoleSubject, Scope: "okta", ID: "one"}}
		if got := refusal(r.Record(t.Context(), rec)); got != want {
			t.Errorf("time %d: %q, want %q", i+1, got, want)
		}
	}
}

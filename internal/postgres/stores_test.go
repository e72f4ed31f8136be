package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/keyring"
	"github.com/strait-sts/strait/internal/postgres"
)

func TestOneCommitWinsFromABase(t *testing.T) {
	t.Parallel()
	db, _ := opened(t)
	var won, moved atomic.Int32
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			row := catalog.Row{Kind: catalog.KindTarget, Name: fmt.Sprint("t", i), Body: []byte("{}")}
			switch _, err := db.Commit(t.Context(), 0, catalog.Commit{Puts: []catalog.Row{row}}); {
			case err == nil:
				won.Add(1)
			case errors.Is(err, catalog.ErrMoved):
				moved.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	group.Wait()
	revision, rows, err := db.Load(t.Context())
	if err != nil || won.Load() != 1 || moved.Load() != 7 || revision != 1 || len(rows) != 1 || rows[0].Revision != 1 {
		t.Errorf("%d won, %d moved; revision %d with %v, %v", won.Load(), moved.Load(), revision, rows, err)
	}
}

func TestCommitIsAllOrNothing(t *testing.T) {
	t.Parallel()
	db, _ := opened(t)
	put := catalog.Row{Kind: catalog.KindTarget, Name: "orders", Set: "s", Body: []byte(`{"a":1}`), Digests: []string{"d"}}
	change := catalog.ChangeRecord{Time: time.Now(), By: "admin", Kind: put.Kind, Name: put.Name, Action: "created", After: put.Body}
	if _, err := db.Commit(t.Context(), 0, catalog.Commit{Puts: []catalog.Row{put}, Changes: []catalog.ChangeRecord{change}}); err != nil {
		t.Fatal(err)
	}
	change.By = "bad\x00name"
	deleted := catalog.Commit{Deletes: []catalog.Ref{{Kind: put.Kind, Name: put.Name}}, Changes: []catalog.ChangeRecord{change}}
	if _, err := db.Commit(t.Context(), 1, deleted); err == nil {
		t.Fatal("a change record with NUL was kept")
	}
	revision, rows, err := db.Load(t.Context())
	if err != nil || revision != 1 || len(rows) != 1 || string(rows[0].Body) != `{"a":1}` || !slices.Equal(rows[0].Digests, put.Digests) || rows[0].Set != "s" {
		t.Errorf("after a failed commit: revision %d, %+v, %v", revision, rows, err)
	}
	deleted.Changes[0].By = "admin"
	if revision, err := db.Commit(t.Context(), 1, deleted); err != nil || revision != 2 {
		t.Errorf("the delete itself: %d, %v", revision, err)
	}
}

func TestOneActiveKeyAPurposeAndAlgorithm(t *testing.T) {
	t.Parallel()
	db, _ := opened(t)
	key := keyring.SealedKey{
		ID: "ES256-1", Purpose: keyring.PurposeSigning, Algorithm: "ES256", State: keyring.StateActive,
		Public: []byte("{}"), Sealed: []byte{1}, WrappedKey: []byte{2}, KEK: "k", Created: time.Now().UTC().Truncate(time.Microsecond),
	}
	key.Activated = key.Created
	if err := db.Insert(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	rival := key
	rival.ID = "ES256-2"
	for _, again := range []keyring.SealedKey{key, rival} {
		if err := db.Insert(t.Context(), again); !errors.Is(err, keyring.ErrExists) {
			t.Errorf("inserting %s beside an active key: %v", again.ID, err)
		}
	}
	rival.State, rival.Activated = keyring.StateNext, time.Time{}
	if err := db.Insert(t.Context(), rival); err != nil {
		t.Errorf("the next key: %v", err)
	}
	keys, err := db.Sealed(t.Context())
	if err != nil || len(keys) != 2 || !keys[0].Created.Equal(key.Created) || !keys[1].Activated.IsZero() || string(keys[0].Public) != "{}" {
		t.Errorf("%+v, %v", keys, err)
	}
}

// watched collects what a watch reports until the test ends; what is reported
// cannot be loaded so often as fails says.
func watched(t *testing.T, db *postgres.DB, fails ...string) <-chan string {
	t.Helper()
	heard := make(chan string, 64)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		db.Watch(ctx, postgres.Watcher{Changed: func(topic string, revision int64) error {
			told := fmt.Sprint(topic, " ", revision)
			heard <- told
			if i := slices.Index(fails, told); i >= 0 {
				fails = slices.Delete(fails, i, i+1)
				return errors.New("it cannot be loaded now")
			}
			return nil
		}})
	}()
	t.Cleanup(func() { cancel(); <-done })
	return heard
}

// expect waits for what must be heard, and logs how long that took. The limit
// is for a test that hangs: how fast it is on a quiet machine stands in
// docs/performance.md.
func expect(t *testing.T, heard <-chan string, want string) {
	t.Helper()
	began := time.Now()
	deadline := time.After(10 * time.Second)
	for {
		select {
		case got := <-heard:
			if got == want {
				t.Logf("%q was heard after %v", want, time.Since(began).Round(time.Millisecond))
				return
			}
		case <-deadline:
			t.Fatalf("%q was not heard", want)
		}
	}
}

func TestEveryReplicaHearsOfAChange(t *testing.T) {
	t.Parallel()
	db, d := opened(t)
	replicas := []<-chan string{watched(t, open(t, d.AppURL)), watched(t, open(t, d.AppURL))}
	for _, heard := range replicas {
		expect(t, heard, "catalog 0")
	}
	if _, err := db.Commit(t.Context(), 0, catalog.Commit{}); err != nil {
		t.Fatal(err)
	}
	for _, heard := range replicas {
		expect(t, heard, "catalog 1")
	}
}

func TestWatchDoesNotNeedNotify(t *testing.T) {
	t.Parallel()
	db, d := opened(t)
	heard := watched(t, db)
	expect(t, heard, "catalog 0")
	execute(t, d.OwnerURL, "UPDATE revisions SET revision = 9 WHERE topic = 'catalog'")
	expect(t, heard, "catalog 9")
}

// A change that could not be loaded is told again until it was, with nobody
// changing anything.
func TestWatchTellsAgainWhatCouldNotBeLoaded(t *testing.T) {
	t.Parallel()
	db, d := opened(t)
	heard := watched(t, db, "catalog 3", "catalog 3")
	expect(t, heard, "catalog 0")
	execute(t, d.OwnerURL, "UPDATE revisions SET revision = 3 WHERE topic = 'catalog'")
	for range 3 {
		expect(t, heard, "catalog 3")
	}
	execute(t, d.OwnerURL, "UPDATE revisions SET revision = 4 WHERE topic = 'catalog'")
	if next := <-heard; next != "catalog 4" {
		t.Errorf("%s is told again though it was loaded", next)
	}
}

func TestForgedNotificationChangesNothing(t *testing.T) {
	t.Parallel()
	db, d := opened(t)
	heard := watched(t, db)
	expect(t, heard, "catalog 0")
	execute(t, d.AppURL, "SELECT pg_notify('strait', 'catalog 77')", "UPDATE revisions SET revision = 1 WHERE topic = 'keys'")
	for got := range heard {
		if got == "catalog 77" {
			t.Error("the payload was believed")
		}
		if got == "keys 1" {
			return
		}
	}
}

func TestWatchComesBackAndReportsAll(t *testing.T) {
	t.Parallel()
	db, d := opened(t)
	heard := watched(t, db)
	expect(t, heard, "catalog 0")
	execute(t, d.OwnerURL, "UPDATE revisions SET revision = 5 WHERE topic = 'catalog'")
	expect(t, heard, "catalog 5")
	execute(t, d.AppURL, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%revisions%' AND pid <> pg_backend_pid() AND datname = current_database()")
	expect(t, heard, "catalog 5")
}

package postgres_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/audit"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/postgres"
	"github.com/strait-sts/strait/internal/ststest"
)

var rounds = flag.Int("rounds", 12, "how often TestKilledProcessLosesNoAnsweredRecord kills")

// writerURL names, in the environment of this test binary run once more, the
// database that it is to write to until it is killed.
const writerURL = "STRAIT_TEST_WRITER_URL"

// TestKilledProcessLosesNoAnsweredRecord kills a process that records, with
// SIGKILL and at any moment, again and again. Each id that it printed stands
// for an answer that left: its record must be there, once. The next process
// resumes a chain; only where the server has not noticed yet that its holder
// is gone does it begin another, so that there are far fewer than processes.
func TestKilledProcessLosesNoAnsweredRecord(t *testing.T) {
	if url := os.Getenv(writerURL); url != "" {
		writeUntilKilled(t, url)
		return
	}
	t.Parallel()
	d := ststest.StartServer(t).Migrated(t)
	db := open(t, d.AppURL)
	var answered []string
	for round := range *rounds {
		answered = append(answered, killedWriter(t, d.AppURL, time.Duration(40+17*round%90)*time.Millisecond)...)
	}
	kept := map[string]bool{}
	for _, row := range all(t, db) {
		kept[row.ID] = true
	}
	for _, id := range answered {
		if !kept[id] {
			t.Errorf("exchange %s was answered, and has no record", id)
		}
	}
	report := proved(t, db)
	if len(answered) == 0 || !report.OK() || len(report.Chains) > 1+*rounds/4 {
		t.Errorf("%d answered: %+v", len(answered), report)
	}
	t.Logf("%d rounds: %d answered, %d kept", *rounds, len(answered), len(kept))
}

// killedWriter runs a writing process, kills it when it has answered for a
// while, and gives the ids that it had answered.
func killedWriter(t *testing.T, url string, life time.Duration) (ids []string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilledProcessLosesNoAnsweredRecord$")
	cmd.Env = append(os.Environ(), writerURL+"="+url)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if len(ids) == 0 {
			time.AfterFunc(life, func() { _ = cmd.Process.Kill() })
		}
		if text := lines.Text(); len(text) == len("0193a2b4-5c6d-7e8f-9a0b-1c2d3e4f5a6b") {
			ids = append(ids, text)
		}
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the writer ended by itself")
	}
	return ids
}

// writeUntilKilled records from many goroutines and prints the id of each
// exchange once it may be answered.
func writeUntilKilled(t *testing.T, url string) {
	db, err := postgres.Open(t.Context(), url, postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r, _ := running(t, audit.Options{Store: db, Signer: plainSigner{}, Interval: 10 * time.Millisecond})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // where nobody kills
	defer cancel()
	var mu sync.Mutex
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for ctx.Err() == nil {
				now := time.Now()
				id, err := exchange.NewID(now, rand.Reader)
				if err != nil {
					t.Error(err)
					return
				}
				if r.Record(ctx, &exchange.Record{ID: id, Time: now, Decision: exchange.OutcomeIssued}) == nil {
					mu.Lock()
					fmt.Println(id) //nolint:forbidigo // the parent reads it
					mu.Unlock()
				}
			}
		})
	}
	group.Wait()
}

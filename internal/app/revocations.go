package app

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/postgres"
	"github.com/strait-sts/strait/internal/revocation"
	"github.com/strait-sts/strait/internal/telemetry"
)

// openRevocations loads what no longer holds.
func (a *App) openRevocations(ctx context.Context) error {
	a.revocations = revocation.New(revocation.Options{Store: a.db, Clock: a.clock, Steady: a.steady, Rand: rand.Reader})
	return a.revocations.Load(ctx)
}

// watchRevocations follows what other replicas revoke, and confirms what is known
// each time that the revision is read. It has a connection of its own: a
// revocation waits for no catalogue that is being compiled. What could not be
// loaded is tried again with the next reading.
func (a *App) watchRevocations(ctx context.Context) {
	var asked time.Time
	a.db.Watch(ctx, postgres.Watcher{
		Asking: func() { asked = a.steady() },
		Read: func(revisions map[string]int64) {
			if err := a.revocations.Seen(ctx, revisions[postgres.TopicRevocations], asked); err != nil && ctx.Err() == nil {
				a.log.Error("revocations could not be loaded; nothing is issued once they are ten seconds old", "error", err)
			}
		},
	})
}

// pruneRevocations lets go of what reaches nothing any more, here and in the
// database.
func (a *App) pruneRevocations(ctx context.Context) {
	ticker := time.NewTicker(10 * time.Minute)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		a.revocations.Prune()
		if _, err := a.db.PruneRevoked(ctx); err != nil && ctx.Err() == nil {
			a.log.Error("revoked tokens could not be pruned", "error", err)
		}
	}
}

// revoked says whether the token that a record issued was revoked. Of one that has
// expired it is not known: what reaches nothing any more is let go of.
func (a *App) revoked(rec *exchange.Record) *bool {
	state, err := a.revocations.State()
	if err != nil {
		return nil
	}
	issued := rec.IssuedToken()
	revoked := state.Revoked(issued)
	if !revoked && !a.clock().Before(issued.Expires) {
		return nil
	}
	return &revoked
}

func (a *App) revocationStats() telemetry.RevocationStats {
	s := a.revocations.Stats()
	return telemetry.RevocationStats{Revision: s.Revision, Tokens: s.Tokens, Rules: s.Rules, Age: s.Age}
}

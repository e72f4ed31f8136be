package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/rehearsal"
	"github.com/strait-sts/strait/internal/trust"
)

// explainAgain explains a recorded exchange at the configuration of its revision,
// or at the one of now. It answers admin.ErrNoRecord.
func (a *App) explainAgain(ctx context.Context, id string, now bool) (*rehearsal.Again, error) {
	row, err := records{a.db}.Record(ctx, id)
	if err != nil {
		return nil, err
	}
	rec, err := rehearsal.ReadRecord(row.Body)
	if err != nil {
		return nil, fmt.Errorf("record %s: %w", id, err)
	}
	stage := a.stage()
	if !now && rec.ConfigRevision != stage.World.Revision {
		stage, err = a.past(ctx, rec.ConfigRevision)
	}
	if errors.Is(err, catalog.ErrNoHistory) {
		return rec.Undecided(rec.ConfigRevision, catalog.ErrNoHistory.Error()), nil
	}
	if err != nil {
		return nil, err
	}
	return stage.ExplainAgain(ctx, rec)
}

// stage is what decides now.
func (a *App) stage() *rehearsal.Stage {
	stage := &rehearsal.Stage{World: a.world.Load(), Issuer: a.cfg.Issuer, Now: a.clock(), Compile: a.engine.Compile}
	if s := a.catalog.Current(); s.Revision == stage.World.Revision { // else a write is just coming into force
		stage.Snapshot = s
	}
	return stage
}

// past is what decided at a revision, for tokens that records tell of: its trust
// list has no keys, fetches nothing and opens no secret.
func (a *App) past(ctx context.Context, revision int64) (*rehearsal.Stage, error) {
	snapshot, err := a.catalog.Past(ctx, a.db, revision)
	if err != nil {
		return nil, err
	}
	list := trust.New(trust.Options{
		Fetch: noNetwork{}, Rules: compileIssuer(a.expressions), Issuer: a.cfg.Issuer, Clock: a.clock, Skew: a.cfg.ClockSkew, CacheBytes: -1,
	})
	return &rehearsal.Stage{
		World:  world(snapshot, list, a.engine), //nolint:contextcheck // nothing is fetched for the past
		Issuer: a.cfg.Issuer, Snapshot: snapshot, Compile: a.engine.Compile,
	}, nil
}

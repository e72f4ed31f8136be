package app

import (
	"context"
	"time"

	"github.com/strait-sts/strait/internal/analysis"
	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/expr"
	"github.com/strait-sts/strait/internal/fetch"
	"github.com/strait-sts/strait/internal/policy"
	"github.com/strait-sts/strait/internal/postgres"
	"github.com/strait-sts/strait/internal/schema"
	"github.com/strait-sts/strait/internal/trust"
)

// programs is how many compiled expressions are remembered between revisions.
const programs = 20_000

// openCatalog loads the catalogue. Objects that are stored and cannot be used
// are left out and named in the log: they affect nothing but themselves.
func (a *App) openCatalog(ctx context.Context) error {
	expressions, err := expr.NewCompiler(programs)
	if err != nil {
		return err
	}
	a.expressions, a.engine = expressions, policy.NewEngine(a.cfg.Issuer, expressions)
	a.claims = analysis.ClaimsOf(expressions)
	fetched := a.fetchPolicy()
	a.catalog = catalog.New(catalog.Options{
		Store: a.db, Clock: a.clock, Decode: schema.DecodeJSON,
		Checkers: []catalog.Checker{
			schema.Check(schema.Identity{Issuer: a.cfg.Issuer, AdminAudience: a.cfg.AdminAudience}),
			trust.Checker(fetched), checkExpressions(a.expressions), a.engine.Check,
		},
		Digest: a.ring.Digest, Matches: a.ring.Matches, Seal: a.seal, Unseal: a.unseal,
	})
	return a.reload(ctx)
}

// seal and unseal keep what we must present for an object's field.
func (a *App) seal(o catalog.Ref, field string, secret exchange.Secret) ([]byte, error) {
	return a.ring.SealSecret(string(o.Kind), o.Name, field, secret)
}

func (a *App) unseal(o catalog.Ref, field string, sealed []byte) (exchange.Secret, error) {
	return a.ring.OpenSecret(string(o.Kind), o.Name, field, sealed)
}

// reload reads the catalogue anew.
func (a *App) reload(ctx context.Context) error {
	snapshot, err := a.catalog.Load(ctx)
	if err != nil {
		return err
	}
	for _, problem := range snapshot.Problems {
		a.log.Error("a stored object is left out", "problem", problem.Error())
	}
	return nil
}

func (a *App) fetchPolicy() fetch.Policy {
	return fetch.Policy{AllowCIDRs: a.cfg.FetchAllowCIDRs, AllowHTTP: a.cfg.FetchAllowHTTP}
}

func (a *App) newTrust() *trust.Trust {
	return trust.New(trust.Options{
		Fetch: fetch.New(a.fetchPolicy()), Own: a.ring, Unseal: a.unseal, Rules: compileIssuer(a.expressions), Issuer: a.cfg.Issuer,
		Clock: a.clock, Skew: a.cfg.ClockSkew, Logger: a.log, Metrics: a.metrics,
	})
}

// refresh makes the newest snapshot decide, if it does not yet. Requests that
// are under way go on with the World that they were met with.
func (a *App) refresh() {
	a.rebuild.Lock()
	defer a.rebuild.Unlock()
	snapshot := a.catalog.Current()
	if now := a.world.Load(); now != nil && now.Revision == snapshot.Revision {
		return
	}
	a.world.Store(world(snapshot, a.trust, a.engine))
	a.metrics.Revision(snapshot.Revision)
	a.log.Info("configuration in force", "revision", snapshot.Revision, "objects", len(snapshot.Objects))
}

// watch follows what other replicas write.
func (a *App) watch(ctx context.Context) {
	a.db.Watch(ctx, postgres.Watcher{Changed: func(topic string, revision int64) error {
		err := a.follow(ctx, topic, revision)
		if err != nil && ctx.Err() == nil {
			a.log.Error("a change could not be loaded; what was in force stays until it is", "topic", topic, "error", err)
		}
		return err
	}})
}

// follow loads what has a new revision.
func (a *App) follow(ctx context.Context, topic string, revision int64) error {
	switch topic {
	case postgres.TopicCatalog:
		if a.catalog.Current().Revision == revision {
			return nil
		}
		if err := a.reload(ctx); err != nil {
			return err
		}
		a.refresh()
	case postgres.TopicKeys:
		return a.ring.Reload(ctx)
	}
	return nil
}

// keepPartitions sees to it that the records of the coming months have their
// place.
func (a *App) keepPartitions(ctx context.Context) {
	ticker := time.NewTicker(6 * time.Hour)
	defer ticker.Stop()
	for {
		if err := a.db.MakePartitions(ctx); err != nil && ctx.Err() == nil {
			a.log.Error("partitions for records could not be made", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// claimGrace is how long a replay claim outlives its token: the clocks of
// replicas differ.
const claimGrace = 5 * time.Minute

// pruneClaims forgets tokens that can be used no more.
func (a *App) pruneClaims(ctx context.Context) {
	ticker := time.NewTicker(10 * time.Minute)
	defer ticker.Stop()
	for {
		if _, err := a.db.PruneClaims(ctx, a.clock().Add(-claimGrace)); err != nil && ctx.Err() == nil {
			a.log.Error("replay claims could not be pruned", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// writes is the catalogue as the admin API writes to it: an answer leaves only
// when what was written decides here.
type writes struct {
	*catalog.Catalog
	a *App
}

// Apply applies, and puts the result in force.
func (w writes) Apply(ctx context.Context, r catalog.ApplyRequest) (catalog.ApplyResult, error) {
	defer w.a.refresh()
	return w.Catalog.Apply(ctx, r)
}

// Put writes one object, and puts it in force.
func (w writes) Put(ctx context.Context, o catalog.Object, how catalog.Write) (*catalog.Entry, string, error) {
	defer w.a.refresh()
	return w.Catalog.Put(ctx, o, how)
}

// Delete deletes one object, and puts that in force.
func (w writes) Delete(ctx context.Context, ref catalog.Ref, how catalog.Write) error {
	defer w.a.refresh()
	return w.Catalog.Delete(ctx, ref, how)
}

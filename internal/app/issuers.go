package app

import (
	"context"
	"errors"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/telemetry"
	"github.com/strait-sts/strait/internal/trust"
)

// issuers is the trust list as the admin API reads it.
type issuers struct{ a *App }

// Health is the state of each issuer, by the entry's name.
func (i issuers) Health() map[string]any {
	byName := map[string]any{}
	for _, s := range i.a.trust.Status() {
		byName[s.Name] = s.Status
	}
	return byName
}

// Probe reaches an issuer now.
func (i issuers) Probe(ctx context.Context, name string) (any, error) {
	found, err := i.a.trust.Probe(ctx, i.a.catalog.Current(), name)
	if errors.Is(err, trust.ErrNoEntry) {
		return nil, catalog.ErrNotFound
	}
	return found, err
}

// issuerStats is the trust list as Prometheus reads it.
func (a *App) issuerStats() []telemetry.IssuerStats {
	now := a.clock()
	var all []telemetry.IssuerStats
	for _, s := range a.trust.Status() {
		stats := telemetry.IssuerStats{Name: s.Name, State: string(s.State), UnknownKids: s.UnknownKids, Failures: s.Failures}
		if !s.Fetched.IsZero() {
			age := now.Sub(s.Fetched)
			stats.Age = &age
		}
		all = append(all, stats)
	}
	return all
}

package app

import (
	"context"
	"sync"
	"time"

	"github.com/strait-sts/strait/internal/analysis"
	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/postgres"
)

// How the log is read for usage: so much of it at a time, for so long a call. What
// was committed late is read once more.
const (
	usageStep   = time.Hour
	usageBudget = 20 * time.Second
	usageLate   = 5 * time.Minute
	usageGap    = 24 * time.Hour // since the last call: more, and reading begins anew
)

// usage remembers when things were used last. Scopes stand in the records alone,
// so that each record is read once, from now backwards; what a call has no time
// for is left to the next one. Its size is that of the catalogue.
type usage struct {
	mu       sync.Mutex
	from, to time.Time // what was read
	last     map[analysis.Used]time.Time
}

// usage tells what was used in the window before now, as far back as the log
// could be read.
func (a *App) usage(ctx context.Context, window time.Duration) (*analysis.Usage, error) {
	now := a.clock()
	asked := now.Add(-window)
	oldest, err := a.db.Oldest(ctx)
	if err != nil {
		return nil, err
	}
	since := now // nothing is known of a time without records
	if !oldest.IsZero() && oldest.Before(now) {
		since = latest(asked, oldest)
	}
	read, last, err := a.used.read(ctx, a.db, since, a.clock)
	if err != nil {
		return nil, err
	}
	told := &analysis.Usage{Asked: asked, Since: latest(since, read), Last: last, Ages: map[catalog.Ref]analysis.Age{}}
	err = a.db.Ages(ctx, func(ref catalog.Ref, created, changed time.Time) {
		told.Ages[ref] = analysis.Age{Created: created, Changed: changed}
	})
	return told, err
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// users gathers what was issued in a time.
type users interface {
	Uses(ctx context.Context, since, until time.Time) ([]postgres.Use, error)
}

// read reads up to now, and back to since or until the budget is used up. It
// gives from when on all was read.
func (u *usage) read(ctx context.Context, db users, since time.Time, clock func() time.Time) (time.Time, map[analysis.Used]time.Time, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	now := clock()
	if u.last == nil || now.Sub(u.to) > usageGap {
		u.from, u.to, u.last = now, now, map[analysis.Used]time.Time{}
	}
	for at := u.to.Add(-usageLate); at.Before(now); at = at.Add(usageStep) {
		if err := u.step(ctx, db, at, earliest(at.Add(usageStep), now)); err != nil {
			return now, nil, err
		}
		u.to = earliest(at.Add(usageStep), now)
	}
	for u.from.After(since) && clock().Sub(now) < usageBudget {
		next := latest(since, u.from.Add(-usageStep))
		if err := u.step(ctx, db, next, u.from); err != nil {
			return now, nil, err
		}
		u.from = next
	}
	last := make(map[analysis.Used]time.Time, len(u.last))
	for used, at := range u.last {
		last[used] = at
	}
	return u.from, last, nil
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// step reads a part of the log.
func (u *usage) step(ctx context.Context, db users, since, until time.Time) error {
	uses, err := db.Uses(ctx, since, until)
	if err != nil {
		return err
	}
	for _, use := range uses {
		u.note(analysis.Used{Kind: catalog.KindClient, Name: use.Client}, use.Last)
		u.note(analysis.Used{Kind: catalog.KindExchangePolicy, Name: use.Policy}, use.Last)
		for _, scope := range use.Scopes {
			u.note(analysis.Used{Kind: catalog.KindExchangePolicy, Name: use.Policy, Scope: scope}, use.Last)
		}
		for _, issuer := range use.Issuers {
			u.note(analysis.Used{Kind: catalog.KindTrustedIssuer, Name: issuer}, use.Last)
		}
	}
	return nil
}

func (u *usage) note(used analysis.Used, at time.Time) {
	if at.After(u.last[used]) {
		u.last[used] = at
	}
}

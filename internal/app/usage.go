package app

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/strait-sts/strait/internal/analysis"
	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/postgres"
)

// How the log is read for usage: for so long a call, and so much of it at a time
// that a query takes a moment, since a query that takes too long is given up. What
// was committed late is read once more.
const (
	usageBudget = 20 * time.Second
	usageQuick  = 100 * time.Millisecond // less, and the next step is longer
	usageSlow   = time.Second            // more, and it is shorter
	firstStep   = time.Hour
	leastStep   = 10 * time.Second
	mostStep    = 24 * time.Hour
	usageLate   = 5 * time.Minute
	usageGap    = 24 * time.Hour // since the last call: more, and reading begins anew
)

// usage remembers when things were used last. Scopes stand in the records alone,
// so that each record is read once, from now backwards; what a call has no time
// for is left to the next one. Its size is that of the catalogue.
type usage struct {
	mu       sync.Mutex
	from, to time.Time // what was read
	stride   time.Duration
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
		u.from, u.to, u.stride, u.last = now, now, firstStep, map[analysis.Used]time.Time{}
	}
	for at := u.to.Add(-usageLate); at.Before(now); {
		next := earliest(at.Add(u.stride), now)
		done, err := u.step(ctx, db, at, next, clock)
		if err != nil {
			return now, nil, err
		}
		if done {
			at, u.to = next, next
		}
	}
	for u.from.After(since) && clock().Sub(now) < usageBudget {
		next := latest(since, u.from.Add(-u.stride))
		done, err := u.step(ctx, db, next, u.from, clock)
		if err != nil {
			return now, nil, err
		}
		if done {
			u.from = next
		}
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

// step reads a part of the log, and says whether it was read: one that took too
// long is to be read in shorter steps.
func (u *usage) step(ctx context.Context, db users, since, until time.Time, clock func() time.Time) (done bool, err error) {
	begun := clock()
	uses, err := db.Uses(ctx, since, until)
	took := clock().Sub(begun)
	switch {
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil && u.stride > leastStep:
		u.stride = max(leastStep, u.stride/16)
		return false, nil
	case err != nil:
		return false, err
	case took > usageSlow:
		u.stride = max(leastStep, u.stride/2)
	case took < usageQuick:
		u.stride = min(mostStep, u.stride*2)
	}
	u.take(uses)
	return true, nil
}

// take notes what was used.
func (u *usage) take(uses []postgres.Use) {
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
}

func (u *usage) note(used analysis.Used, at time.Time) {
	if at.After(u.last[used]) {
		u.last[used] = at
	}
}

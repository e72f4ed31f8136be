package audit

import (
	"context"
	"errors"
	"fmt"

	"github.com/strait-sts/strait/internal/exchange"
)

// Revocations is where a newer state of revocations comes from. Package
// revocation satisfies it.
type Revocations interface {
	// CatchUp gives a state of at least the revision, as soon as this replica
	// has it, or the error that it will not have it before ctx ends.
	CatchUp(ctx context.Context, atLeast int64) (exchange.RevocationState, error)
}

// overtaken takes out of the batch what revocations have overtaken, and gives
// the others, which need not wait for the newer state; some is false where err
// is another one.
func (r *Recorder) overtaken(ctx context.Context, batch []*waiting, err error) (rest []*waiting, some bool) {
	var stale *StaleError
	if !errors.As(err, &stale) {
		return batch, false
	}
	var late []*waiting
	for _, w := range batch {
		if revision, issues := w.draft.rec.Judged(); issues && revision < stale.Revision {
			late = append(late, w)
			continue
		}
		rest = append(rest, w)
	}
	if len(late) == 0 {
		return batch, false
	}
	r.judging++
	go func() { r.rejudged <- r.rejudge(context.WithoutCancel(ctx), late, stale.Revision) }()
	return rest, true
}

// rejudge holds records to a state of at least the revision. Those that a
// revocation reaches are answered with its refusal; the others are to be
// written. A record may come here again, each time with a newer state, until
// its exchange gives up: that revocations keep coming is no reason of its own.
func (r *Recorder) rejudge(ctx context.Context, late []*waiting, revision int64) (rest []*waiting) {
	ctx, cancel := context.WithTimeout(ctx, r.o.Timeout)
	defer cancel()
	state, err := r.o.Revocations.CatchUp(ctx, revision)
	if err == nil && state.Revision() < revision {
		err = fmt.Errorf("the state is of revision %d", state.Revision())
	}
	if err != nil {
		err = fmt.Errorf("catch up with revision %d of revocations: %w", revision, err)
		r.o.Logger.ErrorContext(ctx, "records could not be held to newer revocations", "records", len(late), "error", err)
	}
	for _, w := range late {
		answer := err
		if err == nil {
			answer = w.draft.rec.Rejudge(state)
		}
		if answer != nil {
			w.done <- answer
			continue
		}
		rest = append(rest, w)
	}
	return rest
}

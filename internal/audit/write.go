package audit

import (
	"context"
	"errors"
	"slices"

	"github.com/strait-sts/strait/internal/exchange"
)

// attempts is how often a batch is written whose connection was lost each
// time: a server that restarts deserves a second one, a full disk no third.
const attempts = 2

// write makes the batch durable and answers each exchange that waits in it.
// Where a commit's outcome is unknown, it is found out before anything is
// written again: no record twice. All of it has the time that a record has.
func (r *Recorder) write(ctx context.Context, batch []*waiting) {
	ctx, cancel := context.WithTimeout(ctx, r.o.Timeout)
	defer cancel()
	for attempt := 1; ; attempt++ {
		batch = slices.DeleteFunc(batch, func(w *waiting) bool { return w.gaveUp.Load() })
		if len(batch) == 0 {
			return
		}
		again, err := r.attempt(ctx, batch)
		if rest, some := r.setAside(ctx, batch, err); some {
			batch, attempt = rest, attempt-1 // at least one fewer each time
			continue
		}
		if !again || attempt == attempts {
			r.answer(ctx, batch, err)
			return
		}
	}
}

// attempt writes the batch once. again says that it was not kept, surely, and
// that another attempt may do better.
func (r *Recorder) attempt(ctx context.Context, batch []*waiting) (again bool, err error) {
	if err := r.claim(ctx); err != nil {
		return false, err
	}
	rows := r.linked(batch, r.chain.Head())
	err = r.chain.Append(ctx, rows)
	if err == nil || judged(err) {
		return false, err
	}
	kept, unsettled := r.chain.Settle(ctx, rows[len(rows)-1].Head())
	r.drop(ctx)
	switch {
	case unsettled != nil:
		return false, err // unknown: an error to all; the next holder finds the chain as it is
	case kept:
		return false, nil
	default:
		return ctx.Err() == nil, err
	}
}

// judged says whether the store has looked at the rows and kept none of them,
// so that the chain stands where it stood.
func judged(err error) bool {
	var replayed *ReplayedError
	var stale *StaleError
	return errors.Is(err, ErrRefused) || errors.As(err, &replayed) || errors.As(err, &stale)
}

// setAside takes the records out of the batch that the store named, and gives
// the others; some is false where it named none.
func (r *Recorder) setAside(ctx context.Context, batch []*waiting, err error) (rest []*waiting, some bool) {
	if rest, some = refuseReplayed(batch, err); some {
		return rest, true
	}
	return r.overtaken(ctx, batch, err)
}

// refuseReplayed answers the exchanges whose tokens were used before, and gives
// the others of the batch; some is false where err is another one.
func refuseReplayed(batch []*waiting, err error) (rest []*waiting, some bool) {
	var replayed *ReplayedError
	if !errors.As(err, &replayed) || len(replayed.Rows) == 0 {
		return batch, false
	}
	for i, w := range batch {
		if slices.Contains(replayed.Rows, i) {
			w.done <- w.draft.replayed()
			continue
		}
		rest = append(rest, w)
	}
	return rest, true
}

// replayed is the refusal of an exchange whose token was used before.
func (d *draft) replayed() error {
	role, issuer := exchange.RoleSubject, ""
	if claims := d.rec.Claims; len(claims) > 0 {
		role, issuer = claims[0].Role, claims[0].Scope
	}
	return role.Refuse(exchange.Replayed, "trusted issuer %q is singleUse, and a token with this jti was exchanged before", issuer)
}

// answer tells each exchange of the batch how it went. Where the store refused
// the batch, each record is tried alone, so that only the one at fault fails.
func (r *Recorder) answer(ctx context.Context, batch []*waiting, err error) {
	if errors.Is(err, ErrRefused) && len(batch) > 1 {
		for _, w := range batch {
			r.write(ctx, []*waiting{w})
		}
		return
	}
	if err == nil {
		r.counters.batches.Add(1)
		r.counters.records.Add(uint64(len(batch)))
	} else {
		r.o.Logger.ErrorContext(ctx, "records could not be written", "records", len(batch), "error", err)
	}
	for _, w := range batch {
		w.done <- err
	}
}

// linked gives the drafts their places after head.
func (r *Recorder) linked(batch []*waiting, head Head) []Row {
	rows := make([]Row, len(batch))
	for i, w := range batch {
		rows[i] = w.draft.link(head)
		if r.o.Revocations != nil {
			rows[i].Judged, rows[i].Issues = w.draft.rec.Judged()
		}
		head = rows[i].Head()
	}
	return rows
}

// claim makes sure that a chain is held.
func (r *Recorder) claim(ctx context.Context) error {
	if r.chain != nil {
		return nil
	}
	chain, err := r.o.Store.Claim(ctx)
	if err != nil {
		r.barrier.Store(&err)
		return err
	}
	r.barrier.Store(nil)
	r.chain, r.signed = chain, Head{}
	return nil
}

// drop lets go of the chain.
func (r *Recorder) drop(ctx context.Context) {
	if r.chain != nil {
		r.chain.Close(ctx)
		r.chain = nil
	}
}

// checkpoint signs the head where it has moved since the last time, keeps the
// checkpoint beside the records and anchors it. A failure is logged and tried
// again at the next interval: no exchange waits for a checkpoint.
func (r *Recorder) checkpoint(ctx context.Context) {
	if r.chain == nil || r.o.Signer == nil {
		return
	}
	head := r.chain.Head()
	if head.Seq == 0 || head == r.signed {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, r.o.Timeout)
	defer cancel()
	if err := r.vouch(ctx, head); err != nil {
		r.o.Logger.ErrorContext(ctx, "a checkpoint of the records failed", "writer", head.Writer, "seq", head.Seq, "error", err)
		return
	}
	r.signed = head
	r.counters.checkpoints.Add(1)
}

func (r *Recorder) vouch(ctx context.Context, head Head) error {
	now := r.o.Clock()
	jws, err := sign(r.o.Signer, head, now)
	if err != nil {
		return err
	}
	if err := r.chain.Checkpoint(ctx, head, now, jws); err != nil {
		r.drop(ctx)
		return err
	}
	if r.o.Anchor == nil {
		return nil
	}
	return r.o.Anchor.Append(jws)
}

package audit

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/strait-sts/strait/internal/exchange"
)

// Errors that a record can meet before it is written; the caller finds them
// inside an exchange.Error.
var (
	ErrFull     = errors.New("the queue of records is full")
	ErrDeadline = errors.New("the record was not durable in time")
	ErrStopped  = errors.New("the recorder is not running")
)

// Options shape a [Recorder]; only Store and Clock are required.
type Options struct {
	Store  Store
	Clock  func() time.Time
	Logger *slog.Logger // nil: nowhere
	Signer Signer       // of checkpoints; nil: none are made
	Anchor Anchor       // nil: no checkpoint is held outside
	// Revocations is where a newer state comes from when records were judged
	// too early; nil: no record is held to any.
	Revocations Revocations

	Queue    int           // records that may wait; 0: 4096. One more is refused at once
	Batch    int           // records of one transaction; 0: 256
	Timeout  time.Duration // a record that is not durable by then is an error; 0: 2 s
	Interval time.Duration // between checkpoints; 0: 1 min
}

// Recorder writes records, many exchanges to a transaction. It satisfies
// exchange.Recorder while Run runs.
type Recorder struct {
	o        Options
	encoder  *encoder
	queue    chan *waiting
	rejudged chan []*waiting // held to newer revocations: to be written now
	judging  int             // how many will still come there; Run's alone
	stopped  chan struct{}
	chain    Chain                 // nil while none is claimed; Run's alone, as is signed
	signed   Head                  // of the last checkpoint
	barrier  atomic.Pointer[error] // why no chain could be claimed; nil: none known
	counters counters
}

// waiting is a record whose exchange waits for it.
type waiting struct {
	draft  *draft
	done   chan error  // has room for the one answer
	gaveUp atomic.Bool // nobody reads done any more
}

type counters struct{ records, batches, failures, checkpoints atomic.Uint64 }

// Stats are the recorder's figures since it was made, for metrics.
type Stats struct {
	Queued                                  int // waiting now
	Records, Batches, Failures, Checkpoints uint64
}

// New makes a recorder. It records nothing until Run.
func New(o Options) *Recorder {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Queue, o.Batch = orDefault(o.Queue, 4096), orDefault(o.Batch, 256)
	o.Timeout, o.Interval = orDefault(o.Timeout, 2*time.Second), orDefault(o.Interval, time.Minute)
	return &Recorder{o: o, encoder: newEncoder(), queue: make(chan *waiting, o.Queue), rejudged: make(chan []*waiting), stopped: make(chan struct{})}
}

func orDefault[T int | time.Duration](value, standard T) T {
	if value <= 0 {
		return standard
	}
	return value
}

// Stats reads the figures.
func (r *Recorder) Stats() Stats {
	return Stats{
		Queued: len(r.queue), Records: r.counters.records.Load(), Batches: r.counters.batches.Load(),
		Failures: r.counters.failures.Load(), Checkpoints: r.counters.checkpoints.Load(),
	}
}

// Record returns nil once the record is durable. Any error is an
// *exchange.Error that the caller answers 503 with: overloaded when the queue
// is full, else audit_unavailable. The record may then still come to be kept;
// its token must not leave. Two other errors there are: the refusals "replayed"
// of a record whose claims were taken, and "revoked" of one that a revocation
// reaches which was kept after it was decided; nothing of it was kept.
func (r *Recorder) Record(ctx context.Context, rec *exchange.Record) error {
	draft, err := r.encoder.draft(rec)
	if err != nil {
		return r.fail(exchange.AuditUnavailable, err)
	}
	w := &waiting{draft: draft, done: make(chan error, 1)}
	select {
	case r.queue <- w:
	default:
		return r.fail(exchange.Overloaded, ErrFull)
	}
	err = r.await(ctx, w)
	var refused *exchange.Error
	if err == nil || errors.As(err, &refused) && !refused.OurFault() {
		return err
	}
	return r.fail(exchange.AuditUnavailable, err)
}

func (r *Recorder) fail(reason exchange.Reason, err error) error {
	r.counters.failures.Add(1)
	return exchange.Unavailable(reason, err)
}

// await waits for the answer, for the caller to lose patience, or for the
// recorder to end, whose last answers still count.
func (r *Recorder) await(ctx context.Context, w *waiting) error {
	timer := time.NewTimer(r.o.Timeout)
	defer timer.Stop()
	select {
	case err := <-w.done:
		return err
	case <-timer.C:
		w.gaveUp.Store(true)
		return ErrDeadline
	case <-ctx.Done():
		w.gaveUp.Store(true)
		return context.Cause(ctx)
	case <-r.stopped:
	}
	select {
	case err := <-w.done:
		return err
	default:
		return ErrStopped
	}
}

// Run writes until ctx ends; then it writes what still waits, signs a last
// checkpoint and gives the chain back. It is called once.
func (r *Recorder) Run(ctx context.Context) {
	defer close(r.stopped)
	work := context.WithoutCancel(ctx)
	r.resume(work)
	r.checkpoint(work)
	tick := time.NewTicker(r.o.Interval)
	defer tick.Stop()
	for {
		select {
		case first := <-r.queue:
			r.write(work, r.gather(first))
		case again := <-r.rejudged:
			r.judging--
			r.write(work, r.gather(again...))
		case <-tick.C:
			r.resume(work)
			r.checkpoint(work)
		case <-ctx.Done():
			r.finish(work)
			return
		}
	}
}

// Ready says why no record can be written, as far as is known without writing
// one: no chain could be claimed, because the database is away or does not
// commit durably.
func (r *Recorder) Ready(context.Context) error {
	if barrier := r.barrier.Load(); barrier != nil {
		return *barrier
	}
	return nil
}

// resume claims a chain early, so that what a killed process left without a
// checkpoint gets one. A database that is away is met again by the first
// record, or at the next interval.
func (r *Recorder) resume(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, r.o.Timeout)
	defer cancel()
	if err := r.claim(ctx); err != nil {
		r.o.Logger.WarnContext(ctx, "no chain of records could be claimed yet", "error", err)
	}
}

func (r *Recorder) finish(ctx context.Context) {
	for r.judging > 0 || len(r.queue) > 0 {
		select {
		case first := <-r.queue:
			r.write(ctx, r.gather(first))
		case again := <-r.rejudged:
			r.judging--
			r.write(ctx, again)
		}
	}
	r.checkpoint(ctx)
	r.drop(ctx)
}

// gather takes what has queued up behind the first, without waiting for more:
// while one batch commits, the next collects.
func (r *Recorder) gather(first ...*waiting) []*waiting {
	batch := append(make([]*waiting, 0, min(len(r.queue)+1, r.o.Batch)), first...)
	for len(batch) < r.o.Batch {
		select {
		case next := <-r.queue:
			batch = append(batch, next)
		default:
			return batch
		}
	}
	return batch
}

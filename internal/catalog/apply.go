package catalog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// attempts is how often a write starts anew after another one came between.
const attempts = 5

// ApplyRequest writes objects together: all of them or none.
type ApplyRequest struct {
	Objects    []Object
	Set        string // objects are marked with it; empty leaves marks alone
	Prune      bool   // deletes what bears the mark of Set and is not in Objects
	IfRevision *int64 // ErrConflict unless the catalogue is there
	DryRun     bool   // checks everything, writes nothing
	By         string
	Reason     string
	RequestID  string
}

// ApplyResult is the revision after the write and what became of each object:
// first those that were sent, in their order, then those that were pruned. Before
// and After are the catalogue without and with the write; of a dry run, as it
// would be.
type ApplyResult struct {
	Revision      int64
	Results       []Result
	Before, After *Snapshot
}

// Result is what a write did to one object: Created, Configured, Unchanged or
// Deleted.
type Result struct {
	Kind   Kind
	Name   string
	Result string
}

// Write is what accompanies the write of one object. IfMatch is the field of
// that name (RFC 9110 §13.1.1): tags, or "*" for any version.
type Write struct {
	IfMatch   string
	DryRun    bool
	By        string
	Reason    string
	RequestID string
}

// Apply writes the objects as one revision; where nothing differs there is no
// new one. It answers *Invalid with all faults, ErrConflict, or an error of the
// store.
func (c *Catalog) Apply(ctx context.Context, r ApplyRequest) (ApplyResult, error) {
	if (r.Set != "" || r.Prune) && !ValidName(r.Set) {
		return ApplyResult{}, &Invalid{[]FieldError{{Pointer: "/set", Code: CodeValue, Message: "must be a name: [a-z0-9]([a-z0-9-]{0,62}); prune needs one"}}}
	}
	p, err := c.change(ctx, r, nil, func(base *state) error {
		if r.IfRevision != nil && *r.IfRevision != base.snapshot.Revision {
			return fmt.Errorf("%w: it is at %d", ErrConflict, base.snapshot.Revision)
		}
		return nil
	})
	if err != nil {
		return ApplyResult{}, err
	}
	return ApplyResult{p.revision, p.results, p.base.snapshot, p.snapshot}, nil
}

// Put writes one object: a new one without a precondition, an existing one with
// IfMatch. It answers the entry as it now is and Created, Configured or
// Unchanged; or *Invalid, ErrPreconditionRequired or ErrPreconditionFailed.
func (c *Catalog) Put(ctx context.Context, o Object, w Write) (*Entry, string, error) {
	p, err := c.change(ctx, w.request(o), nil, func(base *state) error {
		return w.guard(base, o.Ref(), false)
	})
	if err != nil {
		return nil, "", err
	}
	return p.snapshot.Objects[o.Ref()], p.results[0].Result, nil
}

// Delete removes one object; IfMatch is required. It answers ErrNotFound,
// ErrPreconditionRequired, ErrPreconditionFailed, or *Invalid with the code
// reference while another object names it.
func (c *Catalog) Delete(ctx context.Context, ref Ref, w Write) error {
	_, err := c.change(ctx, w.request(), []Ref{ref}, func(base *state) error {
		return w.guard(base, ref, true)
	})
	return err
}

func (w Write) request(objects ...Object) ApplyRequest {
	return ApplyRequest{Objects: objects, DryRun: w.DryRun, By: w.By, Reason: w.Reason, RequestID: w.RequestID}
}

// guard holds the precondition against the object as it is. A stored object
// that cannot be read has no tag: "*" alone means it.
func (w Write) guard(base *state, ref Ref, mustExist bool) error {
	_, stored := base.rows[ref]
	switch {
	case !stored && mustExist:
		return ErrNotFound
	case !stored && w.IfMatch != "":
		return ErrPreconditionFailed
	case !stored || w.IfMatch == "*":
		return nil
	case w.IfMatch == "":
		return ErrPreconditionRequired
	}
	if e := base.snapshot.Objects[ref]; e != nil && tagMatches(w.IfMatch, e.ETag()) {
		return nil
	}
	return ErrPreconditionFailed
}

// tagMatches compares strongly: a weak tag matches nothing (RFC 9110 §13.1.1).
func tagMatches(list, tag string) bool {
	for candidate := range strings.SplitSeq(list, ",") {
		if strings.TrimSpace(candidate) == tag {
			return true
		}
	}
	return false
}

// change is the one way to write. Guard and plan are anew for each attempt,
// since both judge what is stored at that instant.
func (c *Catalog) change(ctx context.Context, r ApplyRequest, deletes []Ref, guard func(*state) error) (*plan, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for range attempts {
		base, err := c.load(ctx)
		if err != nil {
			return nil, err
		}
		c.state.Store(base)
		if err := guard(base); err != nil {
			return nil, err
		}
		p, err := c.plan(base, r, deletes)
		if err != nil || r.DryRun || p.empty() {
			return p, err
		}
		if err := c.commit(ctx, p); !errors.Is(err, ErrMoved) {
			return p, err
		}
	}
	return nil, fmt.Errorf("write to the catalogue: %w, %d times over", ErrMoved, attempts)
}

// commit stores the plan and makes what it leads to current.
func (c *Catalog) commit(ctx context.Context, p *plan) error {
	revision, err := c.Store.Commit(ctx, p.base.snapshot.Revision, p.commit)
	if err != nil {
		return fmt.Errorf("write to the catalogue: %w", err)
	}
	for _, put := range p.commit.Puts {
		put.Revision = revision
		p.rows[put.Ref()] = put
	}
	next := c.assemble(revision, slices.Collect(maps.Values(p.rows)))
	p.revision, p.snapshot = revision, next.snapshot
	c.state.Store(next)
	return nil
}

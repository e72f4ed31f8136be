package catalog

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/strait-sts/strait/internal/exchange"
)

// Checker finds faults in a snapshot that only another package can see: an
// expression that does not compile, a key that is none.
type Checker func(*Snapshot) []FieldError

// Options is what a Catalog works with. All but Checkers, Seal and Unseal are
// required.
type Options struct {
	Store Store
	// Decode reads one object strictly, with its defaults: schema.DecodeJSON.
	Decode   func(body []byte) (Object, []FieldError)
	Checkers []Checker // schema.Check first
	// Digest makes what is stored of a client's secret, Matches says whether a
	// digest was made from the secret.
	Digest  func(secret string) (digest string, err error)
	Matches func(digest, secret string) bool
	// Seal encrypts a secret for an object's field, so that it is of use nowhere
	// else; Unseal opens it. Without them, no secret can be kept.
	Seal   func(object Ref, field string, secret exchange.Secret) (sealed []byte, err error)
	Unseal func(object Ref, field string, sealed []byte) (exchange.Secret, error)
	Clock  func() time.Time
}

// Catalog keeps the newest snapshot of a store and writes to the store. Its
// methods may be called at once from many goroutines.
type Catalog struct {
	Options
	mu    sync.Mutex // one load or write at a time, so that state never goes back
	state atomic.Pointer[state]
}

// state is a snapshot with the rows that it was made from, so that an object
// that cannot be read can still be replaced or deleted.
type state struct {
	snapshot *Snapshot
	rows     map[Ref]Row
}

// New makes a Catalog that is empty until Load.
func New(options Options) *Catalog {
	c := &Catalog{Options: options}
	c.state.Store(&state{snapshot: NewSnapshot(0)})
	return c
}

// Current is the snapshot of the last load or write; never nil.
func (c *Catalog) Current() *Snapshot { return c.state.Load().snapshot }

// Load reads the store and makes its contents current. A stored object that is
// malformed, or collides with another, is left out and stands in Problems; so
// one bad row affects only itself.
func (c *Catalog) Load(ctx context.Context) (*Snapshot, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	loaded, err := c.load(ctx)
	if err != nil {
		return nil, err
	}
	c.state.Store(loaded)
	return loaded.snapshot, nil
}

// Past is the snapshot that the catalogue was at a revision, as this program reads
// it now; nothing becomes current. Objects have no secrets there.
func (c *Catalog) Past(ctx context.Context, h History, revision int64) (*Snapshot, error) {
	rows, err := h.At(ctx, revision)
	if err != nil {
		return nil, fmt.Errorf("the catalogue at revision %d: %w", revision, err)
	}
	return c.assemble(revision, rows).snapshot, nil
}

func (c *Catalog) load(ctx context.Context) (*state, error) {
	revision, rows, err := c.Store.Load(ctx)
	if err != nil {
		return nil, fmt.Errorf("load the catalogue: %w", err)
	}
	return c.assemble(revision, rows), nil
}

// assemble makes a state of rows, in the order of their names.
func (c *Catalog) assemble(revision int64, rows []Row) *state {
	next := &state{rows: make(map[Ref]Row, len(rows))}
	slices.SortFunc(rows, func(a, b Row) int { return a.Ref().Compare(b.Ref()) })
	var entries []*Entry
	var problems []FieldError
	for _, row := range rows {
		next.rows[row.Ref()] = row
		entry, faults := c.entry(row)
		if len(faults) > 0 {
			problems = append(problems, faults...)
			continue
		}
		entries = append(entries, entry)
	}
	next.snapshot = c.settle(revision, entries, problems)
	return next
}

// entry reads a row.
func (c *Catalog) entry(r Row) (*Entry, []FieldError) {
	o, faults := c.Decode(r.Body)
	if len(faults) == 0 && o.Ref() != r.Ref() {
		faults = []FieldError{{Code: CodeConflict, Message: "the stored object calls itself " + o.Ref().String()}}
	}
	for i := range faults {
		faults[i].Kind, faults[i].Name = r.Kind, r.Name
	}
	return &Entry{Object: o, Revision: r.Revision, Set: r.Set, Digests: r.Digests, Sealed: r.Sealed}, faults
}

// settle leaves out what collides until the rest stands together. A reference
// that leads nowhere stays: it can only match nothing. So does an expression
// that does not compile any more: whoever evaluates it denies, where without the
// object something else might decide.
func (c *Catalog) settle(revision int64, entries []*Entry, problems []FieldError) *Snapshot {
	for {
		s := NewSnapshot(revision, entries...)
		faults := c.check(s)
		problems = appendNew(problems, faults)
		colliding := map[Ref]bool{}
		for _, f := range faults {
			if f.Code != CodeReference && f.Code != CodeExpression {
				colliding[Ref{f.Kind, f.Name}] = true
			}
		}
		kept := len(entries)
		entries = slices.DeleteFunc(entries, func(e *Entry) bool { return colliding[e.Ref()] })
		if len(entries) == kept {
			s.Problems = problems
			return s
		}
	}
}

func appendNew(problems, faults []FieldError) []FieldError {
	for _, f := range faults {
		if !f.among(problems) {
			problems = append(problems, f)
		}
	}
	return problems
}

// among says whether the fault is known: the same place and code. Its message
// may differ, since it can name what else is there.
func (e FieldError) among(known []FieldError) bool {
	return slices.ContainsFunc(known, func(k FieldError) bool {
		return k.Kind == e.Kind && k.Name == e.Name && k.Pointer == e.Pointer && k.Code == e.Code
	})
}

// check finds all faults of the snapshot as a whole.
func (c *Catalog) check(s *Snapshot) []FieldError {
	var faults []FieldError
	for _, check := range c.Checkers {
		faults = append(faults, check(s)...)
	}
	return faults
}

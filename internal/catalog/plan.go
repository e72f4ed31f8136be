package catalog

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/strait-sts/strait/internal/exchange"
)

// The bounds of a client's secret, in characters.
const minSecret, maxSecret = 32, 1000

// maxAhead is how far from now reviewBy and expiresAt can be.
const maxAhead = 400 * 24 * time.Hour

// plan is what a write would do to the catalogue at base.
type plan struct {
	request  ApplyRequest
	base     *state
	now      time.Time
	entries  map[Ref]*Entry // as they would be
	rows     map[Ref]Row
	written  map[Ref]bool
	commit   Commit
	results  []Result
	revision int64
	snapshot *Snapshot
	faults   []FieldError
}

// plan works out the whole result before anything is written: each object by
// itself, its secrets, what is deleted, and then all objects together. It
// answers *Invalid with every fault of what is written, and those that the write
// would bring to other objects.
func (c *Catalog) plan(base *state, r ApplyRequest, deletes []Ref) (*plan, error) {
	p := &plan{
		request: r, base: base, now: c.Clock(),
		entries: maps.Clone(base.snapshot.Objects), rows: maps.Clone(base.rows),
		written: map[Ref]bool{}, revision: base.snapshot.Revision,
	}
	for _, o := range r.Objects {
		if err := c.put(p, o); err != nil {
			return nil, err
		}
	}
	if len(p.faults) > 0 {
		return nil, &Invalid{p.faults}
	}
	p.deleteAll(deletes)
	if r.Prune {
		p.deleteAll(p.strays())
	}
	p.snapshot = NewSnapshot(p.revision, p.list()...)
	for _, fault := range c.check(p.snapshot) {
		if p.written[Ref{fault.Kind, fault.Name}] || !fault.among(base.snapshot.Problems) {
			p.faults = append(p.faults, fault)
		}
	}
	if len(p.faults) > 0 {
		return nil, &Invalid{p.faults}
	}
	return p, nil
}

func (p *plan) empty() bool { return len(p.commit.Puts) == 0 && len(p.commit.Deletes) == 0 }

// list is the planned entries in their order.
func (p *plan) list() []*Entry {
	return slices.SortedFunc(maps.Values(p.entries), func(a, b *Entry) int { return a.Ref().Compare(b.Ref()) })
}

// put plans one object.
func (c *Catalog) put(p *plan, sent Object) error {
	o, faults := c.Decode(sent.Canonical())
	ref, old := sent.Ref(), p.base.rows[sent.Ref()]
	if p.written[ref] {
		faults = append(faults, sent.Fault("/metadata/name", CodeDuplicate, "%s is sent twice; keep one", ref))
	}
	secrets, more := secretsOf(sent, old.Digests)
	p.faults = slices.Concat(p.faults, faults, sent.ahead(p.now), more, p.sealable(sent))
	p.written[ref] = true
	if len(p.faults) > 0 {
		return nil
	}
	digests, err := c.digests(secrets, old.Digests, o)
	if err != nil {
		return fmt.Errorf("digest the secret of %s: %w", ref, err)
	}
	sealed, err := c.seal(sent, old.Sealed)
	if err != nil {
		return fmt.Errorf("seal the secret of %s: %w", ref, err)
	}
	p.compare(&Entry{Object: o, Set: p.request.Set, Digests: digests, Sealed: sealed})
	return nil
}

// ahead holds that what must be looked at again is not put off for ever.
func (o Object) ahead(now time.Time) (faults []FieldError) {
	if day := o.Governance.ReviewBy; day != nil && day.Time.Sub(now) > maxAhead {
		faults = append(faults, o.Fault("/governance/reviewBy", CodeValue, "must be at most 400 days ahead"))
	}
	if end := o.Governance.ExpiresAt; end != nil && end.Sub(now) > maxAhead {
		faults = append(faults, o.Fault("/governance/expiresAt", CodeValue, "must be at most 400 days ahead"))
	}
	return faults
}

// secretsOf is the secrets that were sent with a client. One that is left out
// keeps what is stored; so there must be something stored.
func secretsOf(o Object, stored []string) (sent []exchange.Secret, faults []FieldError) {
	client, ok := o.Spec.(*Client)
	if !ok {
		return nil, nil
	}
	for i, a := range client.Authentication {
		at := fmt.Sprintf("/spec/authentication/%d/secret", i)
		switch n := utf8.RuneCountInString(a.Secret.Reveal()); {
		case a.SecretFrom != nil:
			faults = append(faults, o.Fault(at+"From", CodeValue, "is for files: the command puts the value in its place; send secret"))
		case n == 0 && len(stored) == 0:
			faults = append(faults, o.Fault(at, CodeRequired, "is required for a new client; in a file write secretFrom"))
		case n > 0 && (n < minSecret || n > maxSecret):
			faults = append(faults, o.Fault(at, CodeValue, "must have %d to %d characters", minSecret, maxSecret))
		case strings.ContainsFunc(a.Secret.Reveal(), unicode.IsControl):
			faults = append(faults, o.Fault(at, CodeValue, "must have no control characters, such as a line's end"))
		case n > 0:
			sent = append(sent, a.Secret)
		}
	}
	return sent, faults
}

// digests is what to store for the client's secrets: what is there already
// where it fits, so that the same secret changes nothing.
func (c *Catalog) digests(sent []exchange.Secret, stored []string, o Object) ([]string, error) {
	if o.Kind != KindClient {
		return nil, nil
	}
	for _, secret := range sent {
		if !slices.ContainsFunc(stored, func(digest string) bool { return c.Matches(digest, secret.Reveal()) }) {
			digest, err := c.Digest(secret.Reveal())
			return []string{digest}, err
		}
	}
	return stored, nil
}

// compare decides between created, configured and unchanged.
func (p *plan) compare(e *Entry) {
	ref := e.Ref()
	old, stored := p.rows[ref]
	if e.Set == "" {
		e.Set = old.Set
	}
	body := e.Canonical()
	var before []byte
	if known := p.base.snapshot.Objects[ref]; known != nil {
		before = known.Canonical() // with the defaults of today
	} else {
		before = old.Body
	}
	result := Configured
	switch {
	case !stored:
		result, before = Created, nil
	case bytes.Equal(body, before) && e.Set == old.Set && slices.Equal(e.Digests, old.Digests) && e.Sealed.equal(old.Sealed):
		e.Revision = old.Revision
		p.entries[ref] = e
		p.results = append(p.results, Result{ref.Kind, ref.Name, Unchanged})
		return
	}
	e.Revision = p.revision + 1
	p.entries[ref] = e
	p.commit.Puts = append(p.commit.Puts, Row{Kind: ref.Kind, Name: ref.Name, Set: e.Set, Body: body, Digests: e.Digests, Sealed: e.Sealed})
	p.note(ref, result, before, body)
}

// strays is what bears the request's mark and was not sent.
func (p *plan) strays() []Ref {
	var refs []Ref
	for ref, row := range p.rows {
		if row.Set == p.request.Set && !p.written[ref] {
			refs = append(refs, ref)
		}
	}
	slices.SortFunc(refs, Ref.Compare)
	return refs
}

func (p *plan) deleteAll(refs []Ref) {
	for _, ref := range refs {
		body := p.rows[ref].Body
		delete(p.entries, ref)
		delete(p.rows, ref)
		p.commit.Deletes = append(p.commit.Deletes, ref)
		p.note(ref, Deleted, body, nil)
	}
}

// note adds the result and the change record that belongs to it.
func (p *plan) note(ref Ref, action string, before, after []byte) {
	p.results = append(p.results, Result{ref.Kind, ref.Name, action})
	p.commit.Changes = append(p.commit.Changes, ChangeRecord{
		Time: p.now, By: p.request.By, Reason: p.request.Reason, RequestID: p.request.RequestID,
		Kind: ref.Kind, Name: ref.Name, Action: action, Before: before, After: after,
	})
}

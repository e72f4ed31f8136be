package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// What was done to a record, as far as can be told.
const (
	Changed    = "changed"    // its bytes, its columns or its hash are not what was written
	Removed    = "removed"    // it is not there
	Inserted   = "inserted"   // the writer did not write it there
	Reordered  = "reordered"  // it stands in another place
	Checkpoint = "checkpoint" // a checkpoint is not one of ours, or contradicts another
)

// maxFindings bounds a report; Report.More counts the rest.
const maxFindings = 100

// Finding is one proof of tampering.
type Finding struct {
	Kind   string `json:"kind"`
	Writer string `json:"writer,omitempty"`
	Seq    int64  `json:"seq,omitempty"`
	ID     string `json:"id,omitempty"` // where the record is there
	Detail string `json:"detail"`
}

// ChainReport is what was proved of one writer's chain.
type ChainReport struct {
	Writer string `json:"writer"`
	First  int64  `json:"first"` // seq of the oldest record read
	Last   int64  `json:"last"`
	Head   string `json:"head"` // the last record's hash
	Signed int64  `json:"signed"`
	// Anchored is the newest seq that a checkpoint held outside vouches for: up
	// to there the chain is complete. The Unanchored after it could be cut off,
	// the newest first, without a trace here.
	Anchored   int64 `json:"anchored"`
	Unanchored int64 `json:"unanchored"`
}

// Report is the outcome of a verification.
type Report struct {
	Records  int64         `json:"records"`
	Chains   []ChainReport `json:"chains"`
	Findings []Finding     `json:"findings"`
	More     int64         `json:"more,omitempty"` // findings beyond those listed
	// Since and Until are what the records were said to be: all of that time.
	Since time.Time `json:"since,omitzero"`
	Until time.Time `json:"until,omitzero"`
}

// OK says that nothing was found.
func (r *Report) OK() bool { return len(r.Findings) == 0 }

// Opener verifies a checkpoint's signature and typ ([CheckpointType]) and
// gives its payload.
type Opener func(compact string) (payload []byte, err error)

// Verify proves the chains again. Each record must be the canonical bytes that
// were hashed, agree with its columns, and follow on the one before; each
// checkpoint must be signed by us and name the hash that is there. rows come
// in the order of seq within each writer, as the store and ReadExport give
// them. The error is about reading; tampering is in the report.
func Verify(ctx context.Context, rows Rows, e Evidence, open Opener) (*Report, error) {
	v := &verifier{report: &Report{Findings: []Finding{}, Chains: []ChainReport{}, Since: e.Since, Until: e.Until}, chains: map[string]*walk{}}
	for _, head := range e.Retained {
		v.walk(head.Writer).retain(head)
	}
	v.collect(e.Checkpoints, open, false)
	v.collect(e.Anchors, open, true)
	for row, err := range rows {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, fmt.Errorf("verify the records: %w", err)
		}
		v.report.Records++
		v.row(&row)
	}
	for _, writer := range slices.Sorted(maps.Keys(v.chains)) {
		v.finish(writer, v.chains[writer])
	}
	return v.report, nil
}

// verifier is one verification under way.
type verifier struct {
	report *Report
	chains map[string]*walk
}

// walk is how far one chain has been followed.
type walk struct {
	first  int64 // seq of the first record read
	last   link  // the newest record, or the last dropped by retention
	rivals []link
	base   Head           // the last record dropped by retention
	signed map[int64]Hash // checkpoints
	// anchored are the places whose checkpoint is held outside too.
	anchored              map[int64]bool
	newestSigned, outside int64 // that held, so far
}

// link is a record that has been followed.
type link struct {
	Head
	id    string
	sound bool // nothing is wrong with it by itself
}

func (v *verifier) walk(writer string) *walk {
	w, ok := v.chains[writer]
	if !ok {
		w = &walk{signed: map[int64]Hash{}, anchored: map[int64]bool{}, last: link{sound: true}}
		v.chains[writer] = w
	}
	return w
}

func (w *walk) retain(head Head) { w.base, w.last = head, link{Head: head, sound: true} }

func (v *verifier) find(kind, writer string, seq int64, id, format string, args ...any) {
	if len(v.report.Findings) == maxFindings {
		v.report.More++
		return
	}
	v.report.Findings = append(v.report.Findings, Finding{Kind: kind, Writer: writer, Seq: seq, ID: id, Detail: fmt.Sprintf(format, args...)})
}

// collect opens checkpoints and lays them out by writer and seq.
func (v *verifier) collect(checkpoints []string, open Opener, outside bool) {
	where := "checkpoint"
	if outside {
		where = "anchor"
	}
	for i, compact := range checkpoints {
		var c checkpoint
		payload, err := open(compact)
		if err == nil {
			err = json.Unmarshal(payload, &c)
		}
		var head Head
		if err == nil {
			head, err = c.head()
		}
		if err != nil {
			v.find(Checkpoint, "", 0, "", "%s %d does not verify: %v", where, i+1, err)
			continue
		}
		if outside && !c.signedBy(v.report.Until) && v.walk(head.Writer).signed[head.Seq] != head.Hash {
			continue // it is of records that are not meant to be here
		}
		v.expect(head, outside)
	}
}

func (v *verifier) expect(head Head, outside bool) {
	w := v.walk(head.Writer)
	if hash, ok := w.signed[head.Seq]; ok && hash != head.Hash {
		v.find(Checkpoint, head.Writer, head.Seq, "", "two signed checkpoints name different hashes: the chain was written twice")
		return
	}
	w.signed[head.Seq] = head.Hash
	w.anchored[head.Seq] = w.anchored[head.Seq] || outside
}

// row judges one record: first by itself, then by its place.
func (v *verifier) row(r *Row) {
	w := v.walk(r.Writer)
	told, sound := v.alone(r)
	this := link{r.Head(), r.ID, sound}
	if w.first == 0 {
		w.first = r.Seq
	}
	switch {
	case r.Seq <= w.base.Seq:
		// Older than what retention dropped: it has no neighbour to be held against.
	case r.Seq == w.last.Seq:
		w.rivals = append(w.rivals, this)
	case r.Seq < w.last.Seq:
		v.find(Reordered, r.Writer, r.Seq, r.ID, "it comes after record %d", w.last.Seq)
	default:
		v.settle(w, told.PrevHash)
		v.follow(w, this, told.PrevHash)
		w.last = this
	}
}

// alone holds a record against itself: hash, columns, place.
func (v *verifier) alone(r *Row) (told contents, sound bool) {
	told, err := read(r.Body)
	switch {
	case err != nil:
		v.find(Changed, r.Writer, r.Seq, r.ID, "%v", err)
	case !r.hashed():
		v.find(Changed, r.Writer, r.Seq, r.ID, "the hash is not that of the bytes")
	case told.Writer != r.Writer || told.Seq != r.Seq:
		v.find(Reordered, r.Writer, r.Seq, r.ID, "its bytes say that it is record %d of writer %s", told.Seq, told.Writer)
	case !told.same(&r.Copies):
		v.find(Changed, r.Writer, r.Seq, r.ID, "the columns are not what the bytes say")
	case r.Misfiled:
		v.find(Changed, r.Writer, r.Seq, r.ID, "filters do not find it: its group is another's, changed or missing")
	default:
		return told, true
	}
	return told, false
}

// same compares copies with the bytes; the database keeps microseconds.
func (c *Copies) same(with *Copies) bool {
	return c.texts() == with.texts() && slices.Equal(c.Targets, with.Targets) &&
		sameTime(c.Time, with.Time) && sameTime(c.Expires, with.Expires)
}

func sameTime(a, b time.Time) bool {
	return a.Truncate(time.Microsecond).Equal(b.Truncate(time.Microsecond))
}

func (c *Copies) texts() [16]string {
	return [...]string{
		c.ID, c.Decision, c.Reason, c.Client, c.Issuer, c.Subject, c.Policy, c.JTI, c.Parent, c.Txn,
		c.Key, c.SubjectJTI, c.ActorIssuer, c.Actor, c.ActorJTI, c.ActorParent,
	}
}

// settle is done with the newest record before the next, whose prevHash is
// given: where several claim the place, the one that the next record or a
// checkpoint names was written, and the others were inserted. Then the
// checkpoint of the place is held against it.
func (v *verifier) settle(w *walk, next Hash) {
	for _, rival := range w.rivals {
		if rival.Hash == next || rival.Hash == w.signed[rival.Seq] {
			w.last, rival = rival, w.last
		}
		v.find(Inserted, rival.Writer, rival.Seq, rival.id, "it has the place of record %s", w.last.id)
	}
	w.rivals = nil
	hash, ok := w.signed[w.last.Seq]
	switch {
	case !ok:
	case hash != w.last.Hash:
		v.find(Changed, w.last.Writer, w.last.Seq, w.last.id, "a signed checkpoint names another hash: this record or one before it was changed")
	default:
		w.newestSigned = w.last.Seq
		if w.anchored[w.last.Seq] {
			w.outside = w.last.Seq
		}
	}
}

// follow holds a record against the one before it.
func (v *verifier) follow(w *walk, this link, prev Hash) {
	switch before := w.last; {
	case this.Seq == before.Seq+2:
		v.find(Removed, this.Writer, this.Seq-1, "", "the record is missing")
	case this.Seq > before.Seq+1:
		v.find(Removed, this.Writer, before.Seq+1, "", "the records %d to %d are missing", before.Seq+1, this.Seq-1)
	case !this.sound || !before.sound || prev == before.Hash:
	case before.Seq == 0:
		v.find(Changed, this.Writer, this.Seq, this.id, "the first record names one before it")
	default:
		v.find(Changed, this.Writer, before.Seq, before.id, "record %d, which follows, was written after other bytes", this.Seq)
	}
}

// finish closes a chain: what is signed beyond its end has been cut off.
func (v *verifier) finish(writer string, w *walk) {
	v.settle(w, Hash{})
	signed := slices.Sorted(maps.Keys(w.signed))
	if len(signed) > 0 && signed[len(signed)-1] > w.last.Seq {
		seq := signed[len(signed)-1]
		v.find(Removed, writer, seq, "", "the chain ends at record %d, but %d was signed: those after %d were cut off", w.last.Seq, seq, w.last.Seq)
	}
	v.report.Chains = append(v.report.Chains, ChainReport{
		Writer: writer, First: w.first, Last: w.last.Seq, Head: w.last.Hash.String(),
		Signed: w.newestSigned, Anchored: w.outside, Unanchored: w.last.Seq - max(w.outside, w.base.Seq),
	})
}

package catalog

import (
	"context"
	"errors"
	"time"
)

// Row is an object as a [Store] keeps it.
type Row struct {
	Kind     Kind
	Name     string
	Revision int64    // the catalogue's revision that last changed it
	Set      string   // the apply set that it was last written with
	Body     []byte   // canonical JSON of the object, without secrets
	Digests  []string // of client secrets
	Sealed   Sealed   // secrets that Strait itself must present
}

// Ref names the row's object.
func (r Row) Ref() Ref { return Ref{r.Kind, r.Name} }

// Store keeps the catalogue. Package catalogtest has the tests that each one
// passes.
type Store interface {
	// Load reads revision and rows at one instant. An empty store is revision 0.
	Load(ctx context.Context) (revision int64, rows []Row, err error)
	// Commit writes all of c, its change records too, in one transaction, and
	// tells every replica. The new revision is base+1, and that of each row in
	// c.Puts too. It answers ErrMoved, and writes nothing, when the catalogue is
	// no longer at base.
	Commit(ctx context.Context, base int64, c Commit) (revision int64, err error)
}

// History tells what the catalogue was. A [Store] need not have one.
type History interface {
	// At reads the rows of an earlier revision out of the change records, without
	// secrets, sets and digests. It answers ErrNoHistory where a change up to it is
	// not there.
	At(ctx context.Context, revision int64) ([]Row, error)
}

// Commit is one step from a revision to the next.
type Commit struct {
	Puts    []Row // created or replaced; Revision is the store's to set
	Deletes []Ref
	Changes []ChangeRecord
}

// ChangeRecord says who changed an object, when and why. Before and After are
// canonical JSON without secrets, nil where there was or is no object.
type ChangeRecord struct {
	Time          time.Time
	By            string
	Reason        string
	RequestID     string
	Kind          Kind
	Name          string
	Action        string // Created, Configured or Deleted
	Before, After []byte
}

// What a write did to an object.
const (
	Created    = "created"
	Configured = "configured"
	Unchanged  = "unchanged"
	Deleted    = "deleted"
)

// The errors of writes, beside *[Invalid].
var (
	// ErrMoved: another write came between; the catalogue is no longer at base.
	ErrMoved = errors.New("the catalogue has moved on")
	// ErrConflict: the catalogue is not at the revision that the write names.
	ErrConflict = errors.New("the catalogue is not at the given revision")
	// ErrNotFound: there is no such object.
	ErrNotFound = errors.New("there is no such object")
	// ErrNoHistory: the change records do not tell what the catalogue was at the
	// revision.
	ErrNoHistory = errors.New("the history of the catalogue does not tell this revision")
	// ErrPreconditionRequired: the object exists, and the write does not say
	// which version of it it means (RFC 6585 §3).
	ErrPreconditionRequired = errors.New("the object exists; name its version in If-Match")
	// ErrPreconditionFailed: the object is not at the version that the write
	// means (RFC 9110 §13.1.1).
	ErrPreconditionFailed = errors.New("the object is not at the given version")
)

package catalog

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Snapshot is one revision of the catalogue, whole and immutable: every object
// valid by itself, defaults filled in. Nobody writes to it or to what it points
// to. Names that an object refers to are there too, unless Problems says
// otherwise.
type Snapshot struct {
	Revision int64
	Objects  map[Ref]*Entry
	Problems []FieldError // stored objects left out, and references that lead nowhere

	issuers  []*Of[TrustedIssuer]
	targets  []*Of[Target]
	clients  []*Of[Client]
	policies []*Of[ExchangePolicy]
	rails    []*Of[Guardrail]
}

// Ref names an object.
type Ref struct {
	Kind Kind
	Name string
}

// String is the name as commands print it: "Target/orders-api".
func (r Ref) String() string { return string(r.Kind) + "/" + r.Name }

// Entry is an object of the catalogue with the revision that last changed it.
type Entry struct {
	Object
	Revision int64
	Set      string   // the apply set that it was last written with
	Digests  []string // of a client's secrets; never leaves the process
	Sealed   Sealed   // secrets that Strait itself must present
}

// Sealed is an object's secrets by the JSON Pointer of their field, encrypted
// (package keyring).
type Sealed map[string][]byte

// ETag is the strong entity tag of the object (RFC 9110 §8.8.3): its canonical
// bytes and the revision that last changed it.
func (e *Entry) ETag() string {
	sum := sha256.Sum256(append(e.Canonical(), strconv.FormatInt(e.Revision, 10)...))
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
}

// Expired says whether the object's expiresAt has come: from then on it is as
// if disabled, without a write.
func (o Object) Expired(now time.Time) bool {
	end := o.Governance.ExpiresAt
	return end != nil && !now.Before(*end)
}

// Alive says whether an object of this mode has effect at the instant.
func (o Object) Alive(mode Mode, now time.Time) bool {
	return mode != ModeDisabled && !o.Expired(now)
}

// Ref names the object.
func (o Object) Ref() Ref { return Ref{o.Kind, o.Metadata.Name} }

// Of is an entry of one kind with its typed spec.
type Of[T any] struct {
	*Entry
	Spec *T
}

// NewSnapshot puts entries together as they are: nothing is checked or filled
// in. Their specs are pointers to the types of this package.
func NewSnapshot(revision int64, entries ...*Entry) *Snapshot {
	s := &Snapshot{Revision: revision, Objects: make(map[Ref]*Entry, len(entries))}
	for _, e := range entries {
		s.Objects[e.Ref()] = e
	}
	s.issuers = ofKind[TrustedIssuer](s)
	s.targets = ofKind[Target](s)
	s.clients = ofKind[Client](s)
	s.policies = ofKind[ExchangePolicy](s)
	s.rails = ofKind[Guardrail](s)
	return s
}

func ofKind[T any](s *Snapshot) []*Of[T] {
	var all []*Of[T]
	for _, e := range s.Objects {
		if spec, ok := e.Spec.(*T); ok {
			all = append(all, &Of[T]{e, spec})
		}
	}
	slices.SortFunc(all, func(a, b *Of[T]) int { return strings.Compare(a.Metadata.Name, b.Metadata.Name) })
	return all
}

// Issuers is the trust list, by name.
func (s *Snapshot) Issuers() []*Of[TrustedIssuer] { return s.issuers }

// Targets is every target, by name.
func (s *Snapshot) Targets() []*Of[Target] { return s.targets }

// Clients is every client, by name.
func (s *Snapshot) Clients() []*Of[Client] { return s.clients }

// Policies is every exchange policy, by name: in no order of priority.
func (s *Snapshot) Policies() []*Of[ExchangePolicy] { return s.policies }

// Guardrails is every guardrail, by name.
func (s *Snapshot) Guardrails() []*Of[Guardrail] { return s.rails }

// Issuer finds a trusted issuer by name; nil where there is none.
func (s *Snapshot) Issuer(name string) *Of[TrustedIssuer] { return find(s.issuers, name) }

// Target finds a target by name; nil where there is none.
func (s *Snapshot) Target(name string) *Of[Target] { return find(s.targets, name) }

// Client finds a client by its metadata.name; nil where there is none.
func (s *Snapshot) Client(name string) *Of[Client] { return find(s.clients, name) }

// Policy finds an exchange policy by name; nil where there is none.
func (s *Snapshot) Policy(name string) *Of[ExchangePolicy] { return find(s.policies, name) }

func find[T any](sorted []*Of[T], name string) *Of[T] {
	i, found := slices.BinarySearchFunc(sorted, name, func(o *Of[T], name string) int {
		return strings.Compare(o.Metadata.Name, name)
	})
	if !found {
		return nil
	}
	return sorted[i]
}

// Entries is every entry: kind by kind in the order of [Kinds], then by name.
func (s *Snapshot) Entries() []*Entry {
	all := make([]*Entry, 0, len(s.Objects))
	for _, e := range s.Objects {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b *Entry) int { return a.Ref().Compare(b.Ref()) })
	return all
}

// Compare orders names kind by kind, in the order of [Kinds], then by name.
func (r Ref) Compare(other Ref) int {
	return cmp.Or(cmp.Compare(kindRank(r.Kind), kindRank(other.Kind)), strings.Compare(r.Name, other.Name))
}

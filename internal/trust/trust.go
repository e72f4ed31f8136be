package trust

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/introspect"
	"github.com/strait-sts/strait/internal/keysource"
)

// Fetcher is every way out: *fetch.Client.
type Fetcher interface {
	keysource.Fetcher
	introspect.Poster
}

// Options is what a Trust needs. Issuer, Fetch and Clock must be set; so must
// Own, or no token of ours is believed, Rules, or no token of an entry with
// expressions is, and Unseal, or no opaque one is.
type Options struct {
	Fetch  Fetcher
	Own    OwnKeys
	Rules  Compiler
	Issuer string // our issuer identifier
	Clock  func() time.Time
	Skew   time.Duration // leeway for nbf and iat where an entry has no clockSkew
	// Unseal opens a secret that the catalogue keeps for the object's field.
	Unseal  func(object catalog.Ref, field string, sealed []byte) (exchange.Secret, error)
	Logger  *slog.Logger      // nil: none
	Metrics keysource.Metrics // nil: none
	// CacheBytes bounds the verified tokens that are remembered, by their
	// length; 0: 8 MiB, negative: none.
	CacheBytes int
}

// Trust owns what outlives a snapshot: key sources, the clients of opaque
// tokens' issuers, the tokens that were verified a moment ago. It may be used by
// many at once.
type Trust struct {
	options Options
	own     *ownKeys
	keeper  *keysource.Keeper
	proven  *proven

	mu      sync.Mutex
	entries []*entry                               // of the latest snapshot, by name
	askers  map[introspect.Spec]*introspect.Client // of their entries
}

// New makes a Trust without entries. [Trust.Verifier] gives it some, and
// [Trust.Run] keeps their keys fresh.
func New(o Options) *Trust {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Trust{
		options: o, own: &ownKeys{ring: o.Own}, proven: newProven(o.CacheBytes),
		keeper: keysource.New(keysource.Options{Fetch: o.Fetch, Clock: o.Clock, Logger: o.Logger, Metrics: o.Metrics}),
	}
}

// Run fetches keys before they are needed, until ctx ends.
func (t *Trust) Run(ctx context.Context) { t.keeper.Run(ctx) }

// Verifier is the trust list of a snapshot, and begins to fetch the keys that it
// needs and has not. Keys of entries whose issuer and keys did not change are
// taken over as they are. From then on they are kept fresh for this snapshot;
// Verifiers of earlier ones work on, and fetch on demand.
func (t *Trust) Verifier(s *catalog.Snapshot) exchange.Verifier {
	t.mu.Lock()
	defer t.mu.Unlock()
	issuers, all := s.Issuers(), newPrefixes(s.Issuers())
	v := &verifier{issuers: map[string]*entry{}, own: newOwn(s, t.options, t.own), proven: t.proven}
	t.entries = make([]*entry, len(issuers))
	for i, o := range issuers {
		t.entries[i] = newEntry(o, t.options, all)
		v.issuers[o.Spec.Issuer] = t.entries[i]
	}
	t.connect(issuers)
	v.opaque = newRoutes(t.entries)
	return v
}

// connect gives each entry in force what its tokens are proved with: keys, or
// the client of its introspection endpoint.
func (t *Trust) connect(issuers []*catalog.Of[catalog.TrustedIssuer]) {
	var specs []keysource.Spec
	var keyed []*entry
	askers := map[introspect.Spec]*introspect.Client{}
	for i, o := range issuers {
		switch e := t.entries[i]; {
		case e.disabled:
		case o.Spec.Keys.Introspection != nil:
			e.asker, e.askError = t.asker(o, askers)
		default:
			specs, keyed = append(specs, keySpec(o)), append(keyed, e)
		}
	}
	t.askers = askers
	for i, source := range t.keeper.Use(specs) {
		keyed[i].keys = source
	}
}

// keySpec says where the keys of an entry come from.
func keySpec(o *catalog.Of[catalog.TrustedIssuer]) keysource.Spec {
	spec := keysource.Spec{
		Name: o.Metadata.Name, Issuer: o.Spec.Issuer, JWKS: o.Spec.Keys.JWKS, JWKSURI: o.Spec.Keys.JWKSURI,
		Authorities: o.Spec.CertificateAuthority, MaxStale: time.Duration(o.Spec.MaxStale),
	}
	if d := o.Spec.Keys.Discovery; d != nil {
		spec.Discovery = &keysource.Discovery{URL: d.URL, JWKSHosts: d.JWKSHosts}
	}
	if end := o.Governance.ExpiresAt; end != nil {
		spec.Expires = *end
	}
	return spec
}

// Status is the state of each issuer of the latest snapshot, by the entry's
// name.
func (t *Trust) Status() []Status {
	t.mu.Lock()
	entries := slices.Clone(t.entries)
	t.mu.Unlock()
	all := make([]Status, len(entries))
	for i, e := range entries {
		all[i] = e.status()
	}
	return all
}

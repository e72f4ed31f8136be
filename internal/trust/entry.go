package trust

import (
	"context"
	"slices"
	"time"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/introspect"
	"github.com/strait-sts/strait/internal/jws"
	"github.com/strait-sts/strait/internal/keysource"
)

// defaultMaxAge is the age of a token where its entry does not say.
const defaultMaxAge = 24 * time.Hour

// entry is a trusted issuer, ready to judge with.
type entry struct {
	name       string
	issuer     string
	object     catalog.Object // for its expiry
	disabled   bool
	accepts    []string // roles
	types      []exchange.TokenType
	typ        []string // allowed values of the typ header; none: by token type
	algorithms []jws.Algorithm
	rules      claimRules

	keys        keySource // nil where disabled, and for opaque tokens
	asker       *introspect.Client
	askError    error  // why there is no asker
	tokenPrefix string // of opaque tokens
}

// keySource is where the keys of an entry come from (package keysource).
type keySource interface {
	// Key is the one key for a token with this kid and alg. The error wraps
	// jws.ErrNoKey or jws.ErrAlgorithm where the issuer has no such key; any
	// other says nothing of the token. A key that is the same is the same
	// pointer.
	Key(ctx context.Context, kid string, alg jws.Algorithm) (*jws.Key, error)
	// Status tells how the source is.
	Status() keysource.Status
}

// newEntry reads an entry of the catalogue. What cannot be read in it only
// narrows what it accepts: an unreadable algorithm is none. Check has told the
// admin.
func newEntry(o *catalog.Of[catalog.TrustedIssuer], options Options, all *prefixes) *entry {
	e := &entry{
		name: o.Metadata.Name, issuer: o.Spec.Issuer, object: o.Object, disabled: o.Spec.Mode == catalog.ModeDisabled,
		accepts: o.Spec.AcceptAs, typ: o.Spec.Typ, rules: newRules(o.Spec, options),
	}
	e.rules.owner, e.rules.prefixes = ownerOf(o), all
	if in := o.Spec.Keys.Introspection; in != nil {
		e.tokenPrefix = in.TokenPrefix
	}
	for _, short := range o.Spec.TokenTypes {
		e.types = append(e.types, exchange.TypeOf(short))
	}
	for _, name := range o.Spec.Algorithms {
		if a, err := jws.ParseAlgorithm(name); err == nil {
			e.algorithms = append(e.algorithms, a)
		}
	}
	return e
}

// newRules reads how an entry judges claims.
func newRules(spec *catalog.TrustedIssuer, options Options) claimRules {
	r := claimRules{
		audiences: spec.Audiences, skew: options.Skew, maxAge: time.Duration(spec.MaxTokenAge),
		subject: spec.ClaimMappings.Subject.Claim, scope: claimAt(spec.ScopeClaim), ourIssuer: options.Issuer,
		mapping: spec.ClaimMappings.Subject.Expression != "", expressions: compile(spec, options.Rules), once: spec.SingleUse,
	}
	r.reads = readsOf(spec, r.expressions)
	if spec.ScopeClaim != usualScope {
		r.scopeClaim = spec.ScopeClaim
	}
	if in := spec.Keys.Introspection; in != nil {
		r.opaque, r.allowedClients = true, in.AllowedClientIDs
	}
	if spec.ClockSkew != nil {
		r.skew = time.Duration(*spec.ClockSkew)
	}
	if r.maxAge <= 0 {
		r.maxAge = defaultMaxAge
	}
	return r
}

// verify is steps 2 to 5 of the package comment for a foreign JWT.
func (e *entry) verify(ctx context.Context, p *presented) (*exchange.Token, error) {
	if err := e.admit(p); err != nil {
		return nil, err
	}
	if e.rules.opaque {
		return nil, wrong(exchange.TypeMismatch, "the tokens of trusted issuer %q are opaque; a JWT with its iss is none of them", e.name)
	}
	if err := e.checkHeader(p); err != nil {
		return nil, err
	}
	key, err := e.keys.Key(ctx, p.jws.Header.KeyID, p.jws.Header.Algorithm)
	if err != nil {
		return nil, joseFault(err)
	}
	if err := p.prove(key); err != nil {
		return nil, joseFault(err)
	}
	return e.rules.judge(e.name, p)
}

// admit: the entry is in force and takes such tokens at all.
func (e *entry) admit(p *presented) error {
	switch {
	case e.disabled || e.object.Expired(p.now):
		return exchange.Refuse(exchange.IssuerDisabled, "trusted issuer %q is disabled or expired", e.name)
	case !slices.Contains(e.accepts, string(p.role)):
		return wrong(exchange.IssuerNotTrusted, "trusted issuer %q does not accept tokens as %s", e.name, p.role)
	case !slices.Contains(e.types, p.typ):
		return wrong(exchange.TypeMismatch, "trusted issuer %q has no tokens of type %s", e.name, p.typ.Short())
	}
	return nil
}

// checkHeader holds typ and alg to the entry.
func (e *entry) checkHeader(p *presented) error {
	allowed := e.typ
	if len(allowed) == 0 {
		allowed = usualTyp(p.typ)
	}
	if !typAllowed(p.jws.Header.Type, allowed) {
		return wrong(exchange.TypeMismatch, "the typ header is not one that trusted issuer %q has for %s", e.name, p.typ.Short())
	}
	if !slices.Contains(e.algorithms, p.jws.Header.Algorithm) {
		return wrong(exchange.AlgorithmNotAllowed, "the token's alg is not in the list of trusted issuer %q", e.name)
	}
	return nil
}

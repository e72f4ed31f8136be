package trust

import (
	"errors"
	"fmt"
	"slices"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/fetch"
	"github.com/strait-sts/strait/internal/jws"
)

// Checker is what trust has to say about a write, for a catalog.Catalog: URLs
// that policy lets nobody fetch, keys that cannot verify, kinds of tokens that
// prove nobody. What an entry is made of, the catalogue itself has checked.
func Checker(policy fetch.Policy) func(*catalog.Snapshot) []catalog.FieldError {
	return func(s *catalog.Snapshot) []catalog.FieldError {
		var faults []catalog.FieldError
		for _, o := range s.Issuers() {
			c := check{policy: policy, name: o.Metadata.Name}
			c.keys(o.Spec)
			c.typ(o.Spec.Typ)
			faults = append(faults, c.faults...)
		}
		return faults
	}
}

// check gathers the faults of one entry.
type check struct {
	policy fetch.Policy
	name   string
	faults []catalog.FieldError
}

func (c *check) add(pointer, code, format string, args ...any) {
	c.faults = append(c.faults, catalog.FieldError{
		Kind: catalog.KindTrustedIssuer, Name: c.name, Pointer: pointer, Code: code, Message: fmt.Sprintf(format, args...),
	})
}

// keys: they can be fetched, or they can be used.
func (c *check) keys(spec *catalog.TrustedIssuer) {
	switch {
	case spec.Keys.JWKS != nil:
		c.inline(spec)
		return
	case spec.Keys.Introspection != nil: // the issuer itself is never fetched
		c.url("/spec/keys/introspection/url", c.policy.CheckURL(spec.Keys.Introspection.URL))
		return
	case spec.Keys.JWKSURI != "":
		c.url("/spec/keys/jwksUri", c.policy.CheckURL(spec.Keys.JWKSURI))
	case spec.Keys.Discovery != nil && spec.Keys.Discovery.URL != "":
		c.url("/spec/keys/discovery/url", c.policy.CheckURL(spec.Keys.Discovery.URL))
	}
	c.url("/spec/issuer", c.policy.CheckIssuer(spec.Issuer))
}

func (c *check) url(pointer string, err error) {
	switch {
	case errors.Is(err, fetch.ErrForbiddenAddress):
		c.add(pointer, catalog.CodeValue, "cannot be fetched from (%v); open the network with STRAIT_FETCH_ALLOW_CIDRS, or write the keys inline", err)
	case err != nil:
		c.add(pointer, catalog.CodeValue, "cannot be fetched from (%v)", err)
	}
}

// inline: at least one key can verify a token with one of the algorithms.
func (c *check) inline(spec *catalog.TrustedIssuer) {
	const at = "/spec/keys/jwks"
	set, err := jws.ParseKeySet(spec.Keys.JWKS)
	if err != nil {
		c.add(at, catalog.CodeValue, "%v%s", err, firstIgnored(set))
		return
	}
	for _, key := range set.Keys {
		if slices.ContainsFunc(spec.Algorithms, func(name string) bool {
			a, err := jws.ParseAlgorithm(name)
			return err == nil && key.Allows(a)
		}) {
			return
		}
	}
	c.add(at, catalog.CodeConflict, "has no key for any of the algorithms that the entry allows")
}

// firstIgnored says why the first of the keys cannot be used.
func firstIgnored(set jws.KeySet) string {
	if len(set.Ignored) == 0 {
		return ""
	}
	return fmt.Sprintf("; key %d: %s", set.Ignored[0].Index, set.Ignored[0].Reason)
}

// typ: the entry takes no JWT that is made for another purpose.
func (c *check) typ(allowed []string) {
	for i, typ := range allowed {
		if typAllowed(typ, foreignKinds()) {
			c.add(fmt.Sprintf("/spec/typ/%d", i), catalog.CodeValue,
				"is the type of a JWT that proves no subject; leave it out, or every such JWT could be exchanged")
		}
	}
}

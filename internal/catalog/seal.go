package catalog

import (
	"bytes"
	"errors"
	"maps"
	"strings"
	"unicode"
)

// introspectionSecret is the field of the secret that we present at an
// introspection endpoint.
const introspectionSecret = "/spec/keys/introspection/clientSecret"

// maxPresented is the longest secret that is presented, in bytes.
const maxPresented = 1000

func (s Sealed) equal(other Sealed) bool { return maps.EqualFunc(s, other, bytes.Equal) }

// introspection is that of a trusted issuer; nil for all else.
func (o Object) introspection() *Introspection {
	if issuer, ok := o.Spec.(*TrustedIssuer); ok {
		return issuer.Keys.Introspection
	}
	return nil
}

// sealable holds that there is a secret to present, and that one which is kept
// goes nowhere else than where it was meant for: with another URL or clientId
// it must be sent anew, or who may write entries could have it sent to a host
// of theirs.
func (p *plan) sealable(sent Object) []FieldError {
	in := sent.introspection()
	if in == nil {
		return nil
	}
	fault := func(code, message string) []FieldError {
		return []FieldError{sent.Fault(introspectionSecret, code, "%s", message)}
	}
	switch secret := in.ClientSecret.Reveal(); {
	case in.ClientSecretFrom != nil:
		return []FieldError{sent.Fault(introspectionSecret+"From", CodeValue, "is for files: the command puts the value in its place; send clientSecret")}
	case strings.ContainsFunc(secret, unicode.IsControl) || len(secret) > maxPresented:
		return fault(CodeValue, "must have at most 1000 bytes and no control characters, such as a line's end")
	case secret != "":
		return nil
	case len(p.base.rows[sent.Ref()].Sealed[introspectionSecret]) == 0:
		return fault(CodeRequired, "is required for a new introspection; in a file write clientSecretFrom")
	case !p.staysAt(sent.Ref(), in):
		return fault(CodeRequired, "must be sent anew, since url or clientId changes")
	}
	return nil
}

// staysAt: the object as it is stored has the same URL and clientId. One that
// cannot be read does not say.
func (p *plan) staysAt(ref Ref, in *Introspection) bool {
	known := p.base.snapshot.Objects[ref]
	if known == nil {
		return false
	}
	old := known.introspection()
	return old != nil && old.URL == in.URL && old.ClientID == in.ClientID
}

// seal is what to store of the object's secrets: what is there already where it
// is the same, so that the same secret changes nothing.
func (c *Catalog) seal(sent Object, stored Sealed) (Sealed, error) {
	in := sent.introspection()
	if in == nil {
		return nil, nil
	}
	if in.ClientSecret == "" {
		return stored, nil
	}
	if c.Seal == nil || c.Unseal == nil {
		return nil, errors.New("no key to seal secrets with")
	}
	if old, kept := stored[introspectionSecret]; kept {
		if secret, err := c.Unseal(sent.Ref(), introspectionSecret, old); err == nil && secret == in.ClientSecret {
			return stored, nil
		}
	}
	sealed, err := c.Seal(sent.Ref(), introspectionSecret, in.ClientSecret)
	return Sealed{introspectionSecret: sealed}, err
}

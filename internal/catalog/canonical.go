package catalog

import (
	"slices"

	"github.com/go-json-experiment/json"
)

// Canonical is the object as JSON in the contract's order of fields, with its
// defaults and without secrets: what is stored, hashed and answered.
func (o Object) Canonical() []byte {
	switch spec := o.Spec.(type) {
	case *Client:
		o.Spec = spec.withoutSecrets()
	case *TrustedIssuer:
		o.Spec = spec.withoutSecrets()
	}
	body, err := json.Marshal(o, json.Deterministic(true))
	if err != nil { // only a spec of a foreign type, or raw JSON that is none
		return nil
	}
	return body
}

// withoutSecrets is a copy without what is write-only.
func (c *Client) withoutSecrets() *Client {
	bare := *c
	bare.Authentication = slices.Clone(c.Authentication)
	for i := range bare.Authentication {
		bare.Authentication[i].Secret, bare.Authentication[i].SecretFrom = "", nil
	}
	return &bare
}

// withoutSecrets is a copy without what is write-only.
func (t *TrustedIssuer) withoutSecrets() *TrustedIssuer {
	if t.Keys.Introspection == nil {
		return t
	}
	bare, introspection := *t, *t.Keys.Introspection
	introspection.ClientSecret, introspection.ClientSecretFrom = "", nil
	bare.Keys.Introspection = &introspection
	return &bare
}

package catalog

import (
	"slices"

	"github.com/go-json-experiment/json"
)

// Canonical is the object as JSON in the contract's order of fields, with its
// defaults and without secrets: what is stored, hashed and answered.
func (o Object) Canonical() []byte {
	if client, ok := o.Spec.(*Client); ok {
		o.Spec = client.withoutSecrets()
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

package app

import (
	"slices"
	"time"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/policy"
	"github.com/strait-sts/strait/internal/trust"
)

// world builds what decides from one revision of the catalogue.
func world(s *catalog.Snapshot, t *trust.Trust, e *policy.Engine) *exchange.World {
	return &exchange.World{
		Revision: s.Revision,
		Clients:  clients(s),
		Verifier: t.Verifier(s),
		Decider:  e.Compile(s),
	}
}

// clients indexes the clients by client_id.
func clients(s *catalog.Snapshot) map[string]*exchange.Client {
	byID := make(map[string]*exchange.Client, len(s.Clients()))
	for _, c := range s.Clients() {
		byID[c.Spec.ClientID] = client(c)
	}
	return byID
}

func client(c *catalog.Of[catalog.Client]) *exchange.Client {
	var expires time.Time
	if end := c.Governance.ExpiresAt; end != nil {
		expires = *end
	}
	return &exchange.Client{
		Name: c.Metadata.Name, ID: c.Spec.ClientID,
		Disabled: c.Spec.Mode == catalog.ModeDisabled, Expires: expires,
		Labels: c.Metadata.Labels, Grants: grants(c.Spec.Grants),
		IgnoreScopes: c.Spec.IgnoreScopes, Serves: c.Spec.Serves,
		Secrets: slices.Clone(c.Digests),
	}
}

// grants turns the short names of manifests into grant types.
func grants(short []string) []exchange.GrantType {
	types := make([]exchange.GrantType, len(short))
	for i, name := range short {
		types[i] = exchange.GrantType(name)
		if name == "token-exchange" {
			types[i] = exchange.GrantTokenExchange
		}
	}
	return types
}

package schema

import (
	"time"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
)

// The limits of times. A lifetime or an age of 0s is none at all.
const (
	maxStale    = 24 * time.Hour       // keys that cannot be refreshed
	maxLifetime = 24 * time.Hour       // of an issued token
	maxAge      = 400 * 24 * time.Hour // of a foreign token
	maxSkew     = 5 * time.Minute
)

// maxHops is the longest act chain that a policy can allow.
const maxHops = 16

// newSpec is a spec of the kind with its defaults, for the decoder to write
// over: so a field that is absent differs from one that says zero. It is nil
// for a kind that cannot be kept.
func newSpec(kind catalog.Kind) any {
	switch kind {
	case catalog.KindTrustedIssuer:
		return &catalog.TrustedIssuer{
			MaxStale:    catalog.Duration(time.Hour),
			MaxTokenAge: catalog.Duration(24 * time.Hour),
			ScopeClaim:  "scope",
			Mode:        catalog.ModeEnforce,
		}
	case catalog.KindTarget:
		return &catalog.Target{
			Token:        catalog.TargetToken{Algorithm: "ES256", MaxLifetime: catalog.Duration(time.Hour)},
			RequireProof: "none",
			Mode:         catalog.ModeEnforce,
		}
	case catalog.KindClient:
		return &catalog.Client{RequireProof: "none", Mode: catalog.ModeEnforce}
	case catalog.KindExchangePolicy:
		return &catalog.ExchangePolicy{
			Issue:  catalog.PolicyIssue{TokenType: exchange.TypeAccessToken.Short(), MaxActDepth: 4},
			Review: &catalog.PolicyReview{OnOverdue: "warn"},
			Mode:   catalog.ModeEnforce,
		}
	case catalog.KindGuardrail:
		return &catalog.Guardrail{}
	case catalog.KindAdminGrant, catalog.KindExchangeTest:
	}
	return nil
}

// complete sets the defaults that depend on other fields.
func complete(o *catalog.Object) {
	switch spec := o.Spec.(type) {
	case *catalog.TrustedIssuer:
		if spec.TokenTypes == nil {
			spec.TokenTypes = []string{usualType(spec.Keys).Short()}
		}
		if m := &spec.ClaimMappings.Subject; m.Claim == "" && m.Expression == "" {
			m.Claim = "sub"
		}
	case *catalog.Client:
		if spec.ClientID == "" {
			spec.ClientID = o.Metadata.Name
		}
	case *catalog.ExchangePolicy:
		completePolicy(spec)
	}
}

// usualType is what the tokens of an issuer are presented as.
func usualType(k catalog.Keys) exchange.TokenType {
	if k.Introspection != nil {
		return exchange.TypeAccessToken
	}
	return exchange.TypeJWT
}

// completePolicy: a policy of flow client has no subject, so nothing that acts
// for it and nothing that proves a scope.
func completePolicy(p *catalog.ExchangePolicy) {
	if p.Review == nil {
		p.Review = &catalog.PolicyReview{OnOverdue: "warn"}
	}
	if p.Flow == string(exchange.FlowClient) {
		return
	}
	if p.Actor == nil {
		p.Actor = &catalog.PolicyActor{}
	}
	if p.Actor.From == "" {
		p.Actor.From = "none"
	}
	if p.Scopes.Prove == "" {
		p.Scopes.Prove = string(exchange.ProveSame)
	}
}

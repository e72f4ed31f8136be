package exchange

import (
	"slices"
	"time"
)

// Prove says what a subject token must show before a scope is issued.
type Prove string

// The proofs of the contract.
const (
	ProveSame  Prove = "same"  // the subject token holds the same scope
	ProveMap   Prove = "map"   // the policy's map leads from a held scope to it
	ProveGrant Prove = "grant" // the policy alone grants it (federation)
)

// Policy is what one approved flow allows: its share of a [Ceiling].
type Policy struct {
	Name        string
	Revision    int64 // the configuration revision that last changed it
	Flow        Flow
	Allow       []string
	Default     []string
	Prove       Prove
	Map         map[string][]string // held scope → scopes that it proves
	Lifetime    time.Duration
	MaxActDepth int
	TokenType   TokenType
}

// Target is a service that tokens are issued for: its share of a [Ceiling].
type Target struct {
	Name        string
	Audience    string
	Scopes      []string // its catalogue
	Algorithm   string   // the JOSE alg that its tokens are signed with
	MaxLifetime time.Duration
}

// Ceiling is everything that an issued token must stay under: who asks, whose
// tokens came, which policy and targets decide. A [Grant] comes from nowhere
// else.
type Ceiling struct {
	ID      ID
	Now     time.Time
	Client  *Client
	Subject *Token // nil in a client flow
	Actor   *Token // nil where none was sent
	Adds    *Hop   // the hop that this exchange adds; nil for none
	Policy  *Policy
	Targets []*Target
}

// Grant is what a decision allows to be signed. Its fields cannot be set from
// outside: [Ceiling.Grant] computes them, so that a grant wider than its
// ceiling cannot be built.
type Grant struct {
	ceiling Ceiling
	subject string
	scopes  []string
	expires time.Time
	act     Chain
	txn     string
}

// Grant computes the widest token under the ceiling that holds just the
// scopes asked for, or the policy's default where nothing was asked. It
// answers scope_not_allowed, scope_not_held, chain_too_deep, proof_required or
// subject_expired.
func (c Ceiling) Grant(asked []string) (*Grant, error) {
	g := &Grant{ceiling: c, txn: string(c.ID)}
	if c.Subject != nil {
		g.subject, g.act = c.Subject.Subject, c.Subject.Act
	} else {
		g.subject = ClientSubjectPrefix + c.Client.ID
	}
	if c.Subject != nil && c.Subject.Txn != "" {
		g.txn = c.Subject.Txn
	}
	if c.Adds != nil {
		g.act = g.act.Extended(*c.Adds)
	}
	if len(g.act) > c.Policy.MaxActDepth {
		return nil, Refuse(ChainTooDeep, "the act chain would have %d hops, policy %q allows %d", len(g.act), c.Policy.Name, c.Policy.MaxActDepth)
	}
	var err error
	if g.scopes, err = c.scopes(asked); err != nil {
		return nil, err
	}
	if c.bound() {
		return nil, Refuse(ProofRequired, "a token bound by cnf cannot be exchanged without proof of possession")
	}
	if g.expires, err = c.expiry(); err != nil {
		return nil, err
	}
	return g, nil
}

// scopes is what is asked, whole or not at all; or the default, as far as it
// is allowed and held.
func (c Ceiling) scopes(asked []string) ([]string, error) {
	if len(asked) == 0 {
		return c.defaultScopes()
	}
	for _, scope := range asked {
		if !c.allows(scope) {
			return nil, Refuse(ScopeNotAllowed, "scope %q is not allowed by policy %q for every requested target", scope, c.Policy.Name)
		}
	}
	for _, scope := range asked {
		if !c.proves(scope) {
			return nil, Refuse(ScopeNotHeld, "the subject token does not prove scope %q (prove: %s)", scope, c.Policy.Prove)
		}
	}
	return slices.Clone(asked), nil
}

// defaultScopes is the policy's default less what the targets do not know and
// the subject does not hold.
func (c Ceiling) defaultScopes() ([]string, error) {
	if len(c.Policy.Allow) == 0 {
		return nil, nil
	}
	known := slices.DeleteFunc(slices.Clone(c.Policy.Default), func(s string) bool { return !c.allows(s) })
	if len(known) == 0 {
		return nil, Refuse(ScopeNotAllowed, "no scope was asked for, and policy %q has no default for the requested targets", c.Policy.Name)
	}
	held := slices.DeleteFunc(known, func(s string) bool { return !c.proves(s) })
	if len(held) == 0 {
		return nil, Refuse(ScopeNotHeld, "the subject token proves none of the default scopes of policy %q", c.Policy.Name)
	}
	return held, nil
}

// allows: inside the policy and inside each target's catalogue (RFC 9068
// §2.2.3: a scope has meaning for the aud).
func (c Ceiling) allows(scope string) bool {
	if !slices.Contains(c.Policy.Allow, scope) {
		return false
	}
	for _, t := range c.Targets {
		if !slices.Contains(t.Scopes, scope) {
			return false
		}
	}
	return true
}

// proves: the subject token shows the scope, in the way the policy demands.
func (c Ceiling) proves(scope string) bool {
	if c.Subject == nil {
		return c.Policy.Flow == FlowClient
	}
	switch c.Policy.Prove {
	case ProveSame:
		return slices.Contains(c.Subject.Scopes, scope)
	case ProveMap:
		return slices.ContainsFunc(c.Subject.Scopes, func(held string) bool {
			return slices.Contains(c.Policy.Map[held], scope)
		})
	case ProveGrant:
		return c.Policy.Flow == FlowFederation
	}
	return false
}

// bound: a token that came is bound to a key, and no proof can be given yet.
func (c Ceiling) bound() bool {
	return c.Subject != nil && c.Subject.Bound || c.Actor != nil && c.Actor.Bound
}

// expiry is the earliest end that subject, actor, policy and targets set, in
// whole seconds and never rounded up.
func (c Ceiling) expiry() (time.Time, error) {
	end := c.Now.Add(c.Policy.Lifetime)
	for _, t := range c.Targets {
		end = earlier(end, c.Now.Add(t.MaxLifetime))
	}
	for _, t := range []*Token{c.Subject, c.Actor} {
		if t != nil {
			end = earlier(end, t.Expires)
		}
	}
	end = time.Unix(end.Unix(), 0).UTC()
	if end.Sub(c.Now) < time.Second {
		return time.Time{}, RoleSubject.Refuse(Expired, "the issued token would live for less than a second")
	}
	return end, nil
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// Ceiling is what the grant was computed under, for the check before signing.
func (g *Grant) Ceiling() Ceiling { return g.ceiling }

// Subject is the sub to issue.
func (g *Grant) Subject() string { return g.subject }

// Scopes is what the token may say in scope; empty for a token without scope.
func (g *Grant) Scopes() []string { return g.scopes }

// IssuedAt is the instant of the exchange, in whole seconds.
func (g *Grant) IssuedAt() time.Time { return time.Unix(g.ceiling.Now.Unix(), 0).UTC() }

// Expires is the end of the token's life, in whole seconds.
func (g *Grant) Expires() time.Time { return g.expires }

// Act is the chain to issue, newest first.
func (g *Grant) Act() Chain { return g.act }

// Txn is the decision id of the root exchange.
func (g *Grant) Txn() string { return g.txn }

// Audience is the aud to issue, a value a target.
func (g *Grant) Audience() []string {
	audience := make([]string, len(g.ceiling.Targets))
	for i, t := range g.ceiling.Targets {
		audience[i] = t.Audience
	}
	return audience
}

// Algorithm is the JOSE alg to sign with: all targets of a grant share one.
func (g *Grant) Algorithm() string { return g.ceiling.Targets[0].Algorithm }

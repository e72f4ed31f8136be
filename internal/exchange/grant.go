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
	Claims      []string // names of the claims that it adds; none of them reserved
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
	Claims  Claims // the values of Policy.Claims, for this exchange

	// Guard sees what would be granted, but for its proof, and may forbid it;
	// nil forbids nothing.
	Guard func(*Grant) error
	// Trace takes each check; nil on /token.
	Trace *Trace
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
// answers chain_too_deep, scope_not_allowed, scope_not_held, subject_expired,
// what Guard answers, or proof_required: in this order.
func (c Ceiling) Grant(asked []string) (*Grant, error) {
	g := c.base()
	err := c.depth(g.act)
	if err == nil {
		g.scopes, err = c.scopes(asked)
	}
	if err == nil {
		g.expires, err = c.expiry()
		c.Trace.Ended(CheckLifetime, err)
	}
	if err == nil && c.Guard != nil {
		err = c.Guard(g)
		c.Trace.Ended(CheckGuardrail, err)
	}
	if err == nil {
		err = c.proof()
		c.Trace.Ended(CheckProof, err)
	}
	if err != nil {
		return nil, err
	}
	return g, nil
}

// base is what the tokens alone decide: of whom the new token speaks, who acts,
// and which transaction it belongs to.
func (c Ceiling) base() *Grant {
	g := &Grant{ceiling: c, txn: string(c.ID), subject: ClientSubjectPrefix + c.Client.ID}
	if c.Subject != nil {
		g.subject, g.act = c.Subject.Subject, c.Subject.Act
		if c.Subject.Txn != "" {
			g.txn = c.Subject.Txn
		}
	}
	if c.Adds != nil {
		g.act = g.act.Extended(*c.Adds)
	}
	return g
}

// depth: a chain that is too long is refused, never cut (RFC 8693 §4.1).
func (c Ceiling) depth(act Chain) error {
	if len(act) <= c.Policy.MaxActDepth {
		c.Trace.Pass(CheckActDepth)
		return nil
	}
	err := Refuse(ChainTooDeep, "the act chain would have %d hops, policy %q allows %d", len(act), c.Policy.Name, c.Policy.MaxActDepth)
	c.Trace.Ended(CheckActDepth, err)
	return err
}

// proof: a token that came is bound to a key, and none can be proven yet.
func (c Ceiling) proof() error {
	if c.bound() {
		return Refuse(ProofRequired, "a token bound by cnf cannot be exchanged without proof of possession")
	}
	return nil
}

// scopes is what is asked, whole or not at all; or the default, as far as it
// is allowed and held.
func (c Ceiling) scopes(asked []string) ([]string, error) {
	if len(asked) == 0 {
		return c.defaultScopes()
	}
	for _, scope := range asked {
		if !c.allows(scope) {
			return nil, c.notAllowed(asked, Refuse(ScopeNotAllowed, "scope %q is not allowed by policy %q for every requested target", scope, c.Policy.Name))
		}
	}
	c.Trace.Pass(CheckScopesAllowed)
	for _, scope := range asked {
		if !c.proves(scope) {
			return nil, c.notHeld(asked, Refuse(ScopeNotHeld, "the subject token does not prove scope %q (prove: %s)", scope, c.Policy.Prove))
		}
	}
	c.Trace.Pass(CheckScopesHeld)
	return slices.Clone(asked), nil
}

// defaultScopes is the policy's default less what the targets do not know and
// the subject does not hold.
func (c Ceiling) defaultScopes() ([]string, error) {
	if len(c.Policy.Allow) == 0 {
		c.Trace.Skip(CheckScopesAllowed, "the policy issues tokens without scope")
		return nil, nil
	}
	known := slices.DeleteFunc(slices.Clone(c.Policy.Default), func(s string) bool { return !c.allows(s) })
	if len(known) == 0 {
		c.Trace.Need("scope")
		return nil, c.notAllowed(nil, Refuse(ScopeNotAllowed, "no scope was asked for, and policy %q has no default for the requested targets", c.Policy.Name))
	}
	c.Trace.Pass(CheckScopesAllowed)
	held := slices.DeleteFunc(slices.Clone(known), func(s string) bool { return !c.proves(s) })
	if len(held) == 0 {
		return nil, c.notHeld(known, Refuse(ScopeNotHeld, "the subject token proves none of the default scopes of policy %q", c.Policy.Name))
	}
	c.Trace.Pass(CheckScopesHeld)
	return held, nil
}

// notAllowed is the refusal, with what was compared for the trace.
func (c Ceiling) notAllowed(asked []string, refusal *Error) error {
	c.Trace.Fail(CheckScopesAllowed, refusal, c.Policy.Allow, asked)
	return refusal
}

// notHeld is the refusal, with what was compared for the trace.
func (c Ceiling) notHeld(asked []string, refusal *Error) error {
	if c.Subject != nil {
		c.Trace.Fail(CheckScopesHeld, refusal, asked, c.Subject.Scopes)
	}
	return refusal
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

// Lifetime is how long the token would live.
func (g *Grant) Lifetime() time.Duration { return g.expires.Sub(g.IssuedAt()) }

// Algorithm is the JOSE alg to sign with: all targets of a grant share one.
func (g *Grant) Algorithm() string { return g.ceiling.Targets[0].Algorithm }

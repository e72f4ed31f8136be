// Package analysis answers one question: what could go wrong? It judges a whole
// revision of the catalogue, not an exchange.
//
// [Lint] finds what is allowed on write and unwise all the same: an issuer that
// everybody has an account at, a policy that never decides. Each lint is a row of
// one table with the reason for it and the clause or threat behind it;
// docs/lint.md lists them, and an annotation suppresses one for a while.
//
// [Reach] finds every way in which somebody can end up with a scope at a target:
// tokens that become tokens, policy by policy, across services that hand on what
// was handed to them (RFC 8693 §1.1). It is exact
// on what is finite: issuers, clients, targets, scopes, flows, what proves a
// scope, the depth of act (RFC 8693 §4.1), modes, ends. What a token or a clock
// will say (conditions, audiences, actors, the policies that stand before) is
// shown beside each hop, and never claimed to hold or to fail. [Compare] tells
// what a change makes reachable, and what no longer is.
//
// Everything is a function of a snapshot and an instant. The package imports
// catalog, exchange and expr (which claims an expression reads), and must not
// import those that decide: what it says is worth more as a second opinion.
package analysis

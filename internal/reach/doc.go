// Package reach answers one question: who can end up with what? It follows what a
// whole revision of the catalogue allows, not an exchange.
//
// [Find] finds every way in which somebody can end up with a scope at a target:
// tokens that become tokens, policy by policy, across services that hand on what
// was handed to them (RFC 8693 §1.1). It is exact on what is finite: issuers,
// clients, targets, scopes, flows, what proves a scope, the depth of act
// (RFC 8693 §4.1), modes, ends. What a token or a clock will say (conditions,
// audiences, actors, the policies that stand before) is shown beside each hop,
// and never claimed to hold or to fail. [Compare] tells what a change makes
// reachable, and what no longer is; [Everything] what lint asks of single
// policies and clients.
//
// Everything is a function of a snapshot and an instant. The package imports
// catalog and exchange, and must not import those that decide, since what it says
// is worth more as a second opinion, nor analysis, which judges by it.
package reach

// Package policy answers one question: may they?
//
// An [Engine] turns a revision of the catalogue into an exchange.Decider. A
// decision has two halves, because who may not ask must learn nothing of
// tokens:
//
//  1. Admit, before any token is read: which targets are meant (RFC 8693 §2.1,
//     RFC 8707 §2), and is there a policy for this client and all of them?
//  2. Decide, with the believed tokens: the policies that also name issuer and
//     token type, take the token's audience and fit its actor (RFC 8693 §4.1,
//     §4.4; actors.go), in order of priority, then name. The first whose
//     conditions hold decides, alone: rights are never the union of two
//     policies, and scopes never choose one. A condition that errs denies.
//
// Nothing is allowed by default: what no policy names is refused, and an empty
// list means nobody. What is granted is exchange.Ceiling's to compute; this
// package only finds the policy and the targets, and so cannot widen anything.
//
// Guardrails may then forbid what the ceiling gives, and shadow policies are
// tried for the record; neither can add anything.
//
// Everything is indexed when it is compiled, so that 10,000 policies cost a
// decision what 10 do. A compiled Decider never changes; time is the request's.
//
// The package must not import trust, mint or audit, and knows no HTTP, no SQL
// and no JOSE.
package policy

// Package trust answers one question: whom do we believe?
//
// It owns the trust list at work: the entries of a [catalog.Snapshot], the keys
// of their issuers and the judgement of a token by its issuer's entry.
// [Trust.Verifier] is that judgement for one snapshot, an [exchange.Verifier].
//
// # One token
//
// The first failure answers, in the order of the steps; the caller learns the
// reason and nothing else (RFC 8725 §3):
//
//  1. Form: a JWS in its one right spelling, its iss a string (package jws).
//  2. Entry: iss is an entry's issuer byte for byte (RFC 7519 §7.3, RFC 8725
//     §3.8), the entry is in force and takes this role and token type. A token
//     of nobody that we know costs no cryptography and no connection.
//  3. Header: typ fits the token type (RFC 8725 §3.11), alg is in the entry's
//     list (RFC 8725 §3.1).
//  4. Proof: the key that kid names among the keys of this entry (RFC 8725
//     §3.10), then the signature.
//  5. Claims, none of them read before the proof: the kind of token, aud, exp,
//     nbf and iat, sub and how it maps, scopes, act and may_act, cnf.
//
// Tokens that Strait issued itself go the same way under the reserved name
// "self", with our own keys and the rule of what a client serves.
//
// # Keys
//
// An entry has its keys inline, or they are fetched: from its jwksUri, or
// through the issuer's metadata (OpenID Connect Discovery 1.0 §4, RFC 8414 §3).
// Fetched keys are kept ahead of need by [Trust.Run] and read from an atomic
// pointer. A request waits for a fetch only where there are no keys at all, or
// where a kid is new; how often that can happen is bounded, however many
// strange kids come. Keys belong to one entry and are never looked up across.
//
// The package imports exchange, catalog, jws and fetch; it knows no HTTP, no
// SQL and no policy.
package trust

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
// "self", with our own keys and the rule of who may present them for what: to
// exchange, to introspect, to revoke. No other token is believed for the latter
// two, and nobody is asked about one.
//
// # Opaque tokens
//
// An access token that is no JWT is asked about at its issuer (RFC 7662 §2,
// package introspect). Which issuer that is, configuration says: the entry whose
// tokenPrefix fits, else the only one without a prefix among the client's
// policies. The issuer's answer takes the place of steps 3 and 4, and is judged
// like claims. A JWT is never sent anywhere, unless it has such a prefix.
//
// # Keys, and what is remembered
//
// Package keysource keeps the keys of each entry ahead of need. A token that was
// verified less than 30 s ago is known by the SHA-256 of its bytes, with the key
// that proved it; if that is still the key which its kid names, its signature is
// not computed again. Everything else, each time.
//
// The package imports exchange, catalog, jws, fetch, keysource and introspect;
// it knows no HTTP, no SQL and no policy.
package trust

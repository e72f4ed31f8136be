// Package jws answers one question: is this one signed object, spelled the one
// right way, and signed by this key?
//
// [Parse] reads a JWS in the compact form (RFC 7515 §7.1) whose payload is a
// JSON object, as every JWT is (RFC 7519 §7.2), and refuses all that could be
// read in two ways: padding, line breaks and unused bits in base64url,
// duplicate members, invalid UTF-8, numbers that no column could hold. What it
// accepts has one spelling; only the signature of an elliptic curve can still
// be exchanged for another valid one, so replay is never judged by the bytes of
// a token. [Object.Verify] checks the signature with the standard library alone
// (RFC 7518 §3). [ParseKeySet] reads a JWK Set key by key (RFC 7517 §5), and
// [KeySet.Select] names the one key that a token may be checked with.
//
// Nothing in a token ever chooses a key but kid, and kid chooses only among the
// keys that the caller already trusts: jwk, jku, x5u and x5c of a header are
// left unread (RFC 8725 §3.10). There is no algorithm "none", no MAC and no
// encryption (RFC 8725 §3.1).
//
// The package owns the JOSE formats. It knows no issuers, no clocks and no
// claims beyond their being JSON, and imports none of our packages. The
// signatures are held against the vectors of Project Wycheproof.
package jws

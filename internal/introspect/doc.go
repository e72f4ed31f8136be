// Package introspect answers one question: is this opaque token active, in the
// eyes of its issuer?
//
// It is the client side of RFC 7662: [Client.Ask] sends a token to the one
// endpoint that the issuer's entry names, authenticated by the entry's client
// secret, through the guards of package fetch. The token and the secret go
// there and nowhere else; redirects are not followed.
//
// An answer counts only if it says "active": true, a JSON true, in an object
// without duplicate members (RFC 7662 §2.2). What else it says is for package
// trust to judge, anew at each use.
//
// A positive answer is remembered for 30 s at most, by the SHA-256 of the
// token; a negative one or a failure never. At most 32 questions to one issuer
// are open at a time.
//
// The package imports exchange, fetch and jws. It knows no entries and no
// policy.
package introspect

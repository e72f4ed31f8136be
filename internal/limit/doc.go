// Package limit answers: how often? It tells the front door when a client, or
// the address that it calls from, must wait before it asks again (429 with
// Retry-After, RFC 6585 §4), so that a secret cannot be guessed at speed (RFC
// 6749 §2.3.1) and one caller cannot take the service from the others.
//
// A [Gate] is one limit over many keys: so many a second, so many at once.
// [Limits] are the gates of the token endpoint. Failures are counted for a
// client together with the address they come from: whoever guesses keeps
// neither other clients nor the same client elsewhere out, and what is spent
// comes back bit by bit rather than after a lockout.
//
// Each key costs sixteen bytes or so in a table of bounded size, and a
// question takes a fraction of a microsecond. The limits are a replica's own:
// nothing is shared, nothing waits for a database. The package imports none of
// ours; the clock is handed in.
package limit

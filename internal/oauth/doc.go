// Package oauth is the OAuth 2.0 front door. It answers one question: what did
// the caller of an endpoint say, and how is our answer spelled?
//
// It owns the strict reading of forms (RFC 6749 §3.2, App. B), client
// authentication (RFC 6749 §2.3), the way from the parameters of RFC 8693 §2.1
// to an [exchange.Request], the one table from a refusal to its status and
// JSON (RFC 6749 §5.2, RFC 8693 §2.2.2), the two metadata documents (RFC 8414
// §3) and the published key set (RFC 7517 §5). What may be issued is decided
// by [exchange.Service] alone, and so is what a token stands for.
//
// One request to /token passes these steps, each in a file of its own name:
//
//  1. form: the body is read once, by us, or the request is refused.
//  2. client: exactly one method of authentication, and it holds; who asks or
//     fails too often waits (limits.go).
//  3. grant: the parameters become an exchange, and the exchange is run.
//  4. answer, or the refusal from the one table in refusal.go.
//
// One to /introspect (RFC 7662) or /revoke (RFC 7009) passes the same steps 1
// and 2 (endpoint.go), then asks about its one token (inspect.go).
//
// fosite gives the frame of the token endpoint (it calls steps 2 and 3) and is
// used here alone. It never reads a form, compares a secret or writes an
// answer: provider.go says what of it is shut off, and why. Each of its
// defects that we work around has a test in defects_test.go.
//
// The package depends on exchange and on nothing else of ours; it knows no
// listeners, no catalogue and no keys. What it serves is mounted by whoever
// calls [Handler.Routes].
package oauth

// Package keysource answers one question: where do an issuer's keys come from,
// and are they fresh?
//
// A [Spec] says where: written in the entry, at a URL (RFC 7517 §5), or through
// the issuer's metadata (OpenID Connect Discovery 1.0 §4, RFC 8414 §3). The
// [Keeper] makes a [Source] of each, takes those that did not change over from
// one trust list to the next, and fetches ahead of need.
//
// # Fetched keys
//
// A request reads an atomic pointer. It waits for a fetch only where there are
// no keys at all, or where a kid is new, and how often that can happen is
// bounded, however many strange kids come:
//
//  1. One fetch at a time an issuer; who waits for it may go away.
//  2. A refresh is due when Cache-Control says so, within [1 min, 24 h] and
//     jittered (RFC 9111 §5.2.2.1), and is done in the background.
//  3. An unknown kid leads to at most one fetch a cool-down of 30 s. A kid that
//     it did not bring is remembered as strange.
//  4. After a failure there is none for a cool-down, and the old keys serve
//     until the entry's maxStale is over (stale-if-error, RFC 5861 §4); then
//     [ErrUnavailable]. There is no default key.
//
// Keys belong to one entry and are never looked up across: two entries with the
// same URL have a source each. Nothing but the entry, and for discovery the
// issuer's own document within the hosts that the entry names, says where a
// connection goes.
//
// The package owns fetched keys. It imports jws and fetch alone, and knows no
// tokens, no catalogue and no policy.
package keysource

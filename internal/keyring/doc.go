// Package keyring answers one question: what do we sign with?
//
// It owns the signing keys (one an algorithm: ES256, EdDSA, RS256) and the
// pepper of the client secrets. On the first start it makes them; from then on
// they live in the database, each sealed with a data key of its own, and each
// data key wrapped by a key-encryption key ([KEK]) that lives in a folder,
// never in the database. Who has one of the two has nothing.
//
// The [Ring] is what the rest uses: [Ring.Sign] signs a token's payload,
// [Ring.JWKS] is the published key set (RFC 7517 §5) with its ETag, prepared
// once a load, [Ring.Public] finds a key of ours by its kid, which is the RFC
// 7638 thumbprint. All of them read one atomic pointer: no lock, no database.
//
// A key is next (published, not yet used), active (signs) or retired (still
// published, signs no more). Today keys are born active; rotation walks them
// through the three states.
//
// The package imports none of ours; it speaks to the database through [Store].
// It knows no claims and no HTTP.
package keyring

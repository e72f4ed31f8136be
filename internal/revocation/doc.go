// Package revocation answers: what no longer holds? It keeps in memory what was
// revoked, as far as it can still matter, so that an exchange asks without a
// lock, an allocation or the database.
//
// [Set] satisfies exchange.Revocations and exchange.Revoker. What it knows is a
// state of one revision, which never changes: a newer one takes its place whole.
// A state has the ids of tokens of ours, found by the database when the order
// was kept, descendants among them; and rules for what is in no record: tokens
// of other issuers, our own by subject and key, and exchanges under way. An id
// costs 27 bytes or so. Both fall out when nothing they could reach can still
// be alive: tokens of ours live 24 hours at most, foreign ones are accepted for
// 400 days at most (maxTokenAge).
//
// A state is good for as long as the database is known to have no newer one.
// Who reads the revision says so ([Set.Seen]); after ten seconds without word,
// [Set.State] refuses to answer, and nothing is issued.
//
// The package imports exchange alone. It knows no SQL ([Store] is satisfied by
// postgres) and decides neither what descends from what nor who may revoke.
package revocation

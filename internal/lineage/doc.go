// Package lineage answers one question: where did a token come from, and what
// was made of it?
//
// It owns the tree of an exchange: [New] makes it of the records that belong
// together, from the root (whose subject token was not ours) through all that
// was exchanged from its token, denied attempts among them, down to the leaves.
// [Draw] draws it for people; its JSON is the answer of the admin API.
//
// An edge is a subject token (`parent`). An actor token of ours is no edge, since
// what was issued speaks of the subject; it is a cross link, named at both ends.
//
// The package depends on exchange alone: it knows no SQL, no HTTP and no chain
// of hashes. Which records belong together, the store finds (package postgres).
package lineage

// Package audit answers: what happened? It keeps one record of every exchange,
// issued or denied, durable before the answer leaves.
//
// [Recorder] satisfies exchange.Recorder. Exchanges that wait at the same time
// share a transaction (group commit): the writer takes what has queued up
// meanwhile, commits it, and only then lets each of them answer. A record that
// cannot be written is an error, and its token does not leave; there is no
// asynchronous commit, no dropping and no best effort, not even as a setting.
//
// The records of a writer are a chain. Each holds writer, seq and prevHash,
// the hash of the one before; its own hash is the SHA-256 of its canonical
// JSON (RFC 8785), which is what is stored. The columns beside it are copies
// for filters. At intervals and on stop the head is signed ([Checkpoint], a
// JWS as in RFC 7515), kept, and may be anchored outside ([Anchor]).
// [Verify] proves all that again, from the database or from an export.
// docs/adr/0002-hash-chain.md says why chains and not a Merkle log.
//
// The package imports exchange alone. It knows no SQL ([Store] is satisfied by
// postgres), holds no key, and never sees a token.
package audit

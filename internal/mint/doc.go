// Package mint answers one question: what do they get?
//
// It owns the issued token: its closed list of claims (contract §3, RFC 9068
// §2.2, RFC 8693 §4), the last narrowing check before the signature, the
// signature's place and the reading back after it. A [Minter] satisfies
// exchange.Minter.
//
// The order of a mint:
//
//  1. Write the claims of the grant as JSON.
//  2. Read these very bytes strictly, and hold each claim against the ceiling
//     of the grant once more (check.go). This code shares nothing with the one
//     that computed the grant, so that a mistake there is stopped here.
//  3. Sign. No other payload can reach the signer.
//  4. Read the token back: parsed as strictly as a stranger's, header exact,
//     payload the checked bytes (docs/adr/0003-read-back.md).
//
// A failed check is a fault of ours: it is logged, and the answer is
// signer_unavailable, never a token.
//
// The package must not import trust, policy or audit, and knows no HTTP and no
// database; its keys come through [Keys].
package mint

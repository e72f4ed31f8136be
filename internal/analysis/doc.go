// Package analysis answers one question: what is allowed and unwise? It judges a
// whole revision of the catalogue, not an exchange.
//
// [Lint] finds what is allowed on write and unwise all the same: an issuer that
// everybody has an account at, a policy that never decides, and, by the log's
// [Usage], what nobody uses. Each lint is a row of one table with the reason for
// it and the clause or threat behind it; docs/lint.md lists them, and an
// annotation suppresses one for a while.
//
// Everything is a function of a snapshot, an instant and what [Options] adds. The
// package imports catalog, exchange, expr (which claims an expression reads) and
// reach (which policies can issue, and for whom), and must not import those that
// decide: what it says is worth more as a second opinion.
package analysis

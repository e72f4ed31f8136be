// Package rehearsal answers one question: what would happen?
//
// [Stage.Rehearse] runs exchange.Service.Exchange itself, the function behind
// /token, with three of its parts swapped: a Verifier that also takes claims
// that somebody wrote down ([Judge]), a Minter that ends where signing would
// begin (mint.Preview), and a Recorder that keeps nothing, so that no token is
// issued, no record is written and no single-use token is used up. What it
// tells is therefore what /token does, not what a second reading of the rules
// says.
//
// `strait explain`, POST /admin/v1/explain and the tests of policies (package
// suite) are built on it.
//
// There is no signer in its reach: it must not import keyring, and it must not
// know HTTP, SQL or files.
package rehearsal

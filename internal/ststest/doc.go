// Package ststest is the test kit: what tests of several packages need and no
// program may import.
//
//   - [NewDatabase] and [Migrated] give a test a PostgreSQL database of its own.
//   - [NewIssuer] starts a throw-away identity provider with keys, metadata (RFC
//     8414 §3) and a key set (RFC 7517 §5), which can rotate and fail.
//   - [NewKey], [Sign] and [KeySet] make keys and tokens as wrong as a test needs
//     them (RFC 7515 §7.1).
//   - [LoadCases] and [Fixture] read the cases of testdata/security-cases.json
//     that are about tokens, and make those tokens.
//
// Nothing in it is kept: keys are made anew by each test. It must not import
// the packages whose own tests use it from within, such as trust and jws.
package ststest

// Package conformance answers: does the whole keep the standards? It holds no
// code, only tests that run the real program over HTTP with a real PostgreSQL
// and a clock of their own, and manage it as a user would:
//
//   - the table of clauses (RFC 8693, 6749, 9068, 8707, 8414, 9457 and what a
//     presented token must be), which prints docs/rfc8693.md: make generate;
//   - the attack cases of testdata/security-cases.json by id, with the table of
//     those that wait for a feature;
//   - that the documentation is true, that nothing is told about secrets, and
//     that a database that goes away is survived.
//
// What a clause means inside one package is that package's own test. Nothing
// may import this one.
package conformance

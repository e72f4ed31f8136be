// Package conformance answers: does the whole keep the standards? It holds no
// code, only tests that run the real program over HTTP with a real PostgreSQL:
// the table of clauses (RFC 8693 and its neighbours) that prints
// docs/rfc8693.md, and the attack cases of testdata/security-cases.json by id.
package conformance

// Package arch keeps the layout true. It holds no code, only tests that parse
// the tree in-process (one that shells out to go list would stay green from
// the test cache): which packages there are, who may import whom, that each
// says what it answers, and the few habits that a linter cannot see.
//
// docs/architecture.md is the prose to these rules.
package arch

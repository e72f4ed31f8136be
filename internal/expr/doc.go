// Package expr answers one question: does this expression of an
// administrator's hold? It is the only user of cel-go.
//
// Manifests hold CEL (https://cel.dev) in six places, each a [Kind] with its
// own variables and type of result: an issuer's claimValidationRules and
// subject mapping, a policy's conditions and issue.claims, guardrails, admin
// grants. [Compiler.Compile] turns source into a [Program] when a manifest is
// written, and again, from its cache, when a revision is loaded; what does not
// type-check is refused there, with line and column. A Program is evaluated
// against an [Activation], which one exchange builds once for all conditions.
//
// What an expression can do is closed, because its author and the token's
// author may both be somebody else:
//
//   - Functions are a short list ([Functions]); none reads a clock, a file, the
//     network or the host's time zones, and no map is walked in random order.
//     The same claims give the same result on every replica.
//   - Source, nesting, cost and size are limited, so that neither a policy nor
//     a token can hold a worker.
//   - Fields are typed: subject.isuer is refused on write. Claims are not, for
//     a token says what it likes: an absent claim is an error.
//   - Numbers are exact (RFC 8259 §6 leaves precision to the reader): a number
//     that neither an int, a uint nor a double can hold is an error, never a
//     rounded value.
//   - Every error denies. Its text holds nothing that a token said.
//
// docs/cel.md tells authors all this, with examples that a test runs.
//
// The package imports exchange alone. It decides nothing: what a false
// condition means is policy's to say, what a failed rule means is trust's.
package expr

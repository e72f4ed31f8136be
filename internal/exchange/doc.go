// Package exchange is the use case, and the words that everybody shares.
//
// One exchange trades the tokens that a client holds for a narrower one
// (RFC 8693 §2). [Service.Exchange] is that use case, in five steps: believe,
// decide, mint, record, answer. The steps are done by others, behind the four
// interfaces declared here: [Verifier] (package trust), [Decider] (package
// policy), [Minter] (package mint) and [Recorder] (package audit). Those four
// never import each other; they meet here.
//
// The package also holds what must be the same for all of them: the verified
// [Token], the [Grant] that cannot be built wider than its [Ceiling], the
// [Record] of a decision, the closed list of reasons ([Reason]), and the
// [Trace] that explain listens with.
//
// It imports none of our packages and knows no HTTP, no SQL and no JOSE.
package exchange

// Package suite answers one question: do the policies do what their tests say?
//
// A suite is the ExchangeTest documents that stand beside the manifests
// (`strait test -f DIR`). Each has tokens, which are claims rather than tokens,
// a fixed instant, and tests: a request and what it is expected to come to.
// [Read] reads a document, every fault with its line; [Run] rehearses each
// request (package rehearsal) on the World of the same manifests. A list of
// clients, subjects, audiences or scopes stands for each of them, "*" for all
// that there are.
//
// What no test of a document lists is expected to be denied: Run also rehearses
// every client with every token of the document, for every target and scope. So
// a document is the whole list of what its tokens are good for.
//
// The package reads no environment, opens no connection and knows no command.
package suite

// Package app wires everything once, for serve and for the end-to-end tests.
//
// [Start] brings the parts up in the order in which they need each other:
// listeners (so that the issuer can follow from a free port), the database,
// the keys, the catalogue, the [exchange.World] that decides, the recorder,
// the endpoints. [App.Stop] takes them down in the opposite order: not ready,
// drain, flush, database.
//
// It is the only package that knows all others, and decides nothing itself.
package app

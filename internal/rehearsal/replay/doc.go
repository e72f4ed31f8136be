// Package replay answers one question: what would these manifests have decided
// otherwise?
//
// [Run] takes records of exchanges one by one, has each decided again by a Stage
// of the manifests that are proposed, at the instant of its record, and gathers
// what would be newly allowed, newly denied or issued otherwise. A record that
// does not tell what a proposed rule reads is unknown: nothing is guessed. Memory
// does not grow with the number of records.
//
// It must not know HTTP, SQL or files, nor how an export spells a record.
package replay

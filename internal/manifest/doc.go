// Package manifest answers one question: how do manifests stand in files?
//
// It reads YAML and JSON, one or many documents a file, files or folders, and
// says for every fault in which line it is; it finds the secrets that a manifest
// only points to; it writes objects as YAML and shows how two sets of objects
// differ. Commands use it, the server does not.
//
// What a document means is for package schema. YAML becomes JSON first, so both
// have one meaning: no anchors, no tags, no numbers but decimal ones, and dates
// stay strings. ExchangeTest documents are marked and left to those who run
// them.
package manifest

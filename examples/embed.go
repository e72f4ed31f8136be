// Package examples holds the manifests that the documentation speaks of, so
// that the demo applies the very files that people read. A test applies each
// folder. It owns no code but the embedding.
package examples

import "embed"

// Quickstart is the folder quickstart: one trusted issuer, one target, one
// client and one policy, in the order in which they are read best.
//
//go:embed quickstart/*.yaml
var Quickstart embed.FS

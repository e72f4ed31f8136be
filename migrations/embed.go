// Package migrations answers: which tables are there? It holds the schema of
// the database as numbered goose migrations and nothing else; package postgres
// applies them as the owner's role.
//
// A migration that has been released is never changed; the next one is.
package migrations

import "embed"

// Files are the migrations, in the order of their names.
//
//go:embed *.sql
var Files embed.FS

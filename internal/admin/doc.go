// Package admin is the admin API, /admin/v1: how do administrators read and
// change the catalogue, and read what happened?
//
// It owns the HTTP side alone: who may enter ([New] takes the bootstrap token),
// the routes, strict bodies and queries, pages, entity tags and preconditions
// (RFC 9110 §13), and the errors as problem documents (RFC 9457). What a valid
// object is, package catalog decides; what is kept of an exchange, package
// audit. The routes and bodies are written down in api/openapi.yaml, the
// problem types in docs/errors.md; tests hold the answers against both.
//
// It must not depend on the OAuth side (packages oauth, trust, policy, mint)
// nor on PostgreSQL, and it knows no listener.
package admin

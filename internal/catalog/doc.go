// Package catalog answers one question: what do admins write?
//
// It owns the kinds of manifests, the [Snapshot] of all objects at one revision,
// immutable and whole, and the way of a write to a new revision:
// [Catalog.Apply] works out the catalogue that would result, has it checked as a
// whole, then commits it or changes nothing.
//
//   - [Object] and the specs are the manifests' fields; [Object.Canonical] is
//     their JSON as it is stored, hashed and answered, never with a secret.
//   - [NewSnapshot] puts objects together; its accessors are typed and sorted.
//   - [Catalog] keeps the newest snapshot of a [Store] and writes to the store.
//
// How an object is read and which rules hold (package schema), and what only
// trust and policy can judge, reaches it as functions in [Options], which app
// hands in. It imports exchange alone and knows no HTTP, no SQL and no YAML.
package catalog

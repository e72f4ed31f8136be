// Package schema answers one question: is this manifest sound?
//
// It reads one object from JSON, strictly ([DecodeJSON]): an unknown field, a
// field twice, a wrong type or a field that is not built yet is an error with
// its JSON Pointer (RFC 6901) and the mend. It fills in the defaults and holds
// the rules of the object by itself. [Check] holds the rules between objects:
// names that lead somewhere, values that only one object may claim, words that
// are Strait's own.
//
// Everything here is a pure function: no clock, no store, no network. The types
// are package catalog's, which calls these functions and is not called. What is
// promised and has no effect yet stands in one table, in notyet.go.
package schema

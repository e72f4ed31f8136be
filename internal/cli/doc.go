// Package cli is the commands of strait: what does a person or a script type,
// and what is printed?
//
// [Run] is the whole program but for the process: arguments, environment and
// streams are handed in, the exit code comes back (0 done, 1 failed or there is
// a difference, 2 wrong usage), so that the transcripts in testdata/script are
// the program's own tests. This package is the tree of commands, and those about
// the server itself: serve and migrate act on this machine through packages app
// and postgres. The others stand in groups below it: objects, what the server
// keeps; judge, what is decided; records, what happened; console is what all of
// them have in common. They are callers of the admin API (package client) or of
// /token, as anybody could write them.
//
// Secrets are never flags, since flags are seen by every process: they come
// from files and from environment variables.
package cli

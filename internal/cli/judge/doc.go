// Package judge is the commands that ask what is decided: exchange asks /token,
// explain why, test, lint and reach what manifests would do, offline or of the
// server's catalogue. None of them changes anything.
package judge

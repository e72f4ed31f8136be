// Package server is HTTP in and out: the listeners, the routes on gorilla/mux,
// limits, timeouts, request ids, the caller's address, the access log, health.
// It answers one question: how does a request reach the handler that serves
// it, and what holds for every request whatever the handler? It knows no OAuth
// and depends on no package of ours: what it serves are plain handlers
// ([Route]) that are handed in.
//
// Three listeners: public (the OAuth endpoints), admin (the admin API, health,
// metrics) and, where asked for, probe (health and metrics alone). [Listen]
// binds them, so that real ports are known before anything else is built;
// [Server.Serve] begins to answer; [Server.Shutdown] drains.
//
// Paths are matched as they came: no cleaning, no redirect, no decoding that
// turns one path into another. Routes are mounted without methods, since only
// the handler knows how to word its 405 (RFC 9110 §15.5.6).
//
// A handler finds settled what would else be settled twice: RemoteAddr is the
// caller's address, a trusted proxy's word on it included, and the header
// X-Request-Id (or [RequestID]) is well-formed and the same as in the log.
package server

// Package telemetry answers: what is it doing? It makes the log ([NewLogger])
// and keeps the Prometheus metrics ([Metrics]).
//
// Nothing secret can be logged by accident: tokens and secrets are
// [exchange.Secret], which shows itself as "[redacted]", and the log's handler
// besides drops the value of any attribute whose name says that it is secret.
// Metric labels are closed sets (decision, reason), never a client, issuer or
// subject that a stranger could invent.
package telemetry

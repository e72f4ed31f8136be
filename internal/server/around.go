package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
	"time"
)

// around is what happens to every request of a listener, found or not: it gets
// an id and its caller's address, a panic becomes a 503, and one line of log
// says what came of it.
func (s *Server) around(listener string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		r = s.settle(r)
		head := w.Header()
		head.Set("X-Request-Id", RequestID(r.Context()))
		head.Set("X-Content-Type-Options", "nosniff")
		if len(r.TransferEncoding) > 0 {
			// A length beside the chunks would have been dropped without a
			// trace, so that what follows may be smuggled: the connection ends
			// here (RFC 9112 §6.3).
			head.Set("Connection", "close")
		}
		a := &answer{ResponseWriter: w}
		defer func() {
			thrown := recover()
			if thrown != nil {
				s.caught(r, a, thrown)
			}
			s.logAccess(listener, r, a, time.Since(began))
		}()
		next.ServeHTTP(a, r)
	})
}

// settle is the request with its id and the caller's address.
func (s *Server) settle(r *http.Request) *http.Request {
	id := requestID(r.Header.Values("X-Request-Id"))
	r = r.WithContext(context.WithValue(r.Context(), requestIDKey{}, id))
	r.Header.Set("X-Request-Id", id)
	r.RemoteAddr = callerAddress(r, s.proxies)
	return r
}

// caught answers for a handler that panicked. What was thrown may hold
// anything, a token too: only the runtime's own errors are logged with their
// text.
func (s *Server) caught(r *http.Request, a *answer, thrown any) {
	if err, isError := thrown.(error); isError && errors.Is(err, http.ErrAbortHandler) {
		panic(thrown)
	}
	fault := fmt.Sprintf("panic of type %T", thrown)
	if err, isRuntime := thrown.(runtime.Error); isRuntime {
		fault = err.Error()
	}
	s.log.ErrorContext(r.Context(), "a handler panicked", "requestId", RequestID(r.Context()), "fault", fault, "stack", string(debug.Stack()))
	if a.status == 0 {
		a.Header().Set("Retry-After", "5")
		plain(a, http.StatusServiceUnavailable)
	}
}

// logAccess writes the line. It has no path, query, header or body of the
// request: those can hold tokens. Only public requests are worth a line each;
// probes come every few seconds, and changes have records of their own.
func (s *Server) logAccess(listener string, r *http.Request, a *answer, took time.Duration) {
	level := slog.LevelInfo
	if listener != "public" {
		level = slog.LevelDebug
	}
	if !s.log.Enabled(r.Context(), level) {
		return
	}
	s.log.LogAttrs(r.Context(), level, "request",
		slog.String("listener", listener), slog.String("method", r.Method[:min(len(r.Method), 16)]), slog.String("route", a.route),
		slog.Int("status", a.status), slog.Int64("bytes", a.bytes), slog.Duration("took", took),
		slog.String("remote", r.RemoteAddr), slog.String("requestId", RequestID(r.Context())))
}

// answer remembers what was answered, and by which route.
type answer struct {
	http.ResponseWriter
	route  string
	status int
	bytes  int64
}

// WriteHeader remembers the status.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write counts the bytes.
func (a *answer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	n, err := a.ResponseWriter.Write(b)
	a.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

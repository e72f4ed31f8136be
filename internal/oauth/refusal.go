package oauth

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/strait-sts/strait/internal/exchange"
)

// retryLater is when to try again after a fault of ours.
const retryLater = 5 * time.Second

// refusal is an exchange.Error with what only HTTP knows of it.
type refusal struct {
	cause     *exchange.Error
	status    int           // 0: what belongs to the code
	allow     string        // with 405 (RFC 9110 §15.5.6)
	challenge bool          // authentication was tried by header (RFC 6749 §5.2)
	wait      time.Duration // with 429: until when
}

func (r *refusal) Error() string { return r.cause.Error() }

// Unwrap gives the refusal that has no HTTP in it.
func (r *refusal) Unwrap() error { return r.cause }

// asRefusal makes a refusal of any error. What nobody foresaw is our fault and
// not the caller's, so that an error of fosite's is never a 4xx, and its text
// stays inside.
func asRefusal(err error) *refusal {
	if no, ok := errors.AsType[*refusal](err); ok {
		return no
	}
	if cause, ok := errors.AsType[*exchange.Error](err); ok {
		return &refusal{cause: cause}
	}
	return &refusal{cause: exchange.Unavailable("", err)}
}

// statusCode is the status column of the one error table. There is no 403: a
// gateway would take it for its own fault.
func (r *refusal) statusCode() int {
	switch {
	case r.status != 0:
		return r.status
	case r.cause.Code == exchange.InvalidClient:
		return http.StatusUnauthorized
	case r.cause.Reason == exchange.RateLimited:
		return http.StatusTooManyRequests
	case r.cause.Code == exchange.TemporarilyUnavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusBadRequest
}

// errorBody is the JSON of RFC 6749 §5.2 with two members of ours.
type errorBody struct {
	Error       exchange.Code   `json:"error"`
	Description string          `json:"error_description"`
	Reason      exchange.Reason `json:"reason,omitempty"`
	DecisionID  exchange.ID     `json:"decision_id,omitempty"`
}

// writeRefusal spells the refusal. A failed authentication has one body for
// all its causes.
func (h *Handler) writeRefusal(w http.ResponseWriter, c *call, no *refusal) {
	body := errorBody{Error: no.cause.Code}
	if c.recorded {
		body.DecisionID = c.request.ID
	}
	reason := no.cause.Reason
	if !h.o.ErrorDetail || no.cause.Code == exchange.InvalidClient {
		reason = ""
	}
	body.Reason, body.Description = reason, describe(no.cause.Code, reason)
	if reason == exchange.MalformedRequest && c.endpoint.malformed != "" {
		body.Description = c.endpoint.malformed
	}
	status := no.statusCode()
	if no.allow != "" {
		w.Header().Set("Allow", no.allow)
	}
	if no.challenge && status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="strait", error="invalid_client"`)
	}
	if no.cause.Code == exchange.TemporarilyUnavailable {
		w.Header().Set("Retry-After", no.retryAfter())
	}
	h.writeJSON(w, c, status, body)
}

// writeJSON writes every answer that has a body; none may be cached.
func (h *Handler) writeJSON(w http.ResponseWriter, c *call, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil { // strings and numbers cannot fail to marshal
		panic(err)
	}
	forbidKeeping(w)
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	if c.recorded {
		w.Header().Set("X-Strait-Decision", string(c.request.ID))
	}
	w.WriteHeader(status)
	if _, err := w.Write(text); err != nil {
		h.o.Logger.Debug("answer not delivered", "err", err, "requestId", c.request.Origin.RequestID)
	}
}

// forbidKeeping: what is said of tokens is for this moment (RFC 6749 §5.1, RFC
// 7662 §4).
func forbidKeeping(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Pragma", "no-cache")
}

package oauth

import (
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"runtime/debug"

	"github.com/ory/fosite"

	"github.com/strait-sts/strait/internal/exchange"
)

const tokenPath = "/token"

// serveToken is the token endpoint (RFC 6749 §3.2, RFC 8693 §2).
func (h *Handler) serveToken(w http.ResponseWriter, r *http.Request) {
	c := &call{request: &exchange.Request{Time: h.o.Clock(), Origin: originOf(r)}}
	defer h.rescue(w, r, c)
	answer, err := h.decide(w, r, c)
	if err != nil {
		h.refuse(w, r, c, asRefusal(err))
		return
	}
	h.count(c, exchange.OutcomeIssued, "")
	h.writeJSON(w, c, http.StatusOK, answer.ToMap())
}

// decide takes the request through the steps: form, client, grant. The world
// is loaded once, here.
func (h *Handler) decide(w http.ResponseWriter, r *http.Request, c *call) (fosite.AccessResponder, error) {
	id, err := exchange.NewID(c.request.Time, h.o.Rand)
	if err != nil {
		return nil, fmt.Errorf("make a decision id: %w", err)
	}
	c.request.ID, c.request.World = id, h.o.World()
	if c.request.World == nil {
		return nil, exchange.Unavailable(exchange.DatabaseUnavailable, errors.New("no configuration is loaded yet"))
	}
	if wait := h.o.Limits.Source(c.request.Time, c.request.Origin.RemoteAddr); wait > 0 {
		return nil, tooMany(wait, "too many requests from the address")
	}
	form, err := readForm(w, r)
	if err != nil {
		return nil, err
	}
	// With both set, fosite does not read the request again.
	r.Form, r.PostForm = form, form
	requester, err := h.provider.NewAccessRequest(r.Context(), r, c)
	if err != nil {
		return nil, err
	}
	return h.provider.NewAccessResponse(r.Context(), requester)
}

// refuse counts, records where that is still to be done, and answers.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, c *call, no *refusal) {
	switch {
	case no.cause.OurFault():
		h.o.Logger.ErrorContext(r.Context(), "token request not decided", "reason", no.cause.Reason,
			"err", no.cause, "requestId", c.request.Origin.RequestID)
		h.count(c, exchange.OutcomeError, no.cause.Reason)
	case c.request.Client != nil:
		h.count(c, exchange.OutcomeDenied, no.cause.Reason)
		if no.cause.Reason == exchange.RateLimited {
			h.sample(r, c, no)
		}
	default:
		h.o.Metrics.Rejected(kindOf(no))
		h.sample(r, c, no)
	}
	h.writeRefusal(w, c, no)
}

// kindOf is what was wrong with a request that never became an exchange.
func kindOf(no *refusal) string {
	switch {
	case no.cause.Code == exchange.InvalidClient:
		return "client"
	case no.cause.Reason == exchange.RateLimited:
		return "rate"
	}
	return "form"
}

// sample records what was refused without an exchange up to a rate: strangers,
// and who asks too often, are always counted but must not fill the records.
// Without a record there is no decision id to answer with, and still an answer.
func (h *Handler) sample(r *http.Request, c *call, no *refusal) {
	if !h.o.Sampler.Allow() {
		return
	}
	if err := h.o.Service.Reject(r.Context(), c.request, no.cause); err != nil {
		h.o.Logger.WarnContext(r.Context(), "refusal not recorded", "err", err, "requestId", c.request.Origin.RequestID)
		return
	}
	c.recorded = true
}

func (h *Handler) count(c *call, decision exchange.Outcome, reason exchange.Reason) {
	h.o.Metrics.Exchanged(string(decision), string(reason), h.o.Clock().Sub(c.request.Time))
}

// rescue turns a panic into our fault. What was thrown may hold anything, so
// that only the runtime's own errors are logged with their text.
func (h *Handler) rescue(w http.ResponseWriter, r *http.Request, c *call) {
	thrown := recover()
	if thrown == nil {
		return
	}
	if err, isError := thrown.(error); isError && errors.Is(err, http.ErrAbortHandler) {
		panic(thrown)
	}
	fault := fmt.Errorf("panic of type %T", thrown)
	if err, isRuntime := thrown.(runtime.Error); isRuntime {
		fault = fmt.Errorf("panic: %w", err)
	}
	h.o.Logger.ErrorContext(r.Context(), "token request panicked", "stack", string(debug.Stack()))
	c.recorded = false
	h.refuse(w, r, c, asRefusal(fault))
}

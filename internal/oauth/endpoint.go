package oauth

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime"
	"runtime/debug"

	"github.com/strait-sts/strait/internal/exchange"
)

// endpoint is one that a client calls with a form.
type endpoint struct {
	path  string
	words vocabulary
	// answer takes the form to an answer, or says why there is none.
	answer func(h *Handler, w http.ResponseWriter, r *http.Request, c *call, form url.Values) error
	// count counts what an authenticated client's request came to, or our own
	// failure.
	count func(h *Handler, c *call, decision exchange.Outcome, reason exchange.Reason)
	// malformed describes a form that cannot be read; "": as describe has it.
	malformed string
}

// serve is one request to an endpoint: it is read once and without doubt, the
// endpoint answers, or the refusal is spelled.
func (h *Handler) serve(e *endpoint) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &call{endpoint: e, request: &exchange.Request{Time: h.o.Clock(), Origin: originOf(r)}}
		defer h.rescue(w, r, c)
		form, err := h.enter(w, r, c)
		if err == nil {
			err = e.answer(h, w, r, c, form)
		}
		if err != nil {
			h.refuse(w, r, c, asRefusal(err))
		}
	})
}

// enter is step 1, the form. The world is loaded once, here.
func (h *Handler) enter(w http.ResponseWriter, r *http.Request, c *call) (url.Values, error) {
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
	return c.endpoint.words.readForm(w, r)
}

// refuse counts, records where that is still to be done, and answers.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, c *call, no *refusal) {
	switch {
	case no.cause.OurFault():
		h.o.Logger.ErrorContext(r.Context(), "request not decided", "path", c.endpoint.path, "reason", no.cause.Reason,
			"err", no.cause, "requestId", c.request.Origin.RequestID)
		c.endpoint.count(h, c, exchange.OutcomeError, no.cause.Reason)
	case c.request.Client != nil:
		c.endpoint.count(h, c, exchange.OutcomeDenied, no.cause.Reason)
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
// and who asks too often, are always counted but must not fill the records. The
// detail says at which endpoint it was. Without a record there is no decision id
// to answer with, and still an answer.
func (h *Handler) sample(r *http.Request, c *call, no *refusal) {
	if !h.o.Sampler.Allow() {
		return
	}
	told := *no.cause
	if c.endpoint.path != tokenPath {
		told.Detail = c.endpoint.path + ": " + told.Detail
	}
	if err := h.o.Service.Reject(r.Context(), c.request, &told); err != nil {
		h.o.Logger.WarnContext(r.Context(), "refusal not recorded", "err", err, "requestId", c.request.Origin.RequestID)
		return
	}
	c.recorded = true
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
	h.o.Logger.ErrorContext(r.Context(), "request panicked", "path", c.endpoint.path, "stack", string(debug.Stack()))
	c.recorded = false
	h.refuse(w, r, c, asRefusal(fault))
}

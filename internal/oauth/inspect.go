package oauth

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/strait-sts/strait/internal/exchange"
)

const (
	introspectPath = "/introspect"
	revokePath     = "/revoke"
)

// wantsToken describes a form of the endpoints for one token that cannot be
// read.
const wantsToken = "the request is malformed: it must be a POST of a form in which token occurs once, with one way of client authentication"

// introspectEndpoint is that of RFC 7662 §2.
func introspectEndpoint() *endpoint {
	return &endpoint{
		path: introspectPath, words: tokenInHand, malformed: wantsToken, answer: (*Handler).introspect,
		count: func(h *Handler, _ *call, decision exchange.Outcome, _ exchange.Reason) {
			h.o.Metrics.Introspected(outcome(decision))
		},
	}
}

// revokeEndpoint is that of RFC 7009 §2.
func revokeEndpoint() *endpoint {
	return &endpoint{
		path: revokePath, words: tokenInHand, malformed: wantsToken, answer: (*Handler).revoke,
		count: func(h *Handler, _ *call, decision exchange.Outcome, _ exchange.Reason) {
			h.o.Metrics.RevocationAsked(outcome(decision))
		},
	}
}

// outcome is how a request ended that got no answer.
func outcome(decision exchange.Outcome) string {
	if decision == exchange.OutcomeError {
		return "error"
	}
	return "refused"
}

// introspect answers whether the token holds, to a client that serves a target
// of it.
func (h *Handler) introspect(w http.ResponseWriter, r *http.Request, c *call, form url.Values) error {
	if err := h.take(r, c, form); err != nil {
		return err
	}
	standing, err := h.o.Service.Introspect(r.Context(), c.request)
	if err != nil {
		return err
	}
	if standing == nil {
		h.o.Metrics.Introspected("inactive")
		h.writeJSON(w, c, http.StatusOK, map[string]any{"active": false})
		return nil
	}
	h.o.Metrics.Introspected("active")
	h.writeJSON(w, c, http.StatusOK, active(standing))
	return nil
}

// take is step 2, the client, and the token that it came with.
func (h *Handler) take(r *http.Request, c *call, form url.Values) error {
	if err := h.clients.identify(c.request, r.Header.Values("Authorization"), form); err != nil {
		return err
	}
	c.request.Subject = exchange.Presented{Token: exchange.Secret(form.Get("token")), Type: exchange.TypeAccessToken}
	return nil
}

// told are the claims that an introspection answer repeats as the token has
// them (RFC 7662 §2.2, RFC 8693 §4, RFC 8705 §3.2). Those that a policy adds
// stay in the token.
var told = []string{"client_id", "exp", "iat", "sub", "aud", "iss", "jti", "txn", "act", "may_act", "cnf"}

// active is the answer about a token that holds (RFC 7662 §2.2). A token that is
// bound by DPoP says so in token_type (RFC 9449 §6.2).
func active(s *exchange.Standing) map[string]any {
	answer := map[string]any{"active": true, "token_type": "Bearer"}
	for _, name := range told {
		if value, has := s.Token.Claims[name]; has {
			answer[name] = value
		}
	}
	if cnf, isObject := s.Token.Claims["cnf"].(map[string]any); isObject && cnf["jkt"] != nil {
		answer["token_type"] = "DPoP"
	}
	if len(s.Scopes) > 0 {
		answer["scope"] = strings.Join(s.Scopes, " ")
	}
	return answer
}

// revoke ends a token of the client's own. The answer is the same, and empty,
// where there was nothing to end (RFC 7009 §2.2).
func (h *Handler) revoke(w http.ResponseWriter, r *http.Request, c *call, form url.Values) error {
	if err := h.take(r, c, form); err != nil {
		return err
	}
	done, err := h.o.Service.RevokeToken(r.Context(), c.request)
	if err != nil {
		return err
	}
	result := "nothing"
	if done {
		result = "revoked"
		h.o.Logger.InfoContext(r.Context(), "token revoked by its client", "client", c.request.Client.Name, "order", c.request.ID,
			"requestId", c.request.Origin.RequestID)
	}
	h.o.Metrics.RevocationAsked(result)
	forbidKeeping(w)
	w.WriteHeader(http.StatusOK)
	return nil
}

package oauth

import (
	"net/http"
	"net/url"

	"github.com/strait-sts/strait/internal/exchange"
)

const tokenPath = "/token"

// tokenEndpoint is that of RFC 6749 §3.2 and RFC 8693 §2.
func tokenEndpoint() *endpoint {
	return &endpoint{path: tokenPath, words: tokenWords, answer: (*Handler).token, count: (*Handler).countExchange}
}

// token is steps 2 to 4, in fosite's frame: client, grant, answer.
func (h *Handler) token(w http.ResponseWriter, r *http.Request, c *call, form url.Values) error {
	// With both set, fosite does not read the request again.
	r.Form, r.PostForm = form, form
	requester, err := h.provider.NewAccessRequest(r.Context(), r, c)
	if err != nil {
		return err
	}
	answer, err := h.provider.NewAccessResponse(r.Context(), requester)
	if err != nil {
		return err
	}
	h.countExchange(c, exchange.OutcomeIssued, "")
	h.writeJSON(w, c, http.StatusOK, answer.ToMap())
	return nil
}

func (h *Handler) countExchange(c *call, decision exchange.Outcome, reason exchange.Reason) {
	h.o.Metrics.Exchanged(string(decision), string(reason), h.o.Clock().Sub(c.request.Time))
}

package oauth

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ory/fosite"

	"github.com/strait-sts/strait/internal/exchange"
)

// Options is what the front door is made of. All fields but Sampler, Limits
// and Metrics are required.
type Options struct {
	// Service decides. Without Revocations and a Revoker in it, introspection
	// and revocation answer 503.
	Service *exchange.Service
	// World is the configuration of this moment; nil while there is none yet.
	// It is asked once a request.
	World func() *exchange.World
	// Matches says whether digest is of secret. It must cost the same for the
	// digest "", which stands for a client that does not exist.
	Matches func(digest, secret string) bool
	// JWKS is the published key set and its entity tag, quotes included.
	JWKS func() (body []byte, etag string)
	// Algorithms are the JOSE algorithms of the published keys; asked once.
	Algorithms func() []string

	Issuer      string // our issuer identifier (RFC 8414 §2)
	ErrorDetail bool   // whether answers carry the reason
	Clock       func() time.Time
	Rand        io.Reader
	Logger      *slog.Logger

	Sampler Sampler // nil: every refusal is recorded
	Limits  Limits  // nil: there are none
	Metrics Metrics // nil: nothing is counted
}

// Sampler bounds how many refusals of strangers are recorded: what anybody can
// cause at no cost must not fill the records.
type Sampler interface {
	// Allow says whether one more may be recorded now.
	Allow() bool
}

// Metrics counts what happened at the endpoints.
type Metrics interface {
	// Exchanged counts a decision about an authenticated client, or our own
	// failure to come to one; reason is empty where a token was issued.
	Exchanged(decision, reason string, took time.Duration)
	// Rejected counts a request, to any endpoint, whose client was not
	// authenticated; kind is "form", "client" or "rate".
	Rejected(kind string)
	// Introspected counts an introspection of an authenticated client, or our
	// own failure; result is "active", "inactive", "refused" or "error".
	Introspected(result string)
	// RevocationAsked counts a revocation asked for by an authenticated client,
	// or our own failure; result is "revoked", "nothing", "refused" or "error".
	RevocationAsked(result string)
}

// Route is one path of the public listener. Pattern is the whole path, the
// issuer's own included; Handler answers every method itself.
type Route struct {
	Pattern string
	Handler http.Handler
}

// Handler is the front door. It is safe for concurrent use.
type Handler struct {
	o        Options
	provider fosite.OAuth2Provider
	clients  authenticator
	routes   []Route
}

// New makes the front door. An error says that the issuer cannot be served.
func New(o Options) (*Handler, error) {
	issuer, err := url.Parse(o.Issuer)
	if err != nil || issuer.Scheme == "" || issuer.Host == "" || issuer.RawQuery != "" || issuer.Fragment != "" {
		return nil, errors.New("issuer: must be a URL with scheme and host, without query and fragment (RFC 8414 §2)")
	}
	if o.Sampler == nil {
		o.Sampler = everything{}
	}
	if o.Limits == nil {
		o.Limits = unlimited{}
	}
	if o.Metrics == nil {
		o.Metrics = uncounted{}
	}
	clients := authenticator{matches: o.Matches, limits: o.Limits}
	h := &Handler{o: o, provider: newProvider(o, clients), clients: clients}
	path := strings.TrimSuffix(issuer.EscapedPath(), "/")
	for _, e := range []*endpoint{tokenEndpoint(), introspectEndpoint(), revokeEndpoint()} {
		h.routes = append(h.routes, Route{path + e.path, h.serve(e)})
	}
	h.routes = append(h.routes, Route{path + jwksPath, http.HandlerFunc(h.serveJWKS)})
	documents, err := h.metadata(path)
	if err != nil {
		return nil, err
	}
	h.routes = append(h.routes, documents...)
	return h, nil
}

// Routes is what to mount on the public listener, the token endpoint first.
func (h *Handler) Routes() []Route { return h.routes }

type everything struct{}

func (everything) Allow() bool { return true }

type uncounted struct{}

func (uncounted) Exchanged(string, string, time.Duration) {}
func (uncounted) Rejected(string)                         {}
func (uncounted) Introspected(string)                     {}
func (uncounted) RevocationAsked(string)                  {}

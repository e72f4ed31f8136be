package admin

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/strait-sts/strait/internal/analysis"
	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/lineage"
)

// Root is the path that everything here stands under.
const Root = "/admin/v1"

// name is a name of the contract (§4) in a route. mux's own {name} would take
// "a:probe" for a name.
const name = "/{name:[a-z0-9][a-z0-9-]{0,62}}"

// Catalog is what the admin API asks of package catalog.
type Catalog interface {
	Current() *catalog.Snapshot
	Apply(context.Context, catalog.ApplyRequest) (catalog.ApplyResult, error)
	Put(context.Context, catalog.Object, catalog.Write) (*catalog.Entry, string, error)
	Delete(context.Context, catalog.Ref, catalog.Write) error
}

// Key is the public side of a signing key.
type Key struct {
	ID        string     `json:"kid"`
	Algorithm string     `json:"algorithm"`
	State     string     `json:"state"`
	Created   time.Time  `json:"created"`
	Activated *time.Time `json:"activated,omitempty"`
	Retired   *time.Time `json:"retired,omitempty"`
}

// Trust is what the admin API asks of package trust.
type Trust interface {
	// Health is the state of the issuers of these entries: JSON by their names.
	// One that is not known yet is left out.
	Health() map[string]any
	// Probe reaches an entry's issuer now and tells what it found, as JSON. It
	// answers catalog.ErrNotFound.
	Probe(ctx context.Context, name string) (any, error)
}

// Options is what the admin API works with; all but RequestID, Trust, Claims,
// Usage, Revoked, Clock and Rand are required.
type Options struct {
	Token   exchange.Secret // the bootstrap token; empty: nobody enters
	Catalog Catalog
	// Decode reads one object strictly, with its defaults: schema.DecodeJSON.
	Decode  func(body []byte) (catalog.Object, []catalog.FieldError)
	Records Records
	// Audit proves the records and gives them away.
	Audit Audit
	// Changes lists change records, newest first: at most limit, of those with
	// an ID below before (0: all).
	Changes func(ctx context.Context, before int64, limit int) ([]catalog.Change, error)
	// Keys lists the signing keys.
	Keys func(context.Context) ([]Key, error)
	// Revoked says whether an issued token was revoked; nil where that is not
	// known, as a nil Revoked knows of none.
	Revoked lineage.Known
	// Revocations keeps revocations.
	Revocations Revocations
	// Trust tells of trusted issuers; nil: nothing is known of any.
	Trust Trust
	// Explain rehearses an exchange.
	Explain Explain
	// ExplainAgain explains a recorded exchange.
	ExplainAgain ExplainAgain
	// Claims says which claims expressions read, for lint; nil: lint knows none.
	Claims analysis.Claims
	// Usage tells what was used in the window before now; nil: the log is not asked.
	Usage func(ctx context.Context, window time.Duration) (*analysis.Usage, error)
	Clock func() time.Time // nil: the wall clock
	Rand  io.Reader        // of the ids of revocations; nil: crypto/rand's
	// RequestID is the id that the log knows a request by.
	RequestID func(*http.Request) string
	Logger    *slog.Logger
}

// server is the handlers and what they work with.
type server struct {
	Options

	door   door
	routes *mux.Router
}

// New makes the handler of everything under [Root]. It expects whole paths and
// knows no listener, no TLS and no timeouts.
func New(o Options) http.Handler { return newServer(o) }

func newServer(o Options) *server {
	a := &server{Options: o, door: newDoor(o.Token)}
	if a.Clock == nil {
		a.Clock = time.Now
	}
	if a.Rand == nil {
		a.Rand = rand.Reader
	}
	a.Token = "" // the door keeps its hash
	a.routes = a.router()
	return a
}

// ServeHTTP answers one request: 1. nothing is kept by caches, 2. only
// administrators enter, so that a stranger cannot even learn which paths exist,
// 3. the route.
func (a *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if p := a.door.admit(r); p != nil {
		a.fail(w, r, p)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	a.routes.ServeHTTP(w, r)
}

// handler answers a request or says why not.
type handler func(http.ResponseWriter, *http.Request) error

// router is every route of the admin API, as api/openapi.yaml lists them.
func (a *server) router() *mux.Router {
	r := mux.NewRouter().SkipClean(true)
	route := func(method, path string, h handler) {
		r.Path(Root + path).Methods(method).HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := h(w, r); err != nil {
				a.fail(w, r, err)
			}
		})
	}
	for _, kind := range kinds() {
		plural := "/" + kind.Plural()
		route(http.MethodGet, plural, a.list(kind))
		route(http.MethodGet, plural+name, a.get(kind))
		route(http.MethodPut, plural+name, a.put(kind))
		route(http.MethodDelete, plural+name, a.delete(kind))
	}
	route(http.MethodPost, "/"+catalog.KindTrustedIssuer.Plural()+name+":probe", a.probe)
	route(http.MethodPost, "/apply", a.apply)
	route(http.MethodPost, "/explain", a.explain)
	route(http.MethodGet, "/audit/export", a.export)
	route(http.MethodGet, "/audit/verify", a.verify)
	route(http.MethodGet, "/lint", a.lint)
	route(http.MethodGet, "/reach", a.reach)
	route(http.MethodGet, "/changes", a.changes)
	route(http.MethodGet, "/exchanges", a.exchanges)
	route(http.MethodGet, "/exchanges/{id}", a.exchange)
	route(http.MethodGet, "/exchanges/{id}/lineage", a.lineage)
	route(http.MethodGet, "/keys", a.keys)
	route(http.MethodGet, "/revocations", a.revocations)
	route(http.MethodPost, "/revocations", a.revoke)
	route(http.MethodGet, "/whoami", whoami)
	route(http.MethodGet, "/openapi.yaml", openapi)
	r.NotFoundHandler = http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		a.fail(w, req, refuse(NotFound, "the admin API has no such path"))
	})
	r.MethodNotAllowedHandler = http.HandlerFunc(a.methodNotAllowed)
	return r
}

// kinds is every kind with a path. Those that are not built yet are among
// them: their lists are empty, and writes are refused by name (contract §3,
// "what is not built yet is refused").
func kinds() []catalog.Kind {
	return append(catalog.Kinds(), catalog.KindAdminGrant)
}

// methodNotAllowed answers 405 with Allow (RFC 9110 §15.5.6), which mux leaves
// out.
func (a *server) methodNotAllowed(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodPost, http.MethodDelete} {
		probe := r.Clone(r.Context())
		probe.Method = method
		var match mux.RouteMatch
		if a.routes.Match(probe, &match) && match.MatchErr == nil {
			allowed = append(allowed, method)
		}
	}
	w.Header().Set("Allow", strings.Join(slices.Compact(allowed), ", "))
	a.fail(w, r, refuse(MethodNotAllowed, "this path does not take "+r.Method))
}

// fail answers with the problem that err is. What is none is a fault of ours:
// its text is for the log alone (RFC 9457 §5).
func (a *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	id := a.id(r)
	p := problemOf(err)
	if p == nil {
		a.Logger.ErrorContext(r.Context(), "admin request failed", "requestId", id, "method", r.Method, "error", err.Error())
		p = refuse(Unavailable, "the server's log says why, by the request id")
	}
	p.write(w, id)
}

// id is the id that the log knows a request by.
func (a *server) id(r *http.Request) string {
	if a.RequestID == nil {
		return ""
	}
	return a.RequestID(r)
}

// problemOf is the problem that an error of a handler means; nil for none.
func problemOf(err error) *problem {
	var known *problem
	var wrong *catalog.Invalid
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &wrong):
		return invalid(wrong.Errors)
	case errors.As(err, &large):
		return refuse(TooLarge, "a body has at most 1 MiB")
	case errors.Is(err, catalog.ErrNotFound):
		return refuse(NotFound, "there is no object of this name")
	case errors.Is(err, catalog.ErrPreconditionRequired):
		return refuse(PreconditionRequired, "the object exists; send its ETag as If-Match, or * for whatever is there")
	case errors.Is(err, catalog.ErrPreconditionFailed):
		return refuse(PreconditionFailed, "read the object again, then repeat the change")
	case errors.Is(err, catalog.ErrConflict), errors.Is(err, catalog.ErrMoved):
		return refuse(Conflict, "the catalogue is at another revision by now; nothing was changed")
	}
	return nil
}

package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/gorilla/mux"

	"github.com/strait-sts/strait/api"
	"github.com/strait-sts/strait/internal/audit"
	"github.com/strait-sts/strait/internal/catalog"
)

// ErrNoRecord is what [Records] answers where there is no record of an id.
var ErrNoRecord = errors.New("there is no such record")

// Records reads the audit log.
type Records interface {
	// Records lists at most limit records, newest first; after is "" or the
	// next of the page before, and next is "" after the last page.
	Records(ctx context.Context, f audit.Filter, limit int, after string) (page []audit.Row, next string, err error)
	// Record reads one record; ErrNoRecord.
	Record(ctx context.Context, id string) (audit.Row, error)
	// Lineage reads the records of the tree that an exchange is in, at most so
	// many nodes and hops, and those whose actor token is of it; ErrNoRecord.
	Lineage(ctx context.Context, id string, nodes, hops int) ([]audit.Row, error)
}

// aDecisionID matches a decision id (UUIDv7, RFC 9562 §5.7).
var aDecisionID = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

// exchanges answers GET /exchanges.
func (a *server) exchanges(w http.ResponseWriter, r *http.Request) error {
	values, err := query(r, "limit", "pageToken", "client", "issuer", "subject", "target", "policy",
		"decision", "reason", "jti", "since", "until")
	if err != nil {
		return err
	}
	p, err := readPage(values, "exchanges", aDecisionID.MatchString)
	if err != nil {
		return err
	}
	filter, err := readFilter(values)
	if err != nil {
		return err
	}
	found, next, err := a.Records.Records(r.Context(), filter, p.limit, p.after)
	if err != nil {
		return err
	}
	items := make([]json.RawMessage, len(found))
	for i := range found {
		items[i] = found[i].JSON()
	}
	body := listBody{Items: items}
	if next != "" {
		body.NextPageToken = cursor("exchanges", next)
	}
	return reply(w, http.StatusOK, body)
}

// readFilter reads the filters of GET /exchanges.
func readFilter(values url.Values) (audit.Filter, error) {
	f := audit.Filter{
		Client: values.Get("client"), Issuer: values.Get("issuer"), Subject: values.Get("subject"),
		Target: values.Get("target"), Policy: values.Get("policy"),
		Decision: values.Get("decision"), Reason: values.Get("reason"), JTI: values.Get("jti"),
	}
	if !slices.Contains([]string{"", "issued", "denied", "error"}, f.Decision) {
		return f, refuse(Unreadable, "decision is none of issued, denied, error")
	}
	if err := readSpan(values, &f.Since, &f.Until); err != nil {
		return f, err
	}
	for name := range values {
		if v := values.Get(name); len(v) > 1024 || !clean(v) {
			return f, refuse(Unreadable, name+" is longer than any value there can be, or not text")
		}
	}
	return f, nil
}

// readSpan reads since and until; one that is not given stays zero.
func readSpan(values url.Values, since, until *time.Time) error {
	for name, into := range map[string]*time.Time{"since": since, "until": until} {
		text := values.Get(name)
		if text == "" {
			continue
		}
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return refuse(Unreadable, name+" is not a time such as 2027-03-01T08:00:00Z (RFC 3339)")
		}
		*into = at
	}
	return nil
}

// exchange answers GET /exchanges/{id}.
func (a *server) exchange(w http.ResponseWriter, r *http.Request) error {
	if _, err := query(r); err != nil {
		return err
	}
	id := mux.Vars(r)["id"]
	if !aDecisionID.MatchString(id) {
		return refuse(NotFound, "this is not a decision id")
	}
	record, err := a.Records.Record(r.Context(), id)
	if errors.Is(err, ErrNoRecord) {
		return refuse(NotFound, "there is no record of this decision")
	}
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, json.RawMessage(record.JSON()))
}

// changeBody is a change record on the wire.
type changeBody struct {
	Revision  int64           `json:"revision"`
	Time      time.Time       `json:"time"`
	By        string          `json:"by"`
	Reason    string          `json:"reason,omitempty"`
	RequestID string          `json:"requestId,omitempty"`
	Kind      string          `json:"kind"`
	Name      string          `json:"name"`
	Action    string          `json:"action"`
	Before    json.RawMessage `json:"before,omitempty"`
	After     json.RawMessage `json:"after,omitempty"`
}

// changes answers GET /changes.
func (a *server) changes(w http.ResponseWriter, r *http.Request) error {
	values, err := query(r, "limit", "pageToken")
	if err != nil {
		return err
	}
	p, err := readPage(values, "changes", func(key string) bool {
		id, err := strconv.ParseInt(key, 10, 64)
		return err == nil && id > 0
	})
	if err != nil {
		return err
	}
	before := int64(0)
	if p.after != "" {
		before, _ = strconv.ParseInt(p.after, 10, 64) // judged just now
	}
	found, err := a.Changes(r.Context(), before, p.limit+1)
	if err != nil {
		return err
	}
	body := cut(p, "changes", found, func(c catalog.Change) string { return strconv.FormatInt(c.ID, 10) }, showChange)
	return reply(w, http.StatusOK, body)
}

func showChange(c catalog.Change) changeBody {
	return changeBody{
		Revision: c.Revision, Time: c.Time.UTC(), By: c.By, Reason: c.Reason, RequestID: c.RequestID,
		Kind: string(c.Kind), Name: c.Name, Action: c.Action, Before: c.Before, After: c.After,
	}
}

// keys answers GET /keys.
func (a *server) keys(w http.ResponseWriter, r *http.Request) error {
	if _, err := query(r); err != nil {
		return err
	}
	keys, err := a.Keys(r.Context())
	if err != nil {
		return err
	}
	if keys == nil {
		keys = []Key{}
	}
	return reply(w, http.StatusOK, listBody{Items: keys})
}

// whoami answers GET /whoami.
func whoami(w http.ResponseWriter, r *http.Request) error {
	if _, err := query(r); err != nil {
		return err
	}
	return reply(w, http.StatusOK, bootstrap)
}

// openapi answers GET /openapi.yaml.
func openapi(w http.ResponseWriter, r *http.Request) error {
	if _, err := query(r); err != nil {
		return err
	}
	send(w, http.StatusOK, "application/yaml", api.OpenAPI)
	return nil
}

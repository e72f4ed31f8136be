package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/strait-sts/strait/api"
	"github.com/strait-sts/strait/internal/audit"
	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/schema"
)

// bench is an admin API over a catalogue in memory. Every answer to a route of
// the contract is held against api/openapi.yaml.
type bench struct {
	t       *testing.T
	handler http.Handler
	store   *memory
	records []audit.Row
	token   string
	log     *bytes.Buffer
	routes  routers.Router
}

func newBench(t *testing.T) *bench {
	t.Helper()
	return newBenchWith(t, func(*Options) {})
}

func newBenchWith(t *testing.T, change func(*Options)) *bench {
	t.Helper()
	b := &bench{t: t, store: &memory{}, token: strings.Repeat("t", 40), log: &bytes.Buffer{}, routes: contract(t)}
	digest := func(secret string) (string, error) { return fmt.Sprintf("digest-of-%d", len(secret)), nil }
	objects := catalog.New(catalog.Options{
		Store: b.store, Clock: func() time.Time { return noon }, Decode: schema.DecodeJSON,
		Checkers: []catalog.Checker{schema.Check(schema.Identity{Issuer: "https://sts.example.com", AdminAudience: "https://sts.example.com/admin/v1"})},
		Digest:   digest,
		Matches:  func(kept, secret string) bool { made, _ := digest(secret); return made == kept },
	})
	options := Options{
		Token: exchange.Secret(b.token), Catalog: objects, Decode: schema.DecodeJSON, Records: b, Changes: b.store.list,
		Keys: func(context.Context) ([]Key, error) {
			return []Key{{ID: "k1", Algorithm: "ES256", State: "active", Created: noon}}, b.store.broken
		},
		RequestID: func(*http.Request) string { return "req-1" },
		Logger:    slog.New(slog.NewTextHandler(b.log, nil)),
	}
	change(&options)
	b.handler = New(options)
	return b
}

// noon is the instant at which every test happens.
var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// contract is the router of api/openapi.yaml, on whatever host.
func contract(t *testing.T) routers.Router {
	t.Helper()
	doc := openAPI(t)
	doc.Servers = nil
	for _, item := range doc.Paths.Map() {
		item.Servers = nil
	}
	routes, err := gorillamux.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	return routes
}

func openAPI(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(api.OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// answer is what came back.
type answer struct {
	code   int
	header http.Header
	body   string
	json   map[string]any
}

// header is one header of a request.
type headerLine struct{ name, value string }

// call makes a request as the administrator; headers replace what is usual,
// and an empty value leaves one out.
func (b *bench) call(method, path, body string, headers ...headerLine) answer {
	b.t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	req := httptest.NewRequest(method, path, reader)
	req.Header.Set("Authorization", "Bearer "+b.token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		req.Header.Del(h.name)
		if h.value != "" {
			req.Header.Set(h.name, h.value)
		}
	}
	recorder := httptest.NewRecorder()
	b.handler.ServeHTTP(recorder, req)
	a := answer{code: recorder.Code, header: recorder.Header(), body: recorder.Body.String()}
	if strings.Contains(a.header.Get("Content-Type"), "json") {
		if err := json.Unmarshal([]byte(a.body), &a.json); err != nil {
			b.t.Fatalf("%s %s: not JSON: %s", method, path, a.body)
		}
	}
	b.conforms(req, a)
	return a
}

// conforms holds the answer against the contract, and against what is true of
// every answer.
func (b *bench) conforms(req *http.Request, a answer) {
	b.t.Helper()
	if got := a.header.Get("Cache-Control"); got != "no-store" {
		b.t.Errorf("%s %s: Cache-Control %q", req.Method, req.URL, got)
	}
	if a.header.Get("Access-Control-Allow-Origin") != "" {
		b.t.Errorf("%s %s: CORS", req.Method, req.URL)
	}
	if a.code >= 400 {
		b.isProblem(req, a)
	}
	route, parameters, err := b.routes.FindRoute(req)
	if err != nil { // paths and methods that the contract does not have
		return
	}
	err = openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: req, Route: route, PathParams: parameters},
		Status:                 a.code, Header: a.header, Body: io.NopCloser(strings.NewReader(a.body)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	})
	if err != nil {
		b.t.Errorf("%s %s: the answer is not that of the contract: %v\n%s", req.Method, req.URL, err, a.body)
	}
}

// isProblem holds what RFC 9457 §3.1 says of every problem document.
func (b *bench) isProblem(req *http.Request, a answer) {
	b.t.Helper()
	kind, _ := strings.CutPrefix(fmt.Sprint(a.json["type"]), TypeBase)
	meaning, listed := Types()[Type(kind)]
	switch {
	case a.header.Get("Content-Type") != "application/problem+json":
		b.t.Errorf("%s %s: %d without a problem document", req.Method, req.URL, a.code)
	case !listed:
		b.t.Errorf("%s %s: type %v is not listed", req.Method, req.URL, a.json["type"])
	case meaning.Status != a.code || a.json["status"] != float64(a.code) || a.json["title"] != meaning.Title:
		b.t.Errorf("%s %s: %d is not %v", req.Method, req.URL, a.code, a.json)
	case a.json["instance"] != "urn:strait:request:req-1":
		b.t.Errorf("%s %s: instance %v", req.Method, req.URL, a.json["instance"])
	}
}

// want fails unless the answer has this status.
func (a answer) want(t *testing.T, code int) answer {
	t.Helper()
	if a.code != code {
		t.Fatalf("status %d, want %d: %s", a.code, code, a.body)
	}
	return a
}

// faults is a problem's errors as "code pointer" lines.
func (a answer) faults() []string {
	var lines []string
	list, _ := a.json["errors"].([]any)
	for _, item := range list {
		fault := item.(map[string]any)
		lines = append(lines, fmt.Sprintf("%v %v", fault["code"], fault["pointer"]))
	}
	return lines
}

// Records and Record make bench the audit log.
func (b *bench) Records(_ context.Context, f audit.Filter, limit int, after string) (page []audit.Row, next string, err error) {
	for _, row := range b.records {
		if (f.Client == "" || row.Client == f.Client) && (f.Since.IsZero() || !row.Time.Before(f.Since)) && (after == "" || row.ID < after) {
			page = append(page, row)
		}
	}
	if len(page) > limit {
		return page[:limit], page[limit-1].ID, nil
	}
	return page, "", nil
}

func (b *bench) Record(_ context.Context, id string) (audit.Row, error) {
	for _, row := range b.records {
		if row.ID == id {
			return row, nil
		}
	}
	return audit.Row{}, ErrNoRecord
}

func (b *bench) Lineage(_ context.Context, id string, _, _ int) ([]audit.Row, error) {
	if _, err := b.Record(context.Background(), id); err != nil {
		return nil, err
	}
	return b.records, nil
}

// memory is a catalog.Store without a database.
type memory struct {
	mu       sync.Mutex
	revision int64
	rows     map[catalog.Ref]catalog.Row
	changed  []catalog.Change
	broken   error
}

func (m *memory) Load(context.Context) (int64, []catalog.Row, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var rows []catalog.Row
	for _, row := range m.rows {
		rows = append(rows, row)
	}
	return m.revision, rows, m.broken
}

func (m *memory) Commit(_ context.Context, base int64, c catalog.Commit) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if base != m.revision {
		return 0, catalog.ErrMoved
	}
	m.revision++
	if m.rows == nil {
		m.rows = map[catalog.Ref]catalog.Row{}
	}
	for _, row := range c.Puts {
		row.Revision = m.revision
		m.rows[row.Ref()] = row
	}
	for _, ref := range c.Deletes {
		delete(m.rows, ref)
	}
	for _, change := range c.Changes {
		m.changed = append(m.changed, catalog.Change{ID: int64(len(m.changed) + 1), Revision: m.revision, ChangeRecord: change})
	}
	return m.revision, nil
}

func (m *memory) list(_ context.Context, before int64, limit int) ([]catalog.Change, error) {
	var found []catalog.Change
	for i := len(m.changed) - 1; i >= 0 && len(found) < limit; i-- {
		if before == 0 || m.changed[i].ID < before {
			found = append(found, m.changed[i])
		}
	}
	return found, m.broken
}

// The objects that the tests write.
const secret = "0123456789abcdef0123456789abcdef"

func target(name string) string {
	return fmt.Sprintf(`{"apiVersion":"strait/v1","kind":"Target","metadata":{"name":%q},"governance":{"owner":"o@example.com"},
		"spec":{"audience":"https://%s.example.com","scopes":["read","write"],"token":{"maxLifetime":"15m"}}}`, name, name)
}

func client(name string) string {
	return fmt.Sprintf(`{"apiVersion":"strait/v1","kind":"Client","metadata":{"name":%q},"governance":{"owner":"o@example.com"},
		"spec":{"authentication":[{"method":"client_secret","secret":%q}],"grants":["client_credentials"]}}`, name, secret)
}

func policy(name, client, target string) string {
	return fmt.Sprintf(`{"apiVersion":"strait/v1","kind":"ExchangePolicy","metadata":{"name":%q},
		"governance":{"owner":"o@example.com","justification":"tests","reviewBy":"2027-03-01"},
		"spec":{"flow":"client","clients":[%q],"targets":[%q],"scopes":{"allow":["read"],"default":["read"]},"issue":{"lifetime":"5m"}}}`, name, client, target)
}

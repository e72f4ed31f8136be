package oauth_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/oauth"
	"github.com/strait-sts/strait/internal/server"
)

const (
	issuer       = "https://sts.test"
	orders       = "https://api.test/orders"
	exchangeURN  = "urn:ietf:params:oauth:grant-type:token-exchange"
	accessToken  = "urn:ietf:params:oauth:token-type:access_token"
	jwtType      = "urn:ietf:params:oauth:token-type:jwt"
	issuedToken  = "issued.access.token"
	rightSecret  = "the-secret-of-svc-gateway-0123456789"
	otherSecret  = "the-secret-of-svc-other-0123456789-a"
	oddID, oddPW = "a:b%", "p+q r"
)

// parts are the four interfaces of exchange, faked: the door is under test,
// not the house.
type parts struct {
	mu      sync.Mutex
	records []exchange.Record
	deaf    error // what the recorder answers
	panics  any   // what the verifier throws
	fails   error // what the verifier answers
	actor   bool  // whether an actor token was verified
}

func (p *parts) Verify(_ context.Context, req *exchange.Request, role exchange.Role) (*exchange.Token, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.panics != nil {
		panic(p.panics)
	}
	if p.fails != nil {
		return nil, p.fails
	}
	if role == exchange.RoleActor {
		p.actor = true
	}
	if req.Presented(role).Token.Reveal() != "ST_A" {
		return nil, role.Refuse(exchange.SignatureInvalid, "not the one good token")
	}
	return &exchange.Token{
		Issuer: "a", IssuerURL: "https://idp-a.test", Subject: "alice", Original: "alice", Type: exchange.TypeAccessToken,
		Scopes: []string{"orders:read", "orders:write", "profile"}, Expires: req.Time.Add(10 * time.Minute),
	}, nil
}

func (p *parts) Admit(req *exchange.Request) (exchange.Case, error) {
	for _, target := range slices.Concat(req.Audiences, req.Resources) {
		if target != orders {
			return nil, exchange.Refuse(exchange.TargetUnknown, "no target is %q", target)
		}
	}
	if req.Client.Name == "svc-other" {
		return nil, exchange.RefuseClient("no policy names svc-other")
	}
	return admitted{req}, nil
}

type admitted struct{ req *exchange.Request }

func (admitted) Issuers() []string { return nil }

func (a admitted) Targets() []*exchange.Target {
	return []*exchange.Target{{Name: "orders", Audience: orders, Scopes: []string{"orders:read", "orders:write"}, Algorithm: "ES256", MaxLifetime: time.Hour}}
}

func (a admitted) Decide(subject, actor *exchange.Token) (exchange.Decision, error) {
	policy := &exchange.Policy{
		Name: "p1", Flow: exchange.FlowDownscope, Allow: []string{"orders:read", "orders:write"}, Default: []string{"orders:read"},
		Prove: exchange.ProveSame, Lifetime: 5 * time.Minute, MaxActDepth: 4, TokenType: exchange.TypeAccessToken,
	}
	if subject == nil {
		policy.Flow = exchange.FlowClient
	}
	grant, err := exchange.Ceiling{
		ID: a.req.ID, Now: a.req.Time, Client: a.req.Client, Subject: subject, Actor: actor, Policy: policy, Targets: a.Targets(),
	}.Grant(a.req.Scopes())
	return exchange.Decision{Policy: policy, Targets: a.Targets(), Grant: grant}, err
}

func (p *parts) Mint(_ context.Context, req *exchange.Request, g *exchange.Grant) (*exchange.Issued, error) {
	return &exchange.Issued{
		Token: issuedToken, Type: exchange.TypeAccessToken, TokenType: "Bearer", ExpiresIn: g.Expires().Sub(req.Time), Scopes: g.Scopes(),
	}, nil
}

func (p *parts) Record(_ context.Context, rec *exchange.Record) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.deaf != nil {
		return p.deaf
	}
	p.records = append(p.records, *rec)
	return nil
}

// set changes what the parts do, between two requests.
func (p *parts) set(change func(*parts)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
}

// last is the newest record; the zero record where there is none.
func (p *parts) last() exchange.Record {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.records) == 0 {
		return exchange.Record{}
	}
	return p.records[len(p.records)-1]
}

func (p *parts) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.records)
}

// counter is a Metrics and a Sampler.
type counter struct {
	mu        sync.Mutex
	exchanged map[string]int
	rejected  map[string]int
	allow     int // how many refusals of strangers may still be recorded
}

func (c *counter) Exchanged(decision, reason string, _ time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.exchanged[strings.TrimSpace(decision+" "+reason)]++
}

func (c *counter) Rejected(kind string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rejected[kind]++
}

func (c *counter) Introspected(result string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rejected["introspect "+result]++
}

func (c *counter) RevocationAsked(result string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rejected["revoke "+result]++
}

// of is one count: of decisions as "denied scope_not_held", of refusals as
// "form" or "client".
func (c *counter) of(key string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.exchanged[key] + c.rejected[key]
}

func (c *counter) permit(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.allow = n
}

func (c *counter) Allow() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.allow--
	return c.allow >= 0
}

// matches stands for the key ring: a digest is the secret with a mark.
func matches(digest, secret string) bool { return digest == "digest of "+secret }

func world(p *parts) *exchange.World {
	both := []exchange.GrantType{exchange.GrantTokenExchange, exchange.GrantClientCredentials}
	clients := map[string]*exchange.Client{}
	for _, c := range []exchange.Client{
		{Name: "svc-gateway", Grants: both, Secrets: []string{"digest of " + rightSecret}},
		{Name: "svc-other", Grants: both, Secrets: []string{"digest of " + otherSecret}},
		{Name: "svc-noexchange", Grants: []exchange.GrantType{exchange.GrantClientCredentials}, Secrets: []string{"digest of " + rightSecret}},
		{Name: "svc-disabled", Disabled: true, Grants: both, Secrets: []string{"digest of " + rightSecret}},
		{Name: "svc-expired", Expires: time.Unix(1, 0), Grants: both, Secrets: []string{"digest of " + rightSecret}},
		{Name: "svc-pkjwt", Grants: both},
		{Name: "odd", ID: oddID, Grants: both, Secrets: []string{"digest of " + oddPW}},
		{Name: "accents", ID: "a:b c+é", Grants: both, Secrets: []string{"digest of p%:&+ "}},
		{Name: "raw", ID: "x%41", Grants: both, Secrets: []string{"digest of " + rightSecret}},
	} {
		if c.ID == "" {
			c.ID = c.Name
		}
		clients[c.ID] = &c
	}
	return &exchange.World{Revision: 7, Clients: clients, Verifier: p, Decider: p}
}

// door is a front door on a real listener.
type door struct {
	t       testing.TB
	parts   *parts
	counter *counter
	log     *locked
	base    string // http://127.0.0.1:port
	handler *oauth.Handler
	server  *server.Server
}

// newDoor opens one; change edits the options, config the listeners.
func newDoor(t testing.TB, change func(*oauth.Options), config func(*server.Config)) *door {
	t.Helper()
	d := &door{t: t, parts: &parts{}, log: &locked{},
		counter: &counter{exchanged: map[string]int{}, rejected: map[string]int{}, allow: 1 << 30}}
	logger := slog.New(slog.NewJSONHandler(d.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	the := world(d.parts)
	options := oauth.Options{
		Service: &exchange.Service{Minter: d.parts, Recorder: d.parts, Issuer: issuer},
		World:   func() *exchange.World { return the },
		Matches: matches, JWKS: func() ([]byte, string) { return []byte(`{"keys":[]}`), `"v1"` },
		Algorithms: func() []string { return []string{"ES256", "EdDSA", "RS256"} },
		Issuer:     issuer, ErrorDetail: true, Clock: time.Now, Rand: rand.Reader, Logger: logger,
		Sampler: d.counter, Metrics: d.counter,
	}
	if change != nil {
		change(&options)
	}
	var err error
	if d.handler, err = oauth.New(options); err != nil {
		t.Fatal(err)
	}
	loopback := server.Address{Addr: "127.0.0.1:0"}
	listen := server.Config{Public: loopback, Admin: loopback, Logger: logger}
	if config != nil {
		config(&listen)
	}
	if d.server, err = server.Listen(t.Context(), listen); err != nil {
		t.Fatal(err)
	}
	var public []server.Route
	for _, route := range d.handler.Routes() {
		public = append(public, server.Route{Pattern: route.Pattern, Handler: route.Handler})
	}
	d.server.Serve(server.Handlers{Public: public})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = d.server.Shutdown(ctx)
	})
	d.base = "http://" + d.server.Addr("public")
	return d
}

// open is a door as it comes.
func open(t testing.TB) *door { return newDoor(t, nil, nil) }

// locked is a log that can be read while it is written.
type locked struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// await waits for a text: the access log is written after the answer.
func (l *locked) await(t testing.TB, text string) {
	t.Helper()
	for range 200 {
		if strings.Contains(l.String(), text) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%q is not in the log:\n%s", text, l.String())
}

// request is the baseline request of the catalogue, to be bent.
type request struct {
	method, path, body string
	header             http.Header
	form               url.Values // becomes the body where that is empty
}

func baseline() *request {
	return &request{
		method: http.MethodPost, path: "/token",
		header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Authorization": {basic("svc-gateway", rightSecret)}},
		form: url.Values{
			"grant_type": {exchangeURN}, "subject_token": {"ST_A"}, "subject_token_type": {accessToken},
			"audience": {orders}, "scope": {"orders:read"},
		},
	}
}

// with is the baseline with some parameters set; an empty list of values takes
// one away.
func with(changes url.Values) *request {
	r := baseline()
	for name, values := range changes {
		if len(values) == 0 {
			r.form.Del(name)
			continue
		}
		r.form[name] = values
	}
	return r
}

// basic spells credentials raw, as half of the clients do.
func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
}

// encoded spells them as RFC 6749 §2.3.1 wants.
func encoded(id, secret string) string { return basic(url.QueryEscape(id), url.QueryEscape(secret)) }

// answer is what came back.
type answer struct {
	status int
	header http.Header
	raw    string
	body   map[string]any
}

func (a *answer) text(member string) string {
	s, _ := a.body[member].(string)
	return s
}

func (d *door) send(r *request) *answer {
	d.t.Helper()
	a, err := d.try(r)
	if err != nil {
		d.t.Fatal(err)
	}
	return a
}

func (d *door) try(r *request) (*answer, error) {
	body := r.body
	if body == "" {
		body = r.form.Encode()
	}
	req, err := http.NewRequest(r.method, d.base, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	path, query, _ := strings.Cut(r.path, "?")
	req.URL.Opaque, req.URL.RawQuery = "//"+req.URL.Host+path, query
	req.Header = r.header.Clone()
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host
		req.Header.Del("Host")
	}
	client := &http.Client{
		Timeout:       20 * time.Second,
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	a := &answer{status: response.StatusCode, header: response.Header, raw: string(raw)}
	_ = json.Unmarshal(raw, &a.body)
	return a, nil
}

// must fails the test unless the answer is the refusal.
func (a *answer) must(t testing.TB, status int, code exchange.Code) {
	t.Helper()
	if a.status != status || a.text("error") != string(code) {
		t.Errorf("answered %d %s, not %d %s", a.status, a.raw, status, code)
	}
	if a.body["access_token"] != nil {
		t.Errorf("a token left: %s", a.raw)
	}
	a.mustNotBeStored(t)
}

func (a *answer) mustNotBeStored(t testing.TB) {
	t.Helper()
	if a.header.Get("Cache-Control") != "no-store" || a.header.Get("Pragma") != "no-cache" {
		t.Errorf("may be cached: %v", a.header)
	}
	if media := a.header.Get("Content-Type"); media != "application/json;charset=UTF-8" {
		t.Errorf("content type %q", media)
	}
}

// mustIssue fails the test unless a token was issued.
func (a *answer) mustIssue(t testing.TB) {
	t.Helper()
	if a.status != http.StatusOK || a.text("access_token") != issuedToken {
		t.Errorf("no token: %d %s", a.status, a.raw)
	}
}

var errDown = errors.New("connection refused")

// proxied trusts loopback as a proxy.
func proxied(c *server.Config) {
	c.ProxyCIDRs = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
}

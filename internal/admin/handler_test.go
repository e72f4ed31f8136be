package admin

import (
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/gorilla/mux"

	"github.com/strait-sts/strait/api"
	"github.com/strait-sts/strait/internal/audit"
	"github.com/strait-sts/strait/internal/exchange"
)

func TestContractIsValidOpenAPI(t *testing.T) {
	t.Parallel()
	doc := openAPI(t)
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if doc.OpenAPI != "3.1.0" {
		t.Errorf("openapi %s", doc.OpenAPI)
	}
}

func TestEveryRouteIsInTheContractAndBack(t *testing.T) {
	t.Parallel()
	variable := regexp.MustCompile(`\{(\w+):[^/]*\}`)
	served := map[string]bool{}
	err := newServer(Options{}).routes.Walk(func(route *mux.Route, _ *mux.Router, _ []*mux.Route) error {
		path, err := route.GetPathTemplate()
		if err != nil {
			return err
		}
		methods, err := route.GetMethods()
		for _, method := range methods {
			served[method+" "+variable.ReplaceAllString(path, "{$1}")] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	promised := map[string]bool{}
	for path, item := range openAPI(t).Paths.Map() {
		for method := range item.Operations() {
			if strings.HasPrefix(path, Root) {
				promised[method+" "+path] = true
			}
		}
	}
	for route := range served {
		if !promised[route] {
			t.Errorf("%s is served and not in api/openapi.yaml", route)
		}
	}
	for route := range promised {
		if !served[route] {
			t.Errorf("%s is in api/openapi.yaml and not served", route)
		}
	}
	if len(served) < 25 {
		t.Errorf("only %d routes were found", len(served))
	}
}

func TestStrangersLearnNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	token := "Bearer " + b.token
	for _, path := range []string{"/admin/v1/targets", "/admin/v1/nothing", "/admin/v1/apply", "/admin/v1/openapi.yaml", "/admin/v1/keys:rotate"} {
		for _, authorization := range []string{
			"", "Bearer", "Bearer ", "Bearer wrong", token + "x", token[:len(token)-1], "Bearer  " + b.token, token + " ",
			"Basic " + b.token, b.token, "Digest " + b.token,
		} {
			a := b.call("GET", path, "", headerLine{"Authorization", authorization}).want(t, 401)
			if !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer") {
				t.Errorf("WWW-Authenticate %q", a.header.Get("WWW-Authenticate"))
			}
			if strings.Contains(a.body, b.token) {
				t.Error("the answer shows a token")
			}
		}
	}
	b.call("GET", "/admin/v1/targets?access_token="+b.token, "", headerLine{"Authorization", ""}).want(t, 401)
	b.call("GET", "/admin/v1/targets", "", headerLine{"Authorization", ""}, headerLine{"Cookie", "token=" + b.token}).want(t, 401)
	b.call("GET", "/admin/v1/targets", "", headerLine{"Authorization", "bearer " + b.token}).want(t, 200)
}

func TestTwoAuthorizationHeadersAreNone(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	req := httptest.NewRequest(http.MethodGet, "/admin/v1/targets", nil)
	req.Header["Authorization"] = []string{"Bearer " + b.token, "Bearer wrong"}
	recorder := httptest.NewRecorder()
	b.handler.ServeHTTP(recorder, req)
	if recorder.Code != http.StatusUnauthorized {
		t.Errorf("status %d", recorder.Code)
	}
}

func TestWithoutATokenNobodyEnters(t *testing.T) {
	t.Parallel()
	for _, authorization := range []string{"Bearer ", "Bearer x", ""} {
		req := httptest.NewRequest(http.MethodGet, "/admin/v1/whoami", nil)
		req.Header.Set("Authorization", authorization)
		recorder := httptest.NewRecorder()
		New(Options{Token: exchange.Secret("")}).ServeHTTP(recorder, req)
		if recorder.Code != http.StatusUnauthorized {
			t.Errorf("%q: status %d", authorization, recorder.Code)
		}
	}
}

func TestBrowsersOfOtherSitesChangeNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	body := target("a")
	b.call("PUT", "/admin/v1/targets/a", body, headerLine{"Sec-Fetch-Site", "cross-site"}).want(t, 403)
	b.call("PUT", "/admin/v1/targets/a", body, headerLine{"Origin", "https://evil.test"}).want(t, 403)
	for _, kind := range []string{"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json5", "application/merge-patch+json"} {
		b.call("PUT", "/admin/v1/targets/a", body, headerLine{"Content-Type", kind}).want(t, 415)
	}
	b.call("PUT", "/admin/v1/targets/a", body, headerLine{"Content-Encoding", "gzip"}).want(t, 415)
	b.call("PUT", "/admin/v1/targets/a", body, headerLine{"Content-Type", "application/json; charset=utf-8"}).want(t, 201)
}

func TestWrongMethodSaysWhichAreRight(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, c := range []struct{ method, path, allow string }{
		{"PATCH", "/admin/v1/targets/a", "GET, PUT, DELETE"},
		{"POST", "/admin/v1/targets", "GET"},
		{"GET", "/admin/v1/apply", "POST"},
		{"DELETE", "/admin/v1/whoami", "GET"},
		{"OPTIONS", "/admin/v1/targets", "GET"},
	} {
		if a := b.call(c.method, c.path, "").want(t, 405); a.header.Get("Allow") != c.allow {
			t.Errorf("%s %s: Allow %q, want %q", c.method, c.path, a.header.Get("Allow"), c.allow)
		}
	}
	b.call("GET", "/admin/v1/targets/a", "", headerLine{"X-HTTP-Method-Override", "DELETE"}).want(t, 404)
}

func TestPathsAreTakenAsTheyAre(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.call("PUT", "/admin/v1/targets/a", target("a")).want(t, 201)
	for _, path := range []string{
		"/admin/v1", "/admin/v1/", "/admin/v1/targets/", "/admin/v1//targets", "/admin/v1/targets/a/", "/admin/v1/targets/A",
		"/admin/v1/targets/a:probe", "/admin/v1/x/../targets", "/admin/v1/targets/" + strings.Repeat("a", 64), "/admin/v2/targets", "/admin/v1/targets/%61%2f",
	} {
		b.call("GET", path, "").want(t, 404)
	}
}

func TestLargeBodyIs413(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.call("POST", "/admin/v1/apply", `{"objects":["`+strings.Repeat("A", 10<<20)+`"]}`).want(t, 413)
}

func TestExchangesByFilter(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, suffix := range []string{"3", "2", "1"} { // newest first
		id := "0198c1d2-7a10-7c3e-9f00-2b1f6f1d3a5" + suffix
		b.records = append(b.records, audit.Row{
			Copies: audit.Copies{ID: id, Client: "edge", Time: noon},
			Body:   []byte(`{"configRevision":1,"decision":"denied","id":"` + id + `","lifetime":{},"scopes":{},"time":"2026-11-24T12:00:00Z"}`),
		})
	}
	first := b.call("GET", "/admin/v1/exchanges?client=edge&limit=2&since=2026-11-24T00:00:00Z", "").want(t, 200)
	if items := first.json["items"].([]any); len(items) != 2 || items[0].(map[string]any)["id"] != b.records[0].ID {
		t.Errorf("first page: %s", first.body)
	}
	second := b.call("GET", "/admin/v1/exchanges?client=edge&limit=2&pageToken="+first.json["nextPageToken"].(string), "").want(t, 200)
	if items := second.json["items"].([]any); len(items) != 1 || second.json["nextPageToken"] != nil {
		t.Errorf("second page: %s", second.body)
	}
	if none := b.call("GET", "/admin/v1/exchanges?client=other", "").want(t, 200); !strings.HasPrefix(none.body, `{"items":[]`) {
		t.Error(none.body)
	}
	b.call("GET", "/admin/v1/exchanges/"+b.records[2].ID, "").want(t, 200)
	b.call("GET", "/admin/v1/exchanges/0198c1d2-7a10-7c3e-9f00-2b1f6f1d3a59", "").want(t, 404)
	for _, path := range []string{"/not-an-id", "/0198c1d2-7a10-4c3e-9f00-2b1f6f1d3a53"} {
		b.call("GET", "/admin/v1/exchanges"+path, "").want(t, 404)
	}
	for _, query := range []string{"decision=maybe", "since=yesterday", "until=2026-11-24", "client=%00", "subject=%ff", "clients=edge", "jti=" + strings.Repeat("a", 1025)} {
		b.call("GET", "/admin/v1/exchanges?"+query, "").want(t, 400)
	}
}

func TestKeysShowTheirPublicSideAlone(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	a := b.call("GET", "/admin/v1/keys", "").want(t, 200)
	if strings.Contains(a.body, `"d"`) || !strings.Contains(a.body, `"kid":"k1"`) {
		t.Error(a.body)
	}
}

func TestWhoamiAndTheContractItself(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if a := b.call("GET", "/admin/v1/whoami", "").want(t, 200); a.json["role"] != "admin" {
		t.Error(a.body)
	}
	if a := b.call("GET", "/admin/v1/openapi.yaml", "").want(t, 200); a.body != string(api.OpenAPI) {
		t.Error("the document served is another one")
	}
	b.call("GET", "/admin/v1/whoami?verbose=1", "").want(t, 400)
}

func TestEveryProblemTypeIsDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	for kind, meaning := range Types() {
		if !strings.Contains(string(page), TypeBase+string(kind)) || !strings.Contains(string(page), meaning.Title) {
			t.Errorf("docs/errors.md does not have %s with the title %q", kind, meaning.Title)
		}
	}
}

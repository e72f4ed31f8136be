package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/strait-sts/strait/internal/exchange"
)

const token = "the-admin-token-the-admin-token-"

// serve starts an admin API that answers as told.
func serve(t *testing.T, answer http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	c, err := New(server.URL+"/", exchange.Secret(token))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCallCarriesTokenAndReason(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		for name, want := range map[string]string{
			"Authorization": "Bearer " + token, "X-Change-Reason": "because", "Content-Type": "application/json",
		} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		if r.URL.Path != "/admin/v1/apply" || r.Method != http.MethodPost {
			t.Errorf("%s %s", r.Method, r.URL)
		}
		var in ApplyRequest
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || len(in.Objects) != 1 || !in.DryRun {
			t.Errorf("body %+v, %v", in, err)
		}
		fmt.Fprint(w, `{"revision":4,"results":[{"kind":"Target","name":"a","result":"created"}]}`)
	})
	done, err := c.Apply(t.Context(), ApplyRequest{Objects: []json.RawMessage{[]byte(`{}`)}, DryRun: true}, "because")
	if err != nil || done.Revision != 4 || done.Results[0] != (Result{"Target", "a", "created"}) {
		t.Errorf("%+v, %v", done, err)
	}
}

func TestDeleteSendsItsPrecondition(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-Match") != `"v1"` || r.URL.EscapedPath() != "/admin/v1/targets/a%2Fb" {
			t.Errorf("%s If-Match %q", r.URL, r.Header.Get("If-Match"))
		}
		w.WriteHeader(http.StatusNoContent)
	})
	if err := c.Delete(t.Context(), "targets", "a/b", `"v1"`, ""); err != nil {
		t.Error(err)
	}
}

func TestProblemIsTyped(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json; charset=utf-8")
		w.WriteHeader(http.StatusUnprocessableEntity)
		fmt.Fprint(w, `{"type":"https://strait.dev/problems/invalid","title":"What was asked for is not valid","status":422,
			"instance":"urn:strait:request:r1","errors":[{"pointer":"/spec/audience","code":"required","message":"is required"}]}`)
	})
	_, _, err := c.Get(t.Context(), "targets", "a")
	var p *Problem
	if !errors.As(err, &p) || !Is(err, 422) || Is(err, 404) || p.Errors[0].Code != "required" {
		t.Fatalf("%v", err)
	}
	for _, want := range []string{"What was asked for is not valid", "request r1", "/spec/audience: is required"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
}

func TestListReadsEveryPage(t *testing.T) {
	t.Parallel()
	pages := map[string]string{"": `{"items":[1,2],"nextPageToken":"p2"}`, "p2": `{"items":[3,4],"nextPageToken":"p3"}`, "p3": `{"items":[5]}`}
	c := serve(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, pages[r.URL.Query().Get("pageToken")]) })
	all, err := c.List(t.Context(), "targets")
	if err != nil || len(all) != 5 {
		t.Errorf("%d items, %v", len(all), err)
	}
	some, err := c.Exchanges(t.Context(), url.Values{"client": {"edge"}}, 3)
	if err != nil || len(some) != 3 {
		t.Errorf("%d items for at most 3, %v", len(some), err)
	}
}

func TestNoRedirectIsFollowed(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("the token went to another place")
	}))
	t.Cleanup(elsewhere.Close)
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
	})
	if _, err := c.Whoami(t.Context()); err == nil {
		t.Error("a redirect is an answer")
	}
}

func TestAnswersOfOthersAreNoProblems(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"an error page":          func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>", http.StatusBadGateway) },
		"a page with status 200": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") },
	} {
		_, err := serve(t, answer).Whoami(t.Context())
		var p *Problem
		if err == nil || errors.As(err, &p) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestUnreachableNamesAddressAndMend(t *testing.T) {
	t.Parallel()
	c, err := New("http://127.0.0.1:1", token)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Keys(t.Context())
	if !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "STRAIT_ADMIN_URL") || strings.Contains(err.Error(), token) {
		t.Error(err)
	}
}

func TestReadyIsWhatReadyzSays(t *testing.T) {
	t.Parallel()
	code := http.StatusServiceUnavailable
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		fmt.Fprintln(w, "database down")
	})
	if err := c.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "database down") {
		t.Error(err)
	}
	code = http.StatusOK
	if err := c.Ready(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestURLMustBeOne(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "localhost:8081", "ftp://x", "http://", "http://u:p@x", "http://x?y", "http://x#y", ":"} {
		if _, err := New(bad, token); err == nil {
			t.Errorf("%q is taken for a URL", bad)
		}
	}
	if _, err := New("https://admin.example.com/strait", token); err != nil {
		t.Error(err)
	}
}

func TestTokenCannotBePrinted(t *testing.T) {
	t.Parallel()
	c, err := New("http://127.0.0.1:1", token)
	if err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprintf("%v %+v %#v", c, *c, *c); strings.Contains(text, token) {
		t.Error(text)
	}
}

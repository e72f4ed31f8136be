package fetch

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// post sends a form to the handler.
func post(t testing.TB, handler http.HandlerFunc, change ...func(*Form)) (Response, error) {
	t.Helper()
	address, roots := serve(t, handler)
	form := Form{URL: address, RootCAs: roots, User: "a:b é", Password: "p+%/=", Values: url.Values{"token": {"x&y"}}}
	for _, f := range change {
		f(&form)
	}
	return local().PostForm(t.Context(), form)
}

func TestAFormIsSentAsRFC6749Says(t *testing.T) {
	t.Parallel()
	_, err := post(t, func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		body, _ := io.ReadAll(r.Body)
		if user != "a%3Ab+%C3%A9" || password != "p%2B%25%2F%3D" || string(body) != "token=x%26y" || r.Method != "POST" ||
			r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || r.Header.Get("If-None-Match") != "" {
			t.Errorf("%s %q %q %q %v", r.Method, user, password, body, r.Header)
		}
		answering("application/json", "{}")(w, r)
	})
	if err != nil {
		t.Error(err)
	}
}

// TestASecretLeavesToNobodyElse: no redirect is followed, whatever its status.
func TestASecretLeavesToNobodyElse(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 303, 307, 308} {
		reached := false
		address, _ := serve(t, func(http.ResponseWriter, *http.Request) { reached = true })
		_, err := post(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, address, status) })
		if !errors.Is(err, ErrRedirect) || reached {
			t.Errorf("%d: %v, reached %v", status, err, reached)
		}
	}
}

func TestAFormHasTheGuardsOfEveryRequest(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		change  func(*Form)
		want    error
	}{
		"control":  {answering("application/json", "{}"), func(*Form) {}, nil},
		"HTML":     {answering("text/html", "{}"), func(*Form) {}, ErrContent},
		"large":    {answering("application/json", strings.Repeat("x", 11)), func(f *Form) { f.MaxBytes = 10 }, ErrTooLarge},
		"304":      {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(304) }, func(*Form) {}, ErrRedirect},
		"201":      {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201) }, func(*Form) {}, ErrStatus},
		"http":     {nil, func(f *Form) { f.URL = strings.Replace(f.URL, "https", "http", 1) }, ErrForbiddenURL},
		"metadata": {nil, func(f *Form) { f.URL = "https://169.254.169.254/" }, ErrForbiddenAddress},
		"no roots": {answering("application/json", "{}"), func(f *Form) { f.RootCAs = nil }, ErrUnreachable},
	} {
		if _, err := post(t, c.handler, c.change); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// TestAFormEndsWithItsCaller: nobody else waits for the answer.
func TestAFormEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	gate := make(chan struct{})
	address, roots := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-gate:
		case <-r.Context().Done():
		}
	})
	defer close(gate)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := local().PostForm(ctx, Form{URL: address, RootCAs: roots}); !errors.Is(err, ErrTimeout) {
		t.Error(err)
	}
}

package ststest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"
)

// Introspector is an issuer of opaque tokens: its introspection endpoint (RFC
// 7662 §2), on loopback.
type Introspector struct {
	URL string // of the endpoint

	mu       sync.Mutex
	answers  map[string]string // JSON by token
	override http.HandlerFunc
	asked    []Question
}

// Question is one request to the endpoint, as it came.
type Question struct {
	User, Password string // of HTTP Basic, decoded from form encoding (RFC 6749 §2.3.1)
	Form           url.Values
	Header         http.Header
}

// NewIntrospector starts an endpoint that knows no token.
func NewIntrospector(t testing.TB) *Introspector {
	t.Helper()
	i := &Introspector{answers: map[string]string{}}
	server := httptest.NewServer(i)
	t.Cleanup(server.Close)
	i.URL = server.URL + "/introspect"
	return i
}

// ServeHTTP answers a question.
func (i *Introspector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	user, password, _ := r.BasicAuth()
	user, _ = url.QueryUnescape(user)
	password, _ = url.QueryUnescape(password)
	i.mu.Lock()
	i.asked = append(i.asked, Question{user, password, r.PostForm, r.Header})
	answer, known := i.answers[r.PostForm.Get("token")]
	override := i.override
	i.mu.Unlock()
	if override != nil {
		override(w, r)
		return
	}
	if !known {
		answer = `{"active":false}`
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(answer))
}

// Know makes the endpoint answer about a token with this JSON.
func (i *Introspector) Know(token, answer string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answers[token] = answer
}

// Activate makes a token active, with usual claims and these; nil leaves one
// out. The answer is returned.
func (i *Introspector) Activate(t testing.TB, token string, now time.Time, claims map[string]any) string {
	t.Helper()
	answer := map[string]any{
		"active": true, "sub": "alice", "client_id": "webshop", "scope": "orders:read", "token_type": "Bearer",
		"exp": now.Add(time.Hour).Unix(), "iat": now.Add(-time.Minute).Unix(),
	}
	for name, value := range claims {
		if answer[name] = value; value == nil {
			delete(answer, name)
		}
	}
	text, err := json.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	i.Know(token, string(text))
	return string(text)
}

// Behave replaces the answers; nil restores them.
func (i *Introspector) Behave(handler http.HandlerFunc) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.override = handler
}

// Asked gives the questions so far.
func (i *Introspector) Asked() []Question {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append([]Question(nil), i.asked...)
}

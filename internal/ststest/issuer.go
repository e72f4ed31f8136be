package ststest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// Behaviour is how an Issuer's server answers.
type Behaviour int

// The behaviours, of every endpoint alike but for WrongIssuer.
const (
	Good        Behaviour = iota
	Down                  // 500
	Hanging               // accepts, and answers only when the client has gone
	Redirecting           // 302 to itself
	Huge                  // more than 1 MiB
	NotJSON               // 200 with HTML
	NoKeys                // {"keys":[]}
	WrongIssuer           // metadata that names another issuer
)

// Paths of an Issuer's endpoints.
const (
	JWKSPath   = "/jwks"
	OpenIDPath = "/.well-known/openid-configuration"       // OpenID Connect Discovery 1.0 §4
	OAuthPath  = "/.well-known/oauth-authorization-server" // RFC 8414 §3
)

// Issuer is a throw-away identity provider: keys of its own, metadata and a key
// set over plain HTTP on loopback, and tokens. It ends with its test.
type Issuer struct {
	URL string // the issuer identifier, and where it is

	t      testing.TB
	server *httptest.Server

	mu           sync.Mutex
	keys         []Key // the last one signs
	behaviour    Behaviour
	cacheControl string
	members      map[string]any // of the metadata, over the usual ones
	requests     map[string]int
}

// NewIssuer starts an Issuer with a key for each of the algs, whose kids are
// "key-1", "key-2" and so on; without any, one for ES256. The last one signs.
func NewIssuer(t testing.TB, algs ...string) *Issuer {
	t.Helper()
	i := &Issuer{t: t, requests: map[string]int{}}
	if len(algs) == 0 {
		algs = []string{"ES256"}
	}
	for _, alg := range algs {
		i.keys = append(i.keys, NewKey(t, fmt.Sprintf("key-%d", len(i.keys)+1), alg))
	}
	i.server = httptest.NewServer(i)
	t.Cleanup(i.server.Close)
	i.URL = i.server.URL
	return i
}

// Issue signs a token with the key that signs now. The claims are added to good
// ones for alice, from now for ten minutes; nil leaves one out.
func (i *Issuer) Issue(now time.Time, claims map[string]any) string {
	i.t.Helper()
	return i.IssueWith(i.Key(), now, nil, claims)
}

// IssueWith is Issue with this key, which need not be published, and with
// members over the usual ones of the header.
func (i *Issuer) IssueWith(key Key, now time.Time, header, claims map[string]any) string {
	i.t.Helper()
	usualHeader := map[string]any{"alg": key.Alg, "typ": "JWT", "kid": key.ID}
	usual := map[string]any{
		"iss": i.URL, "sub": "alice", "aud": "https://gateway.example.com", "iat": now.Unix(), "exp": now.Add(10 * time.Minute).Unix(),
	}
	for members, more := range map[*map[string]any]map[string]any{&usualHeader: header, &usual: claims} {
		maps.Copy(*members, more)
		maps.DeleteFunc(*members, func(_ string, v any) bool { return v == nil })
	}
	return Sign(i.t, key.Private, key.Alg, string(mustJSON(i.t, usualHeader)), string(mustJSON(i.t, usual)))
}

// Key is the key that signs now.
func (i *Issuer) Key() Key {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.keys[len(i.keys)-1]
}

// Rotate makes a new key of the same alg and signs with it from now on. Older
// keys stay published where keep says so.
func (i *Issuer) Rotate(keep bool) Key {
	i.t.Helper()
	old := i.Key()
	i.mu.Lock()
	defer i.mu.Unlock()
	fresh := NewKey(i.t, fmt.Sprintf("%s-next", old.ID), old.Alg)
	if !keep {
		i.keys = nil
	}
	i.keys = append(i.keys, fresh)
	return fresh
}

// Behave changes how the server answers.
func (i *Issuer) Behave(b Behaviour) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.behaviour = b
}

// CacheControl sets the header of that name for the answers to come.
func (i *Issuer) CacheControl(value string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.cacheControl = value
}

// Metadata sets members of the metadata over the usual ones, such as jwks_uri.
func (i *Issuer) Metadata(members map[string]any) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.members = members
}

// Requests is how many requests came for a path so far.
func (i *Issuer) Requests(path string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.requests[path]
}

// AllRequests is how many requests came at all.
func (i *Issuer) AllRequests() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	all := 0
	for _, n := range i.requests {
		all += n
	}
	return all
}

// JWKS is the key set as it is published now.
func (i *Issuer) JWKS() json.RawMessage {
	i.t.Helper()
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.keySet()
}

func (i *Issuer) keySet() json.RawMessage {
	var keys []map[string]any
	for _, key := range i.keys {
		keys = append(keys, key.JWK(i.t, nil))
	}
	return KeySet(i.t, keys...)
}

// ServeHTTP answers for every path; only those of the constants have content.
func (i *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	i.requests[r.URL.Path]++
	behaviour, body := i.behaviour, i.body(r.URL.Path)
	if i.cacheControl != "" {
		w.Header().Set("Cache-Control", i.cacheControl)
	}
	i.mu.Unlock()
	switch behaviour {
	case Down:
		w.WriteHeader(http.StatusInternalServerError)
	case Hanging:
		<-r.Context().Done()
	case Redirecting:
		http.Redirect(w, r, i.URL+r.URL.Path, http.StatusFound)
	case Huge:
		answer(w, "application/json", []byte(`{"keys":[],"x":"`+strings.Repeat("x", 2<<20)+`"}`))
	case NotJSON:
		answer(w, "text/html", []byte("<html>"))
	case NoKeys:
		answer(w, "application/json", []byte(`{"keys":[]}`))
	default:
		if body == nil {
			http.NotFound(w, r)
			return
		}
		answer(w, "application/json", body)
	}
}

// body is the document at a path, nil where there is none. The lock is held.
func (i *Issuer) body(path string) []byte {
	switch path {
	case JWKSPath:
		return i.keySet()
	case OpenIDPath, OAuthPath:
		metadata := map[string]any{"issuer": i.URL, "jwks_uri": i.URL + JWKSPath}
		if i.behaviour == WrongIssuer {
			metadata["issuer"] = "https://somebody-else.example.com"
		}
		maps.Copy(metadata, i.members)
		return mustJSON(i.t, metadata)
	}
	return nil
}

// answer writes a body. The client may have gone, which is its own affair.
func answer(w http.ResponseWriter, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	_, _ = w.Write(body)
}

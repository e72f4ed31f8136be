package app

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/schema"
	"github.com/strait-sts/strait/internal/ststest"
)

// BenchmarkIntrospection is POST /introspect without a network: of tokens that
// nobody has asked about before, and of one that was asked about a moment ago.
func BenchmarkIntrospection(b *testing.B) {
	issuer, secret := ststest.NewIssuer(b), benchSecret()
	a := idle(b, issuer, "ES256", "ES256", secret)
	server, faults := schema.DecodeJSON(fmt.Appendf(nil, `{"kind":"Client","metadata":{"name":"orders"},"governance":{"owner":"o"},
		"spec":{"authentication":[{"method":"client_secret","secret":%q}],"grants":["token-exchange"],"serves":["orders"]}}`, secret))
	if len(faults) > 0 {
		b.Fatal(faults)
	}
	if _, err := (writes{a.catalog, a}).Apply(b.Context(), catalog.ApplyRequest{Objects: []catalog.Object{server}, By: "bench"}); err != nil {
		b.Fatal(err)
	}
	token, introspect := endpoint(b, a, nobody{}), introspection(b, a)
	bought := func() string {
		subject := issuer.IssueWith(issuer.Key(), time.Now(), nil, map[string]any{
			"iss": "https://idp.example", "aud": "https://gw.example", "scope": "orders:read", "jti": rand.Text(),
		})
		answer := ask(token, "gw", secret, url.Values{
			"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "subject_token": {subject},
			"subject_token_type": {"urn:ietf:params:oauth:token-type:jwt"}, "audience": {"orders"}, "scope": {"orders:read"},
		})
		var issued struct {
			AccessToken string `json:"access_token"`
		}
		if err := json.Unmarshal(answer.Body.Bytes(), &issued); err != nil || issued.AccessToken == "" {
			b.Fatalf("%d %s", answer.Code, answer.Body)
		}
		return issued.AccessToken
	}
	one := bought()
	for name, next := range map[string]func(int) func() string{
		"again": func(int) func() string { return func() string { return one } },
		"new": func(n int) func() string {
			tokens := make([]string, n)
			for i := range tokens {
				tokens[i] = bought()
			}
			return func() string { token := tokens[0]; tokens = tokens[1:]; return token }
		},
	} {
		b.Run(name, func(b *testing.B) {
			next := next(b.N)
			b.ResetTimer()
			for range b.N {
				if answer := ask(introspect, "orders", secret, url.Values{"token": {next()}}); !strings.HasPrefix(answer.Body.String(), `{"active":true`) {
					b.Fatalf("%d %s", answer.Code, answer.Body)
				}
			}
		})
	}
}

// introspection is the endpoint of a running Strait.
func introspection(tb testing.TB, a *App) http.Handler {
	tb.Helper()
	front, err := a.newFront()
	if err != nil {
		tb.Fatal(err)
	}
	for _, route := range front.Routes() {
		if route.Pattern == "/introspect" {
			return route.Handler
		}
	}
	tb.Fatal("there is no /introspect")
	return nil
}

// ask posts a form as a client.
func ask(endpoint http.Handler, client, secret string, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(client, secret)
	answer := httptest.NewRecorder()
	endpoint.ServeHTTP(answer, r)
	return answer
}

package oauth_test

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/oauth"
)

// forgetful is parts without memory.
type forgetful struct{ *parts }

func (forgetful) Record(context.Context, *exchange.Record) error { return nil }

// BenchmarkToken is the front door alone, from request to bytes: form,
// authentication, fosite's frame, answer; what is behind it is faked. The
// subject token has 1.5 KB.
func BenchmarkToken(b *testing.B) {
	p := &parts{}
	the := world(p)
	handler, err := oauth.New(oauth.Options{
		Service: &exchange.Service{Minter: p, Recorder: forgetful{p}, Issuer: issuer},
		World:   func() *exchange.World { return the }, Matches: matches,
		JWKS: func() ([]byte, string) { return nil, "" }, Algorithms: func() []string { return nil },
		Issuer: issuer, ErrorDetail: true, Clock: time.Now, Rand: rand.Reader, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	for name, r := range map[string]*request{
		"issued":  baseline(),
		"refused": with(map[string][]string{"subject_token": {strings.Repeat("A", 1500)}}),
	} {
		body, token := r.form.Encode(), handler.Routes()[0].Handler
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				req := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/token", io.NopCloser(strings.NewReader(body)))
				req.Header = r.header
				token.ServeHTTP(httptest.NewRecorder(), req)
			}
		})
	}
}

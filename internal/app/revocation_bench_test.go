package app

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/keyring"
	"github.com/strait-sts/strait/internal/oauth"
	"github.com/strait-sts/strait/internal/revocation"
)

// kept is a store that holds so many revoked tokens.
type kept int

func (kept) Revoke(context.Context, revocation.Order) (exchange.RevocationResult, error) {
	return exchange.RevocationResult{}, nil
}

func (k kept) Since(_ context.Context, _ int64, now time.Time) (revocation.Increment, error) {
	in := revocation.Increment{Revision: 1, Tokens: make([]revocation.Token, k)}
	for i := range in.Tokens {
		in.Tokens[i].Until = now.Add(time.Hour).Unix()
		_, _ = rand.Read(in.Tokens[i].ID[:]) // it does not fail
	}
	return in, nil
}

// revocationPiece is how many exchanges each side has in turn: what the machine
// does meanwhile falls on both alike.
const revocationPiece = 10

// BenchmarkMillionRevoked is the whole exchange of a token of ours, with no
// revoked token in memory and with a million, in turn in one run; ratio is the
// second to the first, by the medians of the pieces.
func BenchmarkMillionRevoked(b *testing.B) {
	r := newReplicas(b)
	root, reason := r.exchange(0, r.foreign("alice", "1"), exchange.TypeJWT)
	if root == "" {
		b.Fatal(reason)
	}
	body := url.Values{
		"grant_type": {string(exchange.GrantTokenExchange)}, "subject_token": {root}, "subject_token_type": {string(exchange.TypeAccessToken)},
		"audience": {"orders"}, "scope": {"orders:read"},
	}.Encode()
	sides := [2]http.Handler{revokedEndpoint(b, r.apps[0], 0), revokedEndpoint(b, r.apps[0], 1_000_000)}
	var took [2][]time.Duration
	for b.Loop() {
		for side, handler := range sides {
			began := time.Now()
			for range revocationPiece {
				once(b, handler, body, r.secret)
			}
			took[side] = append(took[side], time.Since(began))
		}
	}
	var median [2]float64
	for side := range sides {
		slices.Sort(took[side])
		median[side] = float64(took[side][len(took[side])/2].Nanoseconds()) / revocationPiece
	}
	b.ReportMetric(median[0], "ns-with-0")
	b.ReportMetric(median[1], "ns-with-1e6")
	b.ReportMetric(median[1]/median[0], "ratio")
}

// revokedEndpoint is the token endpoint with so many revoked tokens in memory.
func revokedEndpoint(b *testing.B, a *App, n int) http.Handler {
	b.Helper()
	set := revocation.New(revocation.Options{Store: kept(n), Clock: time.Now, Steady: func() time.Time { return time.Time{} }, Rand: rand.Reader})
	if err := set.Load(b.Context()); err != nil || set.Stats().Tokens != n {
		b.Fatalf("%+v, %v", set.Stats(), err)
	}
	service := a.service()
	service.Recorder, service.Revocations = nobody{}, set
	front, err := oauth.New(oauth.Options{
		Service: service, World: a.world.Load, Matches: a.ring.Matches, JWKS: a.ring.JWKS, Algorithms: keyring.Algorithms,
		Issuer: a.cfg.Issuer, ErrorDetail: true, Clock: time.Now, Rand: rand.Reader, Logger: a.log,
	})
	if err != nil {
		b.Fatal(err)
	}
	return front.Routes()[0].Handler
}

package oauth

import (
	"context"
	"crypto/sha512"
	"errors"
	"time"

	"github.com/ory/fosite"

	"github.com/strait-sts/strait/internal/exchange"
)

// errNotOurs is the answer to every question of fosite's that we answer
// elsewhere.
var errNotOurs = errors.New("fosite's own client authentication is not in use")

// newProvider makes fosite's frame with one handler and one strategy of ours.
//
// Every field that fosite v0.49 would fill on first use is filled here: its
// getters write to the shared configuration, which is a data race. The exact
// strategies stand in the place of its defaults, a wildcard for scopes and a
// prefix match for audiences, although no request of ours reaches them.
func newProvider(o Options, clients authenticator) fosite.OAuth2Provider {
	config := &fosite.Config{
		ClientAuthenticationStrategy: clients.authenticate,
		ClientSecretsHasher:          noHasher{},
		JWKSFetcherStrategy:          noFetcher{},
		ScopeStrategy:                fosite.ExactScopeStrategy,
		AudienceMatchingStrategy:     fosite.ExactAudienceMatchingStrategy,
		HMACHasher:                   sha512.New512_256,
		MinParameterEntropy:          fosite.MinParameterEntropy,
		RefreshTokenScopes:           []string{},
		SanitationWhiteList:          []string{},
		AccessTokenIssuer:            o.Issuer,
	}
	config.TokenEndpointHandlers.Append(newGrant(*o.Service))
	return fosite.NewOAuth2Provider(store{}, config)
}

// call is one request to an endpoint on its way through. At the token endpoint
// fosite carries it as the session.
type call struct {
	fosite.DefaultSession
	endpoint *endpoint
	request  *exchange.Request // its Client is nil until it is authenticated
	issued   *exchange.Issued
	recorded bool // a record with the request's id is durable
}

// Clone is the call itself: fosite clones a session to store it, and stores
// nothing of ours.
func (c *call) Clone() fosite.Session { return c }

// callOf finds the call where fosite passes no session on.
func callOf(ctx context.Context) *call {
	return ctx.Value(fosite.AccessRequestContextKey).(fosite.AccessRequester).GetSession().(*call)
}

// store is the storage that fosite asks for. It is never asked: clients are
// found by the authenticator, in the world that the request was met with.
type store struct{}

// GetClient refuses.
func (store) GetClient(context.Context, string) (fosite.Client, error) { return nil, errNotOurs }

// ClientAssertionJWTValid refuses.
func (store) ClientAssertionJWTValid(context.Context, string) error { return errNotOurs }

// SetClientAssertionJWT refuses.
func (store) SetClientAssertionJWT(context.Context, string, time.Time) error { return errNotOurs }

// noHasher never compares: secrets are compared by the authenticator.
type noHasher struct{}

// Compare refuses.
func (noHasher) Compare(context.Context, []byte, []byte) error { return errNotOurs }

// Hash refuses.
func (noHasher) Hash(context.Context, []byte) ([]byte, error) { return nil, errNotOurs }

// noFetcher never fetches: there is no fetcher in it, and nothing asks it,
// since fosite fetches keys only in the strategy that ours replaces.
type noFetcher struct{ fosite.JWKSFetcherStrategy }

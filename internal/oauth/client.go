package oauth

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/ory/fosite"

	"github.com/strait-sts/strait/internal/exchange"
)

// credentials is what a request says of its client.
type credentials struct {
	id       string
	secrets  []string // readings of the one secret that was sent
	byHeader bool     // tried in the Authorization header
}

// authenticator is step 2: who calls. It takes the place of fosite's own
// strategy, which accepts two methods at once and answers an unknown client
// sooner than a wrong secret.
type authenticator struct {
	matches func(digest, secret string) bool
	limits  Limits
}

// authenticate finds the one method of the request (RFC 6749 §2.3) and checks
// it. It satisfies fosite.ClientAuthenticationStrategy.
func (a authenticator) authenticate(ctx context.Context, r *http.Request, form url.Values) (fosite.Client, error) {
	req := callOf(ctx).request
	if err := a.identify(req, r.Header.Values("Authorization"), form); err != nil {
		return nil, err
	}
	return &fosite.DefaultClient{ID: req.Client.ID}, nil
}

// identify gives the request its client, or refuses it.
func (a authenticator) identify(req *exchange.Request, headers []string, form url.Values) error {
	presented, err := readCredentials(headers, form)
	if err != nil {
		return err
	}
	if id := form.Get("client_id"); id != "" && id != presented.id {
		return malformed("client_id in the body is not that of the Authorization header")
	}
	return a.verify(req, presented)
}

// readCredentials wants exactly one method. Two are a bad request, unless one
// of them is an assertion (RFC 6749 §5.2, RFC 7521 §4.2.1).
func readCredentials(headers []string, form url.Values) (credentials, error) {
	byHeader := len(headers) > 0
	switch {
	case form.Has("client_assertion") || form.Has("client_assertion_type"):
		return credentials{}, unauthenticated(byHeader, "client assertions are not built yet")
	case len(headers) > 1 || byHeader && form.Has("client_secret"):
		return credentials{}, malformed("more than one method of client authentication")
	case byHeader:
		presented, ok := parseBasic(headers[0])
		if !ok {
			return credentials{}, unauthenticated(true, "the Authorization header is not HTTP Basic as RFC 7617 §2 spells it")
		}
		return presented, nil
	case form.Has("client_id") && form.Has("client_secret"):
		return credentials{id: form.Get("client_id"), secrets: []string{form.Get("client_secret")}}, nil
	}
	return credentials{}, unauthenticated(false, "no client credentials were sent")
}

// verify compares the secret, and compares one also where there is no client,
// so that an unknown client_id and a wrong secret take the same time (RFC
// 6749 §10.10). Who has failed too often waits before a secret is compared,
// the right one included: the answer must not tell it from a guess. Once the
// secret holds, the request has its client.
func (a authenticator) verify(req *exchange.Request, presented credentials) error {
	if wait := a.limits.Guess(req.Time, presented.id, req.Origin.RemoteAddr); wait > 0 {
		return tooMany(wait, "too many failures of client authentication")
	}
	found := req.World.Clients[presented.id]
	digests, failure := []string{""}, obstacle(found, req.Time)
	if failure == "" {
		digests = found.Secrets
	}
	matched := false
	for _, secret := range presented.secrets {
		for _, digest := range digests {
			matched = a.matches(digest, secret) && secret != "" || matched
		}
	}
	if failure == "" && !matched {
		failure = "the secret of client " + found.Name + " is wrong"
	}
	if failure != "" {
		a.limits.Failed(req.Time, presented.id, req.Origin.RemoteAddr)
		return unauthenticated(presented.byHeader, "%s", failure)
	}
	req.Client = found
	if wait := a.limits.Client(req.Time, found.Name); wait > 0 {
		return tooMany(wait, "too many requests of the client")
	}
	return nil
}

// unauthenticated is the one refusal for every way in which authentication can
// fail; only the record's detail differs.
func unauthenticated(byHeader bool, format string, args ...any) *refusal {
	return &refusal{cause: exchange.Refuse(exchange.ClientAuthenticationFailed, format, args...), challenge: byHeader}
}

// obstacle is why the client may not authenticate with a secret at all; ""
// for none.
func obstacle(c *exchange.Client, now time.Time) string {
	switch {
	case c == nil:
		return "no client has this client_id"
	case !c.Enabled(now):
		return "client " + c.Name + " is disabled or expired"
	case len(c.Secrets) == 0:
		return "client " + c.Name + " has no secret"
	}
	return ""
}

package trust

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/introspect"
)

// secretField is where the catalogue keeps the secret that we present.
const secretField = "/spec/keys/introspection/clientSecret" //nolint:gosec // G101: a pointer, no credential

// asker gives the client of an entry's introspection endpoint, the one of the
// last snapshot if it is the same, and puts it among those of this one.
func (t *Trust) asker(o *catalog.Of[catalog.TrustedIssuer], into map[introspect.Spec]*introspect.Client) (*introspect.Client, error) {
	in := o.Spec.Keys.Introspection
	if t.options.Unseal == nil {
		return nil, errors.New("the client secret cannot be opened here")
	}
	secret, err := t.options.Unseal(o.Ref(), secretField, o.Sealed[secretField])
	if err != nil {
		return nil, err
	}
	spec := introspect.Spec{
		Name: o.Metadata.Name, URL: in.URL, ClientID: in.ClientID, Secret: secret, Authorities: o.Spec.CertificateAuthority,
	}
	client, known := t.askers[spec]
	if !known {
		if client, err = introspect.New(spec, t.options.Fetch); err != nil {
			return nil, err
		}
	}
	into[spec] = client
	return client, nil
}

// routes say which entry an opaque token belongs to. Configuration alone
// decides; nothing in the token but its prefix is looked at.
type routes struct {
	prefixed []*entry          // with a tokenPrefix, disabled ones too: their tokens are still theirs
	plain    map[string]*entry // without one, by name
}

func newRoutes(entries []*entry) routes {
	r := routes{plain: map[string]*entry{}}
	for _, e := range entries {
		switch {
		case !e.rules.opaque:
		case e.tokenPrefix != "":
			r.prefixed = append(r.prefixed, e)
		default:
			r.plain[e.name] = e
		}
	}
	return r
}

// byPrefix is the entry whose tokenPrefix fits; nil for none, and for two, which
// the catalogue refuses on write.
func (r routes) byPrefix(token string) (found *entry) {
	for _, e := range r.prefixed {
		if strings.HasPrefix(token, e.tokenPrefix) {
			if found != nil {
				return nil
			}
			found = e
		}
	}
	return found
}

// only is the one entry without a prefix among the issuers of the candidate
// policies; nil for none or several. Policies name issuers of subjects.
func (r routes) only(req *exchange.Request, role exchange.Role) (found *entry) {
	if req.Issuers == nil || role != exchange.RoleSubject || len(r.plain) == 0 {
		return nil
	}
	for _, name := range req.Issuers() {
		if e, isOpaque := r.plain[name]; isOpaque {
			if found != nil {
				return nil
			}
			found = e
		}
	}
	return found
}

// route is the entry to ask about the token; nil where it is to be judged as a
// JWT. A JWT goes to no endpoint unless its prefix says so: it may be somebody
// else's, and nobody shall learn another's tokens. Tokens of ours are JWTs, so
// that who presents one for another purpose than an exchange has none asked
// about.
func (v *verifier) route(req *exchange.Request, role exchange.Role) (*entry, error) {
	shown := req.Presented(role)
	token := shown.Token.Reveal()
	if shown.Type != exchange.TypeAccessToken || req.Purpose != exchange.ToExchange {
		return nil, nil
	}
	if e := v.opaque.byPrefix(token); e != nil {
		return e, checkOpaque(token)
	}
	if looksLikeJWT(token) {
		return nil, nil
	}
	if err := checkOpaque(token); err != nil {
		return nil, err
	}
	e := v.opaque.only(req, role)
	if e == nil {
		return nil, wrong(exchange.TokenMalformed, "the token is no JWT, and there is not exactly one issuer of opaque tokens that it could be from")
	}
	return e, nil
}

// looksLikeJWT: its first part is the base64url of a JSON object (RFC 7515 §3.1).
func looksLikeJWT(token string) bool {
	header, _, _ := strings.Cut(token, ".")
	text, _ := base64.RawURLEncoding.DecodeString(header) // what was read before an error counts
	return strings.HasPrefix(strings.TrimLeft(string(text), " \t\r\n"), "{")
}

// checkOpaque: visible ASCII (RFC 6749 §A.12, without the space).
func checkOpaque(token string) error {
	if strings.ContainsFunc(token, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return wrong(exchange.TokenMalformed, "the token has characters that no access token has (RFC 6749 §A.12)")
	}
	return nil
}

// ask is steps 2 to 5 of the package comment for an opaque token: the issuer's
// answer (RFC 7662 §2.2) takes the place of proof, and is judged like claims.
func (e *entry) ask(ctx context.Context, p *presented, token exchange.Secret) (*exchange.Token, error) {
	if err := e.admit(p); err != nil {
		return nil, err
	}
	if e.asker == nil {
		return nil, e.askError
	}
	claims, err := e.asker.Ask(ctx, token, p.now)
	if errors.Is(err, introspect.ErrInactive) {
		return nil, wrong(exchange.Inactive, "trusted issuer %q says that the token is not active", e.name)
	}
	if err != nil {
		return nil, err
	}
	p.claims, p.issuer = claims, e.issuer
	return e.rules.judge(e.name, p)
}

// checkAnswer judges what only an introspection answer says: who issued the
// token, to whom, and that it is an access token. It does nothing for JWTs.
func (r *reading) checkAnswer() error {
	if !r.opaque {
		return nil
	}
	if iss, present := r.claims["iss"]; present && iss != r.token.IssuerURL {
		return wrong(exchange.IssuerNotTrusted, "the answer's iss is not that of trusted issuer %q", r.token.Issuer)
	}
	if !bearer(r.claims) {
		return wrong(exchange.TypeMismatch, "the issuer's answer is not about an access token")
	}
	id, isString := r.claims["client_id"].(string)
	if !isString || !slices.Contains(r.allowedClients, id) {
		return wrong(exchange.RuleFailed, "the answer's client_id is not among the allowedClientIds of trusted issuer %q", r.token.Issuer)
	}
	return nil
}

// bearer: token_type is absent or that of an access token (RFC 6749 §7.1, RFC
// 9449 §5), and nothing marks a refresh token: token_use of Hydra, typ of
// Keycloak.
func bearer(claims exchange.Claims) bool {
	if kind, present := claims["token_type"]; present {
		name, isString := kind.(string)
		if !isString || !strings.EqualFold(name, "Bearer") && !isDPoP(claims) {
			return false
		}
	}
	if use, present := claims["token_use"]; present && use != "access_token" && use != "access" {
		return false
	}
	return claims["typ"] != "Refresh" && claims["typ"] != "Offline"
}

// isDPoP: the token is bound to a key, whether or not the answer has its cnf.
func isDPoP(claims exchange.Claims) bool {
	name, _ := claims["token_type"].(string)
	return strings.EqualFold(name, "DPoP")
}

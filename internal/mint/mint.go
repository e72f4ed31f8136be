package mint

import (
	"context"
	"crypto"
	"fmt"
	"log/slog"
	"strings"

	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/jws"
)

// What every issued token says in typ (RFC 9068 §2.1) and every answer in
// token_type (RFC 6750 §4).
const (
	headerType = "at+jwt"
	bearer     = "Bearer"
)

// Keys are our own keys, as far as minting goes. A keyring.Ring satisfies it.
type Keys interface {
	// Sign gives the compact serialization of payload under the active key of
	// a JOSE algorithm, with alg, kid and typ in its header.
	Sign(alg, typ string, payload []byte) (compact string, err error)
	// Public finds a published key by its kid.
	Public(kid string) (alg string, key crypto.PublicKey, ok bool)
}

// Options are the surroundings of a [Minter].
type Options struct {
	Keys   Keys
	Issuer string       // our issuer identifier
	Logger *slog.Logger // nil: none
}

// Minter turns grants into tokens. It is safe for concurrent use.
type Minter struct {
	keys   Keys
	issuer string
	logger *slog.Logger
}

// New makes a Minter.
func New(o Options) *Minter {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Minter{keys: o.Keys, issuer: o.Issuer, logger: o.Logger}
}

// Mint signs what g allows as the answer to req. Every error is the refusal
// signer_unavailable: a grant that cannot be minted is no fault of the caller.
func (m *Minter) Mint(ctx context.Context, req *exchange.Request, g *exchange.Grant) (*exchange.Issued, error) {
	issued, err := m.mint(req, g)
	if err != nil {
		m.logger.LogAttrs(ctx, slog.LevelError, "a granted token was not issued",
			slog.String("decision", string(req.ID)), slog.Any("error", err))
		return nil, exchange.Unavailable(exchange.SignerUnavailable, err)
	}
	return issued, nil
}

func (m *Minter) mint(req *exchange.Request, g *exchange.Grant) (*exchange.Issued, error) {
	payload, issued, err := Preview(m.issuer, req, g)
	if err != nil {
		return nil, err
	}
	token, err := m.keys.Sign(g.Algorithm(), headerType, payload)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	if issued.KeyID, err = m.readBack(token, g.Algorithm(), payload); err != nil {
		return nil, fmt.Errorf("the signed token does not read back: %w", err)
	}
	issued.Token = exchange.Secret(token)
	return issued, nil
}

// Preview gives the payload of the token that g allows as the answer to req,
// held to the last narrowing check, and what the answer would say of it. It is
// all of Mint but the signature: what it gives is worth nothing to anybody.
func Preview(issuer string, req *exchange.Request, g *exchange.Grant) (payload []byte, issued *exchange.Issued, err error) {
	claims := claimsOf(issuer, g)
	if payload, err = claims.encode(); err != nil {
		return nil, nil, err
	}
	if err = check(payload, issuer, req, g.Ceiling()); err != nil {
		return nil, nil, fmt.Errorf("the narrowing check refused to sign: %w", err)
	}
	return payload, &exchange.Issued{
		Type:      exchange.TypeAccessToken,
		TokenType: bearer,
		ExpiresIn: g.Expires().Sub(g.IssuedAt()),
		Scopes:    g.Scopes(),
		Claims:    claims.names(),
	}, nil
}

// readBack reads the token as a relying party would: one spelling, this
// header and no member more, a kid that is published for the algorithm, the
// bytes that were checked. It gives the kid.
func (m *Minter) readBack(token, alg string, payload []byte) (kid string, err error) {
	object, err := jws.Parse(token, jws.Limits{})
	if err != nil {
		return "", err
	}
	kid = object.Header.KeyID
	if keyAlg, _, published := m.keys.Public(kid); !published || keyAlg != alg {
		return "", fmt.Errorf("its kid is not a published key for %s", alg)
	}
	if want := `{"alg":"` + alg + `","kid":"` + kid + `","typ":"` + headerType + `"}`; string(object.Header.Raw) != want {
		return "", fmt.Errorf("its header is not exactly alg %s, kid and typ %s", alg, headerType)
	}
	if string(object.Payload) != string(payload) {
		return "", fmt.Errorf("its payload is not the one that was checked")
	}
	return kid, nil
}

// scopeClaim is the scope claim (RFC 8693 §4.2): one string.
func scopeClaim(scopes []string) string { return strings.Join(scopes, " ") }

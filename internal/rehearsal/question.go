package rehearsal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/strait-sts/strait/internal/exchange"
)

// Question is an exchange that somebody wants to know about.
type Question struct {
	Client        string             // metadata.name
	Grant         exchange.GrantType // "": the token exchange
	Subject       Party
	Actor         Party
	Audiences     []string
	Resources     []string
	Scope         string
	RequestedType exchange.TokenType

	brief bool // the decision alone is wanted, neither its checks nor a mend
}

// Party is a token, or what a token would say: Claims of the issuer that the
// trust list calls Issuer; or what a record tells of one. The zero Party is none.
type Party struct {
	Token  exchange.Secret
	Type   exchange.TokenType
	Issuer string          // with Claims: an entry's name, or exchange.SelfIssuer
	Claims exchange.Claims // nil: Token is the real one

	recorded *Recorded // the token is the one that this record tells of
}

// spoken stands in a request for a token that exists only as claims. Nobody
// parses it: the verifier of a stage looks at the claims.
const spoken exchange.Secret = "claims"

// presented is the party as a request carries it.
func (p Party) presented() exchange.Presented {
	if p.Claims != nil || p.recorded != nil {
		return exchange.Presented{Token: spoken, Type: p.Type}
	}
	return exchange.Presented{Token: p.Token, Type: p.Type}
}

// grant is the grant that is asked for.
func (q *Question) grant() exchange.GrantType {
	if q.Grant == "" {
		return exchange.GrantTokenExchange
	}
	return q.Grant
}

// ReadClaims reads a JSON object as a token carries it: numbers stay exact
// (RFC 7519 §4).
func ReadClaims(text []byte) (exchange.Claims, error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, fmt.Errorf("claims are missing: %w", errNoObject)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var claims exchange.Claims
	if err := decoder.Decode(&claims); err != nil || claims == nil {
		return nil, fmt.Errorf("claims are no JSON object: %w", errNoObject)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more than one JSON value in the claims")
	}
	return claims, nil
}

var errNoObject = errors.New(`want one such as {"sub": "alice"}`)

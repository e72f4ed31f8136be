package mint

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/strait-sts/strait/internal/exchange"
)

// claims is the payload of an issued token: this list, what the policy adds,
// and nothing else. There is no nbf: a token is good from iat on.
type claims struct {
	Issuer   string         `json:"iss"`
	Subject  string         `json:"sub"`
	Audience any            `json:"aud"` // a string where there is one (RFC 7519 §4.1.3)
	ClientID string         `json:"client_id"`
	IssuedAt int64          `json:"iat"`
	Expires  int64          `json:"exp"`
	ID       string         `json:"jti"`
	Scope    string         `json:"scope,omitempty"`
	Txn      string         `json:"txn"`
	Act      map[string]any `json:"act,omitempty"`
	AuthTime json.Number    `json:"auth_time,omitempty"`
	ACR      string         `json:"acr,omitempty"`
	AMR      []string       `json:"amr,omitempty"`

	added exchange.Claims // by the policy; none of them is one of the above
}

// claimsOf writes a grant as claims. RFC 9068 §2.2.1: what the subject token
// says of how its subject authenticated stays true along a chain, and is
// copied as it is.
func claimsOf(issuer string, g *exchange.Grant) *claims {
	ceiling := g.Ceiling()
	c := &claims{
		Issuer:   issuer,
		Subject:  g.Subject(),
		Audience: audience(g.Audience()),
		ClientID: ceiling.Client.ID,
		IssuedAt: g.IssuedAt().Unix(),
		Expires:  g.Expires().Unix(),
		ID:       string(ceiling.ID),
		Scope:    scopeClaim(g.Scopes()),
		Txn:      g.Txn(),
		Act:      g.Act().Nested(),
		added:    ceiling.Claims,
	}
	if ceiling.Subject != nil {
		c.AuthTime, c.ACR, c.AMR = authentication(ceiling.Subject.Claims)
	}
	return c
}

func audience(values []string) any {
	if len(values) == 1 {
		return values[0]
	}
	return values
}

// authentication takes auth_time, acr and amr as far as they have the type
// that OpenID Connect Core §2 gives them. One of another type is left out: it
// would be a way to carry any claim at all through an exchange.
func authentication(from exchange.Claims) (authTime json.Number, acr string, amr []string) {
	authTime, _ = from["auth_time"].(json.Number)
	acr, _ = from["acr"].(string)
	methods, _ := from["amr"].([]any)
	for _, method := range methods {
		text, ok := method.(string)
		if !ok {
			return authTime, acr, nil
		}
		amr = append(amr, text)
	}
	return authTime, acr, amr
}

// encode gives the payload's bytes: the closed list in its order, then what the
// policy adds, by name.
func (c *claims) encode() ([]byte, error) {
	payload, err := plainJSON(c)
	if err != nil || len(c.added) == 0 {
		return payload, err
	}
	added, err := plainJSON(c.added)
	if err != nil {
		return nil, err
	}
	payload[len(payload)-1] = ','
	return append(payload, added[1:]...), nil
}

// plainJSON is v without the escapes that only HTML needs.
func plainJSON(v any) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, fmt.Errorf("write the claims: %w", err)
	}
	return bytes.TrimSuffix(text.Bytes(), []byte("\n")), nil
}

// names lists the claims that the payload has, sorted.
func (c *claims) names() []string {
	all := []struct {
		name    string
		present bool
	}{
		{"acr", c.ACR != ""}, {"act", c.Act != nil}, {"amr", c.AMR != nil}, {"aud", true},
		{"auth_time", c.AuthTime != ""}, {"client_id", true}, {"exp", true}, {"iat", true},
		{"iss", true}, {"jti", true}, {"scope", c.Scope != ""}, {"sub", true}, {"txn", true},
	}
	names := make([]string, 0, len(all))
	for _, claim := range all {
		if claim.present {
			names = append(names, claim.name)
		}
	}
	names = slices.AppendSeq(names, maps.Keys(c.added))
	slices.Sort(names)
	return names
}

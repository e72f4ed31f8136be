package exchange

import (
	"slices"
	"time"
)

// Token is a presented token after it was believed: what it says, in our
// words. Only a Verifier makes one.
type Token struct {
	Issuer    string // the trusted issuer's name; SelfIssuer for our own
	IssuerURL string // iss, byte for byte
	Type      TokenType
	Subject   string // the mapped subject: prefix and claim
	Original  string // sub as its issuer wrote it
	JTI       string
	Audience  []string
	ClientID  string // client_id, else azp (RFC 8693 §4.3)
	Scopes    []string
	IssuedAt  time.Time
	Expires   time.Time
	Act       Chain     // prior actors, newest first; nil where there are none
	MayAct    MayAct    // nil where the token does not say
	Bound     bool      // it carries cnf (RFC 7800 §3.1)
	SingleUse bool      // JTI may be exchanged once, by any replica
	Txn       string    // our own tokens alone: the root exchange
	KeyID     string    // our own tokens alone: kid of the key that signed it
	Served    []*Target // our own tokens alone: those in its aud, in force, that the presenting client serves
	Claims    Claims    // the whole payload

	ScopeClaim string      // where Scopes are, if not in scope
	Reads      []ClaimPath // the claims that its issuer's rules read
	// Knows is nil for a token that came. For one that is recalled from a
	// record it says which of the claims are in Claims as they were.
	Knows func(path []string) bool
}

// Claims is a JSON object as a token carries it: strings, bools, nil,
// json.Number (so that numbers stay exact), []any and map[string]any.
type Claims map[string]any

// Own says whether Strait itself issued the token.
func (t *Token) Own() bool { return t.Issuer == SelfIssuer }

// Party is who the token speaks of, as a hop of an act claim names them.
func (t *Token) Party() Hop { return Hop{Issuer: t.IssuerURL, Subject: t.Original} }

// Of says whether the token is the client's own: what it holds for itself.
func (t *Token) Of(c *Client) bool {
	return t.Own() && t.Original == ClientSubjectPrefix+c.ID
}

// Hop is one actor of a delegation chain: iss and sub, nothing else (RFC 8693
// §4.1).
type Hop struct {
	Issuer  string `json:"iss"`
	Subject string `json:"sub"`
}

// Chain is a delegation chain, the current actor first. Only its first hop may
// decide anything; the others are history (RFC 8693 §4.1).
type Chain []Hop

// Extended is the chain with the newest actor put in front; c itself stays.
func (c Chain) Extended(newest Hop) Chain {
	return append(Chain{newest}, c...)
}

// Nested is the chain as the act claim spells it, hop within hop.
func (c Chain) Nested() map[string]any {
	var act map[string]any
	for _, hop := range slices.Backward(c) {
		outer := map[string]any{"iss": hop.Issuer, "sub": hop.Subject}
		if act != nil {
			outer["act"] = act
		}
		act = outer
	}
	return act
}

// MayAct is the may_act claim of a subject token: the one party that may act
// for its subject (RFC 8693 §4.4).
type MayAct map[string]any

// identity is m reduced to what [MayAct.Permits] looks at.
func (m MayAct) identity() map[string]any {
	reduced := map[string]any{}
	for name, value := range m {
		text, isString := value.(string)
		if isString && len(text) <= maxClientID && (name == "iss" || name == "sub" || name == "client_id") {
			reduced[name] = text
		} else {
			reduced["other"] = true
		}
	}
	return reduced
}

// Permits says whether m names the party: its iss and sub pair exactly, where
// no iss means the subject token's issuer, or its client_id. A member that we
// do not understand names nobody, since all members together identify the
// party.
func (m MayAct) Permits(subjectIssuer string, party Hop, clientID string) bool {
	for name := range m {
		if name != "iss" && name != "sub" && name != "client_id" {
			return false
		}
	}
	if id, named := m["client_id"]; named && (clientID == "" || id != clientID) {
		return false
	}
	sub, namesSubject := m["sub"]
	iss, namesIssuer := m["iss"]
	if !namesSubject {
		_, namesClient := m["client_id"]
		return namesClient && !namesIssuer
	}
	if !namesIssuer {
		iss = subjectIssuer
	}
	return sub == party.Subject && iss == party.Issuer
}

package exchange

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// Secret is a credential or a token: a string that formatting, logging and
// JSON show as "[redacted]". Reveal gives the string itself.
type Secret string

// Reveal returns the secret itself, for the one place that must send or check it.
func (s Secret) Reveal() string { return string(s) }

// redacted is what every printer shows of a secret.
const redacted = "[redacted]"

// String hides the secret.
func (Secret) String() string { return redacted }

// Format hides the secret from fmt under every verb; a wrong one, such as %d,
// would otherwise show it in its complaint.
func (Secret) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, redacted) }

// LogValue hides the secret from log/slog.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the secret from encoding/json and its like.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// ID is a decision id: a UUIDv7 (RFC 9562 §5.7) in its usual 36 characters. It
// is also the jti of the token that the decision issued.
type ID string

// NewID makes an ID for the instant now from random bytes of r.
func NewID(now time.Time, r io.Reader) (ID, error) {
	var u [16]byte
	if _, err := io.ReadFull(r, u[6:]); err != nil {
		return "", err
	}
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(now.UnixMilli()))
	copy(u[:6], ms[2:])
	u[6] = u[6]&0x0f | 0x70
	u[8] = u[8]&0x3f | 0x80
	var text [36]byte
	at := 0
	for i, b := range u {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			text[at] = '-'
			at++
		}
		hex.Encode(text[at:], []byte{b})
		at += 2
	}
	return ID(text[:]), nil
}

// GrantType is the grant_type of a token request (RFC 6749 §4.4, RFC 8693 §2.1).
type GrantType string

// The grants that Strait serves.
const (
	GrantTokenExchange     GrantType = "urn:ietf:params:oauth:grant-type:token-exchange" //nolint:gosec // G101: a name, no credential
	GrantClientCredentials GrantType = "client_credentials"
)

// TokenType is a token type identifier (RFC 8693 §3).
type TokenType string

// tokenTypePrefix begins every identifier of RFC 8693 §3.
const tokenTypePrefix = "urn:ietf:params:oauth:token-type:" //nolint:gosec // G101: a name, no credential

// The token types that Strait reads; access_token is the one that it issues.
const (
	TypeAccessToken TokenType = tokenTypePrefix + "access_token"
	TypeJWT         TokenType = tokenTypePrefix + "jwt"
	TypeIDToken     TokenType = tokenTypePrefix + "id_token"
)

// Known says whether Strait can read a token of this type.
func (t TokenType) Known() bool {
	return t == TypeAccessToken || t == TypeJWT || t == TypeIDToken
}

// Short is the last part of the identifier, as manifests write it: "jwt".
func (t TokenType) Short() string {
	if len(t) > len(tokenTypePrefix) && t[:len(tokenTypePrefix)] == tokenTypePrefix {
		return string(t[len(tokenTypePrefix):])
	}
	return string(t)
}

// TypeOf is the identifier whose short name is given: "jwt" for TypeJWT.
func TypeOf(short string) TokenType { return TokenType(tokenTypePrefix + short) }

// Flow is the pattern that a policy approves; each has its own rules.
type Flow string

// The flows of the contract.
const (
	FlowDownscope  Flow = "downscope"  // trim a broad token before a sensitive call
	FlowFederation Flow = "federation" // a foreign token into one that local services understand
	FlowDelegation Flow = "delegation" // act on behalf of the subject, and say so in act
	FlowClient     Flow = "client"     // the client for itself (RFC 6749 §4.4)
)

// Role is the part that a presented token plays in an exchange.
type Role string

// The two roles of RFC 8693 §1.1.
const (
	RoleSubject Role = "subject"
	RoleActor   Role = "actor"
)

// SelfIssuer is the reserved issuer name of tokens that Strait itself issued.
const SelfIssuer = "self"

// ClientSubjectPrefix begins the sub of a token that a client holds for
// itself; no foreign subject may begin with it.
const ClientSubjectPrefix = "client:"

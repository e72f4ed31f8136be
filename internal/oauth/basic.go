package oauth

import (
	"encoding/base64"
	"net/url"
	"strings"
	"unicode/utf8"
)

// parseBasic reads the value of an Authorization header as HTTP Basic (RFC
// 7617 §2): the scheme in any case, one space, canonical base64, a colon.
//
// RFC 6749 §2.3.1 wants both parts form-encoded, and half of the real clients
// send them raw. The id is always decoded: no client_id has a character that
// decoding changes. The secret has two readings where they differ, decoded
// first, then raw.
func parseBasic(header string) (credentials, bool) {
	scheme, encoded, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return credentials{}, false
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(encoded)
	// The decoder skips line breaks; a header has none, but bytes that say the
	// same in two ways are refused here too.
	if err != nil || strings.ContainsAny(encoded, "\r\n") || !utf8.Valid(raw) {
		return credentials{}, false
	}
	id, secret, colon := strings.Cut(string(raw), ":")
	if !colon || id == "" || strings.ContainsFunc(string(raw), control) {
		return credentials{}, false
	}
	c := credentials{id: id, byHeader: true}
	if decoded, err := url.QueryUnescape(id); err == nil {
		c.id = decoded
	}
	if decoded, err := url.QueryUnescape(secret); err == nil && decoded != secret {
		c.secrets = append(c.secrets, decoded)
	}
	c.secrets = append(c.secrets, secret)
	return c, true
}

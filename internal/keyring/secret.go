package keyring

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
)

// A digest reads hmac-sha256$v1$<salt>$<mac>: v1 is the pepper's version, salt
// and mac are base64url. Client secrets have 32 characters or more, so a fast
// hash does; the pepper makes a stolen database useless for guessing the weak
// ones among them.
const (
	digestPrefix = "hmac-sha256$v1$"
	saltBytes    = 16
)

var errNoPepper = errors.New("the key ring has no pepper")

// Digest gives the text that stands for a client secret in the database, with
// a salt of its own: the same secret gives another text each time.
func (r *Ring) Digest(secret string) (string, error) {
	pepper := r.state.Load().pepper
	if len(pepper) == 0 {
		return "", errNoPepper
	}
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt) // never fails, by its contract
	mac := macOf(pepper, salt, secret)
	return digestPrefix + base64.RawURLEncoding.EncodeToString(salt) + "$" + base64.RawURLEncoding.EncodeToString(mac), nil
}

// Matches says whether digest is of secret, in a time that depends on neither.
// A digest that cannot be read costs the same as one that can, so that a
// caller may ask with "" for a client that does not exist.
func (r *Ring) Matches(digest, secret string) bool {
	pepper := r.state.Load().pepper
	salt, want, ok := parseDigest(digest)
	same := hmac.Equal(macOf(pepper, salt, secret), want)
	return ok && same && len(pepper) > 0
}

// parseDigest gives salt and mac; for a digest that cannot be read, zeroes of
// the same size and false.
func parseDigest(digest string) (salt, mac []byte, ok bool) {
	rest, known := strings.CutPrefix(digest, digestPrefix)
	saltText, macText, _ := strings.Cut(rest, "$")
	salt, saltErr := base64.RawURLEncoding.Strict().DecodeString(saltText)
	mac, macErr := base64.RawURLEncoding.Strict().DecodeString(macText)
	// The decoder skips line breaks, so the length of the text counts too.
	exact := len(saltText) == base64.RawURLEncoding.EncodedLen(saltBytes) && len(macText) == base64.RawURLEncoding.EncodedLen(sha256.Size)
	if !known || !exact || saltErr != nil || macErr != nil || len(salt) != saltBytes || len(mac) != sha256.Size {
		return make([]byte, saltBytes), make([]byte, sha256.Size), false
	}
	return salt, mac, true
}

// macOf is HMAC-SHA-256(pepper, salt ‖ secret) (RFC 2104 §2). The salt's length is
// fixed, so that the two cannot run together.
func macOf(pepper, salt []byte, secret string) []byte {
	mac := hmac.New(sha256.New, pepper)
	mac.Write(salt)
	mac.Write([]byte(secret))
	return mac.Sum(nil)
}

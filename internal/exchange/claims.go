package exchange

import "strings"

// reservedClaims are those that only the engine sets, or that would say of a
// token what no policy may (RFC 7519 §4.1, RFC 8693 §4, RFC 9068 §2.2, OpenID
// Connect Core §2).
var reservedClaims = []string{
	"iss", "sub", "aud", "client_id", "azp", "iat", "nbf", "exp", "jti", "scope", "txn",
	"act", "may_act", "cnf", "auth_time", "acr", "amr", "sid", "nonce",
}

// ReservedClaim says that no policy may set the claim. Case does not matter:
// readers there are that take Sub for sub.
func ReservedClaim(name string) bool {
	for _, reserved := range reservedClaims {
		if strings.EqualFold(name, reserved) {
			return true
		}
	}
	return false
}

package trust

import (
	"slices"

	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/jws"
)

// usualTyp is the values of typ that tokens of a type come with where their
// entry names none; "" is an absent one. Access tokens have at+jwt since RFC
// 9068 §2.1, and many issuers are older.
func usualTyp(t exchange.TokenType) []string {
	if t == exchange.TypeAccessToken {
		return []string{"at+jwt", "JWT", ""}
	}
	return []string{"", "JWT"}
}

// typAllowed compares media types (RFC 7515 §4.1.9), case folded.
func typAllowed(typ string, allowed []string) bool {
	return slices.ContainsFunc(allowed, func(want string) bool { return jws.TypeMatches(typ, want) })
}

// foreignKinds are JWTs that prove something else than who somebody is; no
// entry may list them as its tokens' typ (RFC 8725 §3.12).
func foreignKinds() []string {
	return []string{
		"dpop+jwt",                  // RFC 9449 §4.2
		"logout+jwt",                // OpenID Connect Back-Channel Logout 1.0 §2.4
		"secevent+jwt",              // RFC 8417 §2.3
		"oauth-authz-req+jwt",       // RFC 9101 §10.8
		"token-introspection+jwt",   // RFC 9701 §5
		"statuslist+jwt",            // Token Status List §5.1
		"client-authentication+jwt", // RFC 7523bis §4
		"oauth-client-attestation+jwt", "oauth-client-attestation-pop+jwt",
		"oauth-id-jag+jwt", "entity-statement+jwt", "wpt+jwt", "wit+jwt",
	}
}

// checkKind refuses a token whose claims show that it is of another kind than
// the request says, so that none passes for another where typ is silent (RFC
// 8725 §3.12). A nonce alone shows nothing: some issuers copy it into access
// tokens.
func (r *reading) checkKind() error {
	if _, present := r.claims["events"]; present { // RFC 8417 §2.2, and every logout token
		return wrong(exchange.TypeMismatch, "the token has events: it is a security event, not proof of a subject")
	}
	isID, isAccess := idToken(r.claims), accessToken(r.claims)
	switch {
	case isID && r.token.Type != exchange.TypeIDToken:
		return wrong(exchange.TypeMismatch, "the token's claims are those of an ID token; present it as id_token")
	case isAccess && r.token.Type == exchange.TypeIDToken:
		return wrong(exchange.TypeMismatch, "the token's claims are those of an access token, not of an ID token")
	}
	return nil
}

// idToken: the claims that only ID tokens have (OpenID Connect Core 1.0
// §3.1.3.6, §3.3.2.11), and the marks of Keycloak and Cognito.
func idToken(claims exchange.Claims) bool {
	for _, name := range []string{"at_hash", "c_hash", "s_hash"} {
		if _, present := claims[name]; present {
			return true
		}
	}
	return claims["typ"] == "ID" || claims["token_use"] == "id"
}

// accessToken: the marks of Keycloak and Cognito.
func accessToken(claims exchange.Claims) bool {
	return claims["typ"] == "Bearer" || claims["token_use"] == "access"
}

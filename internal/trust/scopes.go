package trust

import (
	"slices"
	"strconv"
	"strings"

	"github.com/strait-sts/strait/internal/exchange"
)

// path leads to a claim: one name, or the tokens of a JSON Pointer (RFC 6901).
type path []string

// usualScope is the claim that holds scopes where an entry does not say (RFC
// 8693 §4.2).
const usualScope = "scope"

// claimAt reads how an entry names a claim: "scp", or "/realm_access/roles".
func claimAt(name string) path {
	if name == "" {
		return path{usualScope}
	}
	if name[0] != '/' {
		return path{name}
	}
	tokens := strings.Split(name[1:], "/")
	for i, token := range tokens {
		tokens[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(token) // RFC 6901 §4
	}
	return tokens
}

// in is the value that the path leads to among the claims.
func (p path) in(claims exchange.Claims) (value any, found bool) {
	value = map[string]any(claims)
	for _, token := range p {
		switch at := value.(type) {
		case map[string]any:
			if value, found = at[token]; !found {
				return nil, false
			}
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(at) || strconv.Itoa(i) != token {
				return nil, false
			}
			value = at[i]
		default:
			return nil, false
		}
	}
	return value, true
}

// readScopes reads what the token holds: a string with spaces (RFC 8693 §4.2)
// or an array of strings; in an introspection answer, scope is a string (RFC
// 7662 §2.2). A token without the claim holds nothing.
func (r *reading) readScopes() error {
	value, found := r.scope.in(r.claims)
	if !found {
		return nil
	}
	switch value := value.(type) {
	case string:
		for scope := range strings.SplitSeq(value, " ") {
			if scope != "" {
				r.token.Scopes = append(r.token.Scopes, scope)
			}
		}
		return nil
	case []any:
		if r.opaque && slices.Equal(r.scope, claimAt("")) {
			return errScopes()
		}
		for _, element := range value {
			scope, isString := element.(string)
			if !isString {
				return errScopes()
			}
			r.token.Scopes = append(r.token.Scopes, scope)
		}
		return nil
	}
	return errScopes()
}

func errScopes() error {
	return wrong(exchange.TokenMalformed, "the scope claim is not a string or an array of strings")
}

package conformance_test

import (
	"encoding/json"
	"maps"
	"time"
)

// object is a manifest as it is sent to the admin API.
type object map[string]any

// members are those of a JSON object.
type members = map[string]any

func manifest(kind, name string, spec members, more members) object {
	maps.Copy(spec, more)
	maps.DeleteFunc(spec, func(_ string, v any) bool { return v == nil })
	return object{
		"apiVersion": "strait/v1", "kind": kind, "metadata": members{"name": name}, "spec": spec,
		"governance": members{"owner": "conformance@example.com"},
	}
}

// governed adds what an entry of the trust list and a policy must say.
func governed(o object) object {
	governance, _ := o["governance"].(members)
	governance["justification"] = "the conformance tests"
	governance["reviewBy"] = time.Now().AddDate(0, 3, 0).Format(time.DateOnly)
	return o
}

// issuer is a trusted issuer for subjects; more goes over the usual members of
// its spec, and nil takes one away.
func issuer(name, url string, keys any, more members) object {
	return governed(manifest("TrustedIssuer", name, members{
		"issuer": url, "keys": keys, "audiences": []string{"https://gateway.example.com"}, "algorithms": []string{"ES256"},
		"acceptAs": []string{"subject"}, "tokenTypes": []string{"jwt"},
		"claimMappings": members{"subject": members{"claim": "sub", "prefix": name + "|"}},
	}, more))
}

// inline is keys that are never fetched.
func inline(keys json.RawMessage) any { return members{"jwks": keys} }

func target(name, audience string, scopes []string, more members) object {
	return manifest("Target", name, members{"audience": audience, "scopes": scopes}, more)
}

// client has a secret and the grant of token exchange.
func client(name, secret string, more members) object {
	return manifest("Client", name, members{
		"authentication": []any{members{"method": "client_secret", "secret": secret}}, "grants": []string{"token-exchange"},
	}, more)
}

// policy is one approved flow: who, whose tokens, to where, with which scopes.
func policy(name, client, issuer string, targets, allow []string, more members) object {
	return governed(manifest("ExchangePolicy", name, members{
		"flow": "downscope", "clients": []string{client}, "subject": members{"issuers": []string{issuer}, "tokenTypes": []string{"jwt"}},
		"targets": targets, "scopes": members{"allow": allow}, "issue": members{"lifetime": "5m"},
	}, more))
}

// clientPolicy is a policy of the client_credentials grant.
func clientPolicy(name, client string, targets, allow []string) object {
	return policy(name, client, "", targets, allow, members{"flow": "client", "subject": nil})
}

// scopes of a policy, with a default.
func scopes(allow, byDefault []string) members {
	return members{"scopes": members{"allow": allow, "default": byDefault}}
}

// subject says whose tokens of which types a policy takes.
func subject(types []string, issuers ...string) members {
	return members{"subject": members{"issuers": issuers, "tokenTypes": types}}
}

// list saves words at the many places where JSON wants a list.
func list(words ...string) []string { return words }

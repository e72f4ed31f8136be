package trust

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/strait-sts/strait/internal/exchange"
)

// Recall judges a token that a record tells of, by the rules of this trust list:
// the entry of the same name, and everything that a token of it meets once its
// signature holds. Form, header, key, signature, nbf and what an introspection
// answer says beside client_id are taken as they were believed then. held are its
// scopes.
//
// An error that wraps *exchange.NotKeptError says that the entry reads what the
// record does not tell; any other is a refusal. What is recalled is for
// rehearsals: nothing that signs may come by it.
func (v *verifier) Recall(req *exchange.Request, role exchange.Role, of *exchange.RecordParty, held []string) (*exchange.Token, error) {
	token, err := v.recall(req, role, of, held)
	if err != nil {
		return nil, refusal(role, err)
	}
	token.Knows = knows(of)
	return token, nil
}

func (v *verifier) recall(req *exchange.Request, role exchange.Role, of *exchange.RecordParty, held []string) (*exchange.Token, error) {
	p := &presented{role: role, typ: req.Presented(role).Type, client: req.Client, now: req.Time}
	if of.Issuer == exchange.SelfIssuer {
		p.issuer, p.claims = v.own.issuer, recalled(of, v.own.issuer, held, v.own.rules.scope)
		if err := checkOwnType(p.typ); err != nil {
			return nil, err
		}
		return v.own.judge(p)
	}
	e := v.named(of.Issuer)
	if e == nil {
		return nil, wrong(exchange.IssuerNotTrusted, "the trust list has no entry %q", of.Issuer)
	}
	if of.IssuerURL != e.issuer {
		return nil, wrong(exchange.IssuerNotTrusted, "trusted issuer %q has another issuer than the token's iss", e.name)
	}
	p.issuer, p.claims = e.issuer, recalled(of, e.issuer, held, e.rules.scope)
	if err := cmp.Or(e.admit(p), e.rules.unread(role, of)); err != nil {
		return nil, err
	}
	return e.rules.judge(e.name, p)
}

// unread: the entry reads a claim that the record does not tell.
func (c *claimRules) unread(role exchange.Role, of *exchange.RecordParty) error {
	if cmp.Or(c.scopeClaim, usualScope) != cmp.Or(of.ScopeClaim, usualScope) {
		return &exchange.NotKeptError{Of: role, Claim: "scope claim " + cmp.Or(c.scopeClaim, usualScope)}
	}
	return (&exchange.Token{Knows: knows(of)}).Unread(role, c.reads)
}

// recalled are the claims that a record tells of, as a token would carry them.
func recalled(of *exchange.RecordParty, issuer string, held []string, scope path) exchange.Claims {
	claims := exchange.Claims{"iss": issuer, "sub": of.Original, "exp": seconds(of.Expires)}
	for name, value := range map[string]string{"jti": of.JTI, "client_id": of.ClientID} {
		if value != "" {
			claims[name] = value
		}
	}
	if of.IssuedAt != 0 {
		claims["iat"] = seconds(of.IssuedAt)
	}
	if len(of.Audience) > 0 {
		claims["aud"] = list(of.Audience)
	}
	if of.MayAct != nil {
		claims["may_act"] = of.MayAct
	}
	if of.Act != nil {
		claims["act"] = of.Act.Nested()
	}
	if of.Bound {
		claims["cnf"] = map[string]any{}
	}
	of.Into(claims)
	scope.put(claims, held)
	return claims
}

func seconds(at int64) json.Number { return json.Number(strconv.FormatInt(at, 10)) }

func list(words []string) []any {
	all := make([]any, len(words))
	for i, w := range words {
		all[i] = w
	}
	return all
}

// put puts scopes where the path leads, unless the record has kept what stands
// there. A path through a list is not followed: the first member of the path
// then holds nothing else that is read.
func (p path) put(claims exchange.Claims, held []string) {
	if _, there := p.in(claims); there || len(held) == 0 {
		return
	}
	at := map[string]any(claims)
	for _, step := range p[:len(p)-1] {
		next, isObject := at[step].(map[string]any)
		if !isObject {
			next = map[string]any{}
			at[step] = next
		}
		at = next
	}
	at[p[len(p)-1]] = scopeText(held)
}

// scopeText is the claim as RFC 8693 §4.2 has it; a scope with a space in it,
// from a list of an issuer's own, keeps the list.
func scopeText(held []string) any {
	if slices.ContainsFunc(held, func(s string) bool { return s == "" || strings.Contains(s, " ") }) {
		return list(held)
	}
	return strings.Join(held, " ")
}

// knows says which claims of a recalled token are as they were: those that the
// record keeps, and those that each record holds.
func knows(of *exchange.RecordParty) func([]string) bool {
	return func(path []string) bool {
		if len(path) == 1 {
			switch path[0] {
			case "iss", "sub", "jti":
				return true
			case "iat":
				return of.IssuedAt != 0 || of.Issuer == exchange.SelfIssuer || of.Knows(path)
			case "exp":
				return true
			}
		}
		return of.Knows(path)
	}
}

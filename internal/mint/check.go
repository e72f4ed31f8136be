package mint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	strictjson "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/strait-sts/strait/internal/exchange"
)

// written is what the check reads in a payload.
type written struct {
	Issuer   string         `json:"iss"`
	Subject  string         `json:"sub"`
	Audience jsontext.Value `json:"aud"`
	ClientID string         `json:"client_id"`
	IssuedAt int64          `json:"iat"`
	Expires  int64          `json:"exp"`
	ID       string         `json:"jti"`
	Scope    *string        `json:"scope"`
	Txn      string         `json:"txn"`
	Act      *writtenHop    `json:"act"`
	AuthTime jsontext.Value `json:"auth_time"`
	ACR      *string        `json:"acr"`
	AMR      []string       `json:"amr"`

	Added map[string]jsontext.Value `json:",embed"` // whatever has no field here
}

// writtenHop is one hop of an act claim (RFC 8693 §4.1).
type writtenHop struct {
	Issuer  string      `json:"iss"`
	Subject string      `json:"sub"`
	Act     *writtenHop `json:"act"`

	Added map[string]jsontext.Value `json:",embed"`
}

// check holds the bytes that are about to be signed against the ceiling of
// their grant: what contract §3 says always holds. It computes everything
// anew, from the ceiling and what was asked, not from the grant. Its errors
// name claims, never their values.
func check(payload []byte, issuer string, req *exchange.Request, c exchange.Ceiling) error {
	var w written
	if err := strictjson.Unmarshal(payload, &w); err != nil {
		return errors.New("the payload is not JSON with the claims of the closed list, each once and of its type")
	}
	if c.ID != req.ID || !c.Now.Equal(req.Time) || c.Client != req.Client {
		return errors.New("the grant belongs to another request")
	}
	return errors.Join(
		checkIdentity(&w, issuer, c),
		checkAudience(w.Audience, c.Targets),
		checkTimes(&w, c),
		checkScope(w.Scope, req.Scopes(), c),
		checkChain(w.Act, c),
		checkAuthentication(&w, c.Subject),
		checkAdded(w.Added, c),
		checkFlow(c),
	)
}

// checkIdentity: who issued the token, of whom it speaks, who asked for it and
// which transaction it belongs to.
func checkIdentity(w *written, issuer string, c exchange.Ceiling) error {
	subject, txn := "client:"+c.Client.ID, string(c.ID)
	if c.Subject != nil {
		subject = c.Subject.Subject
		if c.Subject.Issuer == exchange.SelfIssuer && c.Subject.Txn != "" {
			txn = c.Subject.Txn
		}
	}
	for _, claim := range []struct{ name, got, want string }{
		{"iss", w.Issuer, issuer},
		{"sub", w.Subject, subject},
		{"client_id", w.ClientID, c.Client.ID},
		{"jti", w.ID, string(c.ID)},
		{"txn", w.Txn, txn},
	} {
		if claim.got != claim.want || claim.got == "" {
			return fmt.Errorf("%s is not what this exchange must say", claim.name)
		}
	}
	return nil
}

// checkAudience: aud is the audience of each target and no other, a string
// where there is one (RFC 7519 §4.1.3).
func checkAudience(aud jsontext.Value, targets []*exchange.Target) error {
	var got []string
	if aud.Kind() == '"' {
		got = make([]string, 1)
		if err := strictjson.Unmarshal(aud, &got[0]); err != nil {
			return errors.New("aud is not a string")
		}
	} else if err := strictjson.Unmarshal(aud, &got); err != nil || len(got) < 2 {
		return errors.New("aud is neither a string nor an array of several")
	}
	if len(got) != len(targets) {
		return errors.New("aud has not one value a target")
	}
	for i, target := range targets {
		if got[i] != target.Audience || got[i] == "" {
			return errors.New("aud is not the targets' audiences")
		}
	}
	return nil
}

// checkTimes: no life beyond what was presented, the policy or a target allow.
func checkTimes(w *written, c exchange.Ceiling) error {
	if w.IssuedAt != c.Now.Unix() {
		return errors.New("iat is not the instant of the exchange")
	}
	exp := time.Unix(w.Expires, 0)
	limits := []time.Time{c.Now.Add(c.Policy.Lifetime)}
	for _, target := range c.Targets {
		limits = append(limits, c.Now.Add(target.MaxLifetime))
	}
	if c.Subject != nil {
		limits = append(limits, c.Subject.Expires)
	}
	if c.Actor != nil {
		limits = append(limits, c.Actor.Expires)
	}
	for _, limit := range limits {
		if exp.After(limit) {
			return errors.New("exp is later than a token, the policy or a target allows")
		}
	}
	if !exp.After(c.Now) {
		return errors.New("exp is not in the future")
	}
	return nil
}

// checkScope: each scope is asked for (or, where nothing was, in the default),
// allowed by the policy, known to each target (RFC 9068 §2.2.3) and proven.
func checkScope(claim *string, asked []string, c exchange.Ceiling) error {
	if claim == nil {
		if len(asked) > 0 {
			return errors.New("scope is missing, though scopes were asked for")
		}
		return nil
	}
	within := [][]string{c.Policy.Allow, provable(c), asked}
	if len(asked) == 0 {
		within[2] = c.Policy.Default
	}
	for _, target := range c.Targets {
		within = append(within, target.Scopes)
	}
	seen := map[string]bool{}
	for scope := range strings.SplitSeq(*claim, " ") {
		if !exchange.ValidScope(scope) || seen[scope] {
			return errors.New("scope is not a list of different scope tokens")
		}
		seen[scope] = true
		for _, allowed := range within {
			if !slices.Contains(allowed, scope) {
				return errors.New("scope is wider than request, policy, targets or subject token")
			}
		}
	}
	return nil
}

// provable lists all that the subject token can prove under the policy.
func provable(c exchange.Ceiling) []string {
	if c.Subject == nil { // a client flow: checkFlow holds it to that
		return c.Policy.Allow
	}
	switch c.Policy.Prove {
	case exchange.ProveSame:
		return c.Subject.Scopes
	case exchange.ProveMap:
		var mapped []string
		for _, held := range c.Subject.Scopes {
			mapped = append(mapped, c.Policy.Map[held]...)
		}
		return mapped
	case exchange.ProveGrant:
		if c.Policy.Flow == exchange.FlowFederation {
			return c.Policy.Allow
		}
	}
	return nil
}

// checkChain: every prior hop, whole and in order, after at most one new one
// (RFC 8693 §4.1), and no more of them than the policy allows.
func checkChain(act *writtenHop, c exchange.Ceiling) error {
	var want []exchange.Hop
	if c.Adds != nil {
		want = append(want, *c.Adds)
	}
	if c.Subject != nil {
		want = append(want, c.Subject.Act...)
	}
	if len(want) > c.Policy.MaxActDepth {
		return errors.New("act is deeper than the policy allows")
	}
	for _, hop := range want {
		if act == nil || act.Issuer != hop.Issuer || act.Subject != hop.Subject || act.Subject == "" || len(act.Added) > 0 {
			return errors.New("act does not keep the chain as it was")
		}
		act = act.Act
	}
	if act != nil {
		return errors.New("act has more hops than this exchange may add")
	}
	return nil
}

// checkAuthentication: auth_time, acr and amr only as the subject token has
// them (RFC 9068 §2.2.1).
func checkAuthentication(w *written, subject *exchange.Token) error {
	var from exchange.Claims
	if subject != nil {
		from = subject.Claims
	}
	if w.AuthTime != nil {
		if number, ok := from["auth_time"].(json.Number); !ok || string(w.AuthTime) != string(number) {
			return errors.New("auth_time is not the subject token's")
		}
	}
	if w.ACR != nil && from["acr"] != *w.ACR {
		return errors.New("acr is not the subject token's")
	}
	if w.AMR == nil {
		return nil
	}
	methods, _ := from["amr"].([]any)
	if !slices.EqualFunc(w.AMR, methods, func(got string, want any) bool { return got == want }) {
		return errors.New("amr is not the subject token's")
	}
	return nil
}

// maxAdded bounds the claims that a policy adds to a token, as JSON.
const maxAdded = 4 << 10

// checkAdded: a claim outside the closed list is one that the policy names, with
// the value that was found for it; none is reserved.
func checkAdded(added map[string]jsontext.Value, c exchange.Ceiling) error {
	size := 0
	for name, value := range added {
		found, known := c.Claims[name]
		want, err := plainJSON(found)
		if !known || err != nil || !slices.Contains(c.Policy.Claims, name) || exchange.ReservedClaim(name) || !bytes.Equal(value, want) {
			return errors.New("there is a claim that neither the closed list nor the policy has, or not with this value")
		}
		size += len(name) + len(value)
	}
	if size > maxAdded {
		return errors.New("the policy's claims are too large")
	}
	return nil
}

// checkFlow: a flow with the tokens and the hop that it is for, no bearer token out of one
// that is bound to a key (RFC 7800 §3.1), and the one token type made here.
func checkFlow(c exchange.Ceiling) error {
	if (c.Subject == nil) != (c.Policy.Flow == exchange.FlowClient) {
		return errors.New("the policy's flow does not fit a request with these tokens")
	}
	if (c.Adds != nil) != (c.Policy.Flow == exchange.FlowDelegation) {
		return errors.New("a hop is added in flow delegation, and in no other")
	}
	if c.Policy.Flow != exchange.FlowDelegation && c.Actor != nil {
		return errors.New("an actor token has no place in this flow")
	}
	if c.Policy.Flow == exchange.FlowFederation && c.Subject.Issuer == exchange.SelfIssuer {
		return errors.New("a token of ours is not federated")
	}
	for _, token := range []*exchange.Token{c.Subject, c.Actor} {
		if token != nil && token.Bound {
			return errors.New("a bound token must not become a bearer token")
		}
	}
	if c.Policy.TokenType != exchange.TypeAccessToken {
		return errors.New("the policy issues a token type that is not made here")
	}
	return nil
}

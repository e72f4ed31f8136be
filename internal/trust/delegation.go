package trust

import (
	"bytes"
	"encoding/json"

	"github.com/strait-sts/strait/internal/exchange"
)

// maxActBytes bounds an act claim, as JSON without spaces.
const maxActBytes = 4 << 10

// readDelegation reads act and may_act (RFC 8693 §4.1, §4.4). What is there and
// not understood refuses the token: it must not be dropped.
func (r *reading) readDelegation() error {
	if act, present := r.claims["act"]; present {
		if size := jsonSize(act); size > maxActBytes {
			return wrong(exchange.TokenMalformed, "act is longer than %d bytes", maxActBytes)
		}
		if err := r.readChain(act); err != nil {
			return err
		}
	}
	mayAct, present := r.claims["may_act"]
	if !present {
		return nil
	}
	members, isObject := mayAct.(map[string]any)
	if !isObject {
		return wrong(exchange.RuleFailed, "may_act is not an object")
	}
	r.token.MayAct = members
	return nil
}

// readChain reads the hops, the current actor first. Each keeps its iss and sub
// alone; members that do not say who acted have no meaning there (RFC 8693
// §4.1).
func (r *reading) readChain(act any) error {
	for present := true; present; {
		members, isObject := act.(map[string]any)
		if !isObject {
			return wrong(exchange.RuleFailed, "a hop of act is not an object")
		}
		hop, err := r.readHop(members)
		if err != nil {
			return err
		}
		r.token.Act = append(r.token.Act, hop)
		act, present = members["act"]
	}
	return nil
}

// readHop reads one actor. Without iss it is of the token's issuer. A foreign
// token cannot say what we know of our own: a hop that names our issuer would
// pass for one that we added.
func (r *reading) readHop(members map[string]any) (exchange.Hop, error) {
	hop := exchange.Hop{Issuer: r.token.IssuerURL}
	var isString bool
	if hop.Subject, isString = members["sub"].(string); !isString || !isName(hop.Subject) {
		return hop, wrong(exchange.RuleFailed, "a hop of act has no sub that names somebody")
	}
	if iss, present := members["iss"]; present {
		if hop.Issuer, isString = iss.(string); !isString || hop.Issuer == "" {
			return hop, wrong(exchange.RuleFailed, "a hop of act has an iss that is not a string")
		}
	}
	if r.ourIssuer != "" && hop.Issuer == r.ourIssuer {
		return hop, wrong(exchange.RuleFailed, "a hop of act names our issuer in a token that we did not issue")
	}
	return hop, nil
}

// jsonSize is the length of v as JSON, without spaces and escapes for HTML.
func jsonSize(v any) int {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(v) != nil {
		return maxActBytes + 1
	}
	return text.Len() - 1 // the line break
}

package policy

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/expr"
)

// maxClaimBytes bounds all claims that a policy adds, as JSON.
const maxClaimBytes = 4 << 10

// condition is an expression that must hold. Its program is nil where it cannot
// be compiled, which the catalogue has refused: it errs.
type condition struct {
	program *expr.Program
	message string
}

// claimValue is one of issue.claims.
type claimValue struct {
	name    string
	program *expr.Program
}

var errUnusable = errors.New("the expression cannot be evaluated")

func (e *Engine) program(kind expr.Kind, source string) *expr.Program {
	if e.expressions == nil {
		return nil
	}
	program, err := e.expressions.Compile(kind, source)
	if err != nil {
		return nil
	}
	return program
}

func (e *Engine) conditions(rules []catalog.Rule) []condition {
	var all []condition
	for _, r := range rules {
		all = append(all, condition{e.program(expr.Condition, r.Expression), r.Message})
	}
	return all
}

func (e *Engine) claimValues(claims map[string]string) []claimValue {
	var all []claimValue
	for _, name := range slices.Sorted(maps.Keys(claims)) {
		all = append(all, claimValue{name, e.program(expr.ClaimValue, claims[name])})
	}
	return all
}

// holds evaluates the condition.
func (c condition) holds(a *expr.Activation) (bool, error) {
	if c.program == nil {
		return false, errUnusable
	}
	return c.program.True(a)
}

// holds evaluates the policy's conditions, the subject's first. The refusal is
// for the policy: that one of them is false, or that one erred and so denies
// the exchange.
func (r *rule) holds(a *expr.Activation) (erred bool, refusal error) {
	for _, part := range []struct {
		of   exchange.Role
		list []condition
	}{{exchange.RoleSubject, r.subjects}, {exchange.RoleActor, r.actors}} {
		for i, c := range part.list {
			ok, err := c.holds(a)
			if err != nil {
				return true, exchange.Refuse(exchange.ConditionFailed, "policy %q, %s.conditions %d: %v", r.policy.Name, part.of, i+1, err)
			}
			if !ok {
				return false, exchange.Refuse(exchange.ConditionFailed, "policy %q, %s.conditions %d does not hold: %s", r.policy.Name, part.of, i+1, c.message)
			}
		}
	}
	return false, nil
}

// conditional: something must hold that only an evaluation can tell.
func (r *rule) conditional() bool { return len(r.subjects)+len(r.actors) > 0 }

// valuesOf evaluates issue.claims. An absent optional leaves its claim out.
func (r *rule) valuesOf(a *expr.Activation) (exchange.Claims, error) {
	all := exchange.Claims{}
	for _, c := range r.claims {
		if c.program == nil {
			return nil, r.claimRefusal(c.name, errUnusable)
		}
		value, present, err := c.program.Value(a)
		if err != nil {
			return nil, r.claimRefusal(c.name, err)
		}
		if present {
			all[c.name] = value
		}
	}
	if text, err := json.Marshal(all); err != nil || len(text) > maxClaimBytes {
		return nil, exchange.Refuse(exchange.ConditionFailed, "policy %q: its claims are more than %d bytes", r.policy.Name, maxClaimBytes)
	}
	return all, nil
}

func (r *rule) claimRefusal(name string, err error) error {
	return exchange.Refuse(exchange.ConditionFailed, "policy %q, issue.claims %s: %v", r.policy.Name, name, err)
}

// activation is the variables of this exchange. Where targets were asked for it
// is made once; a policy's default target is its own.
func (c *admitted) activation(p parties, targets []*target) *expr.Activation {
	if c.variables != nil && len(c.targets) > 0 {
		return c.variables
	}
	names := make([]string, len(targets))
	for i, t := range targets {
		names[i] = t.Name
	}
	c.variables = expr.ForExchange(expr.Exchange{
		Now: c.req.Time, Client: c.req.Client, Subject: p.subject, Actor: p.actor,
		Targets: names, Scopes: c.req.Scopes(), RequestedType: c.req.RequestedType,
	})
	return c.variables
}

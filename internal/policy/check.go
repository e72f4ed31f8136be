package policy

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/expr"
)

// Check is what the Engine has to say about a write, for a catalog.Catalog:
// expressions of policies and guardrails that do not compile. What else they
// are made of, package schema has checked.
func (e *Engine) Check(s *catalog.Snapshot) []catalog.FieldError {
	var faults []catalog.FieldError
	for _, p := range s.Policies() {
		c := check{engine: e, ref: p.Ref()}
		if p.Spec.Subject != nil {
			c.rules("/spec/subject/conditions", expr.Condition, p.Spec.Subject.Conditions)
		}
		if p.Spec.Actor != nil {
			c.rules("/spec/actor/conditions", expr.Condition, p.Spec.Actor.Conditions)
		}
		for _, name := range slices.Sorted(maps.Keys(p.Spec.Issue.Claims)) {
			c.expression("/spec/issue/claims/"+escape(name), expr.ClaimValue, p.Spec.Issue.Claims[name])
		}
		faults = append(faults, c.faults...)
	}
	for _, g := range s.Guardrails() {
		c := check{engine: e, ref: g.Ref()}
		c.rules("/spec/deny", expr.GuardrailRule, g.Spec.Deny)
		faults = append(faults, c.faults...)
	}
	return faults
}

// check gathers the faults of one object.
type check struct {
	engine *Engine
	ref    catalog.Ref
	faults []catalog.FieldError
}

func (c *check) rules(pointer string, kind expr.Kind, rules []catalog.Rule) {
	for i, r := range rules {
		c.expression(fmt.Sprintf("%s/%d/expression", pointer, i), kind, r.Expression)
	}
}

func (c *check) expression(pointer string, kind expr.Kind, source string) {
	if c.engine.expressions == nil {
		c.add(pointer, errors.New("expressions cannot be compiled here"))
	} else if _, err := c.engine.expressions.Compile(kind, source); err != nil {
		c.add(pointer, err)
	}
}

func (c *check) add(pointer string, err error) {
	c.faults = append(c.faults, catalog.FieldError{Kind: c.ref.Kind, Name: c.ref.Name, Pointer: pointer, Code: catalog.CodeExpression, Message: err.Error()})
}

// escape is a member's name in a pointer (RFC 6901 §3).
func escape(name string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(name) }

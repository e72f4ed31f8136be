package app

import (
	"errors"
	"fmt"
	"time"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/expr"
	"github.com/strait-sts/strait/internal/trust"
)

// issuerRules are the expressions of one trusted issuer, as trust asks them.
type issuerRules struct {
	reads    []exchange.ClaimPath
	rules    []*expr.Program
	messages []string
	subject  *expr.Program // nil where a claim is the subject
}

// compileIssuer compiles the expressions of an entry.
func compileIssuer(c *expr.Compiler) trust.Compiler {
	return func(entry *catalog.TrustedIssuer) (trust.Rules, error) {
		var r issuerRules
		var err error
		for _, rule := range entry.ClaimValidationRules {
			program, fault := c.Compile(expr.IssuerRule, rule.Expression)
			r.rules, r.messages, err = append(r.rules, program), append(r.messages, rule.Message), errors.Join(err, fault)
			r.reads = append(r.reads, program.Claims()...)
		}
		if source := entry.ClaimMappings.Subject.Expression; source != "" {
			program, fault := c.Compile(expr.SubjectMapping, source)
			r.subject, err = program, errors.Join(err, fault)
			r.reads = append(r.reads, program.Claims()...)
		}
		return r, err
	}
}

// Check wants every rule to hold, in their order.
func (r issuerRules) Check(claims exchange.Claims, now time.Time) error {
	activation := expr.ForToken(claims, now)
	for i, rule := range r.rules {
		holds, err := rule.True(activation)
		if err != nil {
			return fmt.Errorf("%s: %w", r.name(i), err)
		}
		if !holds {
			return errors.New(r.name(i))
		}
	}
	return nil
}

// name is what the administrator wrote of a rule: its message, else its source.
func (r issuerRules) name(i int) string {
	if r.messages[i] != "" {
		return r.messages[i]
	}
	return r.rules[i].Source()
}

// Subject maps the claims to the subject.
func (r issuerRules) Subject(claims exchange.Claims, now time.Time) (string, error) {
	return r.subject.Text(expr.ForToken(claims, now))
}

// Reads are the claims that rules and mapping name.
func (r issuerRules) Reads() []exchange.ClaimPath { return r.reads }

// checkExpressions refuses on write what does not compile.
func checkExpressions(c *expr.Compiler) catalog.Checker {
	return func(s *catalog.Snapshot) []catalog.FieldError {
		var faults []catalog.FieldError
		check := func(name, pointer string, kind expr.Kind, source string) {
			if _, err := c.Compile(kind, source); err != nil {
				faults = append(faults, catalog.FieldError{
					Kind: catalog.KindTrustedIssuer, Name: name, Pointer: pointer, Code: catalog.CodeExpression, Message: err.Error(),
				})
			}
		}
		for _, issuer := range s.Issuers() {
			name := issuer.Metadata.Name
			for i, rule := range issuer.Spec.ClaimValidationRules {
				check(name, fmt.Sprintf("/spec/claimValidationRules/%d/expression", i), expr.IssuerRule, rule.Expression)
			}
			if source := issuer.Spec.ClaimMappings.Subject.Expression; source != "" {
				check(name, "/spec/claimMappings/subject/expression", expr.SubjectMapping, source)
			}
		}
		return faults
	}
}

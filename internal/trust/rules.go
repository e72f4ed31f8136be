package trust

import (
	"time"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
)

// Rules are the expressions of one entry, compiled (package expr). They may be
// used by many at once. Their errors hold nothing of what a token says.
type Rules interface {
	// Check evaluates claimValidationRules in their order. The error is the
	// message of the first that is false, or that the first that cannot be
	// evaluated failed.
	Check(claims exchange.Claims, now time.Time) error
	// Subject evaluates claimMappings.subject.expression. It is asked only where
	// the entry has one.
	Subject(claims exchange.Claims, now time.Time) (string, error)
	// Reads are the claims that the expressions name.
	Reads() []exchange.ClaimPath
}

// Compiler makes the Rules of an entry that has expressions.
type Compiler func(entry *catalog.TrustedIssuer) (Rules, error)

// compile gives the entry's rules: nil where it has no expressions, and rules
// that no token passes where they cannot be compiled.
func compile(spec *catalog.TrustedIssuer, compiler Compiler) Rules {
	if len(spec.ClaimValidationRules) == 0 && spec.ClaimMappings.Subject.Expression == "" {
		return nil
	}
	if compiler == nil {
		return noRules{}
	}
	rules, err := compiler(spec)
	if err != nil {
		return noRules{}
	}
	return rules
}

// noRules stand for expressions that cannot be evaluated: no token passes.
type noRules struct{}

func (noRules) Check(exchange.Claims, time.Time) error {
	return wrong(exchange.RuleFailed, "the entry's expressions cannot be evaluated")
}

func (n noRules) Subject(claims exchange.Claims, now time.Time) (string, error) {
	return "", n.Check(claims, now)
}

// Reads are none.
func (noRules) Reads() []exchange.ClaimPath { return nil }

// readsOf are the claims that an entry's rules and mappings read, beside those
// that every record holds. Scopes are among these, wherever they stand.
func readsOf(spec *catalog.TrustedIssuer, rules Rules) []exchange.ClaimPath {
	var all []exchange.ClaimPath
	if claim := spec.ClaimMappings.Subject.Claim; claim != "" && claim != "sub" {
		all = append(all, exchange.NewClaimPath("", []string{claim}))
	}
	if rules != nil {
		all = append(all, rules.Reads()...)
	}
	return all
}

// checkRules holds the claims to the entry's claimValidationRules.
func (r *reading) checkRules() error {
	if r.expressions == nil {
		return nil
	}
	if err := r.expressions.Check(r.claims, r.now); err != nil {
		return wrong(exchange.RuleFailed, "a claimValidationRule of trusted issuer %q does not hold: %v", r.token.Issuer, err)
	}
	return nil
}

// checkOnce: a token that may be used once has a name to remember it by.
func (r *reading) checkOnce() error {
	r.token.SingleUse = r.once
	if r.once && r.token.JTI == "" {
		return wrong(exchange.RuleFailed, "trusted issuer %q is singleUse, and the token has no jti", r.token.Issuer)
	}
	return nil
}

package trust_test

import (
	"errors"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/ststest"
	"github.com/strait-sts/strait/internal/trust"
)

// tenants are Rules as package expr would make them: the tenant is acme, and the
// subject is the email.
type tenants struct{}

func (tenants) Check(claims exchange.Claims, _ time.Time) error {
	if claims["tenant"] != "acme" {
		return errors.New("tenant must be acme")
	}
	return nil
}

func (tenants) Subject(claims exchange.Claims, _ time.Time) (string, error) {
	email, isString := claims["email"].(string)
	if !isString {
		return "", errors.New("no such key: email")
	}
	return email, nil
}

func (tenants) Reads() []exchange.ClaimPath {
	return []exchange.ClaimPath{exchange.NewClaimPath("", []string{"tenant"}), exchange.NewClaimPath("", []string{"email"})}
}

// ruled is an entry with both kinds of expressions.
func ruled(idp *ststest.Issuer) *catalog.Entry {
	return inline(idp, prefixed("p:", false), func(s *catalog.TrustedIssuer) {
		s.ClaimValidationRules = []catalog.Rule{{Expression: `claims.tenant == "acme"`}}
		s.ClaimMappings.Subject.Claim, s.ClaimMappings.Subject.Expression = "", "claims.email"
	})
}

// TestTRU010_RulesOfAnEntryHold, for what it takes and for whom it means.
func TestTRU010_RulesOfAnEntryHold(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIssuer(t)
	h := newHouseWith(t, func(o *trust.Options) {
		o.Rules = func(*catalog.TrustedIssuer) (trust.Rules, error) { return tenants{}, nil }
	}, ruled(idp))
	if token := h.believes(idp.Issue(start(), claims{"tenant": "acme", "email": "a@b"})); token.Subject != "p:a@b" || token.Original != "alice" {
		t.Errorf("%+v", token)
	}
	for _, wrong := range []claims{
		{"tenant": "other", "email": "a@b"}, {"email": "a@b"}, {"tenant": "acme"}, {"tenant": "acme", "email": ""}, {"tenant": "acme", "email": "a\nb"},
	} {
		h.refuses(idp.Issue(start(), wrong), "subject_rule_failed")
	}
}

func TestRulesThatCannotBeEvaluatedRefuse(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIssuer(t)
	token := idp.Issue(start(), claims{"tenant": "acme", "email": "a@b"})
	for name, compiler := range map[string]trust.Compiler{
		"no compiler": nil,
		"an error":    func(*catalog.TrustedIssuer) (trust.Rules, error) { return nil, errors.New("syntax") },
	} {
		h := newHouseWith(t, func(o *trust.Options) { o.Rules = compiler }, ruled(idp))
		if _, err := h.subject(exchange.TypeJWT, token); reasonOf(t, err) != "subject_rule_failed" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

package trust

import (
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/strait-sts/strait/internal/exchange"
)

// maxNameBytes is the longest sub and jti (OpenID Connect Core 1.0 §2 gives sub
// 255 ASCII characters).
const maxNameBytes = 255

// claimRules is how an entry judges the claims of its tokens.
type claimRules struct {
	audiences []string
	skew      time.Duration
	maxAge    time.Duration // since iat; zero for our own tokens alone
	subject   string        // the claim that is the subject
	owner     owner         // the entry, and the prefix of its mapped subjects
	prefixes  *prefixes     // those of all entries
	scope     path
	ourIssuer string // may stand in no hop of a foreign token; empty for our own

	expressions Rules // nil: none
	mapping     bool  // the subject is an expression of them
	once        bool  // each jti once

	scopeClaim string               // as the entry writes it, if not scope: for the record
	reads      []exchange.ClaimPath // what expressions and mapping read: likewise

	opaque         bool     // the claims are an introspection answer
	allowedClients []string // for them alone: whom the tokens may be issued to
}

// reading is one token on its way from claims to words. The signature holds.
type reading struct {
	*claimRules
	claims exchange.Claims
	now    time.Time
	token  *exchange.Token
}

// judge is step 5 of the package comment for a foreign token.
func (c *claimRules) judge(name string, p *presented) (*exchange.Token, error) {
	r := c.reading(name, p)
	return r.run(r.checkAnswer, r.checkKind, r.checkAudience, r.checkTimes, r.readParties, r.checkRules, r.mapSubject, r.checkOnce,
		r.readScopes, r.readDelegation, r.readBinding)
}

func (c *claimRules) reading(name string, p *presented) *reading {
	return &reading{claimRules: c, claims: p.claims, now: p.now, token: &exchange.Token{
		Issuer: name, IssuerURL: p.issuer, Type: p.typ, Claims: p.claims, ScopeClaim: c.scopeClaim, Reads: c.reads,
	}}
}

// run takes the steps in their order; the first failure answers.
func (r *reading) run(steps ...func() error) (*exchange.Token, error) {
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return r.token, nil
}

// checkAudience: the token is addressed to somebody that the entry names (RFC
// 7519 §4.1.3, RFC 8725 §3.9). An entry without audiences believes no token, but
// for opaque ones, which allowedClientIds bind.
func (r *reading) checkAudience() error {
	if err := r.readAudience(); err != nil {
		return err
	}
	if r.opaque && len(r.audiences) == 0 {
		return nil
	}
	if !slices.ContainsFunc(r.token.Audience, func(aud string) bool { return slices.Contains(r.audiences, aud) }) {
		return wrong(exchange.AudienceMismatch, "aud holds none of the audiences of trusted issuer %q", r.token.Issuer)
	}
	return nil
}

// readAudience reads aud, a string or an array of strings; absent is empty.
func (r *reading) readAudience() error {
	aud, present := r.claims["aud"]
	if !present {
		return nil
	}
	values, isArray := aud.([]any)
	if !isArray {
		values = []any{aud}
	}
	for _, v := range values {
		s, isString := v.(string)
		if !isString || s == "" {
			return wrong(exchange.TokenMalformed, "aud is not a string or an array of strings")
		}
		r.token.Audience = append(r.token.Audience, s)
	}
	return nil
}

// readParties reads sub (RFC 8725 §3.8: it must be there), jti and the client
// that the token was issued to.
func (r *reading) readParties() error {
	var isString bool
	if r.token.Original, isString = r.claims["sub"].(string); !isString || !isName(r.token.Original) {
		return wrong(exchange.TokenMalformed, "sub is missing, or not a string of 1 to %d bytes without control characters", maxNameBytes)
	}
	jti, present := r.claims["jti"]
	if r.token.JTI, isString = jti.(string); present && (!isString || !isName(r.token.JTI)) {
		return wrong(exchange.TokenMalformed, "jti is not a string of 1 to %d bytes without control characters", maxNameBytes)
	}
	r.token.Subject = r.token.Original
	return r.readClient()
}

// readClient reads client_id (RFC 8693 §4.3), else azp (OpenID Connect Core 1.0
// §2).
func (r *reading) readClient() error {
	for _, name := range []string{"azp", "client_id"} {
		value, present := r.claims[name]
		if !present {
			continue
		}
		id, isString := value.(string)
		if !isString {
			return wrong(exchange.TokenMalformed, "%s is not a string", name)
		}
		r.token.ClientID = id
	}
	return nil
}

// mapSubject makes the subject that policies and issued tokens name, and
// refuses one that belongs to somebody else.
func (r *reading) mapSubject() error {
	value, err := r.subjectValue()
	if err != nil {
		return err
	}
	r.token.Subject = r.owner.prefix + value
	if prefix, foreign := r.prefixes.foreignTo(r.owner, r.token.Subject); foreign {
		return wrong(exchange.RuleFailed, "the mapped subject begins with %q, which is reserved or belongs to another issuer", prefix)
	}
	return nil
}

// subjectValue is what the entry maps to the subject: an expression's value, or
// a claim's.
func (r *reading) subjectValue() (string, error) {
	if r.mapping {
		value, err := r.expressions.Subject(r.claims, r.now)
		if err != nil || !isName(value) {
			return "", wrong(exchange.RuleFailed, "the expression that maps the subject fails, or gives no name")
		}
		return value, nil
	}
	if r.subject == "" || r.subject == "sub" {
		return r.token.Original, nil
	}
	value, isString := r.claims[r.subject].(string)
	if !isString || !isName(value) {
		return "", wrong(exchange.RuleFailed, "claim %q, which is mapped to the subject, is missing or not a name", r.subject)
	}
	return value, nil
}

// readBinding reads whether the token is bound to a key (RFC 7800 §3.1).
func (r *reading) readBinding() error {
	cnf, present := r.claims["cnf"]
	if _, isObject := cnf.(map[string]any); present && !isObject {
		return wrong(exchange.TokenMalformed, "cnf is not an object")
	}
	r.token.Bound = present || r.opaque && isDPoP(r.claims)
	return nil
}

// isName: short, not blank, and nothing that would forge a line of a log.
func isName(s string) bool {
	return len(s) <= maxNameBytes && strings.TrimSpace(s) != "" && !strings.ContainsFunc(s, unicode.IsControl)
}

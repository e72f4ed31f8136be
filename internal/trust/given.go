package trust

import (
	"cmp"
	"maps"

	"github.com/strait-sts/strait/internal/exchange"
)

// Judge judges claims that somebody wrote down, as if a token had carried them
// and its proof had held: entry, token type, and everything of step 5 of the
// package comment. Form, header, key and signature are the only steps left out,
// so that a rehearsal (package rehearsal) and a real token come to the same
// answer. issuer is an entry's name, or exchange.SelfIssuer; the type is the one
// that req presents in the role. Without iss the claims are of that issuer; with
// another one the token would be somebody else's. A refusal is an
// *exchange.Error.
//
// What is judged here was never believed: nothing that signs may come by it.
func (v *verifier) Judge(req *exchange.Request, role exchange.Role, issuer string, claims exchange.Claims) (*exchange.Token, error) {
	p := &presented{role: role, typ: req.Presented(role).Type, client: req.Client, now: req.Time, claims: claims}
	token, err := v.judgeGiven(issuer, p)
	if err != nil {
		return nil, refusal(role, err)
	}
	return token, nil
}

func (v *verifier) judgeGiven(issuer string, p *presented) (*exchange.Token, error) {
	if issuer == exchange.SelfIssuer {
		p.issuer = v.own.issuer
		if err := cmp.Or(p.checkIssuer(issuer), checkOwnType(p.typ)); err != nil {
			return nil, err
		}
		return v.own.judge(p)
	}
	e := v.named(issuer)
	if e == nil {
		return nil, wrong(exchange.IssuerNotTrusted, "the trust list has no entry %q", issuer)
	}
	p.issuer = e.issuer
	if err := cmp.Or(p.checkIssuer(issuer), e.admit(p)); err != nil {
		return nil, err
	}
	return e.rules.judge(e.name, p)
}

// named finds an entry by its name.
func (v *verifier) named(name string) *entry {
	for _, e := range v.issuers {
		if e.name == name {
			return e
		}
	}
	return nil
}

// checkIssuer: iss, where it is written, is that of the entry (RFC 7519 §4.1.1).
// Expressions see it in any case.
func (p *presented) checkIssuer(name string) error {
	iss, written := p.claims["iss"]
	if written && iss != p.issuer {
		return wrong(exchange.IssuerNotTrusted, "iss is not that of trusted issuer %q", name)
	}
	if p.claims = maps.Clone(p.claims); p.claims == nil {
		p.claims = exchange.Claims{}
	}
	p.claims["iss"] = p.issuer
	return nil
}

package trust

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/jws"
)

// verifier judges tokens by the trust list of one snapshot. It never changes.
type verifier struct {
	issuers map[string]*entry // by iss, byte for byte
	opaque  routes
	own     *own
	proven  *proven
}

var _ exchange.Verifier = (*verifier)(nil)

// presented is a token that somebody showed: nothing of it is believed.
type presented struct {
	role    exchange.Role
	typ     exchange.TokenType // what the request calls it
	client  *exchange.Client
	purpose exchange.Purpose
	now     time.Time
	issuer  string          // iss
	claims  exchange.Claims // the payload, or the introspection answer
	jws     *jws.Object     // nil for an opaque token
	proof   proof           // that its signature held a moment ago; else empty
}

// prove holds the signature to the key, unless this very key has proved it a
// moment ago.
func (p *presented) prove(key *jws.Key) error {
	if p.proof.key == key {
		return nil
	}
	p.proof = proof{}
	if err := p.jws.Verify(key); err != nil {
		return err
	}
	p.proof = proof{object: p.jws, key: key}
	return nil
}

// Verify judges the token that req presents in the role. The order of the steps
// is that of the package comment. A refusal is an *exchange.Error.
func (v *verifier) Verify(ctx context.Context, req *exchange.Request, role exchange.Role) (*exchange.Token, error) {
	token, err := v.verify(ctx, req, role)
	if err != nil {
		return nil, refusal(role, err)
	}
	return token, nil
}

func (v *verifier) verify(ctx context.Context, req *exchange.Request, role exchange.Role) (*exchange.Token, error) {
	shown := req.Presented(role)
	p := &presented{role: role, typ: shown.Type, client: req.Client, purpose: req.Purpose, now: req.Time}
	asked, err := v.route(req, role)
	switch {
	case err != nil:
		return nil, err
	case asked != nil:
		return asked.ask(ctx, p, shown.Token)
	}
	id := digest(sha256.Sum256([]byte(shown.Token.Reveal())))
	known, found := v.proven.recall(id, p.now)
	if found {
		p.proof = known
	}
	if err := p.read(shown.Token); err != nil {
		return nil, err
	}
	token, err := v.judge(ctx, p)
	if err == nil && (!found || p.proof.key != known.key) {
		v.proven.remember(id, len(shown.Token), p.proof, p.now, token.Expires)
	}
	return token, err
}

// judge finds who the token says it is from, and has it judged there.
func (v *verifier) judge(ctx context.Context, p *presented) (*exchange.Token, error) {
	if v.own.issued(p) {
		return v.own.verify(p)
	}
	if p.purpose != exchange.ToExchange {
		return nil, wrong(exchange.IssuerNotTrusted, "the token is not one of ours")
	}
	entry, listed := v.issuers[p.issuer]
	if !listed {
		return nil, wrong(exchange.IssuerNotTrusted, "no entry of the trust list has the token's iss")
	}
	return entry.verify(ctx, p)
}

// read takes the token's form apart (RFC 7515 §5.2, RFC 7519 §7.2).
func (p *presented) read(token exchange.Secret) (err error) {
	if p.jws = p.proof.object; p.jws == nil {
		if p.jws, err = jws.Parse(token.Reveal(), jws.Limits{}); err != nil {
			return joseFault(err)
		}
	}
	issuer, isString := p.jws.Claims["iss"].(string)
	if !isString || issuer == "" {
		return wrong(exchange.TokenMalformed, "iss is missing or not a string")
	}
	p.claims, p.issuer = p.jws.Claims, issuer
	return nil
}

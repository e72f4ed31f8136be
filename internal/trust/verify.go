package trust

import (
	"context"
	"time"

	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/jws"
)

// verifier judges tokens by the trust list of one snapshot. It never changes.
type verifier struct {
	issuers map[string]*entry // by iss, byte for byte
	own     *own
}

var _ exchange.Verifier = (*verifier)(nil)

// presented is a token that somebody showed: nothing of it is believed.
type presented struct {
	role   exchange.Role
	typ    exchange.TokenType // what the request calls it
	client *exchange.Client
	now    time.Time
	jws    *jws.Object
	issuer string // iss
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
	p, err := read(req, role)
	if err != nil {
		return nil, err
	}
	if v.own.issued(p) {
		return v.own.verify(p)
	}
	entry, listed := v.issuers[p.issuer]
	if !listed {
		return nil, wrong(exchange.IssuerNotTrusted, "no entry of the trust list has the token's iss")
	}
	return entry.verify(ctx, p)
}

// read takes the token's form apart (RFC 7515 §5.2, RFC 7519 §7.2).
func read(req *exchange.Request, role exchange.Role) (*presented, error) {
	shown := req.Presented(role)
	object, err := jws.Parse(shown.Token.Reveal(), jws.Limits{})
	if err != nil {
		return nil, joseFault(err)
	}
	issuer, isString := object.Claims["iss"].(string)
	if !isString || issuer == "" {
		return nil, wrong(exchange.TokenMalformed, "iss is missing or not a string")
	}
	return &presented{role: role, typ: shown.Type, client: req.Client, now: req.Time, jws: object, issuer: issuer}, nil
}

package trust

import (
	"errors"
	"fmt"

	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/jws"
)

// fault is what is wrong with a token, before it is known in which role the
// token was presented.
type fault struct {
	kind   exchange.Fault
	detail string // names claims and entries, never what a token says
}

// Error gives kind and detail in a line.
func (f *fault) Error() string { return string(f.kind) + ": " + f.detail }

// wrong makes a fault.
func wrong(kind exchange.Fault, format string, args ...any) error {
	return &fault{kind, fmt.Sprintf(format, args...)}
}

// refusal is err as the answer for a token in this role: a fault of the token
// by its reason, a refusal as it is, and anything else as keys that cannot be
// had, since nothing else can fail here.
func refusal(role exchange.Role, err error) error {
	var f *fault
	var refused *exchange.Error
	switch {
	case errors.As(err, &f):
		return role.Refuse(f.kind, "%s", f.detail)
	case errors.As(err, &refused):
		return refused
	}
	return exchange.Unavailable(exchange.IssuerKeysUnavailable, err)
}

// joseFault is what package jws found as a fault. An error that says nothing
// of the token is passed on.
func joseFault(err error) error {
	switch {
	case errors.Is(err, jws.ErrMalformed):
		return wrong(exchange.TokenMalformed, "%v", err)
	case errors.Is(err, jws.ErrAlgorithm):
		return wrong(exchange.AlgorithmNotAllowed, "%v", err)
	case errors.Is(err, jws.ErrNoKey), errors.Is(err, jws.ErrSignature):
		return wrong(exchange.SignatureInvalid, "%v", err)
	}
	return err
}

package trust

import (
	"encoding/json"
	"math/big"
	"strconv"
	"time"

	"github.com/strait-sts/strait/internal/exchange"
)

// maxDate is the last second of the year 9999, which a time can be printed up to.
const maxDate = 253402300799

// checkTimes holds exp, nbf and iat to the instant of the exchange (RFC 7519
// §4.1.4 to §4.1.6). exp must be there, and iat but in an introspection answer
// (RFC 7662 §2.2). exp is exact; nbf and iat have
// the leeway for clocks that are ahead of ours. Age is counted without it.
func (r *reading) checkTimes() error {
	var notBefore time.Time
	for _, claim := range []struct {
		name     string
		required bool
		into     *time.Time
	}{{"exp", true, &r.token.Expires}, {"iat", !r.opaque, &r.token.IssuedAt}, {"nbf", false, &notBefore}} {
		value, present := r.claims[claim.name]
		at, ok := numericDate(value)
		if present && !ok || !present && claim.required {
			return wrong(exchange.TokenMalformed, "%s is missing or not a NumericDate", claim.name)
		}
		*claim.into = at
	}
	return r.compare(notBefore)
}

// compare judges times that are well formed.
func (r *reading) compare(notBefore time.Time) error {
	issued, expires := r.token.IssuedAt, r.token.Expires
	switch latest := r.now.Add(r.skew); {
	case !r.now.Before(expires):
		return wrong(exchange.Expired, "exp has passed")
	case notBefore.After(latest):
		return wrong(exchange.NotYetValid, "nbf is further ahead than the clock skew allows")
	case issued.After(latest):
		return wrong(exchange.NotYetValid, "iat is further ahead than the clock skew allows")
	case r.maxAge > 0 && !issued.IsZero() && r.now.Sub(issued) > r.maxAge:
		return wrong(exchange.TooOld, "the token is older than the maxTokenAge of trusted issuer %q, %s", r.token.Issuer, r.maxAge)
	case !expires.After(issued) || !expires.After(notBefore): // only with a leeway
		return wrong(exchange.TokenMalformed, "exp is not after iat and nbf")
	}
	return nil
}

// numericDate reads seconds since 1970, a fraction allowed (RFC 7519 §2), to
// the nanosecond and without a float. Not ok are other kinds of JSON, negative
// numbers and times after the year 9999.
func numericDate(v any) (at time.Time, ok bool) {
	number, isNumber := v.(json.Number)
	if !isNumber {
		return time.Time{}, false
	}
	if seconds, err := strconv.ParseInt(string(number), 10, 64); err == nil {
		return time.Unix(seconds, 0).UTC(), 0 <= seconds && seconds <= maxDate
	}
	exact, readable := new(big.Rat).SetString(string(number)) // its length and exponent are bounded by jws.Parse
	if !readable || exact.Sign() < 0 || exact.Cmp(big.NewRat(maxDate, 1)) > 0 {
		return time.Time{}, false
	}
	exact.Mul(exact, big.NewRat(int64(time.Second), 1))
	nanos := new(big.Int).Quo(exact.Num(), exact.Denom())
	seconds, rest := new(big.Int).DivMod(nanos, big.NewInt(int64(time.Second)), new(big.Int))
	return time.Unix(seconds.Int64(), rest.Int64()).UTC(), true
}

package trust

import (
	"encoding/json"
	"fmt"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/strait-sts/strait/internal/exchange"
)

func TestJW18_NumericDates(t *testing.T) {
	t.Parallel()
	for literal, want := range map[string]time.Time{
		"0": time.Unix(0, 0), "-0": time.Unix(0, 0), "1999999999": time.Unix(1999999999, 0), "1999999999.5": time.Unix(1999999999, 5e8), "1.9e9": time.Unix(1900000000, 0),
		"1999999999.9999999999": time.Unix(1999999999, 999999999), "19e8": time.Unix(1900000000, 0), "253402300799": time.Unix(253402300799, 0), "1E-9": time.Unix(0, 1), "1e-99": time.Unix(0, 0),
	} {
		if got, ok := numericDate(json.Number(literal)); !ok || !got.Equal(want) {
			t.Errorf("%s: %v, %v, want %v", literal, got, ok, want)
		}
	}
	for _, v := range []any{
		nil, "1999999999", true, []any{}, map[string]any{}, 1999999999.0, json.Number("-1"), json.Number("-0.5"), json.Number("253402300800"), json.Number("253402300799.1"),
		json.Number("9223372036854775807"), json.Number("9223372036854775808"), json.Number("1e15"), json.Number("1e99"), json.Number("x"), json.Number(""),
	} {
		if got, ok := numericDate(v); ok {
			t.Errorf("%v was read as %v", v, got)
		}
	}
}

// TestTimesAgainstAModel: a token is believed exactly while its times allow it,
// and only nbf and iat have a leeway (RFC 7519 §4.1.4 to §4.1.6).
func TestTimesAgainstAModel(t *testing.T) {
	t.Parallel()
	const now = 1_800_000_000
	rapid.Check(t, func(t *rapid.T) {
		near := rapid.Int64Range(-120, 120)
		exp, iat, nbf := now+near.Draw(t, "exp"), now+near.Draw(t, "iat"), now+near.Draw(t, "nbf")
		skew, age := rapid.Int64Range(0, 60).Draw(t, "skew"), rapid.Int64Range(1, 120).Draw(t, "age")
		number := func(n int64) json.Number { return json.Number(strconv.FormatInt(n, 10)) }
		r := &reading{
			claimRules: &claimRules{skew: time.Duration(skew) * time.Second, maxAge: time.Duration(age) * time.Second},
			claims:     exchange.Claims{"exp": number(exp), "iat": number(iat), "nbf": number(nbf)}, now: time.Unix(now, 0), token: &exchange.Token{},
		}
		err := r.checkTimes()
		model := now < exp && nbf <= now+skew && iat <= now+skew && now-iat <= age && iat < exp && nbf < exp
		if (err == nil) != model {
			t.Fatalf("%v, the model says %v", err, model)
		}
		if err == nil && fmt.Sprint(r.token.Expires.Unix(), r.token.IssuedAt.Unix()) != fmt.Sprint(exp, iat) {
			t.Fatalf("exp %v, iat %v", r.token.Expires, r.token.IssuedAt)
		}
	})
}

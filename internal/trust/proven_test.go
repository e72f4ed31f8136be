package trust_test

import (
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/ststest"
)

// What is remembered of a verified token is its signature alone: all else is
// judged at each use.

func TestARememberedTokenIsJudgedAnew(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIssuer(t)
	token := idp.Issue(start(), claims{"exp": start().Add(time.Minute).Unix(), "jti": "j"})
	for name, c := range map[string]struct {
		change func(*catalog.TrustedIssuer)
		want   exchange.Reason
	}{
		"control":    {func(*catalog.TrustedIssuer) {}, ""},
		"disabled":   {func(s *catalog.TrustedIssuer) { s.Mode = catalog.ModeDisabled }, "issuer_disabled"},
		"role":       {func(s *catalog.TrustedIssuer) { s.AcceptAs = []string{"actor"} }, "subject_issuer_not_trusted"},
		"type":       {accepting("id_token"), "subject_type_mismatch"},
		"typ":        {func(s *catalog.TrustedIssuer) { s.Typ = []string{"at+jwt"} }, "subject_type_mismatch"},
		"algorithm":  {func(s *catalog.TrustedIssuer) { s.Algorithms = []string{"RS256"} }, "subject_algorithm_not_allowed"},
		"audience":   {func(s *catalog.TrustedIssuer) { s.Audiences = []string{"x"} }, "subject_audience_mismatch"},
		"age":        {func(s *catalog.TrustedIssuer) { s.MaxTokenAge = catalog.Duration(time.Second) }, "subject_too_old"},
		"issuer":     {func(s *catalog.TrustedIssuer) { s.Issuer = "https://other.test" }, "subject_issuer_not_trusted"},
		"keys":       {func(s *catalog.TrustedIssuer) { s.Keys.JWKS = ststest.NewIssuer(t).JWKS() }, "subject_signature_invalid"},
		"subject":    {func(s *catalog.TrustedIssuer) { s.ClaimMappings.Subject.Claim = "email" }, "subject_rule_failed"},
		"single use": {func(s *catalog.TrustedIssuer) { s.SingleUse = true }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, nil, inline(idp))
			h.believes(token)
			h.clock.Advance(2 * time.Second)
			h.apply(inline(idp, c.change))
			_, err := h.subject(exchange.TypeJWT, token)
			wantReason(t, err, c.want)
		})
	}
	h := newHouse(t, nil, inline(idp))
	h.believes(token)
	h.clock.Advance(time.Minute)
	h.refuses(token, "subject_expired")
}

// TestTRU018_AWithdrawnKeyProvesNothing: not even what it proved before.
func TestTRU018_AWithdrawnKeyProvesNothing(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIssuer(t)
	idp.CacheControl("max-age=60")
	h := newHouse(t, nil, byURI(idp))
	h.settled()
	token := idp.Issue(start(), nil)
	h.believes(token)
	idp.Rotate(false) // the old key is gone
	h.clock.Advance(29 * time.Second)
	h.believes(token)                   // its set is still fresh here
	h.believes(idp.Issue(start(), nil)) // the new kid brings the new set
	h.refuses(token, "subject_signature_invalid")
}

func TestOnlyExactBytesAreRemembered(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIssuer(t)
	h := newHouse(t, nil, inline(idp))
	token := idp.Issue(start(), nil)
	h.believes(token)
	for i := range len(token) {
		changed := []byte(token)
		changed[i] ^= 1
		if _, err := h.subject(exchange.TypeJWT, string(changed)); err == nil {
			t.Fatalf("byte %d of a remembered token can be changed", i)
		}
	}
	h.believes(token)
}

func TestMemoryIsBoundedAndShared(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIssuer(t)
	h := newHouseOf(t, 64<<10, inline(idp))
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			pad := make([]byte, 1500)
			for i := range 200 {
				_, _ = rand.Read(pad)
				token := idp.Issue(start(), claims{"n": fmt.Sprint(i), "pad": base64.StdEncoding.EncodeToString(pad)})
				for range 2 {
					if _, err := h.subject(exchange.TypeJWT, token); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	all.Wait()
	if n := h.trust.Remembered(); n == 0 || n > 64<<10/2000 {
		t.Errorf("%d tokens of 2 KB are remembered in 64 KiB", n)
	}
}

func TestSingleUseTokensCarryTheirClaim(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIssuer(t)
	h := newHouse(t, nil, inline(idp, func(s *catalog.TrustedIssuer) { s.SingleUse = true }))
	if token := h.believes(idp.Issue(start(), claims{"jti": "j1"})); !token.SingleUse || token.JTI != "j1" {
		t.Errorf("%+v", token)
	}
	h.refuses(idp.Issue(start(), claims{"jti": nil}), "subject_rule_failed")
	h.apply(inline(idp))
	if token := h.believes(idp.Issue(start(), claims{"jti": "j1"})); token.SingleUse {
		t.Error("an entry without singleUse makes single-use tokens")
	}
}

// TestRPL003_ASingleUseTokenIsItsJTI: the other spelling of an ECDSA signature,
// s for n-s, is another token in bytes alone (FIPS 186-5 §6.4.2).
func TestRPL003_ASingleUseTokenIsItsJTI(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIssuer(t)
	h := newHouse(t, nil, inline(idp, func(s *catalog.TrustedIssuer) { s.SingleUse = true }))
	token := idp.Issue(start(), claims{"jti": "j1"})
	dot := strings.LastIndexByte(token, '.')
	signature, err := base64.RawURLEncoding.DecodeString(token[dot+1:])
	if err != nil {
		t.Fatal(err)
	}
	s := new(big.Int).Sub(elliptic.P256().Params().N, new(big.Int).SetBytes(signature[32:]))
	s.FillBytes(signature[32:])
	twin := token[:dot+1] + base64.RawURLEncoding.EncodeToString(signature)
	first, second := h.believes(token), h.believes(twin)
	if twin == token || !second.SingleUse || first.Issuer != second.Issuer || first.JTI != second.JTI {
		t.Errorf("%+v and %+v are not the same token", first, second)
	}
}

package trust_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/ststest"
)

// judges judges claims as the subject's, as a rehearsal does.
func (h *house) judges(typ exchange.TokenType, issuer string, given exchange.Claims) (*exchange.Token, error) {
	h.t.Helper()
	judge := h.verifier.(interface {
		Judge(req *exchange.Request, role exchange.Role, issuer string, claims exchange.Claims) (*exchange.Token, error)
	})
	return judge.Judge(h.request(typ, "no token at all"), exchange.RoleSubject, issuer, given)
}

// saidBy is the claims of a token.
func saidBy(t testing.TB, token string) exchange.Claims {
	t.Helper()
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(payload))
	decoder.UseNumber()
	var said exchange.Claims
	if err := decoder.Decode(&said); err != nil {
		t.Fatal(err)
	}
	return said
}

// drawSayings draws what an issuer could say, each claim in sound and bad forms.
func drawSayings(t *rapid.T, now int64) claims {
	drawn := claims{}
	for _, claim := range []struct {
		name   string
		values []any // the first is sound
	}{
		{"sub", []any{"alice", "", "client:x", nil, 7}},
		{"aud", []any{gateway, []any{"https://other", gateway}, "https://other", []any{}, 1}},
		{"exp", []any{now + 60, now, now - 1, "soon", nil}},
		{"iat", []any{now - 10, now - 86401, now + 31, now + 29, nil}},
		{"nbf", []any{nil, now, now + 31, now + 29}},
		{"scope", []any{"a b", "a  b", []any{"a", "b"}, 1}},
		{"act", []any{nil, claims{"sub": "x"}, claims{"iss": ours, "sub": "x"}, "x"}},
		{"may_act", []any{nil, claims{"sub": "x"}, "x"}},
		{"cnf", []any{nil, claims{"jkt": "x"}, "x"}},
		{"jti", []any{"id-1", nil, 1}},
		{"events", []any{nil, claims{}}},
		{"at_hash", []any{nil, "x"}},
		{"azp", []any{nil, "app", 1}},
	} {
		value := claim.values[0]
		if rapid.IntRange(0, 9).Draw(t, claim.name+" is odd") == 5 {
			value = rapid.SampledFrom(claim.values).Draw(t, claim.name)
		}
		drawn[claim.name] = value
	}
	return drawn
}

// TestGivenClaimsAreJudgedAsATokenIs: whatever an issuer signs, claims that are
// written down come to the same token or the same refusal.
func TestGivenClaimsAreJudgedAsATokenIs(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIssuer(t)
	h := newHouse(t, nil, inline(idp, func(s *catalog.TrustedIssuer) { s.SingleUse = true }, prefixed("idp:", false)))
	rapid.Check(t, func(rt *rapid.T) {
		token := idp.Issue(start(), drawSayings(rt, start().Unix()))
		said := saidBy(t, token)
		if rapid.Bool().Draw(rt, "without iss") {
			delete(said, "iss")
		}
		want, wrong := h.subject(exchange.TypeJWT, token)
		got, refusal := h.judges(exchange.TypeJWT, "idp", said)
		if reasonOf(t, wrong) != reasonOf(t, refusal) || !reflect.DeepEqual(want, got) {
			rt.Fatalf("token: %v, %+v\nclaims: %v, %+v", wrong, want, refusal, got)
		}
	})
}

func TestGivenClaimsMeetTheEntry(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIssuer(t)
	off := entryOf("off", "https://off.test", catalog.Keys{JWKS: idp.JWKS()}, func(s *catalog.TrustedIssuer) { s.Mode = catalog.ModeDisabled })
	h := newHouse(t, nil, inline(idp), off, holder("edge-id", "", nil))
	sound := func(change claims) exchange.Claims {
		said := saidBy(t, idp.Issue(start(), change))
		delete(said, "iss")
		return said
	}
	for name, c := range map[string]struct {
		issuer string
		typ    exchange.TokenType
		given  exchange.Claims
		want   exchange.Reason
	}{
		"sound":                   {"idp", exchange.TypeJWT, sound(nil), ""},
		"no such entry":           {"okta", exchange.TypeJWT, sound(nil), "subject_issuer_not_trusted"},
		"the entry is off":        {"off", exchange.TypeJWT, sound(nil), exchange.IssuerDisabled},
		"another iss":             {"idp", exchange.TypeJWT, exchange.Claims{"iss": "https://off.test", "sub": "alice"}, "subject_issuer_not_trusted"},
		"another type":            {"idp", exchange.TypeIDToken, sound(nil), "subject_type_mismatch"},
		"no claims":               {"idp", exchange.TypeJWT, nil, "subject_audience_mismatch"},
		"our own type":            {exchange.SelfIssuer, exchange.TypeIDToken, sound(nil), "subject_type_mismatch"},
		"our own, not served":     {exchange.SelfIssuer, exchange.TypeJWT, sound(nil), "subject_audience_mismatch"},
		"our own of a foreign":    {exchange.SelfIssuer, exchange.TypeJWT, exchange.Claims{"iss": idp.URL}, "subject_issuer_not_trusted"},
		"our own, issued to it":   {exchange.SelfIssuer, exchange.TypeJWT, sound(claims{"client_id": "edge-id", "txn": "root"}), ""},
		"an entry's name as iss ": {"idp", exchange.TypeJWT, exchange.Claims{"iss": "idp"}, "subject_issuer_not_trusted"},
	} {
		token, err := h.judges(c.typ, c.issuer, c.given)
		if got := reasonOf(t, err); got != c.want {
			t.Errorf("%s: %q (%v), want %q", name, got, err, c.want)
		}
		if c.want == "" && (token.Issuer != c.issuer || token.IssuerURL == "" || token.Claims["iss"] != token.IssuerURL) {
			t.Errorf("%s: %+v", name, token)
		}
	}
}

// TestGivenClaimsStayAsTheyWere: the caller's claims are not written to.
func TestGivenClaimsStayAsTheyWere(t *testing.T) {
	t.Parallel()
	h := newHouse(t, nil, inline(ststest.NewIssuer(t)))
	given := exchange.Claims{"sub": "alice"}
	_, _ = h.judges(exchange.TypeJWT, "idp", given)
	if len(given) != 1 {
		t.Errorf("claims became %v", given)
	}
}

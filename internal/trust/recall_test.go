package trust_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/ststest"
	"github.com/strait-sts/strait/internal/trust"
)

// recalls judges what a record tells of a subject token.
func (h *house) recalls(typ exchange.TokenType, of exchange.RecordParty, held ...string) (*exchange.Token, error) {
	h.t.Helper()
	recaller := h.verifier.(interface {
		Recall(req *exchange.Request, role exchange.Role, of *exchange.RecordParty, held []string) (*exchange.Token, error)
	})
	return recaller.Recall(h.request(typ, "no token at all"), exchange.RoleSubject, &of, held)
}

// alice is what a record tells of a token of ststest's.
func alice(change func(*exchange.RecordParty)) exchange.RecordParty {
	now := start().Unix()
	p := exchange.RecordParty{Issuer: "idp", Subject: "alice", Original: "alice", JTI: "j-1", Audience: []string{gateway}, IssuedAt: now - 60, Expires: now + 60}
	if change != nil {
		change(&p)
	}
	return p
}

// TestARecalledTokenMeetsTheEntryOfNow: everything that a token of it meets once
// its signature holds.
func TestARecalledTokenMeetsTheEntryOfNow(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		entry func(*catalog.TrustedIssuer)
		party func(*exchange.RecordParty)
		want  string // a reason, or what is not kept; "": it is believed
	}{
		"as it was":                             {nil, nil, ""},
		"another name":                          {nil, func(p *exchange.RecordParty) { p.Issuer = "gone" }, "subject_issuer_not_trusted"},
		"another iss":                           {nil, func(p *exchange.RecordParty) { p.IssuerURL += "/" }, "subject_issuer_not_trusted"},
		"disabled":                              {func(s *catalog.TrustedIssuer) { s.Mode = catalog.ModeDisabled }, nil, "issuer_disabled"},
		"not as subject":                        {func(s *catalog.TrustedIssuer) { s.AcceptAs = []string{"actor"} }, nil, "subject_issuer_not_trusted"},
		"other types":                           {func(s *catalog.TrustedIssuer) { s.TokenTypes = []string{"id_token"} }, nil, "subject_type_mismatch"},
		"other audiences":                       {func(s *catalog.TrustedIssuer) { s.Audiences = []string{"https://new"} }, nil, "subject_audience_mismatch"},
		"too old":                               {func(s *catalog.TrustedIssuer) { s.MaxTokenAge = catalog.Duration(30e9) }, nil, "subject_too_old"},
		"expired":                               {nil, func(p *exchange.RecordParty) { p.Expires = start().Unix() }, "subject_expired"},
		"a scope claim elsewhere":               {func(s *catalog.TrustedIssuer) { s.ScopeClaim = "scp" }, nil, "scope claim scp"},
		"the same scope claim":                  {func(s *catalog.TrustedIssuer) { s.ScopeClaim = "scp" }, func(p *exchange.RecordParty) { p.ScopeClaim = "scp" }, ""},
		"a mapping of a claim that is not kept": {func(s *catalog.TrustedIssuer) { s.ClaimMappings.Subject.Claim = "email" }, nil, "claim email"},
		"a mapping of one that is": {
			func(s *catalog.TrustedIssuer) { s.ClaimMappings.Subject.Claim = "email" },
			func(p *exchange.RecordParty) { p.Claims = map[string]any{"email": "a@b"} }, "",
		},
		"a mapping of one that was absent": {
			func(s *catalog.TrustedIssuer) { s.ClaimMappings.Subject.Claim = "email" },
			func(p *exchange.RecordParty) { p.Absent = []string{"email"} }, "subject_rule_failed",
		},
		"clipped": {
			func(s *catalog.TrustedIssuer) { s.ClaimMappings.Subject.Claim = "email" },
			func(p *exchange.RecordParty) { p.Clipped = true }, "claim email",
		},
		"single use, without a jti": {func(s *catalog.TrustedIssuer) { s.SingleUse = true }, func(p *exchange.RecordParty) { p.JTI = "" }, "subject_rule_failed"},
	} {
		idp := ststest.NewIssuer(t)
		h := newHouse(t, nil, inline(idp, func(s *catalog.TrustedIssuer) {
			if c.entry != nil {
				c.entry(s)
			}
		}))
		party := alice(func(p *exchange.RecordParty) {
			p.IssuerURL = idp.URL
			if c.party != nil {
				c.party(p)
			}
		})
		_, err := h.recalls(exchange.TypeJWT, party, "read")
		if got := why(err); got != c.want {
			t.Errorf("%s: %q (%v), want %q", name, got, err, c.want)
		}
	}
}

// why is a refusal's reason, or what is not kept.
func why(err error) string {
	var missing *exchange.NotKeptError
	var refusal *exchange.Error
	switch {
	case errors.As(err, &missing):
		return missing.Claim
	case errors.As(err, &refusal):
		return string(refusal.Reason)
	}
	return ""
}

// TestARecalledTokenSaysWhatItDoesNotKnow: it is the token of the record, and
// knows which of its claims are there.
func TestARecalledTokenSaysWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIssuer(t)
	h := newHouseWith(t, func(o *trust.Options) {
		o.Rules = func(*catalog.TrustedIssuer) (trust.Rules, error) { return tenants{}, nil }
	}, ruled(idp))
	token, err := h.recalls(exchange.TypeJWT, alice(func(p *exchange.RecordParty) {
		p.IssuerURL, p.Bound, p.ClientID = idp.URL, true, "portal"
		p.Act, p.MayAct = exchange.Chain{{Issuer: "https://x", Subject: "older"}}, map[string]any{"sub": "agent", "other": true}
		p.Claims = map[string]any{"tenant": "acme", "email": "a@b", "/address/country": "DE"}
		p.Absent = []string{"dept"}
	}), "read", "two words")
	if err != nil {
		t.Fatal(err)
	}
	if token.Subject != "p:a@b" || token.Original != "alice" || !token.Bound || token.ClientID != "portal" || len(token.Act) != 1 || token.MayAct["other"] != true ||
		strings.Join(token.Scopes, ",") != "read,two words" || token.Expires.Unix() != start().Unix()+60 {
		t.Errorf("%+v", token)
	}
	for path, known := range map[string]bool{
		"tenant": true, "email": true, "dept": true, "sub": true, "iss": true, "jti": true, "exp": true, "iat": true,
		"address": false, "address/country": true, "address/zip": false, "aud": false, "scope": false, "cnf": false, "": false,
	} {
		var steps []string
		if path != "" {
			steps = strings.Split(path, "/")
		}
		if got := token.Knows(steps); got != known {
			t.Errorf("it knows %q: %v, want %v", path, got, known)
		}
	}
	if token.Claims["exp"] != json.Number("1800000060") || token.Claims["iss"] != idp.URL {
		t.Errorf("claims %v", token.Claims)
	}
}

package trust_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/keysource"
	"github.com/strait-sts/strait/internal/ststest"
	"github.com/strait-sts/strait/internal/trust"
)

// asking is an entry whose tokens are opaque.
func asking(name string, idp *ststest.Introspector, change ...func(*catalog.TrustedIssuer)) *catalog.Entry {
	prefix := name + ":"
	e := entryOf(name, "https://"+name+".test", catalog.Keys{Introspection: &catalog.Introspection{
		URL: idp.URL, ClientID: "strait", AllowedClientIDs: []string{"webshop"},
	}}, append([]func(*catalog.TrustedIssuer){func(s *catalog.TrustedIssuer) {
		s.Audiences, s.Algorithms, s.TokenTypes, s.ClaimMappings.Subject.Prefix = nil, nil, []string{"access_token"}, &prefix
	}}, change...)...)
	e.Sealed = catalog.Sealed{"/spec/keys/introspection/clientSecret": []byte("sealed:s3cret")}
	return e
}

func withPrefix(prefix string) func(*catalog.TrustedIssuer) {
	return func(s *catalog.TrustedIssuer) { s.Keys.Introspection.TokenPrefix = prefix }
}

// opaque verifies an opaque subject token under policies for these issuers.
func (h *house) opaque(token string, issuers ...string) (*exchange.Token, error) {
	h.t.Helper()
	return h.verifier.Verify(h.t.Context(), h.request(exchange.TypeAccessToken, token, issuers...), exchange.RoleSubject)
}

func TestAnOpaqueTokenIsWhatItsIssuerSays(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIntrospector(t)
	idp.Activate(t, "opaque-1", start(), claims{
		"scope": "orders:read orders:write", "aud": []string{"x"}, "jti": "j1", "username": "Alice", "act": map[string]any{"sub": "agent"},
	})
	h := newHouse(t, nil, asking("acme", idp))
	token, err := h.opaque("opaque-1", "self", "acme")
	if err != nil {
		t.Fatal(err)
	}
	if token.Issuer != "acme" || token.IssuerURL != "https://acme.test" || token.Subject != "acme:alice" || token.Original != "alice" ||
		token.ClientID != "webshop" || strings.Join(token.Scopes, " ") != "orders:read orders:write" || token.JTI != "j1" ||
		!token.Expires.Equal(start().Add(time.Hour)) || token.Act[0] != (exchange.Hop{Issuer: "https://acme.test", Subject: "agent"}) || token.Bound {
		t.Errorf("%+v", token)
	}
	q := idp.Asked()[0]
	if q.User != "strait" || q.Password != "s3cret" {
		t.Errorf("asked as %q with %q", q.User, q.Password)
	}
}

// TestIntrospectionCases: the introspection area of the security cases that
// judges answers; that of their form is in package introspect.
func TestIntrospectionCases(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		claims claims
		want   exchange.Reason
	}{
		"control":                      {nil, ""},
		"INT-011 exp in the past":      {claims{"exp": start().Unix()}, "subject_expired"},
		"exp missing":                  {claims{"exp": nil}, "subject_token_malformed"},
		"exp a string":                 {claims{"exp": "1900000000"}, "subject_token_malformed"},
		"INT-013 another iss":          {claims{"iss": "https://evil.test"}, "subject_issuer_not_trusted"},
		"iss a list":                   {claims{"iss": []string{"https://acme.test"}}, "subject_issuer_not_trusted"},
		"the entry's iss":              {claims{"iss": "https://acme.test"}, ""},
		"INT-014 another aud":          {claims{"aud": "https://other.test"}, "subject_audience_mismatch"},
		"aud missing":                  {claims{"aud": nil}, "subject_audience_mismatch"},
		"INT-015 a refresh token":      {claims{"token_type": "refresh_token"}, "subject_type_mismatch"},
		"a refresh token of Hydra":     {claims{"token_use": "refresh_token"}, "subject_type_mismatch"},
		"a refresh token of Keycloak":  {claims{"typ": "Refresh"}, "subject_type_mismatch"},
		"an offline token of Keycloak": {claims{"typ": "Offline"}, "subject_type_mismatch"},
		"an ID token":                  {claims{"at_hash": "x"}, "subject_type_mismatch"},
		"token_type a number":          {claims{"token_type": 1}, "subject_type_mismatch"},
		"token_type in lower case":     {claims{"token_type": "bearer"}, ""},
		"no token_type":                {claims{"token_type": nil}, ""},
		"an access token of Hydra":     {claims{"token_use": "access_token"}, ""},
		"INT-016 sub missing":          {claims{"sub": nil}, "subject_token_malformed"},
		"INT-017 another client":       {claims{"client_id": "other"}, "subject_rule_failed"},
		"client_id missing":            {claims{"client_id": nil, "azp": "webshop"}, "subject_rule_failed"},
		"client_id a list":             {claims{"client_id": []string{"webshop"}}, "subject_rule_failed"},
		"INT-018 nbf ahead":            {claims{"nbf": start().Add(time.Minute).Unix()}, "subject_not_yet_valid"},
		"iat ahead":                    {claims{"iat": start().Add(time.Minute).Unix()}, "subject_not_yet_valid"},
		"too old":                      {claims{"iat": start().Add(-25 * time.Hour).Unix()}, "subject_too_old"},
		"no iat":                       {claims{"iat": nil}, ""},
		"INT-019 scope an array":       {claims{"scope": []string{"orders:read"}}, "subject_token_malformed"},
		"no scope":                     {claims{"scope": nil}, ""},
		"a hop of ours":                {claims{"act": map[string]any{"iss": ours, "sub": "client:x"}}, "subject_rule_failed"},
		"NUL spoils the answer":        {claims{"sub": "\u0000"}, exchange.IssuerKeysUnavailable},
		"a subject with a line's end":  {claims{"sub": "a\nb"}, "subject_token_malformed"},
		"inactive":                     {claims{"active": false}, "subject_inactive"},
		"INT-002 active a string":      {claims{"active": "true"}, exchange.IssuerKeysUnavailable},
		"another aud beside ours":      {claims{"aud": []string{"https://other.test", gateway}}, ""},
		"a security event":             {claims{"events": map[string]any{}}, "subject_type_mismatch"},
		"may_act that is no object":    {claims{"may_act": "bob"}, "subject_rule_failed"},
		"cnf that is no object":        {claims{"cnf": "x"}, "subject_token_malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			idp := ststest.NewIntrospector(t)
			all := claims{"aud": gateway}
			for k, v := range c.claims {
				all[k] = v
			}
			idp.Activate(t, "opaque-1", start(), all)
			h := newHouse(t, nil, asking("acme", idp, func(s *catalog.TrustedIssuer) { s.Audiences = []string{gateway} }))
			_, err := h.opaque("opaque-1", "acme")
			wantReason(t, err, c.want)
		})
	}
}

func TestADPoPTokenIsBoundWithoutItsCnfToo(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIntrospector(t)
	idp.Activate(t, "a", start(), claims{"token_type": "DPoP"})
	idp.Activate(t, "b", start(), claims{"cnf": map[string]any{"jkt": "x"}})
	h := newHouse(t, nil, asking("acme", idp))
	for _, name := range []string{"a", "b"} {
		if token, err := h.opaque(name, "acme"); err != nil || !token.Bound {
			t.Errorf("%s: %+v, %v", name, token, err)
		}
	}
}

// TestConfigurationSaysWhomToAsk: the prefix, else the only issuer without one
// among the client's policies; never what a token says.
func TestConfigurationSaysWhomToAsk(t *testing.T) {
	t.Parallel()
	plain, other, acme, jwt := ststest.NewIntrospector(t), ststest.NewIntrospector(t), ststest.NewIntrospector(t), ststest.NewIssuer(t)
	off := ststest.NewIntrospector(t)
	h := newHouse(t, nil, asking("plain", plain), asking("other", other), asking("acme", acme, withPrefix("acme_")),
		asking("off", off, withPrefix("off_"), func(s *catalog.TrustedIssuer) { s.Mode = catalog.ModeDisabled }),
		entryOf("jwt", jwt.URL, catalog.Keys{JWKS: jwt.JWKS()}, accepting("access_token")))
	all := map[string]*ststest.Introspector{"plain": plain, "other": other, "acme": acme, "off": off}
	foreign := jwt.Issue(start(), claims{"iss": "https://plain.test"})
	for _, c := range []struct {
		name, token string
		issuers     []string
		asked       string
		want        exchange.Reason
	}{
		{"the prefix", "acme_1", []string{"plain"}, "acme", "subject_inactive"},
		{"the only one", "tok", []string{"self", "jwt", "acme", "plain"}, "plain", "subject_inactive"},
		{"TRU-024 two without a prefix", "tok", []string{"plain", "other"}, "", "subject_token_malformed"},
		{"none without a prefix", "tok", []string{"acme"}, "", "subject_token_malformed"},
		{"no issuers", "tok", nil, "", "subject_token_malformed"},
		{"a disabled one's prefix", "off_1", []string{"plain"}, "", "issuer_disabled"},
		{"a JWT", jwt.Issue(start(), nil), []string{"plain"}, "", ""},
		{"a JWT that names an issuer of opaque tokens", foreign, []string{"plain"}, "", "subject_type_mismatch"},
		{"a broken JWT", jwt.Issue(start(), nil) + ".", []string{"plain"}, "", "subject_token_malformed"},
		{"a JWT's header alone", "eyJhbGciOiJub25lIn0", []string{"plain"}, "", "subject_token_malformed"},
		{"a line's end", "tok\nen", []string{"plain"}, "", "subject_token_malformed"},
		{"a space behind the prefix", "acme_ 1", []string{"acme"}, "", "subject_token_malformed"},
	} {
		before := map[string]int{}
		for name, idp := range all {
			before[name] = len(idp.Asked())
		}
		_, err := h.opaque(c.token, c.issuers...)
		wantReason(t, err, c.want)
		for name, idp := range all {
			if n := len(idp.Asked()) - before[name]; (n > 0) != (name == c.asked) {
				t.Errorf("%s: %s was asked %d times", c.name, name, n)
			}
		}
	}
	_, err := h.subject(exchange.TypeJWT, "acme_1") // opaque tokens come as access_token alone
	wantReason(t, err, "subject_token_malformed")
	req := h.request(exchange.TypeAccessToken, "tok", "plain")
	req.Actor, req.Issuers = req.Subject, func() []string { return []string{"plain"} }
	_, err = h.verifier.Verify(t.Context(), req, exchange.RoleActor) // policies name issuers of subjects
	wantReason(t, err, "actor_token_malformed")
}

// TestINT026_AKeptAnswerIsJudgedAnew: by the entry of each use.
func TestINT026_AKeptAnswerIsJudgedAnew(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIntrospector(t)
	idp.Activate(t, "tok", start(), claims{"exp": start().Add(20 * time.Second).Unix()})
	h := newHouse(t, nil, asking("acme", idp))
	if _, err := h.opaque("tok", "acme"); err != nil {
		t.Fatal(err)
	}
	h.apply(asking("acme", idp, func(s *catalog.TrustedIssuer) { s.Keys.Introspection.AllowedClientIDs = []string{"other"} }))
	_, err := h.opaque("tok", "acme")
	wantReason(t, err, "subject_rule_failed")
	h.apply(asking("acme", idp))
	h.clock.Advance(20 * time.Second)
	_, err = h.opaque("tok", "acme")
	wantReason(t, err, "subject_expired")
	if n := len(idp.Asked()); n != 1 {
		t.Errorf("asked %d times: the answer was kept, or the client was not", n)
	}
}

func TestNoSecretNoQuestion(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIntrospector(t)
	entry := asking("acme", idp)
	entry.Sealed = nil
	h := newHouse(t, nil, entry)
	_, err := h.opaque("tok", "acme")
	wantReason(t, err, exchange.IssuerKeysUnavailable)
	if s := h.trust.Status()[0]; s.State != keysource.Failing || s.LastError == "" || len(idp.Asked()) != 0 {
		t.Errorf("%+v", s)
	}
}

func TestHealthOfAnIntrospectionEndpoint(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIntrospector(t)
	h := newHouse(t, nil, asking("acme", idp))
	state := func() keysource.State { return h.trust.Status()[0].State }
	if state() != keysource.NeverFetched {
		t.Errorf("at first: %s", state())
	}
	_, _ = h.opaque("tok", "acme")
	if state() != keysource.Healthy {
		t.Errorf("after an answer: %s", state())
	}
	idp.Know("tok", `{}`)
	_, _ = h.opaque("tok", "acme")
	if state() != keysource.Failing || h.trust.Status()[0].Failures != 1 {
		t.Errorf("after nonsense: %+v", h.trust.Status()[0])
	}
}

func TestProbe(t *testing.T) {
	t.Parallel()
	idp, keys := ststest.NewIntrospector(t), ststest.NewIssuer(t)
	h := newHouse(t, nil)
	snapshot := catalog.NewSnapshot(1, asking("acme", idp),
		entryOf("found", keys.URL, catalog.Keys{Discovery: &catalog.Discovery{}}),
		entryOf("inline", "urn:idp", catalog.Keys{JWKS: keys.JWKS()}),
		entryOf("closed", "https://10.0.0.1", catalog.Keys{JWKSURI: "https://10.0.0.1/jwks"}))
	probe := func(name string) trust.Probe {
		p, err := h.trust.Probe(t.Context(), snapshot, name)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	if p := probe("found"); !p.OK || p.JWKSURI != keys.URL+ststest.JWKSPath || p.Metadata != keys.URL+ststest.OpenIDPath || len(p.Keys) != 1 || p.Fresh == "" {
		t.Errorf("%+v", p)
	}
	if p := probe("inline"); !p.OK || len(p.Keys) != 1 || p.Keys[0].Algorithms[0] != "ES256" {
		t.Errorf("%+v", p)
	}
	if p := probe("closed"); p.OK || !strings.Contains(p.Error, "not allowed") {
		t.Errorf("%+v", p)
	}
	if p := probe("acme"); !p.OK || p.Endpoint != idp.URL {
		t.Errorf("%+v", p)
	}
	idp.Know(idp.Asked()[0].Form.Get("token"), `{"active":true}`)
	if p := probe("acme"); !p.OK {
		t.Error("two probes asked about the same token")
	}
	idp.Behave(nil)
	if _, err := h.trust.Probe(t.Context(), snapshot, "nobody"); !errors.Is(err, trust.ErrNoEntry) {
		t.Error(err)
	}
}

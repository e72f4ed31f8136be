package trust_test

import (
	"context"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/ststest"
)

func TestReadsWhatATokenSays(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIssuer(t)
	h := newHouse(t, nil, inline(idp, prefixed("idp:", false)))
	token := h.believes(idp.Issue(start(), claims{
		"jti": "j1", "azp": "browser", "scope": "a b", "aud": []string{"x", gateway}, "iat": number("1799999999.5"), "uid": number("9007199254740993"),
		"act": claims{"sub": "svc", "exp": 1, "act": claims{"sub": "old", "iss": "https://elsewhere.test"}}, "may_act": claims{"sub": "m"}, "cnf": claims{"jkt": "x"},
		"txn": "a foreign txn",
	}))
	if token.Claims["uid"] != number("9007199254740993") {
		t.Errorf("a number lost its precision: %v", token.Claims["uid"])
	}
	token.Claims = nil
	want := &exchange.Token{
		Issuer: "idp", IssuerURL: idp.URL, Type: exchange.TypeJWT, Subject: "idp:alice", Original: "alice", JTI: "j1",
		Audience: []string{"x", gateway}, ClientID: "browser", Scopes: []string{"a", "b"},
		IssuedAt: start().Add(-500 * time.Millisecond), Expires: start().Add(10 * time.Minute),
		Act:    exchange.Chain{{Issuer: idp.URL, Subject: "svc"}, {Issuer: "https://elsewhere.test", Subject: "old"}},
		MayAct: exchange.MayAct{"sub": "m"}, Bound: true,
	}
	if !reflect.DeepEqual(token, want) {
		t.Errorf("got  %+v\nwant %+v", token, want)
	}
}

// TestClaims holds every rule about claims, each beside a claim that passes.
func TestClaims(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIssuer(t)
	h := newHouse(t, nil, inline(idp, func(s *catalog.TrustedIssuer) { s.MaxTokenAge = catalog.Duration(time.Hour) }))
	now := start().Unix()
	long := strings.Repeat("s", 255)
	for name, c := range map[string]struct {
		good, bad claims
		reason    exchange.Reason
	}{
		"JW-12 audience among others": {claims{"aud": []string{"https://x.test", gateway}}, claims{"aud": []string{"https://x.test"}}, "subject_audience_mismatch"},
		"JW-12 audience missing":      {nil, claims{"aud": nil}, "subject_audience_mismatch"},
		"JW-12 audience slash":        {nil, claims{"aud": gateway + "/"}, "subject_audience_mismatch"},
		"JW-15 exp to the second":     {claims{"exp": now + 1}, claims{"exp": now}, "subject_expired"},
		"JW-15 exp with a fraction":   {claims{"exp": number("1800000000.000000001")}, claims{"exp": number("1800000000.0")}, "subject_expired"},
		"JW-15 exp in exponent form":  {claims{"exp": number("18000000001e-1")}, claims{"exp": number("18e8")}, "subject_expired"},
		"JW-15 exp required":          {nil, claims{"exp": nil}, "subject_token_malformed"},
		"JW-15 exp a string":          {nil, claims{"exp": "1800000600"}, "subject_token_malformed"},
		"JW-15 exp negative":          {nil, claims{"exp": -1}, "subject_token_malformed"},
		"JW-15 exp overflows":         {claims{"exp": number("253402300799")}, claims{"exp": number("253402300800")}, "subject_token_malformed"},
		"JW-15 exp overflows in 1e15": {nil, claims{"exp": number("1e15")}, "subject_token_malformed"},
		"JW-15 exp before nbf":        {claims{"exp": now + 21, "nbf": now + 20}, claims{"exp": now + 20, "nbf": now + 20}, "subject_token_malformed"},
		"JW-16 nbf within skew":       {claims{"nbf": now + 30}, claims{"nbf": now + 31}, "subject_not_yet_valid"},
		"JW-16 nbf an object":         {nil, claims{"nbf": claims{}}, "subject_token_malformed"},
		"JW-17 iat within skew":       {claims{"iat": now + 30}, claims{"iat": now + 31}, "subject_not_yet_valid"},
		"JW-17 iat required":          {nil, claims{"iat": nil}, "subject_token_malformed"},
		"JW-17 iat within its age":    {claims{"iat": now - 3600}, claims{"iat": now - 3601}, "subject_too_old"},
		"JW-11 sub required":          {nil, claims{"sub": nil}, "subject_token_malformed"},
		"JW-11 sub bounded":           {claims{"sub": long}, claims{"sub": long + "s"}, "subject_token_malformed"},
		"JW-11 sub blank":             {claims{"sub": " a "}, claims{"sub": "  "}, "subject_token_malformed"},
		"JW-11 sub with a line break": {claims{"sub": "álice"}, claims{"sub": "alice\nadmin"}, "subject_token_malformed"},
		"jti bounded":                 {claims{"jti": long}, claims{"jti": long + "s"}, "subject_token_malformed"},
		"jti a number":                {nil, claims{"jti": 1}, "subject_token_malformed"},
		"iss a string":                {nil, claims{"iss": []string{idp.URL}}, "subject_token_malformed"},
		"iss empty":                   {nil, claims{"iss": ""}, "subject_token_malformed"},
		"iss missing":                 {nil, claims{"iss": nil, "ISS": idp.URL}, "subject_token_malformed"},
		"client_id a number":          {claims{"client_id": "c"}, claims{"client_id": 1}, "subject_token_malformed"},
		"scope a number":              {claims{"scope": []string{"a"}}, claims{"scope": 1}, "subject_token_malformed"},
		"scope of numbers":            {nil, claims{"scope": []any{"a", 1}}, "subject_token_malformed"},
		"cnf an array":                {claims{"cnf": claims{}}, claims{"cnf": []any{}}, "subject_token_malformed"},
		"may_act a string":            {claims{"may_act": claims{"sub": "x"}}, claims{"may_act": "x"}, "subject_rule_failed"},
		"act a string":                {claims{"act": claims{"sub": "x"}}, claims{"act": "x"}, "subject_rule_failed"},
		"act null":                    {nil, claims{"act": number("null")}, "subject_rule_failed"},
		"act hop without sub":         {nil, claims{"act": claims{"sub": "x", "act": claims{"iss": "y"}}}, "subject_rule_failed"},
		"act hop with iss 1":          {nil, claims{"act": claims{"sub": "x", "iss": 1}}, "subject_rule_failed"},
		"act names our issuer":        {claims{"act": claims{"sub": "x", "iss": ours + "/"}}, claims{"act": claims{"sub": "x", "act": claims{"sub": "client:y", "iss": ours}}}, "subject_rule_failed"},
		"act up to 4 KiB": {
			claims{"act": claims{"sub": "x", "y": strings.Repeat("y", 4096-len(`{"sub":"x","y":""}`))}},
			claims{"act": claims{"sub": "x", "y": strings.Repeat("y", 4097-len(`{"sub":"x","y":""}`))}}, "subject_token_malformed",
		},
		"JW-11 sub of a client":        {claims{"sub": "clients"}, claims{"sub": "client:edge"}, "subject_rule_failed"},
		"JW-14 an ID token":            {claims{"nonce": "n"}, claims{"at_hash": "x"}, "subject_type_mismatch"},
		"JW-14 a Keycloak ID token":    {claims{"typ": "Bearer"}, claims{"typ": "ID"}, "subject_type_mismatch"},
		"JW-14 a Cognito ID token":     {claims{"token_use": "access"}, claims{"token_use": "id"}, "subject_type_mismatch"},
		"JW-14 a logout token's event": {nil, claims{"events": claims{}}, "subject_type_mismatch"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := *h
			h.t = t
			h.believes(idp.Issue(start(), c.good))
			h.refuses(idp.Issue(start(), withNull(c.bad)), c.reason)
		})
	}
}

// withNull makes a JSON null of the number "null", since nil leaves a claim out.
func withNull(c claims) claims {
	c = maps.Clone(c)
	for name, v := range c {
		if v == number("null") {
			c[name] = (*string)(nil)
		}
	}
	return c
}

func TestAnEntrysOwnSkewCounts(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIssuer(t)
	skew := catalog.Duration(0)
	h := newHouse(t, nil, inline(idp, func(s *catalog.TrustedIssuer) { s.ClockSkew = &skew }))
	h.believes(idp.Issue(start(), claims{"nbf": start().Unix()}))
	h.refuses(idp.Issue(start(), claims{"nbf": start().Unix() + 1}), "subject_not_yet_valid")
}

func TestRefusalsInTheirOrder(t *testing.T) {
	t.Parallel()
	// Each token has the faults of all that follow, and one that the test before it
	// had not: the earlier fault must answer.
	idp, stranger := ststest.NewIssuer(t), ststest.NewIssuer(t)
	h := newHouse(t, nil, inline(idp))
	foreign, key := stranger.Key(), idp.Key()
	late := claims{"aud": "https://x.test", "exp": 1, "iat": 0, "sub": "client:x", "scope": 1}
	mend := func(good ...string) claims {
		c := maps.Clone(late)
		for _, name := range good {
			delete(c, name)
		}
		return c
	}
	bad := claims{"typ": "dpop+jwt", "alg": "PS256"}
	for _, step := range []struct {
		reason exchange.Reason
		typ    exchange.TokenType
		key    ststest.Key
		header claims
		claims claims
	}{
		{"subject_issuer_not_trusted", exchange.TypeIDToken, foreign, bad, claims{"iss": "https://nobody.test"}},
		{"subject_type_mismatch", exchange.TypeIDToken, foreign, bad, late},
		{"subject_type_mismatch", exchange.TypeJWT, foreign, bad, late},
		{"subject_algorithm_not_allowed", exchange.TypeJWT, foreign, claims{"alg": "PS256"}, late},
		{"subject_signature_invalid", exchange.TypeJWT, foreign, nil, late},
		{"subject_audience_mismatch", exchange.TypeJWT, key, nil, late},
		{"subject_expired", exchange.TypeJWT, key, nil, mend("aud")},
		{"subject_rule_failed", exchange.TypeJWT, key, nil, mend("aud", "exp", "iat")},
		{"subject_token_malformed", exchange.TypeJWT, key, nil, mend("aud", "exp", "iat", "sub")},
	} {
		_, err := h.subject(step.typ, idp.IssueWith(step.key, start(), step.header, step.claims))
		wantReason(t, err, step.reason)
	}
	h.believes(idp.IssueWith(key, start(), nil, mend("aud", "exp", "iat", "sub", "scope")))
}

func TestDisabledOrExpiredEntryIsRefusedBeforeItsKeysAreAsked(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIssuer(t)
	keys := catalog.Keys{JWKSURI: idp.URL + ststest.JWKSPath}
	disabled := entryOf("idp", idp.URL, keys, func(s *catalog.TrustedIssuer) { s.Mode = catalog.ModeDisabled })
	h := newHouse(t, nil, disabled)
	h.refuses(idp.Issue(start(), nil), "issuer_disabled")
	expired := entryOf("idp", idp.URL, keys)
	end := start()
	expired.Governance.ExpiresAt = &end
	h.apply(expired)
	h.refuses(idp.Issue(start(), nil), "issuer_disabled")
	if n := h.fetches.n.Load(); n != 0 {
		t.Errorf("%d requests went out for issuers out of force", n)
	}
	later := end.Add(time.Second)
	expired = entryOf("idp", idp.URL, keys)
	expired.Governance.ExpiresAt = &later
	h.apply(expired)
	h.believes(idp.Issue(start(), nil))
	h.clock.Advance(time.Second)
	h.refuses(idp.Issue(start(), nil), "issuer_disabled")
}

func TestRoleMustBeAccepted(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIssuer(t)
	h := newHouse(t, nil, inline(idp, func(s *catalog.TrustedIssuer) { s.AcceptAs = []string{"actor"} }))
	token := idp.Issue(start(), nil)
	h.refuses(token, "subject_issuer_not_trusted")
	req := &exchange.Request{Time: start(), Client: h.client, Actor: exchange.Presented{Token: exchange.Secret(token), Type: exchange.TypeJWT}}
	if actor, err := h.verifier.Verify(context.Background(), req, exchange.RoleActor); err != nil || actor.Subject != "alice" {
		t.Errorf("%v, %v", actor, err)
	}
	req.Actor.Token = exchange.Secret(idp.Issue(start(), claims{"exp": 1, "iat": 0}))
	_, err := h.verifier.Verify(context.Background(), req, exchange.RoleActor)
	wantReason(t, err, "actor_expired")
}

func TestTypesOfTokens(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIssuer(t)
	h := newHouse(t, nil, inline(idp, accepting("jwt", "access_token", "id_token")))
	for _, c := range []struct {
		typ      exchange.TokenType
		header   any
		claims   claims
		believed bool
	}{
		{exchange.TypeJWT, nil, nil, true}, {exchange.TypeJWT, "jwt", nil, true}, {exchange.TypeJWT, "application/JWT", nil, true},
		{exchange.TypeJWT, "at+jwt", nil, false}, {exchange.TypeJWT, "dpop+jwt", nil, false},
		{exchange.TypeAccessToken, "AT+JWT", nil, true}, {exchange.TypeAccessToken, "application/at+jwt", nil, true},
		{exchange.TypeAccessToken, "JWT", nil, true}, {exchange.TypeAccessToken, nil, nil, true}, {exchange.TypeAccessToken, "id+jwt", nil, false},
		{exchange.TypeIDToken, "JWT", nil, true}, {exchange.TypeIDToken, nil, nil, true}, {exchange.TypeIDToken, "at+jwt", nil, false},
		{exchange.TypeIDToken, "JWT", claims{"nonce": "n", "at_hash": "x"}, true}, {exchange.TypeAccessToken, "JWT", claims{"c_hash": "x"}, false},
		{exchange.TypeIDToken, "JWT", claims{"token_use": "access"}, false}, {exchange.TypeIDToken, "JWT", claims{"typ": "Bearer"}, false},
	} {
		_, err := h.subject(c.typ, idp.IssueWith(idp.Key(), start(), claims{"typ": c.header}, c.claims))
		if c.believed && err != nil {
			t.Errorf("%s with typ %v: %v", c.typ.Short(), c.header, err)
		} else if !c.believed {
			wantReason(t, err, "subject_type_mismatch")
		}
	}
}

func TestTypeMustBeOneOfTheEntrys(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIssuer(t)
	h := newHouse(t, nil, inline(idp, accepting("id_token")))
	token := idp.Issue(start(), nil)
	if _, err := h.subject(exchange.TypeIDToken, token); err != nil {
		t.Error(err)
	}
	for _, typ := range []exchange.TokenType{exchange.TypeJWT, exchange.TypeAccessToken, "id_token", ""} {
		_, err := h.subject(typ, token)
		wantReason(t, err, "subject_type_mismatch")
	}
}

func TestClientIDComesBeforeAzp(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIssuer(t)
	h := newHouse(t, nil, inline(idp))
	for want, c := range map[string]claims{"c": {"client_id": "c", "azp": "a"}, "a": {"azp": "a"}, "": nil} {
		if got := h.believes(idp.Issue(start(), c)).ClientID; got != want {
			t.Errorf("%v: client %q, want %q", c, got, want)
		}
	}
}

func TestAnEntrysOwnTypListReplacesTheUsualOne(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIssuer(t)
	h := newHouse(t, nil, inline(idp, func(s *catalog.TrustedIssuer) { s.Typ = []string{"at+jwt"} }))
	h.believes(idp.IssueWith(idp.Key(), start(), claims{"typ": "application/AT+JWT"}, nil))
	h.refuses(idp.Issue(start(), nil), "subject_type_mismatch")
	h.refuses(idp.IssueWith(idp.Key(), start(), claims{"typ": nil}, nil), "subject_type_mismatch")
}

func TestScopeClaimByNameAndByPointer(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIssuer(t)
	body := claims{
		"scope": "no", "scp": "a  b", "https://x/roles": []string{"c"}, "realm_access": claims{"roles": []string{"d", "two words"}},
		"a/b": claims{"~": []any{"no", claims{"s": "e"}}},
	}
	for claim, want := range map[string][]string{
		"scp": {"a", "b"}, "https://x/roles": {"c"}, "/realm_access/roles": {"d", "two words"}, "/a~1b/~0/1/s": {"e"},
		"absent": nil, "/scp/x": nil, "/a~1b/~0/2": nil, "/a~1b/~0/01": nil, "/a~1b/~0/-": nil,
	} {
		h := newHouse(t, nil, inline(idp, func(s *catalog.TrustedIssuer) { s.ScopeClaim = claim }))
		if got := h.believes(idp.Issue(start(), body)).Scopes; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %q, want %q", claim, got, want)
		}
	}
}

func TestMappedSubject(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIssuer(t)
	h := newHouse(t, nil, inline(idp, prefixed("okta:", false), func(s *catalog.TrustedIssuer) { s.ClaimMappings.Subject.Claim = "email" }))
	token := h.believes(idp.Issue(start(), claims{"email": "alice@example.com"}))
	if token.Subject != "okta:alice@example.com" || token.Original != "alice" {
		t.Errorf("mapped %q, original %q", token.Subject, token.Original)
	}
	for _, email := range []any{nil, "", 1, "a\r\n"} {
		h.refuses(idp.Issue(start(), claims{"email": email}), "subject_rule_failed")
	}
}

// TestNoIssuerSpeaksOfAnothersPeople: the mapped subject decides, whatever the
// prefix of the entry that made it.
func TestNoIssuerSpeaksOfAnothersPeople(t *testing.T) {
	t.Parallel()
	a, b := ststest.NewIssuer(t), ststest.NewIssuer(t)
	for name, c := range map[string]struct {
		mine, theirs func(*catalog.TrustedIssuer)
		sub          string
		believed     bool
	}{
		"another's prefix":            {prefixed("", false), prefixed("okta:", false), "okta:bob", false},
		"nobody's prefix":             {prefixed("", false), prefixed("okta:", false), "okt:bob", true},
		"one's own prefix twice":      {prefixed("a:", false), prefixed("b:", false), "a:b:bob", true},
		"shared, and both say so":     {prefixed("p:", true), prefixed("p:", true), "bob", true},
		"shared, one begins other":    {prefixed("p:", true), prefixed("p:eu:", true), "eu:bob", true},
		"shared by one alone":         {prefixed("p:", false), prefixed("p:eu:", true), "eu:bob", false},
		"shared with others, not us":  {prefixed("", true), prefixed("okta:", true), "okta:bob", false},
		"made of prefix and subject":  {prefixed("ok", false), prefixed("okta:", false), "ta:bob", false},
		"client made of both":         {prefixed("cli", false), prefixed("b:", false), "ent:edge", false},
		"another's prefix, cased":     {prefixed("", false), prefixed("okta:", false), "OKTA:bob", true},
		"the prefix of clients alone": {prefixed("", false), func(s *catalog.TrustedIssuer) { prefixed("x:", false)(s); s.AcceptAs = []string{"client"} }, "x:bob", true},
	} {
		h := newHouse(t, nil, entryOf("a", a.URL, catalog.Keys{JWKS: a.JWKS()}, c.mine), entryOf("b", b.URL, catalog.Keys{JWKS: b.JWKS()}, c.theirs))
		_, err := h.subject(exchange.TypeJWT, a.Issue(start(), claims{"sub": c.sub}))
		if c.believed && err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !c.believed && reasonOf(t, err) != "subject_rule_failed" {
			t.Errorf("%s: %v, want subject_rule_failed", name, err)
		}
	}
}

func TestUnreadableEntrySpoilsNoOther(t *testing.T) {
	t.Parallel()
	bad, good := ststest.NewIssuer(t), ststest.NewIssuer(t)
	h := newHouse(t, nil,
		entryOf("bad", bad.URL, catalog.Keys{JWKS: []byte(`{"keys":[]}`)}), entryOf("none", "https://none.test", catalog.Keys{}),
		entryOf("good", good.URL, catalog.Keys{JWKS: good.JWKS()}))
	h.believes(good.Issue(start(), nil))
	h.refuses(bad.Issue(start(), nil), exchange.IssuerKeysUnavailable)
	h.refuses(bad.Issue(start(), claims{"iss": "https://none.test"}), exchange.IssuerKeysUnavailable)
}

func TestRefusalsHoldNothingOfTheToken(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIssuer(t)
	h := newHouse(t, nil, inline(idp))
	const secret = "hunter2"
	for _, c := range []claims{{"iss": secret}, {"aud": secret}, {"sub": "client:" + secret}, {"exp": secret}, {"act": claims{"sub": secret, "iss": 1}}, {"jti": secret + "\n"}} {
		_, err := h.subject(exchange.TypeJWT, idp.Issue(start(), c))
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%v: %v, want a refusal without the token's text", c, err)
		}
	}
}

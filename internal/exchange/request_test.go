package exchange_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/strait-sts/strait/internal/exchange"
)

func TestScopeTokens(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"a", "orders:read", "https://x/y?z=1#f", "!", "~", "#", "[", "]", "READ", strings.Repeat("a", 200)} {
		if !exchange.ValidScope(good) {
			t.Errorf("%q is refused (RFC 6749 §3.3)", good)
		}
	}
	for _, bad := range []string{"", " ", "a b", `a"b`, `a\b`, "a\tb", "a\nb", "a\x00b", "a\x7fb", "é", "\u00a0", "a\u2003b", "ｏrders", strings.Repeat("a", 201)} {
		if exchange.ValidScope(bad) {
			t.Errorf("%q is a scope token", bad)
		}
	}
}

func FuzzScopeIsTheGrammarOfRFC6749(f *testing.F) {
	for _, seed := range []string{"", "a b", "a  b", " a", "a ", `"`, "\t", "a\u00a0b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, scope string) {
		valid := scope != "" && len(scope) <= 200
		for _, r := range []byte(scope) {
			valid = valid && (r == 0x21 || r >= 0x23 && r <= 0x5b || r >= 0x5d && r <= 0x7e)
		}
		if exchange.ValidScope(scope) != valid {
			t.Errorf("ValidScope(%q) = %v", scope, !valid)
		}
		if got := exchange.ValidScope(scope + " a"); got {
			t.Errorf("two tokens in one: %q", scope)
		}
	})
}

func TestParametersAreJudgedBeforeAnyToken(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*exchange.Request)
		want   exchange.Reason
	}{
		"grant of another client":      {func(r *exchange.Request) { r.Grant = exchange.GrantClientCredentials }, exchange.GrantNotAllowed},
		"no subject_token":             {func(r *exchange.Request) { r.Subject.Token = "" }, exchange.MalformedRequest},
		"actor_token alone":            {func(r *exchange.Request) { r.Subject = exchange.Presented{}; r.Actor.Token = "x" }, exchange.MalformedRequest},
		"no subject_token_type":        {func(r *exchange.Request) { r.Subject.Type = "" }, exchange.MalformedRequest},
		"actor_token without its type": {func(r *exchange.Request) { r.Actor.Token = "x" }, exchange.MalformedRequest},
		"actor_token_type alone":       {func(r *exchange.Request) { r.Actor.Type = exchange.TypeJWT }, exchange.MalformedRequest},
		"subject_token_type unknown":   {func(r *exchange.Request) { r.Subject.Type = exchange.TypeOf("saml2") }, exchange.UnsupportedTokenType},
		"actor_token_type unknown": {func(r *exchange.Request) {
			r.Actor = exchange.Presented{Token: "x", Type: exchange.TypeOf("refresh_token")}
		}, exchange.UnsupportedTokenType},
		"requested_token_type unknown": {func(r *exchange.Request) { r.RequestedType = "urn:example:unknown" }, exchange.UnsupportedTokenType},
		"scope with two spaces":        {func(r *exchange.Request) { r.Scope = "a  b" }, exchange.ScopeMalformed},
		"scope that begins in a space": {func(r *exchange.Request) { r.Scope = " a" }, exchange.ScopeMalformed},
		"scope that ends in a space":   {func(r *exchange.Request) { r.Scope = "a " }, exchange.ScopeMalformed},
		"scope with a tab":             {func(r *exchange.Request) { r.Scope = "a\tb" }, exchange.ScopeMalformed},
		"scope with a quote":           {func(r *exchange.Request) { r.Scope = `a"b` }, exchange.ScopeMalformed},
		"malformed and ignored": {func(r *exchange.Request) {
			r.Client.IgnoreScopes = []string{"", "openid"}
			r.Scope = "openid  "
		}, exchange.ScopeMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			story := newStory()
			c.change(story.req)
			_, err := story.service.Exchange(t.Context(), story.req)
			if got := reasonOf(err); got != c.want {
				t.Errorf("reason = %q, want %q", got, c.want)
			}
			if len(story.steps) != 1 || story.steps[0] != "record" {
				t.Errorf("steps = %v, want the record alone", story.steps)
			}
		})
	}
}

func TestScopesAreAskedOnceAndIgnoredOnesRecorded(t *testing.T) {
	t.Parallel()
	story := newStory()
	story.req.Client.IgnoreScopes = []string{"openid", "profile"}
	story.req.Scope = "openid orders:read orders:read openid"
	if _, err := story.service.Exchange(t.Context(), story.req); err != nil {
		t.Fatal(err)
	}
	if got := story.req.Scopes(); !slices.Equal(got, []string{"orders:read"}) {
		t.Errorf("asked = %v", got)
	}
	rec := story.records[0]
	if !slices.Equal(rec.Scopes.Requested, []string{"orders:read"}) || !slices.Equal(rec.Scopes.Ignored, []string{"openid"}) {
		t.Errorf("record has requested %v and ignored %v", rec.Scopes.Requested, rec.Scopes.Ignored)
	}
}

func TestClientEndsAtItsInstant(t *testing.T) {
	t.Parallel()
	client := exchange.Client{Expires: now}
	if client.Enabled(now) || !client.Enabled(now.Add(-1)) {
		t.Error("a client is enabled until expiresAt and not from then on")
	}
	if (&exchange.Client{Disabled: true}).Enabled(now) || !(&exchange.Client{}).Enabled(now) {
		t.Error("a disabled client is enabled, or one without an end is not")
	}
}

func TestPartyOfAClientIsOurs(t *testing.T) {
	t.Parallel()
	hop := (&exchange.Client{Name: "edge", ID: "edge-1"}).Party(ourIssuer)
	if hop.Issuer != ourIssuer || hop.Subject != "client:edge-1" || strings.Contains(hop.Subject, "edge:") {
		t.Errorf("party = %v", hop)
	}
}

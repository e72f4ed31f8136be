package rehearsal_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/rehearsal"
)

func TestIssuedShowsTheClaimsAndEveryCheck(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := h.explain(t, h.usual(), alice())
	if a.Decision != exchange.OutcomeIssued || a.Policy != "staff" || a.Mend != "" || a.Preview.ExpiresIn != 300 {
		t.Fatalf("%+v", a)
	}
	want := `{"iss":"https://sts.example.com","sub":"okta:alice","aud":"https://orders","client_id":"edge","iat":1798859045,"exp":1798859345,` +
		`"jti":"00000000-0000-7000-8000-000000000000","scope":"read","txn":"00000000-0000-7000-8000-000000000000"}`
	if string(a.Preview.Claims) != want {
		t.Errorf("%s", a.Preview.Claims)
	}
	var ids []string
	for _, c := range a.Checks {
		ids = append(ids, c.ID)
		skipped := c.ID == "subject.signature" || c.ID == exchange.CheckMayAct || strings.HasPrefix(c.ID, "actor.")
		if (c.Result == exchange.Skipped) != skipped || c.Result == exchange.Failed {
			t.Errorf("%+v", c)
		}
	}
	if ids[0] != "client" || ids[len(ids)-1] != "narrowing" || slices.Index(ids, "targets") > slices.Index(ids, "subject.form") {
		t.Errorf("checks: %v", ids)
	}
}

func TestDeniedSaysWhereAndHowToMendIt(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	claims := func(name string, value any) func(*rehearsal.Question) {
		return func(q *rehearsal.Question) { q.Subject.Claims[name] = value }
	}
	for name, c := range map[string]struct {
		change        func(*rehearsal.Question)
		reason        exchange.Reason
		check         string
		mend, missing string
	}{
		"scope not held":       {func(q *rehearsal.Question) { q.Scope = "read write" }, exchange.ScopeNotHeld, "scopes.held", `ask for what the subject holds, "read"`, ""},
		"scope not allowed":    {func(q *rehearsal.Question) { q.Scope = "refund" }, exchange.ScopeNotAllowed, "scopes.allowed", `scopes.allow of policy "staff"`, ""},
		"scope grammar":        {func(q *rehearsal.Question) { q.Scope = "a  b" }, exchange.ScopeMalformed, "parameters", "", ""},
		"no such target":       {func(q *rehearsal.Question) { q.Audiences = []string{"x"} }, exchange.TargetUnknown, "targets", "strait get targets", ""},
		"no audience claim":    {func(q *rehearsal.Question) { delete(q.Subject.Claims, "aud") }, "subject_audience_mismatch", "subject.audience", "get a token for one of the audiences", "subject.claims.aud"},
		"no sub":               {func(q *rehearsal.Question) { delete(q.Subject.Claims, "sub") }, "subject_token_malformed", "subject.form", "", "subject.claims.sub"},
		"expired":              {claims("exp", number(-1)), "subject_expired", "subject.time", "fresh", ""},
		"not yet":              {claims("nbf", number(60)), "subject_not_yet_valid", "subject.time", "clocks", ""},
		"bound":                {claims("cnf", map[string]any{"jkt": "x"}), exchange.ProofRequired, "proof", "without cnf", ""},
		"may_act names nobody": {claims("may_act", map[string]any{"sub": "x"}), exchange.MayActMismatch, "may_act", "may_act names", ""},
		"may_act, no actor":    {claims("may_act", map[string]any{"client_id": "edge"}), exchange.ActorRequired, "policy.actor", "actor: {from: client}", "actor_token"},
		"reserved prefix":      {func(q *rehearsal.Question) { q.Subject.Claims["act"] = map[string]any{"iss": ours, "sub": "x"} }, "subject_rule_failed", "subject.rules", "rules", ""},
		"another issuer":       {func(q *rehearsal.Question) { q.Subject.Issuer = "entra" }, "subject_issuer_not_trusted", "subject.issuer", "TrustedIssuer", ""},
		"another type":         {func(q *rehearsal.Question) { q.Subject.Type = exchange.TypeAccessToken }, exchange.NoPolicy, "policy.issuer", `"okta" to subject.issuers, or access_token to subject.tokenTypes`, ""},
		"no policy at all":     {func(q *rehearsal.Question) { q.Client = "other" }, exchange.NoPolicy, "policy.client", `spec.clients has "other"`, ""},
		"another grant":        {func(q *rehearsal.Question) { q.Grant, q.Subject = exchange.GrantClientCredentials, rehearsal.Party{} }, exchange.TargetNotAllowed, "policy.client", "", ""},
		"requested type":       {func(q *rehearsal.Question) { q.RequestedType = exchange.TypeJWT }, exchange.UnsupportedTokenType, "issue.type", "", ""},
		"no subject":           {func(q *rehearsal.Question) { q.Subject = rehearsal.Party{} }, exchange.MalformedRequest, "parameters", "", ""},
		"deep chain":           {claims("act", nest(5)), exchange.ChainTooDeep, "act.depth", "maxActDepth", ""},
	} {
		a := h.explain(t, h.usual(clientEntry("other")), alice(c.change))
		failed := ""
		for _, check := range a.Checks {
			if check.Result == exchange.Failed {
				failed += check.ID
			}
		}
		if a.Decision != exchange.OutcomeDenied || a.Reason != c.reason || failed != c.check || a.Detail == "" {
			t.Errorf("%s: %s at %q (%s), want %s at %q", name, a.Reason, failed, a.Detail, c.reason, c.check)
		}
		if !strings.Contains(a.Mend, c.mend) || strings.Join(a.Missing, " ") != c.missing {
			t.Errorf("%s: mend %q, missing %v", name, a.Mend, a.Missing)
		}
	}
}

// nest is an act claim of so many hops.
func nest(depth int) map[string]any {
	hop := map[string]any{"sub": "agent"}
	if depth > 1 {
		hop["act"] = nest(depth - 1)
	}
	return hop
}

func TestHeldAndAskedStandSideBySide(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := h.explain(t, h.usual(), alice(func(q *rehearsal.Question) { q.Scope = "write" }))
	i := slices.IndexFunc(a.Checks, func(c rehearsal.Check) bool { return c.Result == exchange.Failed })
	if c := a.Checks[i]; !slices.Equal(c.Expected, []string{"write"}) || !slices.Equal(c.Actual, []string{"openid", "read"}) {
		t.Errorf("%+v", c)
	}
}

func TestCandidatesAreClosestFirst(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	entries := h.usual(
		policyEntry("another-client", func(p *catalog.ExchangePolicy) { p.Clients = []string{"other"} }),
		policyEntry("another-issuer", func(p *catalog.ExchangePolicy) { p.Subject.Issuers = []string{"self"} }),
		policyEntry("another-target", func(p *catalog.ExchangePolicy) { p.Targets = []string{"billing"}; p.Clients = []string{"other"} }),
		policyEntry("off", func(p *catalog.ExchangePolicy) { p.Mode = catalog.ModeDisabled }),
		policyEntry("reports", func(p *catalog.ExchangePolicy) { p.Flow, p.Subject, p.Actor = "client", nil, nil }),
	)
	a := h.explain(t, entries, alice(func(q *rehearsal.Question) { q.Scope = "write" }))
	var got []string
	for _, c := range a.Candidates {
		got = append(got, c.Policy+" "+c.Failed)
	}
	if want := []string{"staff scopes.held", "another-issuer policy.issuer", "another-client policy.client"}; !slices.Equal(got, want) {
		t.Errorf("candidates %q, want %q", got, want)
	}
}

// TestFirstInOrderDecidesThoughAnotherWouldIssue: candidates are weighed alone,
// and none of them changes the answer.
func TestFirstInOrderDecidesThoughAnotherWouldIssue(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	wide := policyEntry("wide", func(p *catalog.ExchangePolicy) {
		p.Scopes.Map, p.Scopes.Prove = map[string][]string{"openid": {"write"}}, "map"
	})
	a := h.explain(t, h.usual(wide), alice(func(q *rehearsal.Question) { q.Scope = "write" }))
	if a.Reason != exchange.ScopeNotHeld || a.Policy != "staff" || a.Candidates[0].Policy != "wide" || a.Candidates[0].Failed != "" {
		t.Errorf("%s by %s, %+v", a.Reason, a.Policy, a.Candidates)
	}
}

// counted is a Verifier that counts how often it is asked.
type counted struct {
	exchange.Verifier
	asked *int
}

func (c counted) Verify(ctx context.Context, req *exchange.Request, role exchange.Role) (*exchange.Token, error) {
	*c.asked++
	return c.Verifier.Verify(ctx, req, role)
}

// TestTokenIsVerifiedOnce: however many candidates there are, an issuer of opaque
// tokens is asked once.
func TestTokenIsVerifiedOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	stage := h.stage(h.usual(policyEntry("a", nil), policyEntry("b", nil)))
	asked := 0
	stage.World.Verifier = counted{stage.World.Verifier, &asked}
	q := alice()
	q.Subject = rehearsal.Party{Type: exchange.TypeJWT, Token: exchange.Secret(h.idp.Issue(now, map[string]any{"scope": "read"}))}
	a, err := stage.Explain(t.Context(), q)
	if err != nil || a.Decision != exchange.OutcomeIssued || len(a.Candidates) != 3 || asked != 1 {
		t.Errorf("%v, %+v, asked %d times", err, a, asked)
	}
}

// TestAnswerHoldsNoToken: what was sent does not come back, issued or denied.
func TestAnswerHoldsNoToken(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	token := h.idp.Issue(now, map[string]any{"scope": "read"})
	for _, sent := range []string{token, token + "x", "opaque-token-of-somebody"} {
		for _, typ := range []exchange.TokenType{exchange.TypeJWT, exchange.TypeAccessToken} {
			q := alice()
			q.Subject = rehearsal.Party{Type: typ, Token: exchange.Secret(sent)}
			text, err := json.Marshal(h.explain(t, h.usual(), q))
			if err != nil {
				t.Fatal(err)
			}
			for part := range strings.SplitSeq(sent, ".") {
				if strings.Contains(string(text), part) {
					t.Errorf("the answer has a part of the token: %s", text)
				}
			}
		}
	}
}

// TestOneTimeTokenIsNotUsedUp: it can be rehearsed again and again.
func TestOneTimeTokenIsNotUsedUp(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	entries := h.usual()
	entries[0].Spec.(*catalog.TrustedIssuer).SingleUse = true
	q := alice(func(q *rehearsal.Question) { q.Subject.Claims["jti"] = "once" })
	for range 3 {
		if a := h.explain(t, entries, q); a.Decision != exchange.OutcomeIssued {
			t.Fatalf("%s", a.Reason)
		}
	}
}

func TestClaimsWithoutTimesAreOfAFreshToken(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	q := alice()
	if a := h.explain(t, h.usual(), q); !slices.Equal(a.Assumed, []string{"subject.claims.iat is now", "subject.claims.exp is an hour from now"}) {
		t.Errorf("assumed %v", a.Assumed)
	}
	if _, written := q.Subject.Claims["exp"]; written {
		t.Error("the caller's claims were written to")
	}
	q.Subject.Claims["iat"], q.Subject.Claims["exp"] = number(0), number(30)
	if a := h.explain(t, h.usual(), q); a.Assumed != nil || a.Preview.ExpiresIn != 30 {
		t.Errorf("%+v", a)
	}
}

func TestDisabledClientDoesNotComePastTheDoor(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	entries := h.usual()
	entries[1].Spec.(*catalog.Client).Mode = catalog.ModeDisabled
	a := h.explain(t, entries, alice())
	if a.Error != exchange.InvalidClient || a.Checks[0].Result != exchange.Failed || len(a.Candidates) != 0 || a.Mend == "" {
		t.Errorf("%+v", a)
	}
}

func TestUnknownClientIsNoAnswer(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	if a, err := h.stage(h.usual()).Explain(t.Context(), alice(func(q *rehearsal.Question) { q.Client = "nobody" })); !errors.Is(err, rehearsal.ErrNoClient) {
		t.Errorf("%+v, %v", a, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), -time.Second)
	defer cancel()
	if a, err := h.stage(h.usual()).Explain(ctx, alice()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%+v, %v", a, err)
	}
}

// TestTrustListThatCannotJudge: our fault, said as such.
func TestTrustListThatCannotJudge(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	stage := h.stage(h.usual())
	asked := 0
	stage.World.Verifier = counted{stage.World.Verifier, &asked}
	a, err := stage.Rehearse(t.Context(), alice())
	if err != nil || a.Decision != exchange.OutcomeError || asked != 0 || a.Detail == "" {
		t.Errorf("%v, %+v", err, a)
	}
}

func TestClaimsAreOneObject(t *testing.T) {
	t.Parallel()
	for text, ok := range map[string]bool{
		`{"sub": "alice"}`: true, `{}`: true, ``: false, `null`: false, `[]`: false, `"x"`: false, `{} {}`: false, `{`: false, `{"a": 1}x`: false,
	} {
		if claims, err := rehearsal.ReadClaims([]byte(text)); (err == nil) != ok || ok != (claims != nil) {
			t.Errorf("%s: %v, %v", text, claims, err)
		}
	}
	claims, err := rehearsal.ReadClaims([]byte(`{"n": 9007199254740993}`))
	if err != nil || claims["n"] != json.Number("9007199254740993") {
		t.Errorf("%v, %v", claims, err)
	}
}

func TestConditionsAndGuardrailsAreNamed(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for name, c := range map[string]struct {
		entry  *catalog.Entry
		reason exchange.Reason
		check  string
		detail string
	}{
		"a condition": {
			policyEntry("staff", func(p *catalog.ExchangePolicy) {
				p.Subject.Conditions = []catalog.Rule{{Expression: `subject.sub == "okta:bob"`, Message: "bob alone"}}
			}), exchange.ConditionFailed, exchange.CheckCondition, "bob alone",
		},
		"a guardrail": {
			entry(catalog.KindGuardrail, "no-reads", &catalog.Guardrail{Deny: []catalog.Rule{{Expression: `"read" in issue.scopes`, Message: "nobody reads"}}}),
			exchange.Guardrail, exchange.CheckGuardrail, "nobody reads",
		},
	} {
		a := h.explain(t, h.usual(c.entry), alice())
		i := slices.IndexFunc(a.Checks, func(c rehearsal.Check) bool { return c.Result == exchange.Failed })
		if a.Reason != c.reason || i < 0 || a.Checks[i].ID != c.check || !strings.Contains(a.Checks[i].Detail, c.detail) || a.Mend == "" {
			t.Errorf("%s: %s, %+v, mend %q", name, a.Reason, a.Checks, a.Mend)
		}
	}
}

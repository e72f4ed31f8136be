package rehearsal_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/jws"
	"github.com/strait-sts/strait/internal/rehearsal"
	"github.com/strait-sts/strait/internal/ststest"
)

// comparedAreas are the areas of the catalogue of attacks whose cases are made of
// tokens and parameters.
var comparedAreas = []string{"claims", "jose_header", "trust", "actor", "policy"}

// TestExplainAndTokenAgreeOnTheSecurityCases: an attack is explained as what it
// is refused for, and what is no attack as what is issued; by its token, and
// where only the claims are at fault by these alone.
func TestExplainAndTokenAgreeOnTheSecurityCases(t *testing.T) {
	t.Parallel()
	h, fixture := newHouse(t), ststest.NewFixture(t, now)
	stage := h.stage(caseEntries(t, fixture))
	ran, issued := 0, 0
	for _, c := range ststest.LoadCases(t, "../../testdata/security-cases.json") {
		if !slices.Contains(comparedAreas, c.Area) || usesUnknownToken(c) {
			continue
		}
		subject, actor, others := fixture.Tokens(t, c.Mutation.Ops)
		q := caseQuestion(subject, actor, others)
		want := h.token(t, stage.World, q)
		answer, err := stage.Explain(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if got := told(t, answer); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: explain %+v\n/token %+v", c.ID, got, want)
		}
		ran++
		if want.reason == "" {
			issued++
			agreeByClaims(t, stage, q, want)
		}
	}
	if ran < 150 || issued < 5 {
		t.Errorf("%d cases, %d of them issued: the catalogue or the interpreter has changed", ran, issued)
	}
}

// usesUnknownToken: the case begins with a token that the fixture cannot make, an
// opaque one or one of ours.
func usesUnknownToken(c ststest.Case) bool {
	return slices.ContainsFunc(c.Mutation.Ops, func(op ststest.Op) bool {
		name, _ := op["fixture"].(string)
		return op["op"] == "use_token" && !slices.Contains([]string{"ST_A", "ST_B", "ST_C", "ST_D", "ST_E", "ST_T2", "AT_C", "AT_C2", "ST_DELEGATED", "STS_STAGING_MINTED"}, name)
	})
}

// agreeByClaims asks once more, with what the subject token says in its place.
func agreeByClaims(t *testing.T, stage *rehearsal.Stage, q rehearsal.Question, want exchanged) {
	t.Helper()
	object, err := jws.Parse(q.Subject.Token.Reveal(), jws.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	issuer := strings.TrimSuffix(strings.TrimPrefix(fmt.Sprint(object.Claims["iss"]), "https://idp-"), ".test")
	q.Subject = rehearsal.Party{Type: q.Subject.Type, Issuer: issuer, Claims: exchange.Claims(object.Claims)}
	answer, err := stage.Rehearse(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	if got := told(t, answer); !reflect.DeepEqual(got, want) {
		t.Errorf("by claims: explain %+v\n/token %+v", got, want)
	}
}

// caseQuestion is the catalogue's request after the ops that are not about
// tokens, as far as they are about parameters.
func caseQuestion(subject, actor string, ops []ststest.Op) rehearsal.Question {
	q := rehearsal.Question{
		Client: "svc-gateway", Audiences: []string{"https://api.test/orders"}, Scope: "orders:read",
		Subject: rehearsal.Party{Type: exchange.TypeAccessToken, Token: exchange.Secret(subject)},
	}
	for _, op := range ops {
		value := fmt.Sprint(op["v"])
		switch {
		case op["op"] == "with_actor":
			q.Actor = rehearsal.Party{Type: exchange.TypeJWT, Token: exchange.Secret(actor)}
		case op["op"] != "form_set":
		case op["k"] == "scope":
			q.Scope = value
		case op["k"] == "audience":
			q.Audiences = []string{value}
		case op["k"] == "subject_token_type":
			q.Subject.Type = exchange.TokenType(value)
		case op["k"] == "requested_token_type":
			q.RequestedType = exchange.TokenType(value)
		}
	}
	return q
}

// caseEntries is the catalogue's world.
func caseEntries(t *testing.T, fixture *ststest.Fixture) []*catalog.Entry {
	t.Helper()
	orders, billing := target("orders", "orders:read", "orders:write"), target("billing", "billing:admin")
	orders.Spec.(*catalog.Target).Audience = "https://api.test/orders"
	billing.Spec.(*catalog.Target).Audience = "https://api.test/billing"
	entries := []*catalog.Entry{clientEntry("svc-gateway", "orders"), orders, billing}
	for _, issuer := range []struct{ name, algorithms, accepts string }{
		{"A", "ES256 RS256", "subject"}, {"B", "ES256", "subject"}, {"C", "EdDSA", "actor"}, {"D", "ES256", "subject"}, {"E", "PS256", "subject"},
	} {
		name := strings.ToLower(issuer.name)
		entry := entry(catalog.KindTrustedIssuer, name, nil)
		prefix := name + "|"
		spec := &catalog.TrustedIssuer{
			Issuer: "https://idp-" + name + ".test", Keys: catalog.Keys{JWKS: fixture.JWKS(t, issuer.name)}, Audiences: []string{"https://sts.test"},
			Algorithms: strings.Fields(issuer.algorithms), AcceptAs: strings.Fields(issuer.accepts), TokenTypes: []string{"jwt", "access_token", "id_token"},
			ScopeClaim: "scope", ClaimMappings: catalog.ClaimMappings{Subject: catalog.SubjectMapping{Prefix: &prefix}}, Mode: catalog.ModeEnforce,
		}
		if name == "d" {
			spec.Mode = catalog.ModeDisabled
		}
		entry.Spec = spec
		entries = append(entries, entry)
	}
	entries = append(entries, policyEntry("p2", func(p *catalog.ExchangePolicy) {
		p.Flow, p.Clients, p.Subject.Issuers, p.Subject.TokenTypes = "delegation", []string{"svc-gateway"}, []string{"a"}, []string{"access_token"}
		p.Actor = &catalog.PolicyActor{From: "token", Issuers: []string{"c"}, Conditions: []catalog.Rule{{Expression: `actor.claims.sub == "agent-1"`}}}
		p.Scopes.Allow, p.Scopes.Default = []string{"orders:read"}, nil
	}))
	return append(entries, policyEntry("p1", func(p *catalog.ExchangePolicy) {
		p.Clients, p.Subject.Issuers, p.Subject.TokenTypes = []string{"svc-gateway"}, []string{"a", "b", "e", "self"}, []string{"access_token", "jwt"}
		p.Scopes.Allow, p.Scopes.Default = []string{"orders:read", "orders:write"}, []string{"orders:read"}
	}))
}

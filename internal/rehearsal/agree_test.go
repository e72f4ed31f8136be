package rehearsal_test

import (
	"fmt"
	"maps"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/rehearsal"
)

// oneOf draws the first word most of the time, so that things are issued often.
func oneOf[T any](t *rapid.T, label string, words ...T) T {
	if rapid.IntRange(0, 3).Draw(t, label+" is odd") != 2 {
		return words[0]
	}
	return rapid.SampledFrom(words).Draw(t, label)
}

func drawPolicies(t *rapid.T) []*catalog.Entry {
	var entries []*catalog.Entry
	for i := range rapid.IntRange(1, 4).Draw(t, "policies") {
		entries = append(entries, policyEntry(fmt.Sprintf("p%d", i), func(p *catalog.ExchangePolicy) {
			p.Flow = oneOf(t, "flow", "downscope", "federation", "client", "delegation", "delegation")
			p.Priority = oneOf(t, "priority", 0, 1)
			p.Clients = oneOf(t, "clients", []string{"edge"}, []string{"other"}, []string{"edge", "other"})
			p.Targets = oneOf(t, "targets", []string{"orders"}, []string{"orders", "billing"}, []string{"billing"})
			p.Scopes.Allow = oneOf(t, "allow", []string{"read", "write"}, []string{"read"}, nil)
			p.Scopes.Default = oneOf(t, "default", p.Scopes.Allow, nil)
			p.Mode = oneOf(t, "mode", catalog.ModeEnforce, catalog.ModeDisabled, catalog.ModeShadow)
			p.Issue.Lifetime = catalog.Duration(oneOf(t, "lifetime", 5*time.Minute, time.Second))
			p.Issue.MaxActDepth = oneOf(t, "depth", 4, 1)
			if p.Flow == "client" {
				p.Subject, p.Actor, p.Scopes.Prove = nil, nil, ""
				return
			}
			p.Subject.Issuers = oneOf(t, "issuers", []string{"okta", "self"}, []string{"entra"}, []string{"okta"})
			p.Subject.TokenTypes = oneOf(t, "types", []string{"jwt", "access_token"}, []string{"jwt"})
			p.Subject.Audiences = oneOf(t, "audiences", nil, []string{"https://gw-b"})
			p.Scopes.Prove = oneOf(t, "prove", "same", "map")
			p.Scopes.Map = map[string][]string{"openid": {"read"}}
			p.Subject.Conditions = oneOf(t, "conditions", nil, []catalog.Rule{{Expression: `subject.claims.jti == "one"`}}, []catalog.Rule{{Expression: `subject.claims.absent`}})
			p.Issue.Claims = oneOf(t, "claims", nil, map[string]string{"dept": "subject.claims.jti"}, map[string]string{"dept": "subject.claims.absent"})
			if p.Flow == "delegation" {
				p.Actor = &catalog.PolicyActor{From: oneOf(t, "actor", "client", "token", "any")}
				if p.Actor.From != "client" {
					p.Actor.Issuers, p.Actor.Conditions = []string{"okta", "self"}, oneOf(t, "actor conditions", []catalog.Rule{{Expression: "true"}}, nil)
				}
			}
		}))
	}
	return entries
}

// drawAsked draws a question without its subject.
func drawAsked(t *rapid.T) rehearsal.Question {
	return rehearsal.Question{
		Client:        oneOf(t, "client", "edge", "other", "off", "idle"),
		Audiences:     oneOf(t, "audience", []string{"orders"}, []string{"https://billing"}, []string{"orders", "billing"}, []string{"nowhere"}, nil),
		Resources:     oneOf(t, "resource", nil, []string{"https://orders/api"}, []string{"https://nowhere"}),
		Scope:         oneOf(t, "scope", "read", "read write", "", "read  write", "refund"),
		RequestedType: oneOf(t, "requested", "", exchange.TypeAccessToken, exchange.TypeJWT, "x"),
	}
}

func drawClaims(t *rapid.T) exchange.Claims {
	claims := exchange.Claims{
		"sub": oneOf[any](t, "sub", "alice", "agent", "", "client:x", "client:edge"), "aud": oneOf[any](t, "aud", gateway, "https://gw-b", "https://other"),
		"scope": oneOf(t, "held", "read write openid", "openid", ""), "iat": number(oneOf[int64](t, "iat", -5, -100000, 60)),
		"exp": number(oneOf[int64](t, "exp", 600, 30, 0, -1)), "jti": "one",
	}
	for name, value := range map[string]any{
		"act": map[string]any{"sub": "agent", "act": map[string]any{"sub": "older"}}, "may_act": map[string]any{"client_id": "edge"}, "cnf": map[string]any{"jkt": "x"},
	} {
		if rapid.IntRange(0, 9).Draw(t, name) == 5 {
			claims[name] = value
		}
	}
	return claims
}

// TestExplainAndTokenAgree: over drawn catalogues and requests, what explain says
// of a real token, and of its claims alone, is what /token does with it: the same
// reason and code, or the same claims for as long.
func TestExplainAndTokenAgree(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	var issued, denied int
	rapid.Check(t, func(rt *rapid.T) {
		stage := h.stage(append(drawPolicies(rt), h.surroundings()...))
		q := drawAsked(rt)
		q.Grant = oneOf(rt, "grant", exchange.GrantTokenExchange, exchange.GrantClientCredentials)
		byClaims := q
		if q.Grant == exchange.GrantTokenExchange {
			q.Subject, byClaims.Subject = h.drawSubject(rt)
			if rapid.IntRange(0, 6).Draw(rt, "with actor") == 3 {
				q.Actor, byClaims.Actor = h.drawSubject(rt)
			}
		}
		want := exchanged{reason: exchange.ClientAuthenticationFailed, code: exchange.InvalidClient}
		if q.Client != "off" { // who is disabled does not come past the door
			want = h.token(rt, stage.World, q)
		}
		for how, question := range map[string]rehearsal.Question{"token": q, "claims": byClaims} {
			answer, err := stage.Explain(t.Context(), question)
			if err != nil {
				rt.Fatal(err)
			}
			if got := told(rt, answer); !reflect.DeepEqual(got, want) {
				rt.Fatalf("%s: explain %+v\n/token %+v\n%s", how, got, want, answer.Detail)
			}
			consistent(rt, answer)
		}
		if want.reason == "" {
			issued++
		} else {
			denied++
		}
	})
	if issued == 0 || denied == 0 {
		t.Errorf("%d issued, %d denied: nothing was compared", issued, denied)
	}
}

// surroundings is what drawn policies speak of.
func (h *house) surroundings() []*catalog.Entry {
	off, idle := clientEntry("off"), clientEntry("idle")
	off.Spec.(*catalog.Client).Mode = catalog.ModeDisabled
	idle.Spec.(*catalog.Client).Grants = []string{"none"}
	return []*catalog.Entry{
		h.issuer("okta", h.idp.URL, acting), h.issuer("entra", "https://entra.example"),
		entry(catalog.KindGuardrail, "no-writes", &catalog.Guardrail{Deny: []catalog.Rule{{Expression: `"write" in issue.scopes && client.name == "other"`}}}),
		clientEntry("edge", "orders"), clientEntry("other"), off, idle,
		target("orders", "read", "write", "refund"), target("billing", "read"),
	}
}

func acting(s *catalog.TrustedIssuer) { s.AcceptAs = []string{"subject", "actor"} }

// drawSubject draws a token, and the same as claims.
func (h *house) drawSubject(t *rapid.T) (token, claims rehearsal.Party) {
	said, typ := drawClaims(t), oneOf(t, "type", exchange.TypeJWT, exchange.TypeAccessToken)
	claims = rehearsal.Party{Type: typ, Issuer: "okta", Claims: maps.Clone(said)}
	said["iss"] = h.idp.URL
	switch oneOf(t, "issuer", "okta", "entra", "self") {
	case "entra":
		claims.Issuer, said["iss"] = "entra", "https://entra.example"
	case "self":
		said["iss"], said["aud"], said["txn"] = ours, oneOf[any](t, "own aud", "https://orders", "https://billing"), "root"
		delete(said, "act")
		claims = rehearsal.Party{Type: typ, Issuer: exchange.SelfIssuer, Claims: maps.Clone(said)}
		return rehearsal.Party{Type: typ, Token: exchange.Secret(h.sign(t, said))}, claims
	}
	return rehearsal.Party{Type: typ, Token: exchange.Secret(h.idp.Issue(now, said))}, claims
}

// consistent holds what is true of every answer.
func consistent(t *rapid.T, a *rehearsal.Answer) {
	failed := 0
	for i, c := range a.Checks {
		if c.Result == exchange.Failed {
			failed++
		}
		if c.ID == "" || c.Result == exchange.Passed && failed > 0 {
			t.Fatalf("check %d, %+v, after one that failed", i, c)
		}
	}
	if (failed == 1) != (a.Decision != exchange.OutcomeIssued) || (a.Preview != nil) != (a.Decision == exchange.OutcomeIssued) {
		t.Fatalf("%s with %d failed checks and preview %v", a.Decision, failed, a.Preview)
	}
	holds := false
	for i, c := range a.Candidates {
		holds = holds || c.Failed == ""
		if i > 0 && !c.Shadow && a.Candidates[i-1].Failed != "" && c.Failed == "" {
			t.Fatalf("candidates are not closest first: %+v", a.Candidates)
		}
	}
	if a.Decision == exchange.OutcomeIssued && !holds {
		t.Fatalf("issued by %s, and no candidate holds: %+v", a.Policy, a.Candidates)
	}
}

package rehearsal_test

import (
	"encoding/json"
	"testing"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/rehearsal"
)

// FuzzReadRecord: an export comes from a file that anybody may have written.
// Whatever a line says, it is read or refused, and decided again without a fault;
// what is not issued by the record alone is never issued without a policy.
func FuzzReadRecord(f *testing.F) {
	h := newReader(f)
	entries := h.usual(policyEntry("acting", func(p *catalog.ExchangePolicy) {
		p.Flow, p.Actor = "delegation", &catalog.PolicyActor{From: "any", Issuers: []string{"okta"}, Conditions: []catalog.Rule{{Expression: `actor.claims.?kind.orValue("agent") == "agent"`}}}
		p.Subject.Conditions = []catalog.Rule{{Expression: `subject.claims.address.country == "DE"`}}
	}))
	entries[0].Spec.(*catalog.TrustedIssuer).AcceptAs = []string{"subject", "actor"}
	stage := h.stage(entries)
	token := rehearsal.Party{Type: exchange.TypeJWT, Token: exchange.Secret(h.idp.Issue(now, map[string]any{
		"sub": "alice", "aud": gateway, "scope": "read", "address": map[string]any{"country": "DE"}, "act": map[string]any{"sub": "older"},
	}))}
	for _, q := range []rehearsal.Question{
		{Client: "edge", Subject: token, Audiences: []string{"orders"}, Scope: "read"},
		{Client: "edge", Subject: token, Actor: rehearsal.Party{Type: exchange.TypeJWT, Token: exchange.Secret(h.idp.Issue(now, map[string]any{"sub": "agent", "aud": gateway}))}},
		{Client: "edge", Subject: token, Audiences: []string{"nowhere"}},
		{Client: "edge", Grant: exchange.GrantClientCredentials, Audiences: []string{"orders"}},
	} {
		text, err := json.Marshal(h.record(f, stage.World, q, true))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	for _, text := range []string{
		`{"id":"x"}`, `{"id":"x","grant":"urn:ietf:params:oauth:grant-type:token-exchange","client":"edge","asked":{},"actor":{"tokenHash":"h","type":"jwt"}}`,
		`{"id":"x","client":"edge","asked":{},"subject":{"issuer":"okta","type":"jwt","claims":{"":1,"/":2,"/a/b":{}},"claimsAbsent":["/a","a","/a/b/c",""],"mayAct":{"sub":5},"exp":-1}}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		rec, err := rehearsal.ReadRecord(text)
		if err != nil {
			return
		}
		again, err := stage.ExplainAgain(t.Context(), rec)
		if err != nil {
			t.Fatal(err)
		}
		if again.Decision == exchange.OutcomeIssued && (again.Policy == "" || again.Preview == nil) {
			t.Fatalf("issued by no policy: %s", text)
		}
		if again.Agrees && again.Unknown != "" {
			t.Fatalf("unknown, and the same: %s", text)
		}
	})
}

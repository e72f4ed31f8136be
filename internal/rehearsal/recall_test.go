package rehearsal_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/expr"
	"github.com/strait-sts/strait/internal/mint"
	"github.com/strait-sts/strait/internal/rehearsal"
	"github.com/strait-sts/strait/internal/trust"
)

// log is a Recorder that keeps the last record as JSON, as the log does.
type log struct{ last []byte }

func (l *log) Record(_ context.Context, rec *exchange.Record) (err error) {
	l.last, err = json.Marshal(rec)
	return err
}

// ruled are an issuer's expressions, as app has them.
type ruled struct {
	rules   []*expr.Program
	subject *expr.Program
}

func rulesOf(c *expr.Compiler) trust.Compiler {
	return func(entry *catalog.TrustedIssuer) (trust.Rules, error) {
		var r ruled
		for _, rule := range entry.ClaimValidationRules {
			program, err := c.Compile(expr.IssuerRule, rule.Expression)
			if err != nil {
				return nil, err
			}
			r.rules = append(r.rules, program)
		}
		var err error
		if source := entry.ClaimMappings.Subject.Expression; source != "" {
			r.subject, err = c.Compile(expr.SubjectMapping, source)
		}
		return r, err
	}
}

func (r ruled) Check(claims exchange.Claims, at time.Time) error {
	for _, rule := range r.rules {
		if holds, err := rule.True(expr.ForToken(claims, at)); err != nil || !holds {
			return errRule
		}
	}
	return nil
}

var errRule = context.DeadlineExceeded // any error will do

func (r ruled) Subject(claims exchange.Claims, at time.Time) (string, error) {
	return r.subject.Text(expr.ForToken(claims, at))
}

func (r ruled) Reads() []exchange.ClaimPath {
	all := r.subject.Claims()
	for _, rule := range r.rules {
		all = append(all, rule.Claims()...)
	}
	return all
}

// newReader is a house whose issuers have rules.
func newReader(t testing.TB) *house {
	t.Helper()
	h := newHouse(t)
	compiler, err := expr.NewCompiler(100)
	if err != nil {
		t.Fatal(err)
	}
	h.trust = trust.New(trust.Options{Own: h.ring, Issuer: ours, Clock: func() time.Time { return now }, Skew: 30 * time.Second, Rules: rulesOf(compiler)})
	return h
}

// record exchanges real tokens and gives the record of it, as it is kept.
func (h *house) record(t fataler, world *exchange.World, q rehearsal.Question, keep bool) *rehearsal.Recorded {
	kept := &log{}
	service := exchange.Service{Minter: mint.New(mint.Options{Keys: h.ring, Issuer: ours}), Recorder: kept, Issuer: ours, KeepClaims: keep}
	if q.Grant == "" {
		q.Grant = exchange.GrantTokenExchange
	}
	_, _ = service.Exchange(context.Background(), &exchange.Request{ // a refusal has its record too
		ID: rehearsal.ID, Time: now, World: world, Client: world.Clients[q.Client], Grant: q.Grant,
		Subject: exchange.Presented{Token: q.Subject.Token, Type: q.Subject.Type}, Actor: exchange.Presented{Token: q.Actor.Token, Type: q.Actor.Type},
		Audiences: q.Audiences, Resources: q.Resources, Scope: q.Scope, RequestedType: q.RequestedType,
	})
	rec, err := rehearsal.ReadRecord(kept.last)
	if err != nil {
		t.Fatalf("%s: %v", kept.last, err)
	}
	return rec
}

// reading are conditions that read claims, in every way that a claim can be there
// or not.
func reading() []string {
	return []string{
		`subject.claims.tenant == "acme"`, `has(subject.claims.tenant) && subject.claims.tenant != "x"`, `"tenant" in subject.claims`,
		`subject.claims.address.country == "DE"`, `subject.claims.?address.?country.orValue("DE") == "DE"`, `subject.claims.level > 1`,
		`subject.claims.exists(name, name == "tenant")`, `subject.claims["tenant"] == "acme" && now < timestamp("2030-01-01T00:00:00Z")`,
		`subject.claims.iss != "https://entra.example" && subject.claims.exp > 0 && subject.claims.sub != ""`, `has(subject.claims.cnf) || has(subject.claims.jti)`,
		`actor.claims.?tenant.orValue("acme") == "acme"`, `"read" in subject.scopes`, `subject.sub.startsWith("okta:")`,
	}
}

func drawReading(t *rapid.T, label string) []catalog.Rule {
	if rapid.IntRange(0, 2).Draw(t, label+" reads") == 0 {
		return nil
	}
	return []catalog.Rule{{Expression: rapid.SampledFrom(reading()).Draw(t, label)}}
}

// drawHouse draws a catalogue whose rules read claims.
func (h *house) drawHouse(t *rapid.T) []*catalog.Entry {
	entries := append(drawPolicies(t), h.surroundings()...)
	for _, e := range entries {
		switch spec := e.Spec.(type) {
		case *catalog.ExchangePolicy:
			if spec.Subject != nil {
				spec.Subject.Conditions = drawReading(t, "condition")
			}
		case *catalog.TrustedIssuer:
			spec.ClaimValidationRules = oneOf(t, "rule", nil, []catalog.Rule{{Expression: `claims.?tenant.orValue("acme") in ["acme", "x"]`}}, []catalog.Rule{{Expression: `claims.sub != "" && claims.aud != ""`}})
			if e.Metadata.Name == "okta" && rapid.IntRange(0, 9).Draw(t, "moved") == 5 {
				spec.Issuer = "https://moved.example"
			}
			spec.Audiences = oneOf(t, "taken", []string{gateway, "https://gw-b"}, []string{"https://gw-b"})
			spec.MaxTokenAge = catalog.Duration(oneOf(t, "age", 24*time.Hour, 48*time.Hour, time.Second))
			spec.ScopeClaim = oneOf(t, "scope claim", "scope", "/realm/roles")
			if rapid.IntRange(0, 4).Draw(t, "mapped") == 2 {
				spec.ClaimMappings.Subject.Claim, spec.ClaimMappings.Subject.Expression = "", `claims.sub + "@" + claims.?tenant.orValue("none")`
			}
		}
	}
	return entries
}

// drawRead draws a subject token with claims to read.
func (h *house) drawRead(t *rapid.T) rehearsal.Party {
	claims := drawClaims(t)
	for name, values := range map[string][]any{
		"tenant":  {"acme", "x", json.Number("5"), nil, "a\u0000b", strings.Repeat("long ", 1200)},
		"address": {map[string]any{"country": "DE", "street": "kept by nobody"}, map[string]any{}, "DE", []any{"DE"}},
		"level":   {json.Number("2"), json.Number("2.0"), json.Number("1e0"), json.Number("12345678901234567890")},
		"realm":   {map[string]any{"roles": []any{"read", "two words"}}},
	} {
		if rapid.IntRange(0, 2).Draw(t, name+" is there") > 0 {
			claims[name] = rapid.SampledFrom(values).Draw(t, name)
		}
	}
	typ := oneOf(t, "type", exchange.TypeJWT, exchange.TypeAccessToken)
	switch oneOf(t, "issuer", "okta", "entra", "self") {
	case "entra":
		claims["iss"] = "https://entra.example"
	case "self":
		claims["iss"], claims["aud"], claims["txn"] = ours, oneOf[any](t, "own aud", "https://orders", "https://billing"), "root"
		delete(claims, "act")
		return rehearsal.Party{Type: typ, Token: exchange.Secret(h.sign(t, claims))}
	default:
		claims["iss"] = h.idp.URL
	}
	return rehearsal.Party{Type: typ, Token: exchange.Secret(h.idp.Issue(now, claims))}
}

// drawReal draws a request of real tokens.
func (h *house) drawReal(t *rapid.T) rehearsal.Question {
	q := drawAsked(t)
	q.Client = oneOf(t, "who", "edge", "other", "idle")
	if q.Grant = oneOf(t, "grant", exchange.GrantTokenExchange, exchange.GrantClientCredentials); q.Grant == exchange.GrantTokenExchange {
		q.Subject = h.drawRead(t)
		if rapid.IntRange(0, 3).Draw(t, "with actor") == 3 {
			q.Actor = h.drawRead(t)
		}
	}
	return q
}

// TestARecordIsDecidedAgainAsItWas: over drawn catalogues and real tokens, the
// record of an exchange is decided again as it was, or says what it does not
// tell. Where it was issued, it tells enough unless a rule reads all claims, or
// one that is too long or could not be written exactly.
func TestARecordIsDecidedAgainAsItWas(t *testing.T) {
	t.Parallel()
	h := newReader(t)
	seen := map[exchange.Outcome]int{}
	rapid.Check(t, func(rt *rapid.T) {
		stage := h.stage(h.drawHouse(rt))
		rec := h.record(rt, stage.World, h.drawReal(rt), true)
		again, err := stage.DecideAgain(t.Context(), rec)
		if err != nil {
			rt.Fatal(err)
		}
		text, _ := json.Marshal(rec)
		if again.Agrees == (again.Unknown != "") {
			rt.Fatalf("agrees %v, unknown %q: decided again %s %s by %q, the record is\n%s", again.Agrees, again.Unknown, again.Decision, again.Reason, again.Policy, text)
		}
		clipped := rec.Subject != nil && rec.Subject.Clipped || rec.Actor != nil && rec.Actor.Clipped
		if rec.Decision == exchange.OutcomeIssued && again.Unknown != "" && !clipped {
			rt.Fatalf("issued, whole, and unknown: %q\n%s", again.Unknown, text)
		}
		explained, err := stage.ExplainAgain(t.Context(), rec)
		if err != nil || explained.Decision != again.Decision || explained.Reason != again.Reason || explained.Agrees != again.Agrees {
			rt.Fatalf("explained %s %s, decided %s %s, %v", explained.Decision, explained.Reason, again.Decision, again.Reason, err)
		}
		seen[again.Decision]++
	})
	if seen[exchange.OutcomeIssued] == 0 || seen[exchange.OutcomeDenied] == 0 || seen[rehearsal.OutcomeUnknown] == 0 {
		t.Errorf("%v: not everything was compared", seen)
	}
}

// TestAnotherCatalogueIsNeverGuessed: a record that is decided by another
// catalogue comes to what /token comes to with the same tokens there, or is
// unknown.
func TestAnotherCatalogueIsNeverGuessed(t *testing.T) {
	t.Parallel()
	h := newReader(t)
	told, changed := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		q, keep := h.drawReal(rt), rapid.IntRange(0, 3).Draw(rt, "keep") > 0
		rec := h.record(rt, h.stage(h.drawHouse(rt)).World, q, keep)
		proposed := h.stage(h.drawHouse(rt))
		again, err := proposed.DecideAgain(t.Context(), rec)
		if err != nil {
			rt.Fatal(err)
		}
		if again.Unknown != "" {
			return
		}
		told++
		really := h.record(rt, proposed.World, q, true)
		expired := again.Reason == "subject_expired" || again.Reason == "actor_expired" // whatever else is wrong with it now
		if again.Decision != really.Decision || again.Reason != really.Reason && !expired || again.Policy != really.Policy {
			was, _ := json.Marshal(rec)
			is, _ := json.Marshal(really)
			rt.Fatalf("decided again %s %s by %q\nthe record %s\n/token     %s", again.Decision, again.Reason, again.Policy, was, is)
		}
		if rec.Decision != really.Decision {
			changed++
		}
	})
	if told == 0 || changed == 0 {
		t.Errorf("%d told, %d changed: nothing was compared", told, changed)
	}
}

// A client's own token that was revoked while it was being issued is no token that
// another catalogue would newly allow.
func TestAClientsTokenThatWasStoppedStaysRevoked(t *testing.T) {
	t.Parallel()
	h := newReader(t)
	stage := h.stage(append(h.surroundings(), policyEntry("own", func(p *catalog.ExchangePolicy) {
		p.Flow, p.Subject, p.Actor, p.Scopes.Prove = "client", nil, nil, ""
	})))
	rec := h.record(t, stage.World, rehearsal.Question{Client: "edge", Grant: exchange.GrantClientCredentials, Audiences: []string{"orders"}, Scope: "read"}, true)
	if rec.Decision != exchange.OutcomeIssued {
		t.Fatalf("%s %s", rec.Decision, rec.Detail)
	}
	rec.Decision, rec.Reason, rec.JTI, rec.Scopes.Issued, rec.Lifetime.Issued = exchange.OutcomeDenied, exchange.RoleSubject.Reason(exchange.Revoked), "", nil, 0
	again, err := stage.DecideAgain(t.Context(), rec)
	if err != nil || !again.Agrees || again.Reason != rec.Reason {
		t.Errorf("%s %s, differs in %v, %v", again.Decision, again.Reason, again.Differences(), err)
	}
}

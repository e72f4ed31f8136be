package exchange_test

import (
	"context"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/expr"
	"github.com/strait-sts/strait/internal/mint"
	"github.com/strait-sts/strait/internal/policy"
)

// paper is a minter's keys that sign nothing: the tests look at payloads.
type paper struct{}

func (paper) Sign(alg, typ string, payload []byte) (string, error) {
	header := fmt.Sprintf(`{"alg":%q,"kid":"paper","typ":%q}`, alg, typ)
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(header)) + "." + encode(payload) + "." + encode([]byte(alg)), nil
}

// Public answers for both algorithms of the catalogues.
func (paper) Public(string) (string, crypto.PublicKey, bool) { return "ES256", nil, true }

type edPaper struct{ paper }

func (edPaper) Public(string) (string, crypto.PublicKey, bool) { return "EdDSA", nil, true }

// minters picks the keys by the grant's algorithm.
type minters struct{}

func (minters) Mint(ctx context.Context, req *exchange.Request, g *exchange.Grant) (*exchange.Issued, error) {
	options := mint.Options{Keys: paper{}, Issuer: ourIssuer}
	if g.Algorithm() == "EdDSA" {
		options.Keys = edPaper{}
	}
	return mint.New(options).Mint(ctx, req, g)
}

// given is a verifier that believes what the question says.
type given struct{ question }

func (g given) Verify(_ context.Context, _ *exchange.Request, role exchange.Role) (*exchange.Token, error) {
	if role == exchange.RoleActor {
		return g.actor, nil
	}
	return g.subject, nil
}

// keeper keeps the last record.
type keeper struct{ last *exchange.Record }

func (k *keeper) Record(_ context.Context, rec *exchange.Record) error {
	k.last = rec
	return nil
}

// outcome is what an exchange came to.
type outcome struct {
	reason exchange.Reason
	policy string
	token  payload
	rail   string // the guardrail that forbade it
}

type payload struct {
	Issuer   string          `json:"iss"`
	Subject  string          `json:"sub"`
	Audience json.RawMessage `json:"aud"`
	ClientID string          `json:"client_id"`
	IssuedAt int64           `json:"iat"`
	Expires  int64           `json:"exp"`
	ID       string          `json:"jti"`
	Scope    string          `json:"scope"`
	Txn      string          `json:"txn"`
	Act      *nested         `json:"act"`
	AuthTime json.Number     `json:"auth_time"`
	ACR      string          `json:"acr"`
	Dept     string          `json:"dept"`
}

type nested struct {
	Issuer  string  `json:"iss"`
	Subject string  `json:"sub"`
	Act     *nested `json:"act"`
}

func (p payload) audience() (values []string) {
	if json.Unmarshal(p.Audience, &values) != nil {
		values = []string{strings.Trim(string(p.Audience), `"`)}
	}
	return values
}

func (p payload) chain() (chain exchange.Chain) {
	for hop := p.Act; hop != nil; hop = hop.Act {
		chain = append(chain, exchange.Hop{Issuer: hop.Issuer, Subject: hop.Subject})
	}
	return chain
}

func (p payload) scopes() []string { return strings.Fields(p.Scope) }

// engine compiles every catalogue that is drawn.
var engine = policy.NewEngine(ourIssuer, expressions())

func expressions() *expr.Compiler {
	compiler, err := expr.NewCompiler(1000)
	if err != nil {
		panic(err)
	}
	return compiler
}

func compile(entries []*catalog.Entry) exchange.Decider {
	return engine.Compile(catalog.NewSnapshot(1, entries...))
}

// ask runs the question through the service.
func ask(t *rapid.T, entries []*catalog.Entry, q question) outcome {
	return askOf(t, compile(entries), q)
}

func askOf(t *rapid.T, decider exchange.Decider, q question) outcome {
	records := &keeper{}
	service := exchange.Service{Minter: minters{}, Recorder: records, Issuer: ourIssuer}
	req := &exchange.Request{
		ID: "id-1", Time: now, Grant: q.grant, Audiences: q.audiences, Resources: q.resources, Scope: strings.Join(q.scopes, " "), RequestedType: q.requested,
		Client: &exchange.Client{Name: "edge", ID: "edge-1", Grants: []exchange.GrantType{exchange.GrantTokenExchange, exchange.GrantClientCredentials}},
		World:  &exchange.World{Verifier: given{q}, Decider: decider},
	}
	if q.subject != nil {
		req.Subject = exchange.Presented{Token: "x", Type: q.subject.Type}
	}
	if q.actor != nil {
		req.Actor = exchange.Presented{Token: "x", Type: exchange.TypeJWT}
	}
	issued, err := service.Exchange(t.Context(), req)
	var refusal *exchange.Error
	switch {
	case errors.As(err, &refusal) && issued == nil:
		return outcome{reason: refusal.Reason, rail: records.last.Guardrail}
	case err != nil || issued == nil:
		t.Fatalf("neither a token nor a refusal: %v, %v", issued, err)
	}
	body, err := base64.RawURLEncoding.DecodeString(strings.Split(issued.Token.Reveal(), ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	o := outcome{policy: records.last.Policy}
	decoder := json.NewDecoder(strings.NewReader(string(body)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&o.token); err != nil {
		t.Fatalf("payload %s: %v", body, err)
	}
	return o
}

// check tries the property some thousand times, each in a few µs.
func check(t *testing.T, property func(*rapid.T)) {
	t.Helper()
	for range 15 {
		rapid.Check(t, property)
	}
}

func within(t *rapid.T, what string, got, of []string) {
	if extra := slices.DeleteFunc(slices.Clone(got), func(s string) bool { return slices.Contains(of, s) }); len(extra) > 0 {
		t.Fatalf("%s has %v, which is not in %v", what, extra, of)
	}
}

// I1–I6 of the threat model: the decision and the token are the model's, in
// every claim. The real decider and the real minter run.
func TestDecisionsAreThoseOfTheModel(t *testing.T) {
	t.Parallel()
	generated, issued := 0, 0
	check(t, func(t *rapid.T) {
		entries := drawCatalogue(t)
		snapshot, decider := catalog.NewSnapshot(1, entries...), compile(entries)
		for range questions {
			q := drawQuestion(t)
			got := askOf(t, decider, q)
			agree(t, q, model(snapshot, q), got)
			if generated++; got.reason == "" {
				issued++
			}
		}
	})
	t.Logf("%d exchanges generated, %d of them issued", generated, issued)
	if generated < promised && !testing.Short() { // rapid draws a fifth with -short
		t.Errorf("%d exchanges generated, %d are promised", generated, promised)
	}
}

// promised is how many exchanges every full run compares with the model;
// questions is how many of them are asked of one catalogue of check.
const (
	promised  = 100_000
	questions = 67
)

func agree(t *rapid.T, q question, want answer, got outcome) {
	if got.reason != want.reason || got.policy != want.policy || got.rail != want.rail {
		t.Fatalf("decided %q by %q %q, the model %q by %q %q", got.reason, got.policy, got.rail, want.reason, want.policy, want.rail)
	}
	if want.reason != "" {
		return
	}
	p := got.token
	if p.Issuer != ourIssuer || p.Subject != want.sub || p.Txn != want.txn || p.Expires != want.exp || p.IssuedAt != now.Unix() || p.ID != "id-1" || p.ClientID != "edge-1" {
		t.Fatalf("token %+v, the model wants %+v", p, want)
	}
	if !slices.Equal(p.audience(), want.audience) || !slices.Equal(p.scopes(), want.scopes) || !slices.Equal(p.chain(), want.act) {
		t.Fatalf("token %+v, the model wants %+v", p, want)
	}
	if (q.subject != nil) != (p.ACR == "silver") || (q.subject != nil) != (p.AuthTime == "1.50") {
		t.Fatalf("auth_time %q and acr %q are not the subject token's", p.AuthTime, p.ACR)
	}
	if (p.Dept == "sales") != want.dept {
		t.Fatalf("the policy's claim is %q", p.Dept)
	}
}

// I1: whatever the proof, an issued scope is asked for, allowed and known.
func TestScopeNeverWidens(t *testing.T) {
	t.Parallel()
	check(t, func(t *rapid.T) {
		entries, q := drawCatalogue(t), drawQuestion(t)
		got := ask(t, entries, q)
		if got.reason != "" {
			return
		}
		s := catalog.NewSnapshot(1, entries...)
		p := s.Policy(got.policy).Spec
		within(t, "scope", got.token.scopes(), p.Scopes.Allow)
		if len(q.scopes) > 0 {
			within(t, "scope", got.token.scopes(), q.scopes)
		}
		for _, target := range s.Targets() {
			if slices.Contains(got.token.audience(), target.Spec.Audience) {
				within(t, "scope", got.token.scopes(), target.Spec.Scopes)
			}
		}
		if p.Scopes.Prove == "same" {
			within(t, "scope", got.token.scopes(), q.subject.Scopes)
		}
	})
}

// I2, I3, I4, I6: exp never later, aud never more, the chain never shorter, and
// a policy in force behind every token.
func TestNothingElseWidensEither(t *testing.T) {
	t.Parallel()
	check(t, func(t *rapid.T) {
		entries, q := drawCatalogue(t), drawQuestion(t)
		got := ask(t, entries, q)
		if got.reason != "" {
			return
		}
		p := catalog.NewSnapshot(1, entries...).Policy(got.policy)
		if p == nil || p.Spec.Mode != catalog.ModeEnforce || p.Expired(now) || !slices.Contains(p.Spec.Clients, "edge") {
			t.Fatalf("policy %q cannot have issued this", got.policy)
		}
		exp := time.Unix(got.token.Expires, 0)
		if !exp.After(now) || exp.After(now.Add(time.Duration(p.Spec.Issue.Lifetime))) {
			t.Fatalf("exp %s", exp)
		}
		var audiences []string
		for _, name := range p.Spec.Targets {
			audiences = append(audiences, "https://"+name)
		}
		within(t, "aud", got.token.audience(), audiences)
		if q.subject == nil {
			return
		}
		chain := got.token.chain()
		acts := p.Spec.Flow == "delegation"
		if acts && len(chain) > 0 {
			chain = chain[1:]
		}
		if exp.After(q.subject.Expires) || !slices.Equal(chain, q.subject.Act) || len(got.token.chain()) > p.Spec.Issue.MaxActDepth || q.subject.Bound || q.subject.MayAct != nil && (!acts || !q.mayActFits) {
			t.Fatalf("token %+v of subject token %+v", got.token, q.subject)
		}
		if q.actor != nil && (!acts || exp.After(q.actor.Expires) || q.actor.Bound || len(q.actor.Act) > 0 || got.token.chain()[0] != q.actor.Party()) {
			t.Fatalf("token %+v of actor token %+v", got.token, q.actor)
		}
	})
}

// Default deny: without the policies that name the client there is nothing.
func TestWithoutItsPoliciesAClientGetsNothing(t *testing.T) {
	t.Parallel()
	check(t, func(t *rapid.T) {
		entries, q := drawCatalogue(t), drawQuestion(t)
		entries = slices.DeleteFunc(entries, func(e *catalog.Entry) bool {
			p, ok := e.Spec.(*catalog.ExchangePolicy)
			return ok && slices.Contains(p.Clients, "edge")
		})
		if got := ask(t, entries, q); got.reason == "" {
			t.Fatalf("issued %+v", got.token)
		}
	})
}

func without(entries []*catalog.Entry, drop func(name string) bool) []*catalog.Entry {
	return slices.DeleteFunc(slices.Clone(entries), func(e *catalog.Entry) bool {
		return e.Kind == catalog.KindExchangePolicy && drop(e.Metadata.Name)
	})
}

// I20: a token is one policy's own. Alone, its policy issues the same token: no
// other policy adds to it. So what is left after a removal can never issue what
// no remaining policy issues by itself.
func TestEveryTokenIsOnePolicysOwn(t *testing.T) {
	t.Parallel()
	check(t, func(t *rapid.T) {
		entries, q := drawCatalogue(t), drawQuestion(t)
		got := ask(t, entries, q)
		if got.reason != "" {
			return
		}
		alone := ask(t, without(entries, func(name string) bool { return name != got.policy }), q)
		if !reflect.DeepEqual(alone, got) {
			t.Fatalf("alone policy %s decides %+v, among others %+v", got.policy, alone, got)
		}
	})
}

// I20: removing a policy that did not decide changes nothing where a target was
// asked for.
func TestRemovingAnotherPolicyChangesNothing(t *testing.T) {
	t.Parallel()
	check(t, func(t *rapid.T) {
		entries, q := drawCatalogue(t), drawQuestion(t)
		got := ask(t, entries, q)
		removed := rapid.SampledFrom([]string{"p0", "p1", "p2", "p3", "p4", "p9"}).Draw(t, "removed")
		if got.reason != "" || got.policy == removed {
			return
		}
		after := ask(t, without(entries, func(name string) bool { return name == removed }), q)
		if !reflect.DeepEqual(after, got) {
			t.Fatalf("without policy %s: %+v, before: %+v", removed, after, got)
		}
	})
}

// I7, I20: what ends or is disabled never makes a token possible that was not,
// and changes none: a policy that ended keeps its place.
func TestAnEndNeverAddsAToken(t *testing.T) {
	t.Parallel()
	check(t, func(t *rapid.T) {
		entries, q := drawCatalogue(t), drawQuestion(t)
		before := ask(t, entries, q)
		i := rapid.IntRange(0, len(entries)-1).Draw(t, "ends")
		gone := *entries[i]
		gone.Governance.ExpiresAt = &now
		after := ask(t, append(slices.Delete(slices.Clone(entries), i, i+1), &gone), q)
		if after.reason == "" && !reflect.DeepEqual(after, before) {
			t.Fatalf("after the end of %s: %+v, before: %+v", gone.Ref(), after, before)
		}
	})
}

// A policy in mode shadow changes nothing of any answer.
func TestShadowsChangeNothing(t *testing.T) {
	t.Parallel()
	check(t, func(t *rapid.T) {
		entries, q := drawCatalogue(t), drawQuestion(t)
		bare := slices.DeleteFunc(slices.Clone(entries), func(e *catalog.Entry) bool {
			p, ok := e.Spec.(*catalog.ExchangePolicy)
			return ok && p.Mode == catalog.ModeShadow
		})
		if with, without := ask(t, entries, q), ask(t, bare, q); !reflect.DeepEqual(with, without) {
			t.Fatalf("with shadows %+v, without %+v", with, without)
		}
	})
}

// A guardrail only forbids: what is issued beside it is issued without it, and is
// the same; and what is refused without it is refused beside it.
func TestGuardrailsOnlyForbid(t *testing.T) {
	t.Parallel()
	check(t, func(t *rapid.T) {
		entries, q := drawCatalogue(t), drawQuestion(t)
		entries = append(entries, drawGuardrail(t, "g8"))
		bare := slices.DeleteFunc(slices.Clone(entries), func(e *catalog.Entry) bool { return e.Kind == catalog.KindGuardrail })
		with, without := ask(t, entries, q), ask(t, bare, q)
		if with.reason != exchange.Guardrail && !reflect.DeepEqual(with, without) {
			t.Fatalf("beside guardrails %+v, without %+v", with, without)
		}
		if with.reason == exchange.Guardrail && without.reason != "" && without.reason != exchange.ProofRequired {
			t.Fatalf("a guardrail was asked about what is refused: %s", without.reason)
		}
	})
}

// I19: along any chain of exchanges rights only shrink.
func TestRightsNeverGrowAlongAChain(t *testing.T) {
	t.Parallel()
	check(t, func(t *rapid.T) {
		first := drawToken(t)
		first.Issuer, first.Bound, first.MayAct, first.Txn = "okta", false, nil, ""
		held, issued := first, 0
		for range 4 {
			entries := drawCatalogue(t)
			for _, e := range entries {
				if p, ok := e.Spec.(*catalog.ExchangePolicy); ok && p.Flow != "client" {
					p.Scopes.Prove = "same" // a map renames scopes, so that sets cannot be compared
				}
			}
			got := ask(t, entries, question{
				grant: exchange.GrantTokenExchange, subject: held, scopes: some(held.Scopes).Draw(t, "fewer"),
				audiences: []string{rapid.SampledFrom(allTargets).Draw(t, "audience")},
			})
			if got.reason != "" {
				continue
			}
			issued++
			p := got.token
			within(t, "scope", p.scopes(), held.Scopes)
			within(t, "scope", p.scopes(), first.Scopes)
			if time.Unix(p.Expires, 0).After(held.Expires) || p.Subject != first.Subject || len(p.chain()) < len(held.Act) || !slices.Equal(p.chain()[len(p.chain())-len(held.Act):], held.Act) || issued > 1 && p.Txn != held.Txn {
				t.Fatalf("token %+v of %+v", p, held)
			}
			held = &exchange.Token{
				Issuer: "self", IssuerURL: ourIssuer, Type: exchange.TypeAccessToken, Subject: p.Subject, Original: p.Subject, JTI: p.ID, Audience: p.audience(),
				Scopes: p.scopes(), Expires: time.Unix(p.Expires, 0), Act: p.chain(), Txn: p.Txn, Claims: exchange.Claims{},
			}
		}
	})
}

// The generators are worth something only if they reach every outcome.
func TestGeneratorsReachEveryOutcome(t *testing.T) {
	t.Parallel()
	seen := map[exchange.Reason]int{}
	for seed := range 4000 {
		entries := rapid.Custom(drawCatalogue).Example(seed)
		q := rapid.Custom(drawQuestion).Example(seed + 1_000_000)
		seen[model(catalog.NewSnapshot(1, entries...), q).reason]++
	}
	for _, reason := range []exchange.Reason{
		"", exchange.TargetUnknown, exchange.TargetNotAllowed, exchange.TargetAmbiguous, exchange.NoPolicy, exchange.MayActMismatch, exchange.IssuerDisabled,
		"subject_audience_mismatch", exchange.ActorRequired, exchange.ActorNotAllowed, exchange.PolicyExpired, exchange.PolicyReviewOverdue,
		exchange.UnsupportedTokenType, exchange.ChainTooDeep, exchange.ConditionFailed, exchange.Guardrail, exchange.ScopeNotAllowed, exchange.ScopeNotHeld, exchange.ProofRequired, "subject_expired",
	} {
		if seen[reason] == 0 {
			t.Errorf("no example comes to %q", reason)
		}
	}
	if seen[""] < 200 {
		t.Errorf("%d of 4000 examples are issued: the properties say little", seen[""])
	}
	t.Log(seen)
}

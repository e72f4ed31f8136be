package exchange_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/exchange"
)

const ourIssuer = "https://sts.example.com"

// now is the instant of every exchange in these tests; its fraction shows what
// is not cut to seconds.
var now = time.Date(2027, 1, 2, 3, 4, 5, 678e6, time.UTC)

// story is one exchange that succeeds, played by fakes that write down their
// steps. Tests change a part and look what follows.
type story struct {
	service  exchange.Service
	req      *exchange.Request
	subject  *exchange.Token
	actor    *exchange.Token
	ceiling  exchange.Ceiling
	fail     map[string]error  // by step
	shadow   []exchange.Shadow // what the decider's shadows come to
	shadowed bool              // there are some beside a refusal
	rail     string            // the guardrail that forbids it
	steps    []string
	records  []*exchange.Record
}

func newStory() *story {
	client := &exchange.Client{Name: "edge", ID: "edge-1", Grants: []exchange.GrantType{exchange.GrantTokenExchange}}
	s := &story{
		fail: map[string]error{},
		subject: &exchange.Token{
			Issuer: "okta", IssuerURL: idp, Type: exchange.TypeJWT, Subject: "okta:alice", Original: "alice", JTI: "j-1",
			Audience: []string{"https://gateway.example.com"}, Scopes: []string{"orders:read", "orders:write"}, Expires: now.Add(time.Hour),
			Claims: exchange.Claims{"iss": idp, "sub": "alice", "email": "alice@example.com"},
		},
		actor: &exchange.Token{Issuer: "okta", IssuerURL: idp, Subject: "okta:" + agent, Original: agent, Expires: now.Add(time.Hour)},
	}
	s.service = exchange.Service{Minter: (*minter)(s), Recorder: (*recorder)(s), Issuer: ourIssuer}
	s.req = &exchange.Request{
		ID: "0198-decision", Time: now, Client: client, Grant: exchange.GrantTokenExchange,
		World:   &exchange.World{Revision: 7, Verifier: (*verifier)(s), Decider: (*decider)(s)},
		Subject: exchange.Presented{Token: "subject-token-bytes", Type: exchange.TypeJWT},
		Scope:   "orders:read",
		Origin:  exchange.Origin{RemoteAddr: "192.0.2.1", RequestID: "r-1", TraceID: "t-1"},
	}
	s.ceiling = exchange.Ceiling{
		Policy: &exchange.Policy{
			Name: "staff-orders", Revision: 3, Flow: exchange.FlowDownscope, Allow: []string{"orders:read"}, Prove: exchange.ProveSame,
			Lifetime: 5 * time.Minute, MaxActDepth: 4, TokenType: exchange.TypeAccessToken,
		},
		Targets: []*exchange.Target{{
			Name: "orders-api", Audience: "https://orders.internal", Scopes: []string{"orders:read"}, Algorithm: "ES256", MaxLifetime: time.Hour,
		}},
	}
	return s
}

// step notes a step and gives the failure that the test wants there.
func (s *story) step(name string) error {
	s.steps = append(s.steps, name)
	return s.fail[name]
}

type (
	verifier story
	decider  story
	minter   story
	recorder story
)

func (v *verifier) Verify(_ context.Context, _ *exchange.Request, role exchange.Role) (*exchange.Token, error) {
	if err := (*story)(v).step(string(role)); err != nil {
		return nil, err
	}
	if role == exchange.RoleActor {
		return v.actor, nil
	}
	return v.subject, nil
}

func (d *decider) Admit(*exchange.Request) (exchange.Case, error) {
	err := (*story)(d).step("admit")
	if err != nil && !d.shadowed {
		return nil, err
	}
	return d, err
}

func (d *decider) Targets() []*exchange.Target { return d.ceiling.Targets }
func (d *decider) Issuers() []string           { return []string{"idp"} }

func (d *decider) Decide(subject, actor *exchange.Token) (exchange.Decision, error) {
	decision := exchange.Decision{Policy: d.ceiling.Policy, Targets: d.ceiling.Targets, Shadow: d.shadow, Guardrail: d.rail}
	if err := (*story)(d).step("decide"); err != nil {
		return decision, err
	}
	ceiling := d.ceiling
	ceiling.ID, ceiling.Now, ceiling.Client, ceiling.Subject, ceiling.Actor = d.req.ID, d.req.Time, d.req.Client, subject, actor
	var err error
	decision.Grant, err = ceiling.Grant(d.req.Scopes())
	return decision, err
}

func (m *minter) Mint(_ context.Context, _ *exchange.Request, g *exchange.Grant) (*exchange.Issued, error) {
	if err := (*story)(m).step("mint"); err != nil {
		return nil, err
	}
	return &exchange.Issued{
		Token: "issued-token-bytes", Type: exchange.TypeAccessToken, TokenType: "Bearer",
		ExpiresIn: g.Expires().Sub(g.IssuedAt()), Scopes: g.Scopes(), Claims: []string{"iss", "sub"},
	}, nil
}

func (r *recorder) Record(_ context.Context, rec *exchange.Record) error {
	r.records = append(r.records, rec)
	return (*story)(r).step("record")
}

func reasonOf(err error) exchange.Reason {
	var refusal *exchange.Error
	if errors.As(err, &refusal) {
		return refusal.Reason
	}
	return ""
}

func TestExchangeGoesStepByStep(t *testing.T) {
	t.Parallel()
	s := newStory()
	s.req.Actor = exchange.Presented{Token: "actor-token-bytes", Type: exchange.TypeJWT}
	issued, err := s.service.Exchange(t.Context(), s.req)
	if err != nil || issued == nil {
		t.Fatalf("issued %v, %v", issued, err)
	}
	if want := []string{"admit", "subject", "actor", "decide", "mint", "record"}; !slices.Equal(s.steps, want) {
		t.Errorf("steps = %v, want %v", s.steps, want)
	}
}

func TestFirstFailureAnswersAndIsRecorded(t *testing.T) {
	t.Parallel()
	order := []string{"admit", "subject", "actor", "decide", "mint"}
	for i, failing := range order {
		t.Run(failing, func(t *testing.T) {
			t.Parallel()
			s := newStory()
			s.req.Actor = exchange.Presented{Token: "actor-token-bytes", Type: exchange.TypeJWT}
			for _, later := range order[i:] {
				s.fail[later] = exchange.Refuse(exchange.Reason("refused_by_"+later), "no")
			}
			issued, err := s.service.Exchange(t.Context(), s.req)
			if issued != nil || reasonOf(err) != exchange.Reason("refused_by_"+failing) {
				t.Errorf("issued %v, reason %q", issued, reasonOf(err))
			}
			if want := append(slices.Clone(order[:i+1]), "record"); !slices.Equal(s.steps, want) {
				t.Errorf("steps = %v, want %v", s.steps, want)
			}
			if rec := s.records[0]; rec.Decision != exchange.OutcomeDenied || rec.Reason != reasonOf(err) || rec.JTI != "" {
				t.Errorf("record = %+v", rec)
			}
		})
	}
}

func TestNothingIsAnsweredWithoutItsRecord(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]map[string]error{
		"issued":                {"record": errors.New("disk full")},
		"refused":               {"record": errors.New("disk full"), "decide": exchange.Refuse(exchange.NoPolicy, "no")},
		"with its own refusal":  {"record": exchange.Unavailable(exchange.AuditUnavailable, errors.New("queue full"))},
		"with its own, refused": {"record": exchange.Unavailable(exchange.AuditUnavailable, nil), "admit": exchange.Refuse(exchange.NoPolicy, "no")},
	} {
		s := newStory()
		s.fail = fail
		issued, err := s.service.Exchange(t.Context(), s.req)
		if issued != nil || reasonOf(err) != exchange.AuditUnavailable {
			t.Errorf("%s: answered %v, %v", name, issued, err)
		}
	}
}

func TestFailureThatIsNoRefusalIsOurFault(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"admit", "subject", "decide", "mint"} {
		s := newStory()
		s.fail[step] = context.DeadlineExceeded
		issued, err := s.service.Exchange(t.Context(), s.req)
		var refusal *exchange.Error
		if issued != nil || !errors.As(err, &refusal) || !refusal.OurFault() {
			t.Errorf("%s: issued %v, error %v, want a fault of ours", step, issued, err)
		}
		if rec := s.records[0]; rec.Decision != exchange.OutcomeError || rec.Reason == "" {
			t.Errorf("%s: recorded as %s (%s), want error and a reason", step, rec.Decision, rec.Reason)
		}
	}
}

func TestRecordOfAnIssuedToken(t *testing.T) {
	t.Parallel()
	s := newStory()
	if _, err := s.service.Exchange(t.Context(), s.req); err != nil {
		t.Fatal(err)
	}
	rec := s.records[0]
	rec.Subject.TokenHash = "(hash)"
	got, err := json.Marshal(rec)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"id":"0198-decision","time":"2027-01-02T03:04:05.678Z","decision":"issued","client":"edge",` +
		`"grant":"urn:ietf:params:oauth:grant-type:token-exchange","asked":{},` +
		`"subject":{"issuer":"okta","sub":"okta:alice","originalSub":"alice","jti":"j-1","tokenHash":"(hash)",` +
		`"type":"jwt","iss":"https://idp.example.com","aud":["https://gateway.example.com"],"exp":1798862645},` +
		`"flow":"downscope","policy":"staff-orders","policyRevision":3,"targets":["orders-api"],` +
		`"scopes":{"held":["orders:read","orders:write"],"requested":["orders:read"],"issued":["orders:read"]},` +
		`"lifetime":{"subject":3600,"issued":300},"jti":"0198-decision","txn":"0198-decision",` +
		`"narrowed":{"scopes":["orders:write"],"audience":["https://gateway.example.com"],"lifetime":3300,"claims":["email"]},` +
		`"remoteAddr":"192.0.2.1","requestId":"r-1","traceId":"t-1","configRevision":7}`
	if string(got) != want {
		t.Errorf("record\n%s\nwant\n%s", got, want)
	}
}

func TestRecordHoldsHashesAndNoTokens(t *testing.T) {
	t.Parallel()
	s := newStory()
	s.req.Actor = exchange.Presented{Token: "actor-token-bytes", Type: exchange.TypeJWT}
	if _, err := s.service.Exchange(t.Context(), s.req); err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(s.records[0])
	if strings.Contains(string(text), "token-bytes") {
		t.Errorf("record holds a token: %s", text)
	}
	// echo -n subject-token-bytes | sha256sum | xxd -r -p | basenc --base64url
	if got := s.records[0].Subject.TokenHash; len(got) != 43 || got == s.records[0].Actor.TokenHash {
		t.Errorf("hash = %q", got)
	}
}

func TestRecordOfOurOwnTokenNamesParentAndRoot(t *testing.T) {
	t.Parallel()
	s := newStory()
	s.subject.Issuer, s.subject.JTI, s.subject.Txn = exchange.SelfIssuer, "0197-parent", "0196-root"
	if _, err := s.service.Exchange(t.Context(), s.req); err != nil {
		t.Fatal(err)
	}
	if rec := s.records[0]; rec.Parent != "0197-parent" || rec.Txn != "0196-root" {
		t.Errorf("parent %q, txn %q", rec.Parent, rec.Txn)
	}
}

func TestRecordOfADenialKeepsWhatWasFound(t *testing.T) {
	t.Parallel()
	s := newStory()
	s.req.Scope = "orders:admin"
	_, err := s.service.Exchange(t.Context(), s.req)
	rec := s.records[0]
	if reasonOf(err) != exchange.ScopeNotAllowed || rec.Policy != "staff-orders" || rec.Subject.Subject != "okta:alice" ||
		rec.Narrowed != nil || rec.Scopes.Issued != nil || rec.Error != exchange.InvalidScope || rec.Detail == "" {
		t.Errorf("record = %+v (%v)", rec, err)
	}
}

func TestRejectRecordsWhatNeverBecameAnExchange(t *testing.T) {
	t.Parallel()
	s := newStory()
	s.req.Client, s.req.World = nil, nil
	refusal := exchange.Refuse(exchange.ClientAuthenticationFailed, "wrong secret")
	if err := s.service.Reject(t.Context(), s.req, refusal); err != nil {
		t.Fatal(err)
	}
	rec := s.records[0]
	if rec.Decision != exchange.OutcomeDenied || rec.Reason != exchange.ClientAuthenticationFailed || rec.Error != exchange.InvalidClient || rec.Client != "" {
		t.Errorf("record = %+v", rec)
	}
	if len(s.steps) != 1 {
		t.Errorf("steps = %v, want the record alone", s.steps)
	}
	s.fail["record"] = errors.New("disk full")
	if err := s.service.Reject(t.Context(), s.req, refusal); err == nil {
		t.Error("a record that failed is not reported")
	}
}

// Keycloak #52691: a subject token with may_act took the path without an actor
// because no actor token was sent.
func TestMayActHoldsWhateverWasSent(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		mayAct exchange.MayAct
		actor  bool
		want   exchange.Reason
	}{
		"names the actor":                         {exchange.MayAct{"sub": agent}, true, ""},
		"names another actor":                     {exchange.MayAct{"sub": "agent-2"}, true, exchange.MayActMismatch},
		"names an actor, none was sent":           {exchange.MayAct{"sub": agent}, false, exchange.MayActMismatch},
		"names the client":                        {exchange.MayAct{"iss": ourIssuer, "sub": "client:edge-1"}, false, ""},
		"names the client by client_id":           {exchange.MayAct{"client_id": "edge-1"}, false, ""},
		"names the client, an actor was sent":     {exchange.MayAct{"client_id": "edge-1"}, true, exchange.MayActMismatch},
		"names the client by its name, not by id": {exchange.MayAct{"client_id": "edge"}, false, exchange.MayActMismatch},
		"empty": {exchange.MayAct{}, false, exchange.MayActMismatch},
		"none":  {nil, true, ""},
	} {
		s := newStory()
		s.subject.MayAct = c.mayAct
		if c.actor {
			s.req.Actor = exchange.Presented{Token: "actor-token-bytes", Type: exchange.TypeJWT}
		}
		_, err := s.service.Exchange(t.Context(), s.req)
		if got := reasonOf(err); got != c.want {
			t.Errorf("%s: reason %q, want %q", name, got, c.want)
		}
		if decided := slices.Contains(s.steps, "decide"); decided != (c.want == "") {
			t.Errorf("%s: decided = %v", name, decided)
		}
	}
}

func TestClientCredentialsReadNoToken(t *testing.T) {
	t.Parallel()
	s := newStory()
	s.req.Grant, s.req.Subject = exchange.GrantClientCredentials, exchange.Presented{}
	s.req.Client.Grants = []exchange.GrantType{exchange.GrantClientCredentials}
	s.ceiling.Policy.Flow = exchange.FlowClient
	if _, err := s.service.Exchange(t.Context(), s.req); err != nil {
		t.Fatal(err)
	}
	if want := []string{"admit", "decide", "mint", "record"}; !slices.Equal(s.steps, want) {
		t.Errorf("steps = %v, want %v", s.steps, want)
	}
	if rec := s.records[0]; rec.Subject.TokenHash != "" || rec.Narrowed != nil || rec.Flow != exchange.FlowClient {
		t.Errorf("record = %+v", rec)
	}
}

// TestRPL001_AReplayIsDeniedAndRecorded: a recorder that finds the token used
// before refuses the issued record; the denial uses up nothing and shows nothing
// of what was about to be issued.
func TestRPL001_AReplayIsDeniedAndRecorded(t *testing.T) {
	t.Parallel()
	s := newStory()
	s.subject.SingleUse = true
	var claims [][]exchange.ReplayClaim
	var decisions []exchange.Outcome
	s.service.Recorder = recorderFunc(func(rec *exchange.Record) error {
		claims, decisions = append(claims, rec.Claims), append(decisions, rec.Decision)
		s.records = append(s.records, rec)
		if len(claims) == 1 {
			return exchange.RoleSubject.Refuse(exchange.Replayed, "used before")
		}
		return nil
	})
	issued, err := s.service.Exchange(context.Background(), s.req)
	var refused *exchange.Error
	if issued != nil || !errors.As(err, &refused) || refused.Reason != "subject_replayed" || refused.Code != exchange.InvalidRequest {
		t.Fatalf("%v, %v", issued, err)
	}
	want := exchange.ReplayClaim{Role: exchange.RoleSubject, Scope: "okta", ID: "j-1", Until: s.subject.Expires}
	if !slices.Equal(claims[0], []exchange.ReplayClaim{want}) || claims[1] != nil {
		t.Errorf("claims %v", claims)
	}
	if !slices.Equal(decisions, []exchange.Outcome{exchange.OutcomeIssued, exchange.OutcomeDenied}) {
		t.Errorf("decisions %v", decisions)
	}
	rec := s.records[1]
	if rec.Reason != "subject_replayed" || rec.JTI != "" || rec.Txn != "" || rec.Scopes.Issued != nil || rec.Lifetime.Issued != 0 || rec.Narrowed != nil || rec.Policy == "" {
		t.Errorf("the record of the denial: %+v", rec)
	}
}

// TestADenialUsesUpNothing, and neither does a token that may be used again.
func TestADenialUsesUpNothing(t *testing.T) {
	t.Parallel()
	s := newStory()
	s.subject.SingleUse = true
	s.fail["decide"] = exchange.Refuse(exchange.NoPolicy, "")
	_, _ = s.service.Exchange(context.Background(), s.req)
	if s.records[0].Claims != nil {
		t.Error("a denial claims the token")
	}
	s = newStory()
	if _, err := s.service.Exchange(context.Background(), s.req); err != nil || s.records[0].Claims != nil {
		t.Errorf("%v, %v", err, s.records[0].Claims)
	}
}

type recorderFunc func(*exchange.Record) error

func (f recorderFunc) Record(_ context.Context, rec *exchange.Record) error { return f(rec) }

// What a shadow policy comes to stands in the record, and changes no answer:
// not where the request is refused before any token is read, and not where the
// token is bad.
func TestShadowsNeverChangeTheAnswer(t *testing.T) {
	t.Parallel()
	refusal := exchange.RefuseClient("nobody names it")
	bad := exchange.RoleSubject.Refuse(exchange.Expired, "long ago")
	shadow := []exchange.Shadow{{Policy: "tried", Decision: exchange.OutcomeIssued}}
	for name, c := range map[string]struct {
		fail  map[string]error
		want  error
		steps []string
		tried bool
	}{
		"beside a token":                   {nil, nil, []string{"admit", "subject", "decide", "mint", "record"}, true},
		"beside a refusal":                 {map[string]error{"decide": refusal}, refusal, []string{"admit", "subject", "decide", "record"}, true},
		"nothing is enforced":              {map[string]error{"admit": refusal, "decide": bad}, refusal, []string{"admit", "subject", "decide", "record"}, true},
		"nothing is enforced, a bad token": {map[string]error{"admit": refusal, "subject": bad}, refusal, []string{"admit", "subject", "record"}, false},
	} {
		s := newStory()
		s.fail, s.shadow, s.shadowed = c.fail, shadow, true
		issued, err := s.service.Exchange(t.Context(), s.req)
		if (issued != nil) != (c.want == nil) || c.want != nil && !errors.Is(err, c.want) || !slices.Equal(s.steps, c.steps) {
			t.Errorf("%s: %v, %v after %v", name, issued, err, s.steps)
		}
		rec := s.records[0]
		if (len(rec.Shadow) == 1) != c.tried || rec.JTI != "" && c.want != nil || len(rec.Claims) > 0 {
			t.Errorf("%s: record %+v", name, rec)
		}
		if c.want != nil && rec.Reason != c.want.(*exchange.Error).Reason { //nolint:errorlint // made above
			t.Errorf("%s: reason %s", name, rec.Reason)
		}
	}
}

func TestRecordNamesTheGuardrail(t *testing.T) {
	t.Parallel()
	s := newStory()
	s.rail, s.fail = "no-long-payments", map[string]error{"decide": exchange.Refuse(exchange.Guardrail, "forbidden")}
	if _, err := s.service.Exchange(t.Context(), s.req); err == nil {
		t.Fatal("issued")
	}
	if rec := s.records[0]; rec.Guardrail != "no-long-payments" || rec.Reason != exchange.Guardrail || rec.Error != exchange.InvalidRequest {
		t.Errorf("record %+v", rec)
	}
}

// Where the client itself acts, no token says so, and the record does.
func TestRecordNamesTheActingClient(t *testing.T) {
	t.Parallel()
	s := newStory()
	s.ceiling.Adds = &exchange.Hop{Issuer: ourIssuer, Subject: "client:edge-1"}
	if _, err := s.service.Exchange(t.Context(), s.req); err != nil {
		t.Fatal(err)
	}
	if actor := s.records[0].Actor; actor == nil || actor.Issuer != exchange.SelfIssuer || actor.Subject != "client:edge-1" || actor.TokenHash != "" {
		t.Errorf("actor %+v", actor)
	}
}

// An actor token of the client's own speaks of the client, also where may_act
// names it by client_id.
func TestMayActTakesTheClientsOwnActorToken(t *testing.T) {
	t.Parallel()
	for original, want := range map[string]bool{"client:edge-1": true, "client:edge-2": false} {
		s := newStory()
		s.subject.MayAct = exchange.MayAct{"client_id": "edge-1"}
		s.req.Actor = exchange.Presented{Token: "actor-token-bytes", Type: exchange.TypeAccessToken}
		s.actor.Issuer, s.actor.IssuerURL, s.actor.Original = exchange.SelfIssuer, ourIssuer, original
		if _, err := s.service.Exchange(t.Context(), s.req); (err == nil) != want {
			t.Errorf("%s: %v", original, err)
		}
	}
}

// A recorder that fails for another reason than a replay is not asked again: the
// record may be there.
func TestAFailingRecorderIsAskedOnce(t *testing.T) {
	t.Parallel()
	for _, reason := range []exchange.Reason{exchange.AuditUnavailable, exchange.DatabaseUnavailable} {
		s := newStory()
		s.fail["record"] = exchange.Unavailable(reason, errors.New("down"))
		if _, err := s.service.Exchange(t.Context(), s.req); reasonOf(err) != reason || len(s.records) != 1 {
			t.Errorf("%v after %d records", err, len(s.records))
		}
	}
}

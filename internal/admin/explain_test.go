package admin

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/rehearsal"
)

// rehearses gives a bench whose explain keeps the question and gives the answer.
func rehearses(t *testing.T, answer *rehearsal.Answer, err error) (*bench, *rehearsal.Question) {
	t.Helper()
	asked := &rehearsal.Question{}
	b := newBenchWith(t, func(o *Options) {
		o.Explain = func(_ context.Context, q rehearsal.Question) (*rehearsal.Answer, error) {
			*asked = q
			return answer, err
		}
	})
	return b, asked
}

// denied is an answer with everything in it.
func denied() *rehearsal.Answer {
	return &rehearsal.Answer{
		Decision: exchange.OutcomeDenied, Reason: exchange.ScopeNotHeld, Error: exchange.InvalidScope, Detail: "it is not held", Policy: "staff",
		Flow: exchange.FlowDownscope, Targets: []string{"orders"}, Scopes: rehearsal.Scopes{Held: []string{"read"}, Requested: []string{"write"}},
		Checks:     []rehearsal.Check{{ID: "scopes.held", Result: exchange.Failed, Expected: []string{"write"}, Actual: []string{"read"}}},
		Candidates: []rehearsal.Candidate{{Policy: "staff", Failed: "scopes.held", Shadow: true}},
		Mend:       "ask for less", Missing: []string{"scope"}, Assumed: []string{"subject.claims.exp is an hour from now"},
	}
}

func TestExplainTellsWhatARehearsalTells(t *testing.T) {
	t.Parallel()
	b, asked := rehearses(t, denied(), nil)
	a := b.call("POST", "/admin/v1/explain", `{"client":"edge","subject":{"issuer":"okta","claims":{"sub":"alice","n":9007199254740993}},
		"actorToken":"e.y.J","actorTokenType":"urn:ietf:params:oauth:token-type:access_token","audience":["orders",""],"resource":["https://x"],
		"scope":"write","requestedTokenType":"access_token","grant":"token-exchange"}`).want(t, 200)
	if a.json["decision"] != "denied" || a.json["reason"] != "scope_not_held" || a.json["mend"] != "ask for less" {
		t.Errorf("%s", a.body)
	}
	subject, actor := asked.Subject, asked.Actor
	if asked.Client != "edge" || asked.Grant != exchange.GrantTokenExchange || asked.Scope != "write" || asked.RequestedType != exchange.TypeAccessToken {
		t.Errorf("%+v", asked)
	}
	if subject.Issuer != "okta" || subject.Type != exchange.TypeJWT || subject.Claims["sub"] != "alice" || subject.Token != "" {
		t.Errorf("subject %+v", subject)
	}
	if actor.Token != "e.y.J" || actor.Type != exchange.TypeAccessToken || actor.Claims != nil {
		t.Errorf("actor %+v", actor)
	}
	if !slices.Equal(asked.Audiences, []string{"orders"}) || !slices.Equal(asked.Resources, []string{"https://x"}) {
		t.Errorf("an empty parameter is an absent one: %q, %q", asked.Audiences, asked.Resources)
	}
}

func TestExplainShowsAPreview(t *testing.T) {
	t.Parallel()
	b, asked := rehearses(t, &rehearsal.Answer{
		Decision: exchange.OutcomeIssued, Checks: []rehearsal.Check{}, Candidates: []rehearsal.Candidate{},
		Preview: &rehearsal.Preview{Claims: []byte(`{"sub":"client:batch"}`), ExpiresIn: 60},
	}, nil)
	a := b.call("POST", "/admin/v1/explain", `{"client":"batch","grant":"client_credentials"}`).want(t, 200)
	if !strings.Contains(a.body, `"claims":{"sub":"client:batch"}`) || asked.Grant != exchange.GrantClientCredentials {
		t.Errorf("%s for %+v", a.body, asked)
	}
}

func TestExplainRefusesWhatItCannotRead(t *testing.T) {
	t.Parallel()
	b, _ := rehearses(t, nil, errors.New("not reached"))
	for body, want := range map[string]string{
		`{"subject":{"issuer":"okta","claims":{}}}`:                                    "required /client",
		`{"client":"edge"}`:                                                            "required /subject",
		`{"client":"edge","subject":{"claims":{}}}`:                                    "required /subject/issuer",
		`{"client":"edge","subject":{"issuer":"okta"}}`:                                "type /subject/claims",
		`{"client":"edge","subject":{"issuer":"okta","claims":[]}}`:                    "type /subject/claims",
		`{"client":"edge","subject":{"issuer":"okta","claims":{}},"subjectToken":"x"}`: "conflict /subject",
		`{"client":"edge","subjectToken":"x","actor":{"claims":{}}}`:                   "required /actor/issuer",
		`{"client":"edge","subject":{"issuer":"okta","claims":{},"token":"x"}}`:        "unknown_field /subject/token",
		`{"client":"edge","subjectToken":"x","audience":"orders"}`:                     "type /audience",
		`{"client":"edge","subject_token":"x"}`:                                        "unknown_field /subject_token",
	} {
		if got := strings.Join(b.call("POST", "/admin/v1/explain", body).want(t, 422).faults(), ", "); got != want {
			t.Errorf("%s: %s, want %s", body, got, want)
		}
	}
	b.call("POST", "/admin/v1/explain?x=1", `{"client":"edge"}`).want(t, 400)
	b.call("POST", "/admin/v1/explain", `{"client":"edge","subjectToken":"x"}`, headerLine{"Authorization", ""}).want(t, 401)
}

func TestExplainKnowsNoSuchClient(t *testing.T) {
	t.Parallel()
	b, _ := rehearses(t, nil, rehearsal.ErrNoClient)
	a := b.call("POST", "/admin/v1/explain", `{"client":"nobody","subjectToken":"secret-token"}`).want(t, 422)
	if got := a.faults(); !slices.Equal(got, []string{"reference /client"}) || strings.Contains(a.body, "secret-token") {
		t.Errorf("%v: %s", got, a.body)
	}
}

// TestExplainNeverEchoesAToken: neither the answer to a question that cannot be
// read nor the log has what was sent.
func TestExplainNeverEchoesAToken(t *testing.T) {
	t.Parallel()
	b, _ := rehearses(t, nil, errors.New("a fault of ours"))
	for _, body := range []string{
		`{"client":"edge","subjectToken":"secret-token"}`, `{"client":"edge","subjectToken":"secret-token","subject":{}}`,
		`{"client":"edge","subjectToken":["secret-token"]}`, `{"client":"edge","subjectToken":"secret-token"`, `{"subjectToken":"secret-token","subjectToken":"secret-token"}`,
	} {
		if a := b.call("POST", "/admin/v1/explain", body); a.code < 400 || strings.Contains(a.body+b.log.String(), "secret-token") {
			t.Errorf("%s: %d %s\n%s", body, a.code, a.body, b.log.String())
		}
	}
}

// TestARecordedExchangeIsExplained: by its id alone, and by nothing that is no id.
func TestARecordedExchangeIsExplained(t *testing.T) {
	t.Parallel()
	const id = "0198c1d2-7a30-7c11-8f00-3b1f5d0a9e21"
	var asked string
	b := newBenchWith(t, func(o *Options) {
		o.ExplainAgain = func(_ context.Context, id string, now bool) (*rehearsal.Again, error) {
			asked = id
			if now {
				return nil, ErrNoRecord
			}
			return &rehearsal.Again{Answer: *denied(), Exchange: exchange.ID(id), Revision: 7, Agrees: true}, nil
		}
	})
	a := b.call("POST", "/admin/v1/explain", `{"exchange":"`+id+`"}`).want(t, 200)
	if a.json["decision"] != "denied" || a.json["agrees"] != true || a.json["exchange"] != id || asked != id {
		t.Errorf("%s", a.body)
	}
	b.call("POST", "/admin/v1/explain", `{"exchange":"`+id+`","at":"record"}`).want(t, 200)
	for body, pointer := range map[string]string{
		`{"exchange":"` + id + `","at":"now"}`:                              "/exchange",
		`{"exchange":"` + id + `","at":"then"}`:                             "/at",
		`{"exchange":"` + id + `","client":"edge"}`:                         "/exchange",
		`{"exchange":"` + id + `","subject":{"issuer":"okta","claims":{}}}`: "/exchange",
		`{"exchange":"x"}`: "/exchange",
		`{"at":"now","client":"edge","subject":{"issuer":"okta","claims":{"sub":"alice"}}}`: "/exchange",
	} {
		if a := b.call("POST", "/admin/v1/explain", body).want(t, 422); !strings.Contains(a.body, `"pointer":"`+pointer+`"`) {
			t.Errorf("%s: %s", body, a.body)
		}
	}
}

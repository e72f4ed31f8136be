package policy_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
)

// delegation makes a policy one of flow delegation.
func delegation(from string, change ...func(*catalog.ExchangePolicy)) func(*catalog.ExchangePolicy) {
	return func(p *catalog.ExchangePolicy) {
		p.Flow, p.Actor = "delegation", &catalog.PolicyActor{From: from}
		if from == "token" || from == "any" {
			p.Actor.Issuers = []string{"agents", exchange.SelfIssuer}
		}
		for _, f := range change {
			f(p)
		}
	}
}

// linked gives the policy a condition that ties actors to the request.
func linked(expression string) func(*catalog.ExchangePolicy) {
	return func(p *catalog.ExchangePolicy) {
		p.Actor.Conditions = []catalog.Rule{{Expression: expression, Message: "m"}}
	}
}

// agent is an actor token of issuer agents.
func agent(change ...func(*exchange.Token)) *exchange.Token {
	return subject(func(s *exchange.Token) {
		s.Issuer, s.IssuerURL, s.Subject, s.Original = "agents", "https://agents", "agents:bot", "bot"
		for _, f := range change {
			f(s)
		}
	})
}

// ownActor is the client's own token, of flow client.
func ownActor(sub string) *exchange.Token {
	return agent(func(s *exchange.Token) {
		s.Issuer, s.IssuerURL, s.Subject, s.Original, s.Type = exchange.SelfIssuer, ourIssuer, sub, sub, exchange.TypeAccessToken
	})
}

var (
	botHop    = exchange.Hop{Issuer: "https://agents", Subject: "bot"}
	clientHop = exchange.Hop{Issuer: ourIssuer, Subject: "client:edge-1"}
)

// The four words of actor.from against what was sent.
func TestActorsAsTheContractHasThem(t *testing.T) {
	t.Parallel()
	mayAct := func(m exchange.MayAct) func(*exchange.Token) { return func(s *exchange.Token) { s.MayAct = m } }
	bot := mayAct(exchange.MayAct{"iss": "https://agents", "sub": "bot"})
	client := mayAct(exchange.MayAct{"client_id": "edge-1"})
	always := linked("true")
	for name, c := range map[string]struct {
		policy  func(*catalog.ExchangePolicy)
		subject func(*exchange.Token)
		actor   *exchange.Token
		want    exchange.Reason
		hop     exchange.Hop
	}{
		"none, nothing sent":                          {nil, nil, nil, "", exchange.Hop{}},
		"none, a token":                               {nil, nil, agent(), exchange.ActorNotAllowed, exchange.Hop{}},
		"none, may_act names the client (BUG-01)":     {nil, client, nil, exchange.ActorRequired, exchange.Hop{}},
		"client, nothing sent":                        {delegation("client"), nil, nil, "", clientHop},
		"client, may_act names it":                    {delegation("client"), client, nil, "", clientHop},
		"client, a token":                             {delegation("client"), nil, agent(), exchange.ActorNotAllowed, exchange.Hop{}},
		"client, a token that may_act names":          {delegation("client"), bot, agent(), exchange.ActorNotAllowed, exchange.Hop{}},
		"token, nothing sent (ACT-040)":               {delegation("token", always), nil, nil, exchange.ActorRequired, exchange.Hop{}},
		"token, may_act and nothing sent (ACT-023)":   {delegation("token", always), client, nil, exchange.ActorRequired, exchange.Hop{}},
		"token, linked by a condition":                {delegation("token", always), nil, agent(), "", botHop},
		"token, named by may_act":                     {delegation("token"), bot, agent(), "", botHop},
		"token, a stranger's (BUG-12)":                {delegation("token"), nil, agent(), exchange.ActorNotAllowed, exchange.Hop{}},
		"token, may_act names another":                {delegation("token"), client, agent(), exchange.ActorNotAllowed, exchange.Hop{}},
		"token, the client's own":                     {delegation("token"), nil, ownActor("client:edge-1"), "", clientHop},
		"token, another client's own":                 {delegation("token"), nil, ownActor("client:edge-2"), exchange.ActorNotAllowed, exchange.Hop{}},
		"token, ours but somebody's":                  {delegation("token"), nil, ownActor("okta:bob"), exchange.ActorNotAllowed, exchange.Hop{}},
		"a foreign token that says client:":           {delegation("token"), nil, agent(func(s *exchange.Token) { s.Original, s.Subject = "client:edge-1", "client:edge-1" }), exchange.ActorNotAllowed, exchange.Hop{}},
		"an issuer that the policy does not name":     {delegation("token", always), nil, agent(func(s *exchange.Token) { s.Issuer = "entra" }), exchange.ActorNotAllowed, exchange.Hop{}},
		"an actor with act":                           {delegation("token", always), nil, agent(func(s *exchange.Token) { s.Act = exchange.Chain{botHop} }), exchange.ActorNotAllowed, exchange.Hop{}},
		"an actor with may_act":                       {delegation("token", always), nil, agent(mayAct(exchange.MayAct{})), exchange.ActorNotAllowed, exchange.Hop{}},
		"the subject itself (ACT-012)":                {delegation("token", always, takes("okta")), nil, subject(nil), exchange.ActorNotAllowed, exchange.Hop{}},
		"the subject by a shared name":                {delegation("token", always), nil, agent(func(s *exchange.Token) { s.Subject = "okta:alice" }), exchange.ActorNotAllowed, exchange.Hop{}},
		"any, nothing sent":                           {delegation("any"), nil, nil, "", clientHop},
		"any, a token linked":                         {delegation("any", always), nil, agent(), "", botHop},
		"any, a stranger's is no reason to fall back": {delegation("any"), nil, agent(), exchange.ActorNotAllowed, exchange.Hop{}},
		"any, may_act names the client":               {delegation("any"), client, nil, "", clientHop},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := decide(world(issuer("agents"), rule("p", c.policy)), request(nil), subject(c.subject), c.actor)
			if c.want != "" {
				wantRefusal(t, err, exchange.InvalidRequest, c.want)
				return
			}
			wantPolicy(t, d, err, "p")
			var want exchange.Chain
			if c.hop != (exchange.Hop{}) {
				want = exchange.Chain{c.hop}
			}
			if d.Grant != nil && !slices.Equal(d.Grant.Act(), want) {
				t.Errorf("act %v, want %v", d.Grant.Act(), want)
			}
		})
	}
}

// takes sets the issuers of actor tokens.
func takes(issuers ...string) func(*catalog.ExchangePolicy) {
	return func(p *catalog.ExchangePolicy) { p.Actor.Issuers = issuers }
}

// RFC 8693 §4.1: the chain is kept whole, and the new hop stands outside.
func TestDelegationExtendsTheChainByOne(t *testing.T) {
	t.Parallel()
	prior := exchange.Chain{{Issuer: "https://okta", Subject: "one"}, botHop}
	s := world(rule("p", delegation("client", func(p *catalog.ExchangePolicy) { p.Issue.MaxActDepth = 3 })))
	d, err := decide(s, request(nil), subject(func(s *exchange.Token) { s.Act = prior }), nil)
	wantPolicy(t, d, err, "p")
	if want := append(exchange.Chain{clientHop}, prior...); !slices.Equal(d.Grant.Act(), want) {
		t.Errorf("act %v, want %v", d.Grant.Act(), want)
	}
	// BUG-14, ACT-027: the depth is that of the result, and is refused, not cut.
	d, err = decide(s, request(nil), subject(func(s *exchange.Token) { s.Act = append(prior, botHop) }), nil)
	wantRefusal(t, err, exchange.InvalidRequest, exchange.ChainTooDeep)
	if d.Grant != nil {
		t.Error("a grant beside a refusal")
	}
}

// A delegated token that is downscoped keeps its chain, and no hop is added.
func TestDownscopeKeepsTheChain(t *testing.T) {
	t.Parallel()
	own := func(s *exchange.Token) {
		s.Issuer, s.Act, s.Txn = exchange.SelfIssuer, exchange.Chain{clientHop, botHop}, "root"
	}
	d, err := decide(world(rule("p", func(p *catalog.ExchangePolicy) { p.Subject.Issuers = []string{"self"} })), request(nil), subject(own), nil)
	wantPolicy(t, d, err, "p")
	if !slices.Equal(d.Grant.Act(), exchange.Chain{clientHop, botHop}) || d.Grant.Txn() != "root" {
		t.Errorf("act %v, txn %s", d.Grant.Act(), d.Grant.Txn())
	}
}

// The same actor may come again (BUG-15): a chain is history, and its first hop
// alone decides anything.
func TestAnActorMayComeAgain(t *testing.T) {
	t.Parallel()
	d, err := decide(world(rule("p", delegation("client"))), request(nil), subject(func(s *exchange.Token) { s.Act = exchange.Chain{clientHop} }), nil)
	wantPolicy(t, d, err, "p")
	if !slices.Equal(d.Grant.Act(), exchange.Chain{clientHop, clientHop}) {
		t.Errorf("act %v", d.Grant.Act())
	}
}

// A policy whose actor rules are not met is no candidate: the next one decides.
func TestActorsChooseAmongPolicies(t *testing.T) {
	t.Parallel()
	s := world(issuer("agents"),
		rule("a", delegation("token", linked("true"))), rule("b", delegation("client")), rule("c", nil))
	for name, c := range map[string]struct {
		actor *exchange.Token
		want  string
	}{"with a token": {agent(), "a"}, "without": {nil, "b"}} {
		d, err := decide(s, request(nil), subject(nil), c.actor)
		t.Log(name)
		wantPolicy(t, d, err, c.want)
	}
}

// BUG-13, ACT-013: swapped, the tokens fit no policy.
func TestSwappedTokensAreRefused(t *testing.T) {
	t.Parallel()
	_, err := decide(world(issuer("agents"), rule("p", delegation("token", linked("true")))), request(nil), agent(), subject(nil))
	wantRefusal(t, err, exchange.InvalidRequest, exchange.NoPolicy)
}

func TestActorsTokenEndsTheIssuedOneToo(t *testing.T) {
	t.Parallel()
	short := agent(func(s *exchange.Token) { s.Expires = now.Add(90e9) })
	d, err := decide(world(issuer("agents"), rule("p", delegation("token", linked("true")))), request(nil), subject(nil), short)
	wantPolicy(t, d, err, "p")
	if d.Grant.Lifetime().Seconds() != 90 {
		t.Errorf("lifetime %s", d.Grant.Lifetime())
	}
}

// What is said of a refusal says what to mend: a token with may_act is told
// apart, and so is who has a policy for another issuer.
func TestRefusalsSayWhatIsMissing(t *testing.T) {
	t.Parallel()
	mayAct := func(s *exchange.Token) { s.MayAct = exchange.MayAct{"client_id": "edge-1"} }
	elsewhere := func(p *catalog.ExchangePolicy) { p.Subject.Issuers = []string{"entra"} }
	for want, c := range map[string]struct {
		policy  func(*catalog.ExchangePolicy)
		subject func(*exchange.Token)
	}{
		"the subject token has may_act, and the policies for it add no actor, or want its token": {nil, mayAct},
		"the policies for this subject want an actor token":                                      {delegation("token"), nil},
		`no policy for this client and targets takes a jwt of issuer "okta"`:                     {elsewhere, nil},
	} {
		_, err := decide(world(issuer("agents"), rule("p", c.policy)), request(nil), subject(c.subject), nil)
		var refusal *exchange.Error
		if !errors.As(err, &refusal) || refusal.Detail != want {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

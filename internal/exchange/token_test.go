package exchange_test

import (
	"encoding/json"
	"testing"

	"github.com/strait-sts/strait/internal/exchange"
)

const (
	idp   = "https://idp.example.com"
	agent = "agent-1"
)

func TestMayActNamesOnePartyExactly(t *testing.T) {
	t.Parallel()
	party := exchange.Hop{Issuer: idp, Subject: agent}
	for name, c := range map[string]struct {
		mayAct   exchange.MayAct
		clientID string
		want     bool
	}{
		"sub, the token's issuer": {exchange.MayAct{"sub": agent}, "", true},
		"iss and sub":             {exchange.MayAct{"iss": idp, "sub": agent}, "", true},
		"client_id of the client": {exchange.MayAct{"client_id": "gw"}, "gw", true},
		"client_id and sub":       {exchange.MayAct{"client_id": "gw", "sub": agent}, "gw", true},

		"another sub":                {exchange.MayAct{"sub": "agent-2"}, "", false},
		"another issuer":             {exchange.MayAct{"iss": "https://other.example", "sub": agent}, "", false},
		"issuer with a slash more":   {exchange.MayAct{"iss": idp + "/", "sub": agent}, "", false},
		"another client_id":          {exchange.MayAct{"client_id": "other"}, "gw", false},
		"right sub, wrong client_id": {exchange.MayAct{"client_id": "other", "sub": agent}, "gw", false},
		"right client_id, wrong sub": {exchange.MayAct{"client_id": "gw", "sub": "agent-2"}, "gw", false},
		"client_id of no client":     {exchange.MayAct{"client_id": "gw"}, "", false},
		"empty client_id":            {exchange.MayAct{"client_id": ""}, "", false},
		"empty":                      {exchange.MayAct{}, "gw", false},
		"iss alone":                  {exchange.MayAct{"iss": idp}, "gw", false},
		"iss and client_id":          {exchange.MayAct{"iss": idp, "client_id": "gw"}, "gw", false},
		"a member we do not know":    {exchange.MayAct{"sub": agent, "email": "a@example.com"}, "", false},
		"sub is a number":            {exchange.MayAct{"sub": json.Number("1")}, "", false},
		"iss is null":                {exchange.MayAct{"iss": nil, "sub": agent}, "", false},
		"sub in another case":        {exchange.MayAct{"sub": "Agent-1"}, "", false},
	} {
		if got := c.mayAct.Permits(idp, party, c.clientID); got != c.want {
			t.Errorf("%s: permits = %v, want %v (RFC 8693 §4.4)", name, got, c.want)
		}
	}
}

func FuzzMayActPermitsOnlyWhomItNames(f *testing.F) {
	f.Add(`{"sub":"agent-1"}`, agent, "gw")
	f.Add(`{"iss":"https://idp.example.com","sub":"agent-1"}`, agent, "")
	f.Add(`{"client_id":"gw"}`, agent, "gw")
	f.Add(`{}`, "", "")
	f.Fuzz(func(t *testing.T, text, sub, clientID string) {
		var m exchange.MayAct
		if json.Unmarshal([]byte(text), &m) != nil || m == nil {
			return
		}
		if !m.Permits(idp, exchange.Hop{Issuer: idp, Subject: sub}, clientID) {
			return
		}
		named := m["sub"] == any(sub) || m["client_id"] == any(clientID) && clientID != ""
		if !named {
			t.Errorf("%s permits sub %q, client_id %q", text, sub, clientID)
		}
		if m.Permits(idp, exchange.Hop{Issuer: idp, Subject: sub + "x"}, clientID+"x") {
			t.Errorf("%s permits two parties", text)
		}
	})
}

func TestChainNestsNewestOutside(t *testing.T) {
	t.Parallel()
	chain := exchange.Chain{{Issuer: idp, Subject: "service77"}}.Extended(exchange.Hop{Issuer: idp, Subject: "service16"})
	got, err := json.Marshal(chain.Nested())
	if err != nil {
		t.Fatal(err)
	}
	// RFC 8693 §4.1, figure 6: the current actor outside.
	want := `{"act":{"iss":"` + idp + `","sub":"service77"},"iss":"` + idp + `","sub":"service16"}`
	if string(got) != want {
		t.Errorf("act = %s\nwant  %s", got, want)
	}
	if exchange.Chain(nil).Nested() != nil {
		t.Error("no chain makes an act claim")
	}
}

func TestExtendingAChainLeavesTheOldOne(t *testing.T) {
	t.Parallel()
	base := make(exchange.Chain, 1, 4)
	base[0] = exchange.Hop{Issuer: idp, Subject: "a"}
	one := base.Extended(exchange.Hop{Subject: "b"})
	other := base.Extended(exchange.Hop{Subject: "c"})
	if base[0].Subject != "a" || one[0].Subject != "b" || other[0].Subject != "c" || len(base) != 1 {
		t.Errorf("chains share memory: %v %v %v", base, one, other)
	}
}

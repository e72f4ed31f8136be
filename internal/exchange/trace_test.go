package exchange_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/strait-sts/strait/internal/exchange"
)

func TestNilTraceTakesEverythingForNothing(t *testing.T) { //nolint:paralleltest // it counts allocations
	var none *exchange.Trace
	refusal := exchange.Refuse(exchange.NoPolicy, "for the test")
	words := []string{"a"}
	if none.On() {
		t.Error("a nil trace listens")
	}
	if n := testing.AllocsPerRun(100, func() {
		none.Pass("a")
		none.Skip("a", "why")
		none.Fail("a", refusal, words, words)
		none.Ended("a", nil)
		none.Ended("a", refusal)
		none.Need("a")
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestTraceKeepsChecksInOrder(t *testing.T) {
	t.Parallel()
	var trace exchange.Trace
	trace.Pass("a")
	trace.Skip("b", "nothing there")
	trace.Ended("c", nil)
	trace.Fail("d", exchange.Refuse(exchange.ScopeNotHeld, "no %s", "x"), []string{"x"}, []string{"y"})
	trace.Ended("e", errors.New("plain"))
	trace.Need("actor_token")
	want := []struct {
		id, detail string
		result     exchange.Result
	}{{"a", "", exchange.Passed}, {"b", "nothing there", exchange.Skipped}, {"c", "", exchange.Passed}, {"d", "no x", exchange.Failed}, {"e", "plain", exchange.Failed}}
	for i, w := range want {
		if c := trace.Checks[i]; c.ID != w.id || c.Detail != w.detail || c.Result != w.result {
			t.Errorf("check %+v, want %+v", c, w)
		}
	}
	if d := trace.Checks[3]; !slices.Equal(d.Expected, []string{"x"}) || !slices.Equal(d.Actual, []string{"y"}) || !slices.Equal(trace.Missing, []string{"actor_token"}) {
		t.Errorf("%+v, missing %v", d, trace.Missing)
	}
}

// The service's own checks are told in the order of the contract.
func TestServiceTellsItsChecks(t *testing.T) {
	t.Parallel()
	s := newStory()
	var trace exchange.Trace
	s.req.Trace = &trace
	s.req.Actor = exchange.Presented{Token: "actor-token-bytes", Type: exchange.TypeJWT}
	s.subject.MayAct = exchange.MayAct{"sub": "somebody else"}
	if _, err := s.service.Exchange(t.Context(), s.req); err == nil {
		t.Fatal("issued")
	}
	var got []string
	for _, c := range trace.Checks {
		got = append(got, c.ID+" "+string(c.Result))
	}
	if want := []string{"grant pass", "parameters pass", "subject pass", "actor pass", "may_act fail"}; !slices.Equal(got, want) {
		t.Errorf("checks %q, want %q", got, want)
	}
}

// POL-080.
func TestReservedClaims(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"iss", "sub", "aud", "client_id", "azp", "iat", "nbf", "exp", "jti", "scope", "txn", "act", "may_act", "cnf", "auth_time", "acr", "amr", "sid", "nonce", "SUB", "Scope", "\u017fub"} {
		if !exchange.ReservedClaim(name) {
			t.Errorf("%q can be set", name)
		}
	}
	for _, name := range []string{"dept", "scopes", "https://example.com/sub", ""} {
		if exchange.ReservedClaim(name) {
			t.Errorf("%q cannot be set", name)
		}
	}
}

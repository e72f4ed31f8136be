package rehearsal

import (
	"cmp"
	"slices"
	"strings"

	"github.com/strait-sts/strait/internal/exchange"
)

// phase is how far an exchange came. Each has checks of its own.
type phase int

const (
	atClient phase = iota
	atParameters
	atTargets
	atSubject
	atActor
	atMayAct
	atDecision
	atMint
	done
)

// step is one check, with the reasons that its failure has; for a token without
// the role before them.
type step struct {
	id      string
	reasons []string
}

// steps gives the checks of a phase in the order in which their failures answer
// (contract §3).
func (p phase) steps() []step {
	switch p {
	case atClient:
		return []step{{"client", reasons(exchange.ClientAuthenticationFailed)}}
	case atParameters:
		return []step{
			{exchange.CheckGrant, reasons(exchange.GrantNotAllowed)},
			{exchange.CheckParameters, reasons(exchange.MalformedRequest, exchange.UnsupportedTokenType, exchange.ScopeMalformed)},
		}
	case atTargets:
		return []step{
			{exchange.CheckTargets, reasons(exchange.TargetUnknown)},
			{exchange.CheckPolicyClient, reasons(exchange.NoPolicy, exchange.TargetNotAllowed, exchange.TargetAmbiguous)},
		}
	case atSubject, atActor:
		return tokenSteps()
	case atMayAct:
		return []step{{exchange.CheckMayAct, reasons(exchange.MayActMismatch)}}
	case atDecision:
		return decisionSteps()
	case atMint:
		return []step{{"narrowing", reasons(exchange.SignerUnavailable)}}
	case done:
	}
	return nil
}

func tokenSteps() []step {
	return []step{
		{"form", reasons(exchange.TokenMalformed)},
		{"issuer", []string{string(exchange.IssuerNotTrusted), string(exchange.IssuerDisabled), string(exchange.IssuerKeysUnavailable)}},
		{"type", reasons(exchange.TypeMismatch)},
		{"signature", reasons(exchange.AlgorithmNotAllowed, exchange.SignatureInvalid)},
		{"active", reasons(exchange.Inactive, "revoked")},
		{"audience", reasons(exchange.AudienceMismatch)},
		{"time", reasons(exchange.Expired, exchange.NotYetValid, exchange.TooOld)},
		{"rules", reasons(exchange.RuleFailed)},
	}
}

func decisionSteps() []step {
	return []step{
		{exchange.CheckPolicyIssuer, reasons(exchange.NoPolicy, exchange.TargetAmbiguous, exchange.IssuerDisabled)},
		{exchange.CheckAudience, reasons(exchange.AudienceMismatch)},
		{exchange.CheckPolicyActor, reasons(exchange.ActorRequired, exchange.ActorNotAllowed)},
		{exchange.CheckCondition, reasons(exchange.ConditionFailed)},
		{exchange.CheckPolicyInForce, reasons(exchange.PolicyExpired, exchange.PolicyReviewOverdue, exchange.TargetUnknown)},
		{exchange.CheckRequestedType, reasons(exchange.UnsupportedTokenType)},
		{exchange.CheckClaims, reasons(exchange.ConditionFailed)},
		{exchange.CheckActDepth, reasons(exchange.ChainTooDeep)},
		{exchange.CheckScopesAllowed, reasons(exchange.ScopeNotAllowed)},
		{exchange.CheckScopesHeld, reasons(exchange.ScopeNotHeld)},
		{exchange.CheckLifetime, reasons(exchange.Expired)},
		{exchange.CheckGuardrail, reasons(exchange.Guardrail)},
		{exchange.CheckProof, reasons(exchange.ProofRequired)},
	}
}

func reasons[T ~string](words ...T) []string {
	list := make([]string, len(words))
	for i, w := range words {
		list[i] = string(w)
	}
	return list
}

// listChecks lists every check: those before the one that failed passed, those
// after it were not made. What the exchange itself told of a check comes first.
func (a *Answer) listChecks() []Check {
	var all []Check
	for p := atClient; p < done; p++ {
		steps := p.steps()
		failed := a.failedAmong(p, steps)
		for i, s := range steps {
			c := Check{ID: p.prefix() + s.id, Result: exchange.Passed}
			switch {
			case p > a.phase, failed >= 0 && i > failed:
				c.Result = exchange.Skipped
			case i == failed:
				c.Result, c.Detail = exchange.Failed, cmp.Or(a.Detail, a.Unknown)
				c.Expected, c.Actual = a.compared()
			default:
				c.Result, c.Detail = a.looked(p, s.id)
			}
			all = append(all, a.told(c))
		}
	}
	return all
}

// told adds what the exchange told of the check. That it failed is not taken from
// there: one check fails, and it is the one that answered.
func (a *Answer) told(c Check) Check {
	for _, t := range a.trace.Checks {
		empty := t.Result == exchange.Skipped && c.Result == exchange.Passed
		if t.ID == c.ID && (empty || t.Result == c.Result) {
			c.Result, c.Detail = t.Result, cmp.Or(t.Detail, c.Detail)
			c.Expected, c.Actual = orElse(t.Expected, c.Expected), orElse(t.Actual, c.Actual)
		}
	}
	return c
}

func orElse(words, otherwise []string) []string {
	if len(words) > 0 {
		return words
	}
	return otherwise
}

// failedAmong is the step of the phase that answered: the one that the exchange
// named, else the one with the reason; the last where none has it, since then a
// part that came after them gave it. None failed in another phase: -1.
func (a *Answer) failedAmong(p phase, steps []step) int {
	if p != a.phase || a.Decision == exchange.OutcomeIssued {
		return -1
	}
	for i, s := range steps {
		if slices.ContainsFunc(a.trace.Checks, func(c exchange.Check) bool { return c.ID == p.prefix()+s.id && c.Result == exchange.Failed }) {
			return i
		}
	}
	bare := strings.TrimPrefix(strings.TrimPrefix(string(a.Reason), string(exchange.RoleSubject)+"_"), string(exchange.RoleActor)+"_")
	for i, s := range steps {
		if slices.Contains(s.reasons, bare) || slices.Contains(s.reasons, string(a.Reason)) {
			return i
		}
	}
	return len(steps) - 1
}

func (p phase) prefix() string {
	switch p { //nolint:exhaustive // the others have none
	case atSubject:
		return "subject."
	case atActor:
		return "actor."
	}
	return ""
}

// looked is how a check ended that did not fail: skipped where there was nothing
// to look at.
func (a *Answer) looked(p phase, id string) (exchange.Result, string) {
	party := a.question.Subject
	switch {
	case p == atClient:
		return exchange.Passed, "how the client authenticates is not rehearsed"
	case p == atActor:
		party = a.question.Actor
	case p != atSubject:
		return exchange.Passed, ""
	}
	switch {
	case party.recorded != nil && (id == "form" || id == "signature" || id == "active"):
		return exchange.Skipped, "the record keeps no token: it was believed then"
	case party.Claims == nil && party.Token == "" && party.recorded == nil:
		return exchange.Skipped, "no such token was sent"
	case party.Claims != nil && id == "signature":
		return exchange.Skipped, "claims were given, not a token"
	}
	return exchange.Passed, ""
}

// failed is the check that failed; nil where the exchange would be issued.
func (a *Answer) failed() *Check {
	for i := range a.Checks {
		if a.Checks[i].Result == exchange.Failed {
			return &a.Checks[i]
		}
	}
	return nil
}

// compared says what the check that failed wanted, and what it found, where the
// record knows both.
func (a *Answer) compared() (expected, actual []string) {
	if a.Reason == exchange.ScopeNotHeld {
		return a.Scopes.Requested, a.Scopes.Held
	}
	return nil, nil
}

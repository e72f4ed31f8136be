package exchange

import "errors"

// Trace is what an exchange tells of its way to a decision, for explain. A nil
// Trace takes everything and keeps nothing, without formatting or allocating:
// that is what /token runs with.
type Trace struct {
	Checks     []Check     // in the order in which they were made
	Candidates []Candidate // the closest first
	Missing    []string    // context that would have been needed: "actor_token"
}

// Result says how a check ended.
type Result string

// The results of a check.
const (
	Passed  Result = "pass"
	Failed  Result = "fail"
	Skipped Result = "skip" // there was nothing to look at
)

// Check is one thing that was looked at. Expected and Actual are what was
// compared, where words can say it.
type Check struct {
	ID               string
	Result           Result
	Detail           string
	Expected, Actual []string
}

// Candidate is a policy that could have decided, with the first check that it
// did not pass; none for the one that holds.
type Candidate struct {
	Policy      string
	Mode        string // "enforce" or "shadow"
	FailedCheck string
	Detail      string
}

// The ids of the checks that this package and package policy make, in the
// order in which their failures answer (contract §3). Those of a token are its
// role, a dot and what the verifier looked at.
const (
	CheckGrant         = "grant"            // the client has the grant
	CheckParameters    = "parameters"       // token types, scope grammar
	CheckTargets       = "targets"          // each exists and is in force
	CheckPolicyClient  = "policy.client"    // a policy names the client and all targets
	CheckMayAct        = "may_act"          // the party that the subject token names acts
	CheckPolicyIssuer  = "policy.issuer"    // a policy takes issuer and token type
	CheckAudience      = "policy.audience"  // … and the token's audience
	CheckPolicyActor   = "policy.actor"     // … and what acts
	CheckCondition     = "policy.condition" // its conditions hold
	CheckPolicyInForce = "policy.in_force"  // it is neither expired nor suspended
	CheckRequestedType = "issue.type"       // it issues the requested token type
	CheckClaims        = "issue.claims"     // its claims have values
	CheckActDepth      = "act.depth"
	CheckScopesAllowed = "scopes.allowed"
	CheckScopesHeld    = "scopes.held"
	CheckLifetime      = "lifetime"
	CheckGuardrail     = "guardrail"
	CheckProof         = "proof"
)

// Pass notes a check that was passed.
func (t *Trace) Pass(id string) {
	if t != nil {
		t.Checks = append(t.Checks, Check{ID: id, Result: Passed})
	}
}

// Skip notes a check that had nothing to look at, and why.
func (t *Trace) Skip(id, why string) {
	if t != nil {
		t.Checks = append(t.Checks, Check{ID: id, Result: Skipped, Detail: why})
	}
}

// Fail notes the check that the refusal comes from, and what was compared.
func (t *Trace) Fail(id string, refusal error, expected, actual []string) {
	if t != nil {
		t.Checks = append(t.Checks, Check{id, Failed, detailOf(refusal), expected, actual})
	}
}

// Ended notes how a check ended: passed where err is nil.
func (t *Trace) Ended(id string, err error) {
	if err == nil {
		t.Pass(id)
		return
	}
	t.Fail(id, err, nil, nil)
}

// Need notes context that was missing.
func (t *Trace) Need(what string) {
	if t != nil {
		t.Missing = append(t.Missing, what)
	}
}

// On says whether anybody listens: for what costs something to find out.
func (t *Trace) On() bool { return t != nil }

// detailOf is what a refusal says to administrators.
func detailOf(refusal error) string {
	var e *Error
	if errors.As(refusal, &e) && e.Detail != "" {
		return e.Detail
	}
	if refusal == nil {
		return ""
	}
	return refusal.Error()
}

package exchange

import "fmt"

// Code is an error code of the token endpoint (RFC 6749 §5.2, RFC 8693 §2.2.2,
// RFC 8707 §2).
type Code string

// The codes that /token answers with.
const (
	InvalidRequest         Code = "invalid_request"
	InvalidClient          Code = "invalid_client"
	InvalidTarget          Code = "invalid_target"
	InvalidScope           Code = "invalid_scope"
	UnauthorizedClient     Code = "unauthorized_client"
	UnsupportedGrantType   Code = "unsupported_grant_type"
	TemporarilyUnavailable Code = "temporarily_unavailable"
)

// Reason says why an exchange was refused: one word of a closed list, the same
// in the answer, the record and the metrics. The list is documented in
// docs/reasons.md.
type Reason string

// The reasons that are about neither the subject nor the actor token.
const (
	MalformedRequest     Reason = "malformed_request"
	UnsupportedTokenType Reason = "unsupported_token_type"
	ActorRequired        Reason = "actor_required"
	ActorNotAllowed      Reason = "actor_not_allowed"
	MayActMismatch       Reason = "may_act_mismatch"
	ChainTooDeep         Reason = "chain_too_deep"
	NoPolicy             Reason = "no_policy"
	ConditionFailed      Reason = "condition_failed"
	Guardrail            Reason = "guardrail"
	TargetUnknown        Reason = "target_unknown"
	TargetNotAllowed     Reason = "target_not_allowed"
	TargetAmbiguous      Reason = "target_ambiguous"
	ScopeNotAllowed      Reason = "scope_not_allowed"
	ScopeNotHeld         Reason = "scope_not_held"
	ScopeMalformed       Reason = "scope_malformed"
	ProofRequired        Reason = "proof_required"
	PolicyExpired        Reason = "policy_expired"
	PolicyReviewOverdue  Reason = "policy_review_overdue"
	IssuerDisabled       Reason = "issuer_disabled"
	GrantNotAllowed      Reason = "grant_not_allowed"
	TokenOfAnother       Reason = "token_of_another_client" // at the revocation endpoint alone

	IssuerKeysUnavailable Reason = "issuer_keys_unavailable"
	AuditUnavailable      Reason = "audit_unavailable"
	DatabaseUnavailable   Reason = "database_unavailable"
	SignerUnavailable     Reason = "signer_unavailable"
	Overloaded            Reason = "overloaded"
	RateLimited           Reason = "rate_limited"

	// ClientAuthenticationFailed stands in records alone: the answer to a
	// failed authentication carries no reason.
	ClientAuthenticationFailed Reason = "client_authentication_failed"
)

// Fault is what can be wrong with a presented token. With the token's role
// before it, it is a Reason: RoleSubject and Expired give "subject_expired".
type Fault string

// The faults of a presented token.
const (
	TokenMalformed      Fault = "token_malformed"
	IssuerNotTrusted    Fault = "issuer_not_trusted"
	SignatureInvalid    Fault = "signature_invalid"
	AlgorithmNotAllowed Fault = "algorithm_not_allowed"
	Expired             Fault = "expired"
	NotYetValid         Fault = "not_yet_valid"
	TooOld              Fault = "too_old"
	AudienceMismatch    Fault = "audience_mismatch"
	TypeMismatch        Fault = "type_mismatch"
	RuleFailed          Fault = "rule_failed"
	Inactive            Fault = "inactive" // an opaque token; its issuer says so (RFC 7662 §2.2)
	Replayed            Fault = "replayed" // its issuer's entry takes each jti once
	Revoked             Fault = "revoked"  // it, or what it descends from, was revoked
)

// codes gives the code of each reason that does not answer invalid_request.
var codes = map[Reason]Code{
	GrantNotAllowed:            UnauthorizedClient,
	TargetUnknown:              InvalidTarget,
	TargetNotAllowed:           InvalidTarget,
	TargetAmbiguous:            InvalidTarget,
	ScopeNotAllowed:            InvalidScope,
	ScopeNotHeld:               InvalidScope,
	ScopeMalformed:             InvalidScope,
	IssuerKeysUnavailable:      TemporarilyUnavailable,
	AuditUnavailable:           TemporarilyUnavailable,
	DatabaseUnavailable:        TemporarilyUnavailable,
	SignerUnavailable:          TemporarilyUnavailable,
	Overloaded:                 TemporarilyUnavailable,
	RateLimited:                TemporarilyUnavailable,
	ClientAuthenticationFailed: InvalidClient,
}

// Error is a refusal: what the caller may know (Code, Reason) and what only
// the record and the log may (Detail, and the wrapped cause).
type Error struct {
	Code   Code
	Reason Reason
	Detail string // for administrators; names claims and objects, never a token or a secret
	Err    error  // the cause, where there is one
}

// Error gives code, reason and detail in a line.
func (e *Error) Error() string {
	text := string(e.Code) + " (" + string(e.Reason) + ")"
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// OurFault says that the request could not be decided or recorded, so that
// nothing is said about the request itself.
func (e *Error) OurFault() bool { return e.Code == TemporarilyUnavailable && e.Reason != RateLimited }

// Refuse makes the refusal for a reason, with the code that belongs to it and
// a detail for administrators.
func Refuse(reason Reason, format string, args ...any) *Error {
	code, listed := codes[reason]
	if !listed {
		code = InvalidRequest
	}
	return &Error{Code: code, Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

// RefuseClient is the refusal no_policy for a client that no enforced policy
// names at all: the one reason with two codes.
func RefuseClient(format string, args ...any) *Error {
	e := Refuse(NoPolicy, format, args...)
	e.Code = UnauthorizedClient
	return e
}

// Unavailable is the refusal for a fault of ours, with its cause.
func Unavailable(reason Reason, err error) *Error {
	return &Error{Code: TemporarilyUnavailable, Reason: reason, Err: err}
}

// Reason names the fault of the token in this role.
func (r Role) Reason(f Fault) Reason { return Reason(string(r) + "_" + string(f)) }

// Refuse makes the refusal for a fault of the token in this role.
func (r Role) Refuse(f Fault, format string, args ...any) *Error {
	return Refuse(r.Reason(f), format, args...)
}

package oauth

import (
	"strings"

	"github.com/strait-sts/strait/internal/exchange"
)

// describe is the error_description: constant text, so that no claim, token or
// word of the caller's can come back in it. Without a reason to tell, the code
// alone speaks; so it does of a grant, for which there is no reason of its own.
// The texts keep to the characters of RFC 6749 §5.2.
func describe(code exchange.Code, reason exchange.Reason) string {
	if text, ok := byReason[reason]; ok && code != exchange.UnsupportedGrantType {
		return text
	}
	for _, role := range []exchange.Role{exchange.RoleSubject, exchange.RoleActor} {
		fault, ofRole := strings.CutPrefix(string(reason), string(role)+"_")
		if text, ok := byFault[exchange.Fault(fault)]; ofRole && ok {
			return "the " + string(role) + " token " + text
		}
	}
	return byCode[code]
}

var byCode = map[exchange.Code]string{
	exchange.InvalidRequest:         "the request, or a token in it, is not acceptable",
	exchange.InvalidClient:          "client authentication failed",
	exchange.InvalidTarget:          "an audience or resource is not acceptable",
	exchange.InvalidScope:           "a scope is not acceptable",
	exchange.UnauthorizedClient:     "the client may not do this",
	exchange.UnsupportedGrantType:   "the grant_type is not one that is served here",
	exchange.TemporarilyUnavailable: "the request could not be decided now; try again later",
}

var byReason = map[exchange.Reason]string{
	exchange.MalformedRequest:     "the request is malformed: it must be a POST of a form in which every needed parameter (grant_type; subject_token and subject_token_type; actor_token and actor_token_type together) occurs once, with one way of client authentication",
	exchange.UnsupportedTokenType: "a token type is not one that is served here, or not the one that the policy issues",
	exchange.ActorRequired:        "an actor is required: send an actor_token",
	exchange.ActorNotAllowed:      "this actor, or any actor_token, is not allowed here",
	exchange.MayActMismatch:       "the may_act of the subject token names another party",
	exchange.ChainTooDeep:         "the act chain would be longer than the policy allows",
	exchange.NoPolicy:             "no policy allows this exchange",
	exchange.TargetUnknown:        "an audience or resource names no registered target",
	exchange.TargetNotAllowed:     "no policy allows the client these targets together",
	exchange.TargetAmbiguous:      "no single target follows from the request: name an audience or resource, at most 4, all of one kind",
	exchange.ScopeNotAllowed:      "a scope is not allowed by policy or not known to a target, or none was asked for and there is no default",
	exchange.ScopeNotHeld:         "the subject token does not hold a scope that was asked for",
	exchange.ScopeMalformed:       "scope is not a list of scope tokens with single spaces between them",
	exchange.ProofRequired:        "proof of possession is required",
	exchange.PolicyExpired:        "the policy that decides has expired",
	exchange.PolicyReviewOverdue:  "the policy that decides is suspended until it is reviewed",
	exchange.IssuerDisabled:       "the issuer of a token is disabled",
	exchange.GrantNotAllowed:      "the client may not use this grant_type",
	exchange.TokenOfAnother:       "the token was issued to another client",

	exchange.IssuerKeysUnavailable: "the keys of the token's issuer cannot be had now; try again later",
	exchange.AuditUnavailable:      "the decision could not be recorded; try again later",
	exchange.DatabaseUnavailable:   "the database cannot be reached; try again later",
	exchange.SignerUnavailable:     "the token could not be signed; try again later",
	exchange.Overloaded:            "too much is going on; try again later",
	exchange.RateLimited:           "too many requests or failures; try again later",

	"proof_invalid":    "the proof of possession is wrong",
	"condition_failed": "a condition of the policy does not hold",
	"guardrail":        "a guardrail forbids this exchange",
}

var byFault = map[exchange.Fault]string{
	exchange.TokenMalformed:      "is malformed",
	exchange.IssuerNotTrusted:    "is from an issuer that is not trusted here",
	exchange.SignatureInvalid:    "has no valid signature",
	exchange.AlgorithmNotAllowed: "is signed with an algorithm that its issuer may not use",
	exchange.Expired:             "has expired, or leaves no time for a new one",
	exchange.NotYetValid:         "is not valid yet",
	exchange.TooOld:              "is too old",
	exchange.AudienceMismatch:    "is addressed to another audience",
	exchange.TypeMismatch:        "is not of the type that was said",
	exchange.RuleFailed:          "does not fulfil a rule for its issuer",
	"revoked":                    "is revoked",
	"replayed":                   "was used before",
	"inactive":                   "is not active",
}

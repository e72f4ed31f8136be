package rehearsal

import (
	"fmt"
	"slices"
	"strings"

	"github.com/strait-sts/strait/internal/exchange"
)

// advise gives the smallest change that would allow a denied exchange, and what
// the question left out that the answer turns on.
func (a *Answer) advise() (mend string, missing []string) {
	if a.Decision == exchange.OutcomeIssued {
		return "", nil
	}
	reason := string(a.Reason)
	for _, role := range []exchange.Role{exchange.RoleSubject, exchange.RoleActor} {
		if fault, is := strings.CutPrefix(reason, string(role)+"_"); is && a.Reason != exchange.ActorRequired && a.Reason != exchange.ActorNotAllowed {
			return a.adviseToken(role, exchange.Fault(fault))
		}
	}
	return a.mendRequest(), a.missing()
}

// mendRequest is for reasons that are about neither token.
func (a *Answer) mendRequest() string {
	q := a.question
	switch a.Reason { //nolint:exhaustive // the others explain themselves in their detail
	case exchange.ClientAuthenticationFailed:
		return fmt.Sprintf("enable client %q: mode: enforce, and a later governance.expiresAt", q.Client)
	case exchange.GrantNotAllowed:
		return fmt.Sprintf("add %s to spec.grants of client %q", shortGrant(q.grant()), q.Client)
	case exchange.TargetUnknown:
		return "name a target that is in force (strait get targets), or apply a Target with this audience or resource"
	case exchange.TargetNotAllowed:
		return fmt.Sprintf("add the target to spec.targets of a policy that names client %q, or ask for fewer targets at once", q.Client)
	case exchange.TargetAmbiguous:
		return "name the target: audience or resource"
	case exchange.NoPolicy:
		return a.mendNoPolicy()
	case exchange.ActorRequired:
		return "send an actor token, or have a policy with actor: {from: client}"
	case exchange.ActorNotAllowed:
		return "leave the actor token out, or mend the policy's actor"
	case exchange.MayActMismatch:
		return "only the party that the subject token's may_act names can exchange it; ask as that one"
	case exchange.PolicyExpired:
		return fmt.Sprintf("renew governance.expiresAt of policy %q", a.Policy)
	case exchange.PolicyReviewOverdue:
		return fmt.Sprintf("review policy %q, and move governance.reviewBy", a.Policy)
	case exchange.ChainTooDeep:
		return fmt.Sprintf("start from a token nearer to the root, or raise spec.issue.maxActDepth of policy %q", a.Policy)
	case exchange.ScopeNotAllowed, exchange.ScopeNotHeld:
		return a.mendScope()
	case exchange.ConditionFailed:
		return "the expression that the detail names must hold for what was sent; ask with other claims, or mend it"
	case exchange.Guardrail:
		return "a guardrail forbids it whatever a policy says; ask for what it does not forbid"
	case exchange.UnsupportedTokenType:
		return "leave requested_token_type out, or ask for access_token"
	case exchange.ScopeMalformed:
		return "write scopes with one space between them"
	case exchange.ProofRequired:
		return "use a token without cnf: proof of possession is not built yet"
	}
	return ""
}

func (a *Answer) mendNoPolicy() string {
	q := a.question
	if a.phase == atTargets {
		return fmt.Sprintf("apply an ExchangePolicy whose spec.clients has %q", q.Client)
	}
	issuer := "the subject's issuer"
	if a.record != nil && a.record.Subject != nil && a.record.Subject.Issuer != "" {
		issuer = fmt.Sprintf("%q", a.record.Subject.Issuer)
	}
	return fmt.Sprintf("add %s to subject.issuers, or %s to subject.tokenTypes, of a policy of client %q for this target", issuer, q.Subject.Type.Short(), q.Client)
}

// mendScope says what can be asked for as things are, or what must change.
func (a *Answer) mendScope() string {
	switch {
	case len(a.Scopes.Requested) == 0 && a.Reason == exchange.ScopeNotAllowed:
		return fmt.Sprintf("ask for a scope, or give policy %q a scopes.default that its targets know", a.Policy)
	case a.Reason == exchange.ScopeNotAllowed:
		return fmt.Sprintf("add the scope to scopes.allow of policy %q and to scopes of its targets, or ask without it", a.Policy)
	}
	held := slices.DeleteFunc(slices.Clone(a.Scopes.Requested), func(s string) bool { return !slices.Contains(a.Scopes.Held, s) })
	if len(held) > 0 {
		return fmt.Sprintf("ask for what the subject holds, %q, or present a token that holds more", strings.Join(held, " "))
	}
	return fmt.Sprintf("present a subject token that holds the scope, or let policy %q prove it by its map", a.Policy)
}

// missing is what the request left out: as the exchange told it, else as the
// reason shows.
func (a *Answer) missing() []string {
	switch {
	case len(a.trace.Missing) > 0:
		return a.trace.Missing
	case a.Reason == exchange.TargetAmbiguous:
		return []string{"audience"}
	case a.Reason == exchange.ScopeNotAllowed && len(a.Scopes.Requested) == 0:
		return []string{"scope"}
	case a.Reason == exchange.ActorRequired:
		return []string{"actor_token"}
	case a.Reason == exchange.ScopeNotHeld && a.question.Subject.Claims != nil && len(a.Scopes.Held) == 0:
		return []string{"subject.claims: the claim that holds scopes"}
	}
	return nil
}

// adviseToken is for faults of a token.
func (a *Answer) adviseToken(role exchange.Role, fault exchange.Fault) (mend string, missing []string) {
	party := a.question.Subject
	if role == exchange.RoleActor {
		party = a.question.Actor
	}
	lacks := func(claim string) []string {
		if _, written := party.Claims[claim]; party.Claims == nil || written {
			return nil
		}
		return []string{string(role) + ".claims." + claim}
	}
	switch fault {
	case exchange.TokenMalformed:
		return "send the token as its issuer made it, whole", lacks("sub")
	case exchange.IssuerNotTrusted:
		return fmt.Sprintf("apply a TrustedIssuer for it, or add %s to its acceptAs", role), nil
	case exchange.TypeMismatch:
		return fmt.Sprintf("present it as what it is, or add %s to tokenTypes of its issuer", party.Type.Short()), nil
	case exchange.AlgorithmNotAllowed:
		return "add the algorithm to algorithms of its issuer, if the issuer really uses it", nil
	case exchange.SignatureInvalid:
		return "get the token anew; if it fails again, the keys of the TrustedIssuer are not the issuer's", nil
	case exchange.AudienceMismatch:
		return "get a token for one of the audiences that issuer and policy name; a token of ours: have the client serve its target", lacks("aud")
	case exchange.Expired, exchange.TooOld, exchange.Inactive, exchange.Replayed:
		return "get a fresh token", nil
	case exchange.Revoked:
		return "get a token that is not revoked; strait revoke list says by which order it was", nil
	case exchange.NotYetValid:
		return "check the clocks of both sides, or wait", nil
	case exchange.RuleFailed:
		return "the token's claims must satisfy its issuer's rules and mappings, as the detail says", nil
	}
	return "", nil
}

func shortGrant(g exchange.GrantType) string {
	if g == exchange.GrantTokenExchange {
		return "token-exchange"
	}
	return string(g)
}

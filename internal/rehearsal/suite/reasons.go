package suite

import (
	"slices"
	"strings"

	"github.com/strait-sts/strait/internal/exchange"
)

// reasonWords is the closed list of docs/reasons.md; a test compares them. Those
// of the subject token are the actor token's too.
var reasonWords = strings.Fields(`
	malformed_request unsupported_token_type actor_required actor_not_allowed may_act_mismatch chain_too_deep no_policy
	target_unknown target_not_allowed target_ambiguous scope_not_allowed scope_not_held scope_malformed proof_required
	policy_expired policy_review_overdue issuer_disabled grant_not_allowed condition_failed guardrail
	subject_token_malformed subject_issuer_not_trusted subject_signature_invalid subject_algorithm_not_allowed subject_expired
	subject_not_yet_valid subject_too_old subject_audience_mismatch subject_type_mismatch subject_rule_failed
	subject_inactive subject_replayed subject_revoked
	client_authentication_failed`)

// knownReason says whether an exchange can be denied for that.
func knownReason(word string) bool {
	if fault, is := strings.CutPrefix(word, string(exchange.RoleActor)+"_"); is && slices.Contains(reasonWords, "subject_"+fault) {
		return true
	}
	return slices.Contains(reasonWords, word)
}

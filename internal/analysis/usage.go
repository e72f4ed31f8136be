package analysis

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/strait-sts/strait/internal/catalog"
)

// Usage is what the audit log tells of what was used. An object counts as used
// when a token was issued by it; that somebody was refused is no use of it.
type Usage struct {
	// Since is from when on records were looked at: what was asked for, or later,
	// where the log is younger or could not be read in time.
	Since time.Time
	Asked time.Time // from when on they were to be looked at
	Last  map[Used]time.Time
	Ages  map[catalog.Ref]Age
}

// Used is a trusted issuer, a client, or an exchange policy with one of its
// scopes; Scope is "" for anything that was issued.
type Used struct {
	Kind  catalog.Kind
	Name  string
	Scope string
}

// Age says when an object came to be, and when it was changed last.
type Age struct{ Created, Changed time.Time }

// UsageWindow is the time that the findings about usage are about.
type UsageWindow struct {
	Asked time.Time `json:"asked"`
	Since time.Time `json:"since"` // later than asked where the log tells no more
}

// MinUsage is the least time in which something can be called unused.
const MinUsage = 7 * 24 * time.Hour

func usageRules() []Rule {
	const why = "What nobody needs is still there for whoever comes to hold a token or a credential of it (RFC 9700 §2.3). "
	return []Rule{
		{
			Code: "unused-issuer", Severity: Warning, Title: "An issuer that no token came from",
			Why:   why + "Looked at where the log is at hand: strait lint --usage 90d.",
			check: (*inspection).unusedIssuers,
		},
		{
			Code: "unused-client", Severity: Warning, Title: "A client that got no token",
			Why:   why + "Looked at with --usage.",
			check: (*inspection).unusedClients,
		},
		{
			Code: "unused-policy", Severity: Warning, Title: "A policy that issued nothing",
			Why:   why + "Looked at with --usage.",
			check: (*inspection).unusedPolicies,
		},
		{
			Code: "unused-scope", Severity: Info, Title: "Scopes that a policy allows and nobody got",
			Why:   why + "The mend is the policy without them. Looked at with --usage.",
			check: (*inspection).unusedScopes,
		},
	}
}

// unused says for how many days nothing of it was used, as far as can be told:
// the log has that much, and the object was as it is since from.
func (in *inspection) unused(u Used, from time.Time) (days int, unused bool) {
	since := in.Usage.Since
	if from.After(since) {
		since = from
	}
	age := in.Now.Sub(since)
	if last, used := in.Usage.Last[u]; age < MinUsage || used && !last.Before(since) {
		return 0, false
	}
	return int(age / (24 * time.Hour)), true
}

// unusedIssuers: those that say who a subject or an actor is. How administrators
// and clients use an issuer, the log of exchanges does not tell.
func (in *inspection) unusedIssuers() {
	if in.Usage == nil {
		return
	}
	for _, i := range in.Issuers() {
		other := slices.ContainsFunc(i.Spec.AcceptAs, func(role string) bool { return role != "subject" && role != "actor" })
		days, unused := in.unused(Used{catalog.KindTrustedIssuer, i.Metadata.Name, ""}, in.Usage.Ages[i.Ref()].Created)
		if unused && !other && i.Alive(i.Spec.Mode, in.Now) {
			in.find(i.Object, "", "no token of it was exchanged in the last %d days", days).
				fix("disable it, spec: {mode: disabled}, and delete it and its name in policies when nobody misses it")
		}
	}
}

// unusedClients: one that serves targets may ask about tokens alone (RFC 7662),
// which leaves no record.
func (in *inspection) unusedClients() {
	if in.Usage == nil {
		return
	}
	for _, c := range in.Clients() {
		days, unused := in.unused(Used{catalog.KindClient, c.Metadata.Name, ""}, in.Usage.Ages[c.Ref()].Created)
		if unused && len(c.Spec.Serves) == 0 && c.Alive(c.Spec.Mode, in.Now) {
			in.find(c.Object, "", "no token was issued to it in the last %d days", days).
				fix("disable it, spec: {mode: disabled}, and delete it and its name in policies when nobody misses it")
		}
	}
}

func (in *inspection) unusedPolicies() {
	if in.Usage == nil {
		return
	}
	for _, p := range in.enforced() {
		days, unused := in.unused(Used{catalog.KindExchangePolicy, p.Metadata.Name, ""}, in.Usage.Ages[p.Ref()].Created)
		if unused && !p.Expired(in.Now) {
			in.find(p.Object, "", "it issued nothing in the last %d days", days).
				fix("try it without: spec: {mode: disabled}; strait test --from-audit says who would miss it")
		}
	}
}

// unusedScopes: of a policy that issues, what it need not allow. One that issues
// nothing is found as a whole.
func (in *inspection) unusedScopes() {
	if in.Usage == nil {
		return
	}
	for _, p := range in.enforced() {
		changed := in.Usage.Ages[p.Ref()].Changed
		if _, unused := in.unused(Used{catalog.KindExchangePolicy, p.Metadata.Name, ""}, changed); unused || p.Expired(in.Now) {
			continue
		}
		var idle []string
		span := 0
		for _, scope := range p.Spec.Scopes.Allow {
			if days, unused := in.unused(Used{catalog.KindExchangePolicy, p.Metadata.Name, scope}, changed); unused {
				idle, span = append(idle, scope), days
			}
		}
		if len(idle) > 0 {
			in.find(p.Object, "/spec/scopes/allow", "no token with %s was issued in the last %d days", strings.Join(idle, ", "), span).
				fix("narrow it to %s", narrower(p.Spec.Scopes, idle))
		}
	}
}

// narrower is the scopes of a policy without those that are idle, as a manifest
// has them.
func narrower(s catalog.PolicyScopes, idle []string) string {
	without := func(all []string) []string {
		return slices.DeleteFunc(slices.Clone(all), func(scope string) bool { return slices.Contains(idle, scope) })
	}
	parts := []string{"allow: " + flow(without(s.Allow))}
	if len(s.Default) > 0 {
		parts = append(parts, "default: "+flow(without(s.Default)))
	}
	if s.Prove != "" {
		parts = append(parts, "prove: "+s.Prove)
	}
	if len(s.Map) > 0 {
		var kept []string
		for _, held := range slices.Sorted(maps.Keys(s.Map)) {
			if proved := without(s.Map[held]); len(proved) > 0 {
				kept = append(kept, fmt.Sprintf("%s: %s", scalar(held), flow(proved)))
			}
		}
		parts = append(parts, "map: {"+strings.Join(kept, ", ")+"}")
	}
	return "spec.scopes: {" + strings.Join(parts, ", ") + "}"
}

// flow is a list as YAML and JSON both read it.
func flow(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = scalar(w)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// scalar is a scope as YAML reads it: scopes have colons and stars.
func scalar(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		return s
	}
	return string(text)
}

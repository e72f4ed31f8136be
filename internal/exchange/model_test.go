package exchange_test

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
)

// question is one exchange: who asks what, with which believed tokens.
type question struct {
	grant      exchange.GrantType
	audiences  []string
	resources  []string
	scopes     []string
	requested  exchange.TokenType
	subject    *exchange.Token
	actor      *exchange.Token
	mayActFits bool // what subject.MayAct says, if anything, is met
}

// answer is what the model expects: a reason, or a policy and a token.
type answer struct {
	reason   exchange.Reason
	policy   string
	sub, txn string
	audience []string
	scopes   []string
	exp      int64
	act      exchange.Chain
	dept     bool // the claim that a policy adds
	rail     string
}

func no(reason exchange.Reason) answer { return answer{reason: reason} }

func ended(g catalog.Governance) bool { return g.ExpiresAt != nil && !now.Before(*g.ExpiresAt) }

// model decides a question by reading the contract from the top: no index, no
// shared code, every list searched. It is what the server is compared with.
func model(s *catalog.Snapshot, q question) answer {
	targets, reason := modelTargets(s, q)
	if reason != "" {
		return no(reason)
	}
	var naming, fitting []*catalog.Of[catalog.ExchangePolicy]
	for _, p := range s.Policies() {
		if p.Spec.Mode != catalog.ModeEnforce || !slices.Contains(p.Spec.Clients, "edge") {
			continue
		}
		naming = append(naming, p)
		covers := !slices.ContainsFunc(targets, func(t *catalog.Of[catalog.Target]) bool { return !slices.Contains(p.Spec.Targets, t.Metadata.Name) })
		if (p.Spec.Flow == "client") == (q.subject == nil) && covers && (len(targets) > 0 || len(p.Spec.Targets) == 1) {
			fitting = append(fitting, p)
		}
	}
	switch {
	case len(naming) == 0:
		return no(exchange.NoPolicy)
	case len(fitting) == 0 && len(targets) == 0:
		return no(exchange.TargetAmbiguous)
	case len(fitting) == 0:
		return no(exchange.TargetNotAllowed)
	}
	if q.subject != nil {
		if fitting, reason = modelTokens(s, q, fitting); reason != "" {
			return no(reason)
		}
	}
	slices.SortFunc(fitting, func(a, b *catalog.Of[catalog.ExchangePolicy]) int {
		return cmp.Or(b.Spec.Priority-a.Spec.Priority, strings.Compare(a.Metadata.Name, b.Metadata.Name))
	})
	return modelConditions(s, q, fitting, targets)
}

// modelConditions finds the first policy that holds; without a target, the only
// one.
func modelConditions(s *catalog.Snapshot, q question, fitting []*catalog.Of[catalog.ExchangePolicy], targets []*catalog.Of[catalog.Target]) answer {
	var holding []*catalog.Of[catalog.ExchangePolicy]
	for _, p := range fitting {
		switch modelHolds(q, p.Spec, targets) {
		case broken:
			if len(holding) < 2 {
				return no(exchange.ConditionFailed)
			}
		case yes:
			holding = append(holding, p)
		case not:
		}
		if len(targets) > 0 && len(holding) > 0 {
			break
		}
	}
	switch {
	case len(holding) == 0:
		return no(exchange.ConditionFailed)
	case len(targets) == 0 && len(holding) > 1:
		return no(exchange.TargetAmbiguous)
	}
	return modelIssue(s, q, holding[0], targets)
}

func modelHolds(q question, p *catalog.ExchangePolicy, targets []*catalog.Of[catalog.Target]) verdict {
	if p.Subject == nil {
		return yes
	}
	var names []string
	for _, t := range targets {
		names = append(names, t.Metadata.Name)
	}
	if len(names) == 0 {
		names = p.Targets
	}
	for _, part := range []struct {
		rules   []catalog.Rule
		meaning map[string]predicate
	}{{p.Subject.Conditions, subjectConditions}, {p.Actor.Conditions, actorConditions}} {
		for _, r := range part.rules {
			if v := part.meaning[r.Expression](q, names); v != yes {
				return v
			}
		}
	}
	return yes
}

// modelActor: what was sent is what the policy's actor asks for (contract §4,
// "Actors").
func modelActor(p *catalog.ExchangePolicy, q question) bool {
	sent, mayAct := q.actor != nil, q.subject.MayAct != nil
	switch {
	case p.Actor.From == "none":
		return !sent && !mayAct
	case p.Actor.From == "client", p.Actor.From == "any" && !sent:
		return !sent
	case !sent, !slices.Contains(p.Actor.Issuers, q.actor.Issuer), len(q.actor.Act) > 0, q.actor.MayAct != nil:
		return false
	case q.actor.Subject == q.subject.Subject, q.actor.IssuerURL == q.subject.IssuerURL && q.actor.Original == q.subject.Original:
		return false
	}
	own := q.actor.Issuer == "self" && q.actor.Original == "client:edge-1"
	return own || mayAct && q.mayActFits || len(p.Actor.Conditions) > 0
}

// modelGuardrails is the first guardrail that forbids.
func modelGuardrails(s *catalog.Snapshot, w wouldBe, targets []*catalog.Of[catalog.Target]) string {
	issuer := "self"
	if w.q.subject != nil {
		issuer = w.q.subject.Issuer
	}
	for _, g := range s.Guardrails() {
		m := g.Spec.Match
		about := func(list []string, words ...string) bool { return len(list) == 0 || len(common(list, words)) > 0 }
		var names []string
		for _, t := range targets {
			names = append(names, t.Metadata.Name)
		}
		if !about(m.Flows, w.flow) || !about(m.Issuers, issuer) || !about(m.Clients, "edge") || !about(m.Targets, names...) {
			continue
		}
		for _, r := range g.Spec.Deny {
			if denials[r.Expression](w) != not {
				return g.Metadata.Name
			}
		}
	}
	return ""
}

func modelTargets(s *catalog.Snapshot, q question) (found []*catalog.Of[catalog.Target], reason exchange.Reason) {
	look := func(fits func(*catalog.Of[catalog.Target]) bool) {
		i := slices.IndexFunc(s.Targets(), fits)
		if i < 0 || s.Targets()[i].Spec.Mode == catalog.ModeDisabled || ended(s.Targets()[i].Governance) {
			reason = exchange.TargetUnknown
		} else if !slices.Contains(found, s.Targets()[i]) {
			found = append(found, s.Targets()[i])
		}
	}
	for _, a := range q.audiences {
		look(func(t *catalog.Of[catalog.Target]) bool { return t.Metadata.Name == a || t.Spec.Audience == a })
	}
	for _, r := range q.resources {
		look(func(t *catalog.Of[catalog.Target]) bool {
			return t.Spec.Audience == r || slices.Contains(t.Spec.Resources, r)
		})
	}
	for _, t := range found {
		if reason == "" && t.Spec.Token.Algorithm != found[0].Spec.Token.Algorithm {
			reason = exchange.TargetNotAllowed
		}
	}
	return found, reason
}

// modelTokens drops the policies that the tokens do not fit, check by check.
func modelTokens(s *catalog.Snapshot, q question, fitting []*catalog.Of[catalog.ExchangePolicy]) ([]*catalog.Of[catalog.ExchangePolicy], exchange.Reason) {
	own := q.subject.Issuer == "self"
	if q.subject.MayAct != nil && !q.mayActFits {
		return nil, exchange.MayActMismatch
	}
	if i := s.Issuer(q.subject.Issuer); !own && (i.Spec.Mode == catalog.ModeDisabled || ended(i.Governance)) {
		return nil, exchange.IssuerDisabled
	}
	actorReason := exchange.ActorRequired
	if q.actor != nil {
		actorReason = exchange.ActorNotAllowed
	}
	for _, check := range []struct {
		fits   func(*catalog.ExchangePolicy) bool
		reason exchange.Reason
	}{
		{func(p *catalog.ExchangePolicy) bool {
			return slices.Contains(p.Subject.Issuers, q.subject.Issuer) && slices.Contains(p.Subject.TokenTypes, q.subject.Type.Short()) &&
				(p.Flow != "federation" || !own)
		}, exchange.NoPolicy},
		{func(p *catalog.ExchangePolicy) bool {
			return own || len(p.Subject.Audiences) == 0 || len(common(p.Subject.Audiences, q.subject.Audience)) > 0
		}, "subject_audience_mismatch"},
		{func(p *catalog.ExchangePolicy) bool { return modelActor(p, q) }, actorReason},
	} {
		fitting = slices.DeleteFunc(slices.Clone(fitting), func(p *catalog.Of[catalog.ExchangePolicy]) bool { return !check.fits(p.Spec) })
		if len(fitting) == 0 {
			return nil, check.reason
		}
	}
	return fitting, ""
}

func common(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return !slices.Contains(b, s) })
}

func modelIssue(s *catalog.Snapshot, q question, p *catalog.Of[catalog.ExchangePolicy], targets []*catalog.Of[catalog.Target]) answer {
	a := answer{policy: p.Metadata.Name, sub: "client:edge-1", txn: "id-1"}
	reviewBy := p.Governance.ReviewBy
	switch {
	case ended(p.Governance):
		return no(exchange.PolicyExpired)
	case reviewBy != nil && p.Spec.Review.OnOverdue == "suspend" && now.Sub(reviewBy.Time) >= 24*time.Hour:
		return no(exchange.PolicyReviewOverdue)
	}
	if len(targets) == 0 {
		t := s.Target(p.Spec.Targets[0])
		if t.Spec.Mode == catalog.ModeDisabled || ended(t.Governance) {
			return no(exchange.TargetUnknown)
		}
		targets = append(targets, t)
	}
	if q.requested != "" && q.requested.Short() != "access_token" {
		return no(exchange.UnsupportedTokenType)
	}
	switch claimed(p.Spec.Issue.Claims["dept"], q.subject) {
	case broken:
		return no(exchange.ConditionFailed)
	case yes:
		a.dept = true
	case not:
	}
	bound := false
	ends := []time.Time{now.Add(time.Duration(p.Spec.Issue.Lifetime))}
	known := p.Spec.Scopes.Allow
	for _, t := range targets {
		a.audience = append(a.audience, t.Spec.Audience)
		ends = append(ends, now.Add(time.Duration(t.Spec.Token.MaxLifetime)))
		known = common(known, t.Spec.Scopes)
	}
	proven := known
	if q.subject != nil {
		a.sub, a.act, bound = q.subject.Subject, q.subject.Act, q.subject.Bound
		ends = append(ends, q.subject.Expires)
		proven = common(known, modelProven(p.Spec, q.subject.Scopes))
		if q.subject.Issuer == "self" {
			a.txn = q.subject.Txn
		}
	}
	if q.actor != nil {
		bound = bound || q.actor.Bound
		ends = append(ends, q.actor.Expires)
	}
	if p.Spec.Flow == "delegation" {
		hop := exchange.Hop{Issuer: ourIssuer, Subject: "client:edge-1"}
		if q.actor != nil {
			hop = exchange.Hop{Issuer: q.actor.IssuerURL, Subject: q.actor.Original}
		}
		a.act = append(exchange.Chain{hop}, a.act...)
	}
	if len(a.act) > p.Spec.Issue.MaxActDepth {
		return no(exchange.ChainTooDeep)
	}
	wanted := q.scopes
	if len(wanted) == 0 {
		wanted = common(p.Spec.Scopes.Default, known)
	}
	a.scopes = common(wanted, proven)
	silent := len(q.scopes) == 0
	switch {
	case len(p.Spec.Scopes.Allow) == 0 && silent: // a token without scope
	case len(common(wanted, known)) < len(wanted), len(wanted) == 0:
		return no(exchange.ScopeNotAllowed)
	case !silent && len(a.scopes) < len(wanted), len(a.scopes) == 0:
		return no(exchange.ScopeNotHeld)
	}
	end := slices.MinFunc(ends, time.Time.Compare)
	a.exp = end.Unix()
	if time.Unix(a.exp, 0).Sub(now) < time.Second {
		return no("subject_expired")
	}
	lifetime := time.Unix(a.exp, 0).Sub(now.Truncate(time.Second))
	if rail := modelGuardrails(s, wouldBe{q, a, p.Spec.Flow, lifetime}, targets); rail != "" {
		return answer{reason: exchange.Guardrail, rail: rail}
	}
	if bound {
		return no(exchange.ProofRequired)
	}
	return a
}

// modelProven lists what the held scopes prove.
func modelProven(p *catalog.ExchangePolicy, held []string) (proven []string) {
	switch p.Scopes.Prove {
	case "same":
		return held
	case "grant":
		return p.Scopes.Allow
	}
	for _, h := range held {
		proven = append(proven, p.Scopes.Map[h]...)
	}
	return proven
}

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
	if len(targets) == 0 && len(fitting) > 1 {
		return no(exchange.TargetAmbiguous)
	}
	slices.SortFunc(fitting, func(a, b *catalog.Of[catalog.ExchangePolicy]) int {
		return cmp.Or(b.Spec.Priority-a.Spec.Priority, strings.Compare(a.Metadata.Name, b.Metadata.Name))
	})
	return modelIssue(s, q, fitting[0], targets)
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
		{func(*catalog.ExchangePolicy) bool { return q.actor == nil && q.subject.MayAct == nil }, actorReason},
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
	switch {
	case bound:
		return no(exchange.ProofRequired)
	case time.Unix(a.exp, 0).Sub(now) < time.Second:
		return no("subject_expired")
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

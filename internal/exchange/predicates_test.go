package exchange_test

import (
	"slices"
	"time"

	"github.com/strait-sts/strait/internal/exchange"
)

// verdict is what an expression comes to.
type verdict int

const (
	not verdict = iota
	yes
	broken // it errs
)

func verdictOf(b bool) verdict {
	if b {
		return yes
	}
	return not
}

// predicate is what an expression of the tests means, in Go, for a question and
// the names of its targets.
type predicate func(q question, targets []string) verdict

// subjectConditions are the conditions that are drawn for subjects.
var subjectConditions = map[string]predicate{
	"true":  func(question, []string) verdict { return yes },
	"false": func(question, []string) verdict { return not },
	`"staff" in subject.claims.groups`: func(q question, _ []string) verdict {
		groups, present := q.subject.Claims["groups"].([]any)
		if !present {
			return broken
		}
		return verdictOf(slices.Contains(groups, any("staff")))
	},
	`!("read" in request.scopes) || subject.issuer != "entra"`: func(q question, _ []string) verdict {
		return verdictOf(!slices.Contains(q.scopes, "read") || q.subject.Issuer != "entra")
	},
	`request.targets[0] == "t1"`: func(_ question, targets []string) verdict { return verdictOf(targets[0] == "t1") },
}

// actorConditions are those that are drawn for actors.
var actorConditions = map[string]predicate{
	"true": func(question, []string) verdict { return yes },
	`actor.claims.tier == "gold"`: func(q question, _ []string) verdict {
		if q.actor == nil || q.actor.Claims["tier"] == nil {
			return broken
		}
		return verdictOf(q.actor.Claims["tier"] == "gold")
	},
	`!has(actor.sub) || actor.issuer == "agents"`: func(q question, _ []string) verdict {
		return verdictOf(q.actor == nil || q.actor.Issuer == "agents")
	},
}

// wouldBe is what a guardrail sees.
type wouldBe struct {
	q        question
	answer   answer
	flow     string
	lifetime time.Duration
}

// denials are the rules that are drawn for guardrails.
var denials = map[string]func(wouldBe) verdict{
	`issue.lifetime > duration("300s")`: func(w wouldBe) verdict { return verdictOf(w.lifetime > 300*time.Second) },
	`"admin" in issue.scopes`:           func(w wouldBe) verdict { return verdictOf(slices.Contains(w.answer.scopes, "admin")) },
	`issue.actDepth > 2`:                func(w wouldBe) verdict { return verdictOf(len(w.answer.act) > 2) },
	`size(issue.targets) > 1`:           func(w wouldBe) verdict { return verdictOf(len(w.answer.audience) > 1) },
	`policy.flow == "delegation" && policy.name == "p1"`: func(w wouldBe) verdict {
		return verdictOf(w.flow == "delegation" && w.answer.policy == "p1")
	},
	`subject.claims.dept == "never"`: func(w wouldBe) verdict {
		if w.q.subject == nil || w.q.subject.Claims["dept"] == nil {
			return broken
		}
		return not
	},
}

// claimed is what issue.claims.dept comes to: whether it is there, or errs.
func claimed(expression string, subject *exchange.Token) verdict {
	has := subject != nil && subject.Claims["dept"] != nil
	switch {
	case expression == "":
		return not
	case expression == `"sales"`, has:
		return yes
	case expression == `subject.claims.?dept`:
		return not
	}
	return broken
}

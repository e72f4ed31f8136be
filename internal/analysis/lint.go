package analysis

import (
	"fmt"
	"slices"
	"time"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/expr"
	"github.com/strait-sts/strait/internal/reach"
)

// Reading is what an expression names of tokens: claims, and whose mapped subject
// (subject.sub, actor.sub).
type Reading struct {
	Claims   []expr.Read
	Subjects []exchange.Role
	Vacuous  []expr.Read // of those, the lists of which all(…) is asked alone
}

// Claims says what an expression reads; nothing where it does not compile, since
// a write refuses that anyway.
type Claims func(kind expr.Kind, source string) Reading

// ClaimsOf reads with a compiler.
func ClaimsOf(c *expr.Compiler) Claims {
	return func(kind expr.Kind, source string) Reading {
		program, err := c.Compile(kind, source)
		if err != nil {
			return Reading{}
		}
		return Reading{program.Reads(), program.Subjects(), program.Vacuous()}
	}
}

// NewClaims reads with a compiler of its own.
func NewClaims() (Claims, error) {
	compiler, err := expr.NewCompiler(ownPrograms)
	if err != nil {
		return nil, fmt.Errorf("read claims: %w", err)
	}
	return ClaimsOf(compiler), nil
}

// ownPrograms is how many expressions a compiler of our own remembers.
const ownPrograms = 1000

// Options is what lint knows beside the catalogue.
type Options struct {
	Now    time.Time
	Claims Claims
	// Denied names the policies that a test denies an exchange in; nil where no
	// tests are at hand, so that nothing is said of them.
	Denied map[string]bool
	// Usage is what the audit log tells; nil where it was not asked.
	Usage *Usage
}

// Rule is one lint, as docs/lint.md has it.
type Rule struct {
	Code     string
	Severity Severity // the worst that it gives
	Title    string
	Why      string // the reason, with the clause or threat behind it

	check func(*inspection) // nil for those that suppressions give
}

// Rules is every lint, in the order of docs/lint.md.
func Rules() []Rule {
	return slices.Concat(issuerRules(), policyRules(), clientRules(), usageRules(), suppressionRules())
}

// inspection is one run over a snapshot.
type inspection struct {
	*catalog.Snapshot
	Options

	reach *reach.Whole
	rule  Rule // whose turn it is
	found []Finding
}

// Lint holds every rule against the snapshot, as it is at the instant.
func Lint(s *catalog.Snapshot, o Options) *Report {
	in := &inspection{Snapshot: s, Options: o, reach: reach.Everything(s, o.Now)}
	for _, rule := range Rules() {
		if rule.check != nil {
			in.rule = rule
			rule.check(in)
		}
	}
	report := &Report{Revision: s.Revision, Time: o.Now, Findings: []Finding{}}
	if o.Usage != nil {
		report.Usage = &UsageWindow{Asked: o.Usage.Asked, Since: o.Usage.Since}
	}
	in.suppress(report)
	slices.SortFunc(report.Findings, Finding.compare)
	return report
}

// finding is what a rule found, before it is said how to mend it.
type finding struct {
	in   *inspection
	made Finding
}

// find notes a finding of the rule whose turn it is.
func (in *inspection) find(o catalog.Object, path, format string, args ...any) finding {
	return finding{in, Finding{
		Severity: in.rule.Severity, Code: in.rule.Code, Object: o.Ref().String(), Path: path,
		Message: fmt.Sprintf(format, args...), ref: o.Ref(),
	}}
}

// fix adds the mend, and keeps the finding.
func (f finding) fix(format string, args ...any) {
	f.made.Fix = fmt.Sprintf(format, args...)
	f.in.found = append(f.in.found, f.made)
}

// as gives the finding a severity that is not the rule's worst.
func (f finding) as(s Severity) finding {
	f.made.Severity = s
	return f
}

// enforced are the policies that decide; what is expired denies, and so decides.
func (in *inspection) enforced() []*catalog.Of[catalog.ExchangePolicy] {
	var all []*catalog.Of[catalog.ExchangePolicy]
	for _, p := range in.Policies() {
		if p.Spec.Mode == catalog.ModeEnforce {
			all = append(all, p)
		}
	}
	return all
}

// reads is what the rules read.
func (in *inspection) reads(kind expr.Kind, rules []catalog.Rule) (all Reading) {
	if in.Claims == nil {
		return all
	}
	for _, rule := range rules {
		one := in.Claims(kind, rule.Expression)
		all.Claims, all.Subjects = append(all.Claims, one.Claims...), append(all.Subjects, one.Subjects...)
		all.Vacuous = append(all.Vacuous, one.Vacuous...)
	}
	return all
}

// of are the first steps of the claims of one token that are read, each once. Who
// reads all claims names none.
func (r Reading) of(role exchange.Role) []string {
	var all []string
	for _, read := range r.Claims {
		if read.Of == role && !read.Whole() && !slices.Contains(all, read.Path[0]) {
			all = append(all, read.Path[0])
		}
	}
	return all
}

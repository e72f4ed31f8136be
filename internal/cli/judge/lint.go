package judge

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/strait-sts/strait/internal/analysis"
	"github.com/strait-sts/strait/internal/app"
	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/cli/console"
	"github.com/strait-sts/strait/internal/manifest"
	"github.com/strait-sts/strait/internal/rehearsal"
	"github.com/strait-sts/strait/internal/rehearsal/suite"
)

// linted is what the flags of strait lint say.
type linted struct {
	paths  []string
	issuer string
	strict bool
	usage  string
	output console.Format
}

// Lint is strait lint.
func Lint(p *console.Process) *cobra.Command {
	var in linted
	cmd := &cobra.Command{
		Use:   "lint [-f PATH]",
		Short: "Find what is allowed and unwise: over-broad trust, policies that never decide, …",
		Long: `Shows what there is to find in the server's catalogue; with -f in the manifests below PATH, offline, where
PATH is the whole catalogue. With -f the ExchangeTest documents are run too, and policies without a test
that denies are found.

--usage 90d also looks at the server's audit log: issuers, clients, policies and scopes that nobody used in
that time, with the narrower manifest. A younger log, or one that is too long to be read at once, tells less,
and the time that was looked at is said.

docs/lint.md lists every code with its reason, and how to suppress a finding for a while.

Exit codes: 0 nothing bad, 1 there is an error (with --strict: or a warning), 2 nothing could be looked at: the
command line, a file or the server's answer is wrong.`,
		Example: `  strait lint
  strait lint -f examples/quickstart
  strait lint -f policies --strict -o json
  strait lint --usage 90d`,
		Args: console.Args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return in.run(cmd.Context(), p) },
	}
	console.FilesFlag(cmd, &in.paths)
	issuerFlag(cmd, p, &in.issuer)
	cmd.Flags().BoolVar(&in.strict, "strict", false, "exit 1 where there is a warning too")
	cmd.Flags().StringVar(&in.usage, "usage", "", "find what was not used in so many days, 7d to 400d; not with -f")
	console.OutputFlag(cmd, &in.output, console.FormatTable)
	return cmd
}

func issuerFlag(cmd *cobra.Command, p *console.Process, issuer *string) {
	cmd.Flags().StringVar(issuer, "issuer", p.Setting("STRAIT_ISSUER", console.DefaultIssuer), "with -f: the issuer identifier of the server that the manifests are for")
}

// lintReport is a report with the places of its findings in files.
type lintReport struct {
	analysis.Report

	Findings []lintFinding `json:"findings"`
}

type lintFinding struct {
	analysis.Finding

	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
}

func (in *linted) run(ctx context.Context, p *console.Process) error {
	report, err := in.report(ctx, p)
	if err != nil {
		return console.WrongUsage(err)
	}
	if in.output == console.FormatTable {
		err = writeReport(p.Out, report)
	} else {
		err = console.PrintValue(p.Out, in.output, report)
	}
	if err == nil && (report.Count(analysis.Error) > 0 || in.strict && report.Count(analysis.Warning) > 0) {
		err = &console.Silent{}
	}
	return err
}

// report asks the server, or lints files. Where neither can be, that is exit
// code 2, since 1 is for findings.
func (in *linted) report(ctx context.Context, p *console.Process) (*lintReport, error) {
	if len(in.paths) > 0 {
		if in.usage != "" {
			return nil, console.Usage("--usage looks at the server's log and catalogue; leave -f out")
		}
		return in.offline(ctx, p)
	}
	c, err := p.Connect()
	if err != nil {
		return nil, err
	}
	body, err := c.Lint(ctx, in.usage)
	if err != nil {
		return nil, err
	}
	report := &lintReport{}
	if err := json.Unmarshal(body, report); err != nil {
		return nil, fmt.Errorf("the server's answer cannot be read: %w", err)
	}
	for _, f := range report.Findings {
		report.Report.Findings = append(report.Report.Findings, f.Finding)
	}
	return report, nil
}

// offline lints files.
func (in *linted) offline(ctx context.Context, p *console.Process) (*lintReport, error) {
	files, err := readOffline(p, in.paths, in.issuer) //nolint:contextcheck // nothing is fetched offline
	if err != nil {
		return nil, err
	}
	o := analysis.Options{Now: p.Clock(), Denied: map[string]bool{}}
	if o.Claims, err = analysis.NewClaims(); err != nil {
		return nil, err
	}
	tests, err := suite.Run(ctx, files.stage, files.tests)
	if err != nil {
		return nil, err
	}
	for _, c := range tests.Coverage {
		o.Denied[c.Policy] = c.Deny
	}
	report := &lintReport{Report: *analysis.Lint(files.stage.Snapshot, o), Findings: []lintFinding{}}
	for _, f := range report.Report.Findings {
		file, line := files.place(f)
		report.Findings = append(report.Findings, lintFinding{f, file, line})
	}
	return report, nil
}

// offline is a catalogue of files, and its tests.
type offline struct {
	all   []manifest.Manifest
	stage rehearsal.Stage
	tests []*suite.Document
}

// readOffline reads and checks them as serve would. Secrets are not looked up.
func readOffline(p *console.Process, paths []string, issuer string) (*offline, error) {
	skew, err := time.ParseDuration(p.Setting("STRAIT_CLOCK_SKEW", defaultSkew))
	if err != nil {
		return nil, fmt.Errorf("STRAIT_CLOCK_SKEW: %w", err)
	}
	files := &offline{}
	if files.all, err = manifest.ReadPaths(paths...); err != nil {
		return nil, err
	}
	tests, objects, err := sorted(files.all)
	if err != nil {
		return nil, err
	}
	files.tests = tests
	var faults []catalog.FieldError
	files.stage, faults = app.Offline(objects, issuer, skew, p.Clock)
	if len(faults) > 0 {
		return nil, &catalog.Invalid{Errors: placed(files.all, faults)}
	}
	return files, nil
}

// place is where a finding's object stands in files.
func (o *offline) place(f analysis.Finding) (file string, line int) {
	for _, m := range o.all {
		if !m.Test && m.Ref() == f.Ref() {
			at := m.Fault(f.Path, "", "")
			return at.File, at.Line
		}
	}
	return "", 0
}

// writeReport tells the findings as a compiler does: place, severity, message,
// code; below it the mend.
func writeReport(w io.Writer, report *lintReport) error {
	var t console.Page
	for _, f := range report.Findings {
		place := f.Object
		if f.File != "" {
			place = fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.Object)
		}
		writeFinding(&t, place, f.Finding)
	}
	if u := report.Usage; u != nil {
		t.Line("usage: records since %s were looked at; %s", u.Since.UTC().Format(time.RFC3339), lookedAt(u))
		if report.Time.Sub(u.Since) < analysis.MinUsage {
			t.Line("usage: that is less than a week, so nothing is called unused")
		}
	}
	t.Line("%s, %s, %s; %d suppressed", console.Count(report.Count(analysis.Error), "error"), console.Count(report.Count(analysis.Warning), "warning"),
		console.Count(report.Count(analysis.Info), "note"), report.Suppressed)
	_, err := io.WriteString(w, t.String())
	return err
}

// lookedAt says whether the log told as much as was asked for.
func lookedAt(u *analysis.UsageWindow) string {
	if u.Since.After(u.Asked) {
		return "older ones are not there, or ask again to have more of them read"
	}
	return "that is all that was asked for"
}

func writeFinding(t *console.Page, place string, f analysis.Finding) {
	if f.Path != "" {
		place += " " + f.Path
	}
	t.Line("%s: %s: %s [%s]", place, f.Severity, f.Message, f.Code)
	t.Note("fix", f.Fix)
}

package judge

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/strait-sts/strait/internal/app"
	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/cli/console"
	"github.com/strait-sts/strait/internal/manifest"
	"github.com/strait-sts/strait/internal/rehearsal"
	"github.com/strait-sts/strait/internal/rehearsal/suite"
)

// defaultSkew is STRAIT_CLOCK_SKEW where it is not set.
const defaultSkew = "30s"

// tested is what the flags of strait test say.
type tested struct {
	paths  []string
	issuer string
	output string

	fromAudit, fromExport string
}

// Test is strait test.
func Test(p *console.Process) *cobra.Command {
	var in tested
	cmd := &cobra.Command{
		Use:   "test -f PATH",
		Short: "Run the tests of policies, offline",
		Long: `Reads the manifests below PATH, and runs the ExchangeTest documents among them: without a server, a
database, a network or a secret. Tokens are claims that a document writes down; the instant is its own.

Each request is decided by the code behind /token. What no test of a document lists is expected to be
denied, and is tried too. Policies that no test allows, or denies, are named at the end.

With --from-audit the requests are those that the server has recorded since then (7d, 24h, a time): each is
decided again by the manifests below PATH, which are the whole catalogue, and what would be newly denied,
newly allowed or issued otherwise is listed by client, policy, target and reason. What a record does not
tell is unknown. --from-export reads the records from a file of strait audit export instead.

Exit codes: 0 all pass, or nothing changes; 1 a test fails, or something changes; 2 the command line, a file
or the server's answer is wrong. docs/testing.md says more.`,
		Example: `  strait test -f examples/quickstart
  strait test --from-audit 7d -f policies
  strait test -f policies -o junit > policies.xml`,
		Args: console.Args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return in.run(cmd.Context(), p) },
	}
	console.FilesFlag(cmd, &in.paths)
	cmd.Flags().StringVar(&in.issuer, "issuer", p.Setting("STRAIT_ISSUER", console.DefaultIssuer), "the issuer identifier of the server that the manifests are for")
	cmd.Flags().StringVarP(&in.output, "output", "o", "text", "text, json or junit; of recorded requests table or json")
	cmd.Flags().StringVar(&in.fromAudit, "from-audit", "", "decide the requests again that were recorded since then: how long ago (7d, 24h), or a time (RFC 3339)")
	cmd.Flags().StringVar(&in.fromExport, "from-export", "", "decide the requests again that are in this file of strait audit export; - is standard input")
	return cmd
}

// run runs the tests. What cannot be read is a matter of usage: exit code 2.
func (in *tested) run(ctx context.Context, p *console.Process) error {
	if in.fromAudit != "" || in.fromExport != "" {
		return in.replay(ctx, p)
	}
	write, known := map[string]func(*suite.Report, io.Writer) error{
		"text": (*suite.Report).WriteText, "json": printReport, "junit": (*suite.Report).WriteJUnit,
	}[in.output]
	if !known {
		return console.Usage("-o: want text, json or junit, not %q", in.output)
	}
	if len(in.paths) == 0 {
		return console.Usage("-f PATH is needed: a file or a folder of manifests and their tests")
	}
	stage, documents, err := in.read(p) //nolint:contextcheck // nothing is fetched
	if err != nil {
		return console.WrongUsage(err)
	}
	report, err := suite.Run(ctx, stage, documents)
	if err != nil {
		return console.WrongUsage(err)
	}
	if err := write(report, p.Out); err != nil {
		return err
	}
	if report.Failed > 0 {
		return &console.Silent{}
	}
	return nil
}

// printReport prints a report as JSON.
func printReport(r *suite.Report, w io.Writer) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return console.PrintJSON(w, text)
}

// read reads objects and tests, and compiles the objects. Secrets are not looked
// up: nobody authenticates here.
func (in *tested) read(p *console.Process) (stage rehearsal.Stage, documents []*suite.Document, err error) {
	skew, err := time.ParseDuration(p.Setting("STRAIT_CLOCK_SKEW", defaultSkew))
	if err != nil {
		return stage, nil, fmt.Errorf("STRAIT_CLOCK_SKEW: %w", err)
	}
	all, err := manifest.ReadPaths(in.paths...)
	if err != nil {
		return stage, nil, err
	}
	documents, objects, err := sorted(all)
	if err != nil {
		return stage, nil, err
	}
	if len(documents) == 0 {
		return stage, nil, fmt.Errorf("%s has no ExchangeTest; docs/testing.md shows one", strings.Join(in.paths, ", "))
	}
	stage, faults := app.Offline(objects, in.issuer, skew, p.Clock)
	if len(faults) > 0 {
		return stage, nil, &catalog.Invalid{Errors: placed(all, faults)}
	}
	return stage, documents, nil
}

// sorted divides what was read into tests and objects of the catalogue.
func sorted(all []manifest.Manifest) (documents []*suite.Document, objects []catalog.Object, err error) {
	var faults []catalog.FieldError
	for _, m := range all {
		if !m.Test {
			objects = append(objects, m.Object)
			continue
		}
		document, wrong := suite.Read(m)
		documents, faults = append(documents, document), append(faults, wrong...)
	}
	if len(faults) > 0 {
		return nil, nil, &catalog.Invalid{Errors: faults}
	}
	return documents, objects, nil
}

// placed gives faults between objects the file and line where they stand.
func placed(all []manifest.Manifest, faults []catalog.FieldError) []catalog.FieldError {
	for i, f := range faults {
		for _, m := range all {
			if m.Kind == f.Kind && m.Metadata.Name == f.Name {
				faults[i] = m.Fault(f.Pointer, f.Code, "%s", f.Message)
			}
		}
	}
	return faults
}

package records

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/strait-sts/strait/internal/app"
	"github.com/strait-sts/strait/internal/audit"
	"github.com/strait-sts/strait/internal/cli/console"
	"github.com/strait-sts/strait/internal/client"
)

// proofs are the flags of audit verify: what to prove, and with what.
type proofs struct {
	export, anchors string // files; "-" is standard input
	jwks, issuer    string // whose keys: a file, or an issuer to ask
}

func newAuditVerify(p *console.Process) *cobra.Command {
	var output console.Format
	var with proofs
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Prove that no record was changed, removed, inserted or reordered",
		Long: `Without flags the server proves its own log, against the checkpoints in its database and those of its anchor.

With --export the proof is made here, from a file that strait audit export wrote, without server or database; with
--anchors alone the export is fetched from the server first. Both need the public keys that checkpoints are signed
with: --jwks, a file kept apart from the server, or --issuer, to fetch them where they are published.

Each finding is a line: WRITER:SEQ: KIND: what is wrong (the record's id). Exit code 1 where there is one.`,
		Example: `  strait audit verify
  strait audit verify --export november.jsonl --jwks jwks.json --anchors anchors.txt
  strait audit export | strait audit verify --export - --issuer https://sts.example.com`,
		Args: console.Args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			report, err := prove(cmd.Context(), p, with)
			if err != nil {
				return err
			}
			return showReport(p, report, output)
		},
	}
	console.OutputFlag(cmd, &output, console.FormatTable)
	cmd.Flags().StringVar(&with.export, "export", "", "prove this export, - for standard input, rather than ask the server")
	cmd.Flags().StringVar(&with.anchors, "anchors", "", "file of checkpoints held outside, one a line: up to the last the log must be complete")
	cmd.Flags().StringVar(&with.jwks, "jwks", "", "file with the JWK Set that checkpoints are verified with")
	cmd.Flags().StringVar(&with.issuer, "issuer", "", "issuer whose published JWK Set they are verified with")
	return cmd
}

// prove makes or fetches the report.
func prove(ctx context.Context, p *console.Process, with proofs) (*audit.Report, error) {
	switch given := with.jwks != "" || with.issuer != ""; {
	case with.export == "" && with.anchors == "":
		if given {
			return nil, console.Usage("--jwks and --issuer are for --export or --anchors: the server knows its keys")
		}
		return proveOnline(ctx, p)
	case !given || with.jwks != "" && with.issuer != "":
		return nil, console.Usage("--export and --anchors need the keys of checkpoints: --jwks FILE, or --issuer URL to fetch them")
	}
	open, err := with.opener(ctx)
	if err != nil {
		return nil, err
	}
	anchors, err := readAnchors(with.anchors)
	if err != nil {
		return nil, err
	}
	source, err := openExport(ctx, p, with.export)
	if err != nil {
		return nil, err
	}
	defer func() { _ = source.Close() }()
	evidence, rows, err := audit.ReadExport(source)
	if err != nil {
		return nil, err
	}
	evidence.Anchors = anchors
	return audit.Verify(ctx, rows, evidence, open)
}

func proveOnline(ctx context.Context, p *console.Process) (*audit.Report, error) {
	c, err := p.Connect()
	if err != nil {
		return nil, err
	}
	text, err := c.VerifyAudit(ctx)
	if err != nil {
		return nil, err
	}
	report := &audit.Report{}
	if err := json.Unmarshal(text, report); err != nil {
		return nil, fmt.Errorf("the report cannot be read: %w", err)
	}
	return report, nil
}

// opener makes what verifies checkpoints.
func (w proofs) opener(ctx context.Context) (audit.Opener, error) {
	if w.jwks == "" {
		keys, err := client.PublishedKeys(ctx, w.issuer)
		if err != nil {
			return nil, err
		}
		return app.CheckpointOpener(keys)
	}
	keys, err := os.ReadFile(w.jwks)
	if err != nil {
		return nil, fmt.Errorf("--jwks: %w", err)
	}
	return app.CheckpointOpener(keys)
}

func readAnchors(path string) ([]string, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path) //nolint:gosec // G304: the caller names the file
	if err != nil {
		return nil, fmt.Errorf("--anchors: %w", err)
	}
	return audit.ReadAnchors(bytes.NewReader(text))
}

// openExport opens the export: a file, standard input, or else the server's.
func openExport(ctx context.Context, p *console.Process, path string) (io.ReadCloser, error) {
	switch path {
	case "-":
		return io.NopCloser(p.In), nil
	case "":
		c, err := p.Connect()
		if err != nil {
			return nil, err
		}
		reader, writer := io.Pipe()
		go func() { writer.CloseWithError(c.ExportAudit(ctx, time.Time{}, time.Time{}, writer)) }()
		return reader, nil
	}
	file, err := os.Open(path) //nolint:gosec // G304: the caller names the file
	if err != nil {
		return nil, fmt.Errorf("--export: %w", err)
	}
	return file, nil
}

// showReport prints a report; one with findings ends in exit code 1.
func showReport(p *console.Process, r *audit.Report, output console.Format) error {
	if output == console.FormatTable {
		reportText(p, r)
	} else {
		text, err := json.Marshal(r)
		if err == nil {
			err = console.PrintOne(p.Out, output, text)
		}
		if err != nil {
			return err
		}
	}
	if !r.OK() {
		return &console.Silent{}
	}
	return nil
}

func reportText(p *console.Process, r *audit.Report) {
	for _, f := range r.Findings {
		p.Printf("%s\n", console.Visible(finding(f)))
	}
	if r.More > 0 {
		p.Printf("and %s\n", console.Count(int(r.More), "more finding"))
	}
	for _, c := range r.Chains {
		p.Printf("%s\n", console.Visible(chainLine(c)))
	}
	outcome := "nothing was found"
	if !r.OK() {
		outcome = console.Count(len(r.Findings)+int(r.More), "finding")
	}
	p.Printf("%s in %s%s: %s\n", console.Count(int(r.Records), "record"), console.Count(len(r.Chains), "chain"), between(r), outcome)
}

// finding is a line as compilers write them: where, of what kind, what.
func finding(f audit.Finding) string {
	where := "-"
	if f.Writer != "" {
		where = fmt.Sprintf("%s:%d", f.Writer, f.Seq)
	}
	text := fmt.Sprintf("%s: %s: %s", where, f.Kind, f.Detail)
	if f.ID != "" {
		text += " (record " + f.ID + ")"
	}
	return text
}

// chainLine says how far a chain is proved.
func chainLine(c audit.ChainReport) string {
	text := fmt.Sprintf("%s: records %d to %d, signed up to %d, ", c.Writer, c.First, c.Last, c.Signed)
	switch {
	case c.Anchored == 0:
		return text + "not anchored: what was cut off from its end cannot be told"
	case c.Unanchored == 0:
		return text + "anchored to its end: complete"
	}
	return text + fmt.Sprintf("anchored up to %d: complete to there, %d come after it", c.Anchored, c.Unanchored)
}

// between says which time an export claims to be of.
func between(r *audit.Report) string {
	text := ""
	if !r.Since.IsZero() {
		text = " from " + r.Since.UTC().Format(time.RFC3339)
	}
	if !r.Until.IsZero() {
		text += " until " + r.Until.UTC().Format(time.RFC3339)
	}
	return text
}

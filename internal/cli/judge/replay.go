package judge

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/strait-sts/strait/internal/audit"
	"github.com/strait-sts/strait/internal/cli/console"
	"github.com/strait-sts/strait/internal/rehearsal"
	"github.com/strait-sts/strait/internal/rehearsal/replay"
)

// replay decides recorded requests again by the manifests. All that keeps it from
// doing so is exit code 2, so that 1 means a change and nothing else.
func (in *tested) replay(ctx context.Context, p *console.Process) error {
	report, err := in.replayed(ctx, p)
	if err != nil {
		return console.WrongUsage(err)
	}
	if in.output == string(console.FormatJSON) {
		err = console.PrintValue(p.Out, console.FormatJSON, report)
	} else {
		err = report.WriteText(p.Out)
	}
	if err == nil && report.Changes() {
		err = &console.Silent{}
	}
	return err
}

func (in *tested) replayed(ctx context.Context, p *console.Process) (*replay.Report, error) {
	switch {
	case in.output != "text" && in.output != string(console.FormatTable) && in.output != string(console.FormatJSON):
		return nil, fmt.Errorf("-o: of recorded requests want table or json, not %q", in.output)
	case in.fromAudit != "" && in.fromExport != "":
		return nil, fmt.Errorf("--from-audit and --from-export cannot both be")
	case len(in.paths) == 0:
		return nil, fmt.Errorf("-f PATH is needed: a file or a folder of the proposed manifests")
	}
	files, err := readOffline(p, in.paths, in.issuer) //nolint:contextcheck // nothing is fetched offline
	if err != nil {
		return nil, err
	}
	var report *replay.Report
	err = in.records(ctx, p, func(r io.Reader) (err error) {
		_, rows, err := audit.ReadExport(r)
		if err == nil {
			report, err = replay.Run(ctx, &files.stage, recorded(rows))
		}
		return err
	})
	return report, err
}

// recorded reads what was asked out of the rows of an export.
func recorded(rows audit.Rows) replay.Records {
	return func(yield func(*rehearsal.Recorded, error) bool) {
		for row, err := range rows {
			var rec *rehearsal.Recorded
			if err == nil {
				rec, err = rehearsal.ReadRecord(bytes.TrimSpace(row.Body))
			}
			if !yield(rec, err) || err != nil {
				return
			}
		}
	}
}

// records gives the export to read: the file's, or the server's while it comes.
func (in *tested) records(ctx context.Context, p *console.Process, read func(io.Reader) error) error {
	if in.fromExport == "-" {
		return read(p.In)
	}
	if in.fromExport != "" {
		file, err := os.Open(in.fromExport)
		if err != nil {
			return err
		}
		defer func() { _ = file.Close() }()
		return read(file)
	}
	since, err := p.Instant(in.fromAudit)
	if err != nil {
		return fmt.Errorf("--from-audit: %w", err)
	}
	c, err := p.Connect()
	if err != nil {
		return err
	}
	from, to := io.Pipe()
	go func() { to.CloseWithError(c.ExportAudit(ctx, since, time.Time{}, to)) }()
	defer func() { _ = from.Close() }() // ends the export where reading ended
	return read(from)
}

package records

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/strait-sts/strait/internal/audit"
	"github.com/strait-sts/strait/internal/cli/console"
	"github.com/strait-sts/strait/internal/postgres"
)

func newAuditExport(p *console.Process) *cobra.Command {
	var since, until, path string
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write the records and what proves them as JSON lines",
		Long: `Writes what strait audit verify --export needs: the records, the signed checkpoints, and where the chains begin.
A chain is written whole between its first and its last record of the time that is asked for.`,
		Example: `  strait audit export -o audit.jsonl
  strait audit export --since 2026-11-01T00:00:00Z --until 2026-12-01T00:00:00Z -o november.jsonl`,
		Args: console.Args(0, 0),
	}
	cmd.Flags().StringVar(&since, "since", "", "from then on: a time (RFC 3339), or how long ago (24h, 7d)")
	cmd.Flags().StringVar(&until, "until", "", "before then: likewise")
	cmd.Flags().StringVarP(&path, "output", "o", "-", "file to write, which must not be there yet; - for standard output")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		from, to, err := period(p, since, until)
		if err != nil {
			return err
		}
		c, err := p.Connect()
		if err != nil {
			return err
		}
		write := func(w io.Writer) error { return c.ExportAudit(cmd.Context(), from, to, w) }
		if path == "-" {
			return write(p.Out)
		}
		return writeNew(path, write)
	}
	return cmd
}

// period reads --since and --until; one that is not given is the zero time.
func period(p *console.Process, since, until string) (from, to time.Time, err error) {
	for _, end := range []struct {
		name, text string
		into       *time.Time
	}{{"since", since, &from}, {"until", until, &to}} {
		if end.text == "" {
			continue
		}
		if *end.into, err = p.Instant(end.text); err != nil {
			return from, to, console.Usage("--%s: %w", end.name, err)
		}
	}
	return from, to, nil
}

// writeNew writes a file that was not there, durable when it returns; one that
// could not be written whole is removed.
func writeNew(path string, write func(io.Writer) error) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // G304: the caller names the file
	if err != nil {
		return err
	}
	err = write(file)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

func newAuditPrune(p *console.Process) *cobra.Command {
	var before, path string
	var without bool
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "Drop the records of months that have passed, after exporting them",
		Long: `Drops whole months, the oldest first, with the owner's role (STRAIT_DATABASE_OWNER_URL): the serving role cannot.
What is dropped is exported to a new file first, read back and verified; where that fails nothing is dropped.
The last dropped record of each chain is kept as the place where the rest begins.`,
		Example: `  STRAIT_DATABASE_OWNER_URL_FILE=/run/secrets/owner strait audit prune --before 2026-08 -o until-july.jsonl`,
		Args:    console.Args(0, 0),
	}
	cmd.Flags().StringVar(&before, "before", "", "the oldest month to keep, such as 2026-08")
	cmd.Flags().StringVarP(&path, "output", "o", "", "file to export to, which must not be there yet")
	cmd.Flags().BoolVar(&without, "no-export", false, "drop without an export")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		first, err := time.Parse("2006-01", before)
		if err != nil {
			return console.Usage("--before: want a month such as 2026-08, not %q", before)
		}
		if without == (path != "") {
			return console.Usage("want either -o FILE, to export what is dropped, or --no-export")
		}
		owner, err := p.Database("STRAIT_DATABASE_OWNER_URL")
		if err != nil {
			return err
		}
		return prune(cmd.Context(), p, owner.Reveal(), first, path)
	}
	return cmd
}

// prune exports, proves and drops the months before first.
func prune(ctx context.Context, p *console.Process, owner string, first time.Time, path string) error {
	months, err := postgres.MonthsBefore(ctx, owner, first)
	if err != nil {
		return err
	}
	if len(months) == 0 {
		p.Printf("no month before %s is kept\n", first.Format("2006-01"))
		return nil
	}
	if path != "" {
		if err := exportUntil(ctx, owner, first, path); err != nil {
			return fmt.Errorf("nothing was dropped: %w", err)
		}
		p.Printf("exported to %s\n", path)
	}
	for _, month := range months {
		if err := postgres.DropMonth(ctx, owner, month); err != nil {
			return err
		}
		p.Printf("dropped %s\n", month.Format("2006-01"))
	}
	return nil
}

// exportUntil follows the chains in the database as the owner, writes the
// export, reads it back and follows them in it. Who signed the checkpoints is
// for audit verify to say.
func exportUntil(ctx context.Context, owner string, until time.Time, path string) error {
	db, err := postgres.Open(ctx, owner, postgres.Options{})
	if err != nil {
		return err
	}
	defer db.Close()
	if err := db.Log(ctx, time.Time{}, until, func(e audit.Evidence, rows audit.Rows) error { return sound(ctx, e, rows) }); err != nil {
		return err
	}
	err = writeNew(path, func(w io.Writer) error {
		return db.Log(ctx, time.Time{}, until, func(e audit.Evidence, rows audit.Rows) error { return audit.Export(w, e, rows) })
	})
	if err != nil {
		return err
	}
	file, err := os.Open(path) //nolint:gosec // G304: just written
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	evidence, rows, err := audit.ReadExport(file)
	if err != nil {
		return err
	}
	return sound(ctx, evidence, rows)
}

// sound wants chains without a fault.
func sound(ctx context.Context, e audit.Evidence, rows audit.Rows) error {
	e.Checkpoints = nil
	report, err := audit.Verify(ctx, rows, e, nil)
	if err == nil && !report.OK() {
		err = fmt.Errorf("the log does not verify: %s", finding(report.Findings[0]))
	}
	return err
}

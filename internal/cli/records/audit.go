package records

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/strait-sts/strait/internal/cli/console"
	"github.com/strait-sts/strait/internal/exchange"
)

// Audit is strait audit.
func Audit(p *console.Process) *cobra.Command {
	return console.Group(&cobra.Command{
		Use:   "audit",
		Short: "Read and prove the audit log: every exchange, issued or denied",
		Example: `  strait audit list --decision denied --since 1h
  strait audit show 0198c1d2-7a10-7c3e-9f00-2b1f6f1d3a55
  strait audit lineage 0198c1d2-7a10-7c3e-9f00-2b1f6f1d3a55
  strait audit verify`,
	}, newAuditList(p), newAuditShow(p), newAuditLineage(p), newAuditVerify(p), newAuditExport(p), newAuditPrune(p))
}

// auditFilters are the filters of GET /exchanges, each a flag.
var auditFilters = []struct{ name, meaning string }{
	{"client", "a client's name"},
	{"issuer", "the name of the subject's trusted issuer"},
	{"subject", "the mapped subject"},
	{"target", "a target's name"},
	{"policy", "a policy's name"},
	{"decision", "issued, denied or error"},
	{"reason", "a reason, such as scope_not_held"},
	{"jti", "the id of an issued token"},
	{"since", "from then on: a time (RFC 3339), or how long ago (1h, 7d)"},
	{"until", "before then: likewise"},
}

func newAuditList(p *console.Process) *cobra.Command {
	var output console.Format
	var limit int
	values := make([]string, len(auditFilters))
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List exchanges, newest first",
		Example: `  strait audit list
  strait audit list --client edge-gateway --decision denied --since 24h -o json`,
		Args: console.Args(0, 0),
	}
	for i, filter := range auditFilters {
		cmd.Flags().StringVar(&values[i], filter.name, "", filter.meaning)
	}
	cmd.Flags().IntVar(&limit, "limit", 50, "the most records to print")
	console.OutputFlag(cmd, &output, console.FormatTable)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if limit < 1 {
			return console.Usage("--limit: want at least 1")
		}
		filter, err := auditFilter(p, values)
		if err != nil {
			return err
		}
		c, err := p.Connect()
		if err != nil {
			return err
		}
		records, err := c.Exchanges(cmd.Context(), filter, limit)
		if err != nil {
			return err
		}
		if output != console.FormatTable {
			return console.PrintMany(p.Out, output, records)
		}
		return auditTable(p, records)
	}
	return cmd
}

// auditFilter makes the query of the flags that were given.
func auditFilter(p *console.Process, values []string) (url.Values, error) {
	filter := url.Values{}
	for i, value := range values {
		name := auditFilters[i].name
		switch {
		case value == "":
			continue
		case name == "since" || name == "until":
			at, err := p.Instant(value)
			if err != nil {
				return nil, console.Usage("--%s: %w", name, err)
			}
			value = at.UTC().Format(time.RFC3339Nano)
		}
		filter.Set(name, value)
	}
	return filter, nil
}

func auditTable(p *console.Process, records []json.RawMessage) error {
	rows := make([][]string, len(records))
	for i, raw := range records {
		var r exchange.Record
		if err := json.Unmarshal(raw, &r); err != nil {
			return fmt.Errorf("record %d of the answer cannot be read: %w", i, err)
		}
		scopes := r.Scopes.Requested
		if r.Decision == exchange.OutcomeIssued {
			scopes = r.Scopes.Issued
		}
		subject := ""
		if r.Subject != nil {
			subject = r.Subject.Subject
		}
		rows[i] = []string{
			r.Time.UTC().Format(time.RFC3339), string(r.Decision), string(r.Reason), r.Client, subject,
			strings.Join(r.Targets, ","), strings.Join(scopes, " "), r.Policy, string(r.ID),
		}
	}
	return console.Table(p.Out, []string{"TIME", "DECISION", "REASON", "CLIENT", "SUBJECT", "TARGETS", "SCOPES", "POLICY", "ID"}, rows)
}

func newAuditShow(p *console.Process) *cobra.Command {
	var output console.Format
	cmd := &cobra.Command{
		Use:     "show ID",
		Short:   "Show the record of one exchange by its decision id",
		Example: `  strait audit show 0198c1d2-7a10-7c3e-9f00-2b1f6f1d3a55 -o json`,
		Args:    console.Args(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := p.Connect()
			if err != nil {
				return err
			}
			record, err := c.Exchange(cmd.Context(), exchange.ID(args[0]))
			if err != nil {
				return err
			}
			if output == console.FormatTable {
				return auditTable(p, []json.RawMessage{record})
			}
			return console.PrintOne(p.Out, output, record)
		},
	}
	console.OutputFlag(cmd, &output, console.FormatYAML)
	return cmd
}

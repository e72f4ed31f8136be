package records

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/strait-sts/strait/internal/cli/console"
	"github.com/strait-sts/strait/internal/client"
	"github.com/strait-sts/strait/internal/exchange"
)

// revokeCall is the flags of strait revoke.
type revokeCall struct {
	exchange, token, subject, client, policy, issuer, key string

	before, reason string
	noCascade      bool
	output         console.Format
}

// Revoke is strait revoke.
func Revoke(p *console.Process) *cobra.Command {
	in := &revokeCall{}
	cmd := &cobra.Command{
		Use:   "revoke",
		Short: "Revoke tokens, with what was derived from them",
		Long: `Revokes what exactly one of the flags names, and every unexpired token that was derived from it. The order is
durable and in force when the command ends with 0; other replicas follow within a second. After a failure it
may have been kept or not: repeat it, since revoking again is no error.

Strait then refuses those tokens. A service that only checks signatures still takes them until they expire:
let it introspect, or keep lifetimes short (docs/revocation.md).`,
		Example: `  strait revoke --exchange 0198c1d2-7a10-7c3e-9f00-2b1f6f1d3a55 --reason "INC-4711"
  strait revoke --subject okta-prod/okta:alice
  strait revoke --client edge-gateway --before 2027-03-01T08:00:00Z
  strait revoke list`,
		Args: console.Args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return in.run(cmd, p) },
	}
	f := cmd.Flags()
	f.StringVar(&in.exchange, "exchange", "", "the token that this exchange issued, by its decision id")
	f.StringVar(&in.token, "token", "", "one token: ISSUER/JTI, ISSUER a trusted issuer's name or self")
	f.StringVar(&in.subject, "subject", "", "all tokens of a mapped subject: ISSUER/SUBJECT")
	f.StringVar(&in.client, "client", "", "all that was issued to a client, by its name")
	f.StringVar(&in.policy, "policy", "", "all that was issued under a policy")
	f.StringVar(&in.issuer, "issuer", "", "all tokens of a trusted issuer, or of self")
	f.StringVar(&in.key, "key", "", "all that one of our keys signed, by its kid")
	f.StringVar(&in.before, "before", "", "what was issued up to then: a time (RFC 3339), or how long ago (1h, 7d); none: now")
	f.BoolVar(&in.noCascade, "no-cascade", false, "leave what was derived as it is")
	f.StringVar(&in.reason, "reason", "", "why, for those who read the list")
	console.OutputFlag(cmd, &in.output, console.FormatTable)
	cmd.AddCommand(newRevokeList(p))
	return cmd
}

// run gives the order and prints what it came to.
func (in *revokeCall) run(cmd *cobra.Command, p *console.Process) error {
	request, err := in.request(p)
	if err != nil {
		return err
	}
	c, err := p.Connect()
	if err != nil {
		return err
	}
	done, err := c.Revoke(cmd.Context(), request, in.reason)
	if err != nil {
		return err
	}
	if done.Tokens == 0 {
		kind, what := namedBy(request.Selector)
		p.Note("strait: no unexpired token of ours matches --%s %s, or all that do were revoked before: check the name; the order is kept and in force\n",
			kind, console.Visible(what))
	}
	if in.output == console.FormatTable {
		p.Printf("%s no more (revocation %s)\n", holding(done.Tokens), console.Visible(string(done.ID)))
		return nil
	}
	text, err := json.Marshal(done)
	if err != nil {
		return err
	}
	return console.PrintOne(p.Out, in.output, text)
}

// holding is how many tokens hold no more, up to those words.
func holding(tokens int) string {
	if tokens == 1 {
		return "1 token holds"
	}
	return console.Count(tokens, "token") + " hold"
}

// request reads the flags. Whether their values name something is for the server
// to say.
func (in *revokeCall) request(p *console.Process) (request client.RevokeRequest, err error) {
	named := 0
	for _, value := range []string{in.exchange, in.token, in.subject, in.client, in.policy, in.issuer, in.key} {
		if value != "" {
			named++
		}
	}
	if named != 1 {
		return request, console.Usage("want exactly one of --exchange, --token, --subject, --client, --policy, --issuer, --key")
	}
	request.Cascade = !in.noCascade
	request.Exchange = exchange.ID(in.exchange)
	request.Client, request.Policy, request.Issuer, request.Key = in.client, in.policy, in.issuer, in.key
	if in.token != "" {
		request.Token = &exchange.RevokedToken{}
		request.Token.Issuer, request.Token.JTI, err = pair("--token", in.token, "ISSUER/JTI")
	}
	if in.subject != "" {
		request.Subject = &exchange.RevokedSubject{}
		request.Subject.Issuer, request.Subject.Subject, err = pair("--subject", in.subject, "ISSUER/SUBJECT")
	}
	if err == nil && in.before != "" {
		var at time.Time
		if at, err = p.Instant(in.before); err != nil {
			return request, console.Usage("--before: %w", err)
		}
		request.Before = &at
	}
	return request, err
}

// pair reads an issuer's name and what follows its slash, which may have more.
func pair(flag, text, form string) (issuer, rest string, err error) {
	issuer, rest, found := strings.Cut(text, "/")
	if !found || issuer == "" || rest == "" {
		return "", "", console.Usage("%s: want %s, not %q", flag, form, text)
	}
	return issuer, rest, nil
}

func newRevokeList(p *console.Process) *cobra.Command {
	var output console.Format
	var limit int
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List what was revoked, newest first",
		Example: `  strait revoke list -o json`,
		Args:    console.Args(0, 0),
	}
	cmd.Flags().IntVar(&limit, "limit", 50, "the most revocations to print")
	console.OutputFlag(cmd, &output, console.FormatTable)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if limit < 1 {
			return console.Usage("--limit: want at least 1")
		}
		c, err := p.Connect()
		if err != nil {
			return err
		}
		orders, err := c.Revocations(cmd.Context(), limit)
		if err != nil {
			return err
		}
		if output != console.FormatTable {
			return console.PrintMany(p.Out, output, orders)
		}
		return revocationTable(p, orders)
	}
	return cmd
}

func revocationTable(p *console.Process, orders []json.RawMessage) error {
	rows := make([][]string, len(orders))
	for i, raw := range orders {
		var r client.Revocation
		if err := json.Unmarshal(raw, &r); err != nil {
			return fmt.Errorf("revocation %d of the answer cannot be read: %w", i, err)
		}
		kind, what := namedBy(r.Selector)
		rows[i] = []string{
			r.Time.UTC().Format(time.RFC3339), kind, what, r.Before.UTC().Format(time.RFC3339),
			strconv.FormatBool(r.Cascade), strconv.Itoa(r.Tokens), r.By, r.Reason, string(r.ID),
		}
	}
	return console.Table(p.Out, []string{"TIME", "BY WHAT", "WHICH", "BEFORE", "CASCADE", "TOKENS", "WHO", "REASON", "ID"}, rows)
}

// namedBy is what a revocation names, as the flags of revoke do.
func namedBy(s client.Selector) (kind, what string) {
	switch {
	case s.Token != nil:
		return "token", s.Token.Issuer + "/" + s.Token.JTI
	case s.Subject != nil:
		return "subject", s.Subject.Issuer + "/" + s.Subject.Subject
	case s.Exchange != "":
		return "exchange", string(s.Exchange)
	case s.Client != "":
		return "client", s.Client
	case s.Policy != "":
		return "policy", s.Policy
	case s.Issuer != "":
		return "issuer", s.Issuer
	default:
		return "key", s.Key
	}
}

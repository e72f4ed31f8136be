package judge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/strait-sts/strait/internal/analysis"
	"github.com/strait-sts/strait/internal/cli/console"
	"github.com/strait-sts/strait/internal/client"
	"github.com/strait-sts/strait/internal/reach"
)

// reached is what the flags of strait reach say.
type reached struct {
	query  reach.Query
	paths  []string
	issuer string
	output console.Format
}

// Reach is strait reach.
func Reach(p *console.Process) *cobra.Command {
	var in reached
	cmd := &cobra.Command{
		Use:   "reach --to SCOPE [--to-target TARGET] [--from ISSUER|CLIENT]",
		Short: "Show every way in which somebody can end up with a scope at a target",
		Long: `Follows the policies from token to token: one of an issuer may become one for a service, and that one, by
the client that serves it, one for the next. Shows who can begin, and each chain hop by hop with the
conditions on the way. Whether those hold, tokens say: they are shown, never claimed. Exact are issuers,
clients, targets, scopes, flows, what proves a scope, depth of act, modes and ends. docs/reach.md says more.

--from is where chains begin: a trusted issuer whose token is traded first, or the client that trades it.
With -f the manifests below PATH are the catalogue, and no server is asked.`,
		Example: `  strait reach --to payments:write --to-target payments-api
  strait reach --to payments:write --from partner-idp
  strait reach --to-target orders-api -f policies -o json`,
		Args: console.Args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return in.run(cmd.Context(), p) },
	}
	f := cmd.Flags()
	f.StringVar(&in.query.Scope, "to", "", "the scope; none: any, with --to-target")
	f.StringVar(&in.query.Target, "to-target", "", "the target's name; none: any")
	f.StringVar(&in.query.From, "from", "", "where chains begin: an issuer's name, or a client's")
	f.IntVar(&in.query.Ways, "limit", reach.DefaultWays, "how many ways to show")
	console.FilesFlag(cmd, &in.paths)
	issuerFlag(cmd, p, &in.issuer)
	console.OutputFlag(cmd, &in.output, console.FormatTable)
	return cmd
}

func (in *reached) run(ctx context.Context, p *console.Process) error {
	if in.query.Scope == "" && in.query.Target == "" {
		return console.Usage("--to or --to-target is needed: which scope, at which target?")
	}
	if in.query.Ways < 1 || in.query.Ways > reach.MaxWays {
		return console.Usage("--limit: want 1 to %d", reach.MaxWays)
	}
	answer, err := in.answer(ctx, p)
	if err != nil {
		return err
	}
	if answer.UnknownScope {
		p.Note("strait: no target has the scope %q in its catalogue: check the word\n", in.query.Scope)
	}
	if in.output != console.FormatTable {
		return console.PrintValue(p.Out, in.output, answer)
	}
	return in.write(p.Out, answer)
}

// answer asks the server, or searches files.
func (in *reached) answer(ctx context.Context, p *console.Process) (*reach.Answer, error) {
	if len(in.paths) > 0 {
		files, err := readOffline(p, in.paths, in.issuer) //nolint:contextcheck // nothing is fetched offline
		if err != nil {
			return nil, console.WrongUsage(err)
		}
		answer, err := reach.Find(files.stage.Snapshot, p.Clock(), in.query)
		if errors.Is(err, reach.ErrQuery) {
			err = console.WrongUsage(err)
		}
		return answer, err
	}
	c, err := p.Connect()
	if err != nil {
		return nil, err
	}
	parameters := url.Values{"limit": {strconv.Itoa(in.query.Ways)}}
	for name, value := range map[string]string{"to": in.query.Scope, "target": in.query.Target, "from": in.query.From} {
		if value != "" {
			parameters.Set(name, value)
		}
	}
	body, err := c.Reach(ctx, parameters)
	if client.Is(err, http.StatusBadRequest) {
		err = console.WrongUsage(err)
	}
	if err != nil {
		return nil, err
	}
	answer := &reach.Answer{}
	if err := json.Unmarshal(body, answer); err != nil {
		return nil, fmt.Errorf("the server's answer cannot be read: %w", err)
	}
	return answer, nil
}

// write tells who can begin, then each way as a chain.
func (in *reached) write(w io.Writer, answer *reach.Answer) error {
	var t console.Page
	if len(answer.Reached) == 0 {
		t.Line("nobody can end up there")
	}
	for _, r := range answer.Reached {
		t.Line("%s", arrow(r))
	}
	for i, way := range answer.Ways {
		t.Line("")
		t.Line("%d. %s", i+1, beginning(way.From))
		for _, h := range way.Hops {
			writeHop(&t, h)
		}
	}
	if answer.Truncated {
		t.Line("")
		t.Line("there are more ways; --limit shows up to %d. The list above is complete.", reach.MaxWays)
	}
	_, err := io.WriteString(w, t.String())
	return err
}

// arrow is one thing that is reached, in a line.
func arrow(r reach.End) string {
	return fmt.Sprintf("%s -> %s at %s", beginning(r.From), scopeWords(r.Scope), r.Target)
}

func beginning(o reach.Origin) string {
	switch {
	case o.Client != "":
		return "client " + o.Client + " by itself"
	case o.Holding == "":
		return "any token of " + o.Issuer
	default:
		return "a token of " + o.Issuer + " with " + o.Holding
	}
}

func scopeWords(scope string) string {
	if scope == "" {
		return "a token without scope"
	}
	return scope
}

func writeHop(t *console.Page, h reach.Hop) {
	who := h.Client
	switch h.Right {
	case reach.RightServes:
		who += ", which serves " + h.Presents + ","
	case reach.RightIssued:
		who += ", which it was issued to,"
	}
	t.Line("   -> %s gets %s at %s, by %s (%s), for %s", who, scopeWords(h.Scope), h.Target, h.Policy, h.Flow, h.Lifetime)
	for _, c := range h.Conditions {
		t.Line("      %s", conditionWords(c))
	}
}

// conditionWords is a condition in a line.
func conditionWords(c reach.Condition) string {
	form, known := map[string]string{
		reach.OnType: "if it is a %s", reach.OnAudience: "if it is addressed to %s", reach.OnIssuedTo: "if it was issued to %s",
		reach.OnRule: "if %s, by the issuer's rule", reach.OnCondition: "if %s", reach.OnActor: "if %s",
		reach.OnProof: "with proof of possession: %s", reach.OnGuardrail: "unless %s", reach.OnEarlier: "unless policy %s decides",
	}[c.Kind]
	if !known {
		form = c.Kind + ": %s"
	}
	text := fmt.Sprintf(form, c.Text)
	if c.Message != "" {
		text += " (" + c.Message + ")"
	}
	return text
}

// Outlook tells what a dry run says of a change: the findings that it brings, what
// it opens and what it closes.
func Outlook(w io.Writer, done client.ApplyResult) error {
	var findings []analysis.Finding
	var change reach.Change
	for _, part := range []struct {
		raw  json.RawMessage
		into any
	}{{done.Findings, &findings}, {done.Reach, &change}} {
		if len(part.raw) == 0 {
			continue
		}
		if err := json.Unmarshal(part.raw, part.into); err != nil {
			return fmt.Errorf("the server's answer cannot be read: %w", err)
		}
	}
	var t console.Page
	for _, f := range findings {
		writeFinding(&t, f.Object, f)
	}
	for _, r := range change.Gained {
		t.Line("newly reachable: %s", arrow(r))
	}
	for _, r := range change.Lost {
		t.Line("no longer reachable: %s", arrow(r))
	}
	if change.Truncated {
		t.Line("and more: this is only the beginning of what changes")
	}
	_, err := io.WriteString(w, t.String())
	return err
}

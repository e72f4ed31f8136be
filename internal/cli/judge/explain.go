package judge

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/strait-sts/strait/internal/cli/console"
	"github.com/strait-sts/strait/internal/client"
	"github.com/strait-sts/strait/internal/exchange"
)

// explained is what the flags of strait explain say.
type explained struct {
	subjectFile, subjectType, subject string
	actorFile, actorType, actor       string
	question                          client.Question
	output                            console.Format
	all                               bool
}

// Explain is strait explain.
func Explain(p *console.Process) *cobra.Command {
	var in explained
	cmd := &cobra.Command{
		Use:   "explain (--exchange ID | --client NAME (--subject-token FILE | --subject JSON) [--audience TARGET] [--scope SCOPES])",
		Short: "Decide one exchange without issuing anything, and show every check",
		Long: `Asks the server what /token would answer to this client, and why: what failed, what was found, and the
smallest change that would allow it. Nothing is issued or recorded, and no single-use token is used up.

--client is the client's name; how it authenticates is not rehearsed. The subject is a real token, or what
a token would say: --subject '{"issuer": "okta-prod", "type": "jwt", "claims": {"sub": "alice"}}', where
issuer is the name of a TrustedIssuer, or self; @FILE reads it from a file. Claims without iat and exp are those of a fresh token.
--actor is to --actor-token what --subject is to --subject-token.

--exchange takes a decision id instead (X-Strait-Decision, jti, strait audit list): the recorded request is
decided again at the configuration of its revision, or with --at now at the one of now, and compared with
the record. What the record does not tell is unknown, and is said.

Exit codes: 0 it would be issued, 1 it would be refused, or is unknown.`,
		Example: `  strait explain --client edge-gateway --subject-token alice.jwt --audience orders-api --scope orders:write
  strait explain --client edge-gateway --audience orders-api --scope orders:read \
      --subject '{"issuer": "demo-idp", "type": "jwt", "claims": {"sub": "alice", "aud": "https://gateway.example.com", "scope": "orders:read"}}'
  strait explain --client reports --grant client_credentials --audience orders-api -o json
  strait explain --exchange 0198c1d2-7a30-7c11-8f00-3b1f5d0a9e21 --at now`,
		Args: console.Args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return in.run(cmd.Context(), p) },
	}
	f := cmd.Flags()
	f.StringVar(&in.question.Exchange, "exchange", "", "the decision id of a recorded exchange; no other flag but --at, --checks and -o")
	f.StringVar(&in.question.At, "at", "", "with --exchange: record (default), the configuration of its revision; or now")
	f.StringVar(&in.question.Client, "client", "", "the client's name")
	f.StringVar(&in.question.Grant, "grant", "", "token-exchange (default) or client_credentials")
	f.StringVar(&in.subjectFile, "subject-token", "", "file with the subject token; - is standard input")
	f.StringVar(&in.subjectType, "subject-token-type", "jwt", "its type")
	f.StringVar(&in.subject, "subject", "", "what the subject token would say, as JSON: issuer, type, claims")
	f.StringVar(&in.actorFile, "actor-token", "", "file with the actor token; - is standard input")
	f.StringVar(&in.actorType, "actor-token-type", "jwt", "its type")
	f.StringVar(&in.actor, "actor", "", "what the actor token would say, as JSON")
	f.StringArrayVar(&in.question.Audience, "audience", nil, "a target: its name or its audience; may repeat")
	f.StringArrayVar(&in.question.Resource, "resource", nil, "a target by a resource of it (RFC 8707); may repeat")
	f.StringVar(&in.question.Scope, "scope", "", "scopes, with spaces between them; none: the policy's default")
	f.StringVar(&in.question.RequestedTokenType, "requested-token-type", "", "the type wanted; none: the policy's")
	f.BoolVar(&in.all, "checks", false, "show the checks that passed or were skipped too")
	console.OutputFlag(cmd, &in.output, console.FormatTable)
	return cmd
}

// run asks and tells.
func (in *explained) run(ctx context.Context, p *console.Process) error {
	if err := in.read(p); err != nil {
		return err
	}
	c, err := p.Connect()
	if err != nil {
		return err
	}
	body, err := c.Explain(ctx, in.question)
	if err != nil {
		return err
	}
	var told explanation
	if err := json.Unmarshal(body, &told); err != nil {
		return fmt.Errorf("the server's answer cannot be read: %w", err)
	}
	if in.output == console.FormatTable {
		err = told.write(p.Out, in)
	} else {
		err = console.PrintOne(p.Out, in.output, body)
	}
	if err == nil && told.Decision != string(exchange.OutcomeIssued) {
		err = &console.Silent{}
	}
	return err
}

// read fills the question from files and JSON.
func (in *explained) read(p *console.Process) error {
	q := &in.question
	switch {
	case q.Exchange != "":
		return in.checkRecorded()
	case q.At != "":
		return console.Usage("--at is for --exchange")
	case q.Client == "":
		return console.Usage("--client is needed: the name of the client that would ask; or --exchange: a decision id")
	}
	if in.subjectFile == "" && in.subject == "" && q.Grant != string(exchange.GrantClientCredentials) {
		return console.Usage("--subject-token or --subject is needed; for a token of the client itself: --grant client_credentials")
	}
	var err error
	if q.SubjectToken, q.Subject, err = party(p, "subject", in.subjectFile, in.subject); err != nil {
		return err
	}
	if q.ActorToken, q.Actor, err = party(p, "actor", in.actorFile, in.actor); err != nil {
		return err
	}
	if q.SubjectToken != "" {
		q.SubjectTokenType = in.subjectType
	}
	if q.ActorToken != "" {
		q.ActorTokenType = in.actorType
	}
	return nil
}

// party reads a token's file, or the claims in its place.
func party(p *console.Process, role, file, claims string) (token client.Sent, given json.RawMessage, err error) {
	switch {
	case file != "" && claims != "":
		return "", nil, console.Usage("--%s-token and --%s cannot both be", role, role)
	case file != "":
		secret, err := p.ReadToken(file)
		if err != nil {
			return "", nil, fmt.Errorf("--%s-token: %w", role, err)
		}
		return client.Sent(secret.Reveal()), nil, nil
	case claims == "":
		return "", nil, nil
	}
	text := []byte(claims)
	if path, isFile := strings.CutPrefix(claims, "@"); isFile {
		if text, err = os.ReadFile(path); err != nil { //nolint:gosec // G304: the caller names the file
			return "", nil, fmt.Errorf("--%s: %w", role, err)
		}
	}
	if !json.Valid(text) {
		return "", nil, console.Usage(`--%s: want JSON such as {"issuer": "okta-prod", "type": "jwt", "claims": {"sub": "alice"}}`, role)
	}
	return "", text, nil
}

// explanation is the server's answer, as far as it is told.
type explanation struct {
	Decision string   `json:"decision"`
	Reason   string   `json:"reason"`
	Error    string   `json:"error"`
	Detail   string   `json:"detail"`
	Policy   string   `json:"policy"`
	Targets  []string `json:"targets"`
	Scopes   struct {
		Requested []string `json:"requested"`
		Issued    []string `json:"issued"`
	} `json:"scopes"`
	Checks []struct {
		ID, Result, Detail string
		Expected, Actual   []string
	} `json:"checks"`
	Candidates []struct {
		Policy, Failed, Detail string
		Expected, Actual       []string
	} `json:"candidates"`
	Preview *struct {
		Claims    json.RawMessage `json:"claims"`
		ExpiresIn int64           `json:"expiresIn"`
	} `json:"preview"`
	Mend    string   `json:"mend"`
	Missing []string `json:"missing"`
	Assumed []string `json:"assumed"`
	Unknown string   `json:"unknown"`

	Exchange string `json:"exchange"` // a recorded one: what it came to then
	Revision int64  `json:"revision"`
	Agrees   bool   `json:"agrees"`
	Recorded struct {
		Time     time.Time `json:"time"`
		Revision int64     `json:"revision"`
		Client   string    `json:"client"`
		Decision string    `json:"decision"`
		Reason   string    `json:"reason"`
		Policy   string    `json:"policy"`
		Scopes   []string  `json:"scopes"`
		Lifetime int64     `json:"lifetime"`
	} `json:"recorded"`
}

// write tells it as a good compiler does: what would happen; where it failed,
// what was wanted and what was found; what came closest; the mend.
func (e *explanation) write(w io.Writer, in *explained) error {
	var t console.Page
	switch {
	case e.Decision == string(exchange.OutcomeIssued):
		t.Line("issued by policy %s", e.Policy)
		t.Note("for", strings.Join(e.Targets, " "))
		t.Note("scope", strings.Join(e.Scopes.Issued, " "))
	case e.Unknown != "":
		t.Line("unknown: %s", e.Unknown)
	default:
		t.Line("%s: %s (%s)", e.Decision, e.Reason, e.Error)
	}
	if e.Exchange == "" {
		if e.Decision != string(exchange.OutcomeIssued) {
			t.Note("asked", in.asked())
		}
	} else {
		e.writeThen(&t)
	}
	e.writeChecks(&t, in.all)
	for _, c := range e.Candidates {
		if c.Failed == "" || c.Policy == e.Policy || e.cannotTell(c.Detail) { // what the deciding one failed is told above
			continue
		}
		t.Line("  policy %s does not fit: %s", c.Policy, c.Failed)
		t.Detail(c.Detail, c.Expected, c.Actual)
	}
	t.Note("assumed", strings.Join(e.Assumed, "; "))
	t.Note("missing", strings.Join(e.Missing, "; "))
	t.Note("help", e.Mend)
	if e.Preview != nil {
		t.Note("expires", "in "+(time.Duration(e.Preview.ExpiresIn)*time.Second).String())
	}
	if _, err := io.WriteString(w, t.String()); err != nil || e.Preview == nil {
		return err
	}
	return console.PrintJSON(w, e.Preview.Claims)
}

// writeChecks tells the check that failed; with all, every one.
func (e *explanation) writeChecks(t *console.Page, all bool) {
	for _, c := range e.Checks {
		if !all && (c.Result != "fail" || e.cannotTell(c.Detail)) {
			continue
		}
		t.Line("  %-4s  %s", c.Result, c.ID)
		t.Detail(c.Detail, c.Expected, c.Actual)
	}
}

// cannotTell says of a check's detail that it is what the record does not tell,
// which the first line says: nothing failed there, as far as is known.
func (e *explanation) cannotTell(detail string) bool { return e.Unknown != "" && detail == e.Unknown }

// asked is the request in a line.
func (in *explained) asked() string {
	parts := []string{"client " + in.question.Client}
	for _, part := range []struct{ name, value string }{
		{"audience", strings.Join(in.question.Audience, " ")}, {"resource", strings.Join(in.question.Resource, " ")}, {"scope", in.question.Scope},
	} {
		if part.value != "" {
			parts = append(parts, part.name+" "+part.value)
		}
	}
	return strings.Join(parts, ", ")
}

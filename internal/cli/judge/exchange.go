package judge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/strait-sts/strait/internal/cli/console"
	"github.com/strait-sts/strait/internal/exchange"
)

// maxTokenAnswer is the most that /token answers with.
const maxTokenAnswer = 1 << 20

// tokenCall is what the flags of strait exchange say.
type tokenCall struct {
	url, client, secretFile   string
	grant                     string
	subjectFile, subjectType  string
	actorFile, actorType      string
	audiences, resources      []string
	scope, requestedTokenType string
	output                    console.Format
}

// Exchange is strait exchange.
func Exchange(p *console.Process) *cobra.Command {
	var in tokenCall
	cmd := &cobra.Command{
		Use:   "exchange",
		Short: "Call /token as a client would, and print the answer",
		Long: `Sends one token exchange (RFC 8693 §2.1) with client_secret_basic and prints the answer: the token,
or the refusal with its reason and decision id (exit code 1).

Token types are written as their short names (jwt, access_token, id_token) or as whole URNs.
With --grant client_credentials the client asks for a token of its own and sends no subject token.`,
		Example: `  strait exchange --client edge-gateway --client-secret-file edge-secret \
      --subject-token alice.jwt --audience orders-api --scope orders:read
  strait exchange --client edge-gateway --client-secret-file edge-secret --grant client_credentials --audience orders-api`,
		Args: console.Args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return in.run(cmd.Context(), p) },
	}
	f := cmd.Flags()
	f.StringVar(&in.url, "url", p.Setting("STRAIT_ISSUER", console.DefaultIssuer), "the issuer, or its token endpoint")
	f.StringVar(&in.client, "client", "", "client_id")
	f.StringVar(&in.secretFile, "client-secret-file", "", "file with the client's secret")
	f.StringVar(&in.grant, "grant", "token-exchange", "token-exchange or client_credentials")
	f.StringVar(&in.subjectFile, "subject-token", "", "file with the subject token; - is standard input")
	f.StringVar(&in.subjectType, "subject-token-type", "jwt", "its type")
	f.StringVar(&in.actorFile, "actor-token", "", "file with the actor token; - is standard input")
	f.StringVar(&in.actorType, "actor-token-type", "jwt", "its type")
	f.StringArrayVar(&in.audiences, "audience", nil, "a target: its name or its audience; may repeat")
	f.StringArrayVar(&in.resources, "resource", nil, "a target by a resource of it (RFC 8707); may repeat")
	f.StringVar(&in.scope, "scope", "", "scopes, with spaces between them; none: the policy's default")
	f.StringVar(&in.requestedTokenType, "requested-token-type", "", "the type wanted; none: the policy's")
	console.OutputFlag(cmd, &in.output, console.FormatJSON)
	return cmd
}

// run makes the call and prints the answer.
func (in *tokenCall) run(ctx context.Context, p *console.Process) error {
	req, err := in.request(ctx, p)
	if err != nil {
		return err
	}
	status, body, err := in.send(req)
	if err != nil {
		return err
	}
	var answer tokenAnswer
	if json.Unmarshal(body, &answer) != nil {
		return fmt.Errorf("%s answered %d, and not with JSON; is it a token endpoint?", req.URL.Redacted(), status)
	}
	if err := in.print(p.Out, body, answer); err != nil {
		return err
	}
	if status != http.StatusOK {
		return errors.New("refused: " + answer.refusal())
	}
	return nil
}

// request builds the form of RFC 8693 §2.1; an empty parameter is left out.
func (in *tokenCall) request(ctx context.Context, p *console.Process) (*http.Request, error) {
	form, err := in.form(p)
	if err != nil {
		return nil, err
	}
	if in.client == "" || in.secretFile == "" {
		return nil, console.Usage("--client and --client-secret-file are needed")
	}
	secret, err := console.ReadSecret(in.secretFile)
	if err != nil {
		return nil, err
	}
	endpoint, err := tokenEndpoint(in.url)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	// RFC 6749 §2.3.1: both halves are form-encoded before they are joined.
	req.SetBasicAuth(url.QueryEscape(in.client), url.QueryEscape(secret.Reveal()))
	return req, nil
}

func (in *tokenCall) form(p *console.Process) (url.Values, error) {
	form := url.Values{"audience": in.audiences, "resource": in.resources}
	set := func(name, value string) {
		if value != "" {
			form.Set(name, value)
		}
	}
	set("scope", in.scope)
	set("requested_token_type", urn(in.requestedTokenType))
	switch in.grant {
	case string(exchange.GrantClientCredentials):
		set("grant_type", in.grant)
		return form, nil
	case "token-exchange", string(exchange.GrantTokenExchange):
		set("grant_type", string(exchange.GrantTokenExchange))
	default:
		return nil, console.Usage("--grant: want token-exchange or client_credentials, not %q", in.grant)
	}
	if in.subjectFile == "" {
		return nil, console.Usage("--subject-token is needed; for a token of the client itself: --grant client_credentials")
	}
	for _, token := range []struct{ role, file, kind string }{
		{"subject", in.subjectFile, in.subjectType}, {"actor", in.actorFile, in.actorType},
	} {
		if token.file == "" {
			continue
		}
		text, err := p.ReadToken(token.file)
		if err != nil {
			return nil, fmt.Errorf("--%s-token: %w", token.role, err)
		}
		set(token.role+"_token", text.Reveal())
		set(token.role+"_token_type", urn(token.kind))
	}
	return form, nil
}

// urn is a token type identifier (RFC 8693 §3) for its short name.
func urn(kind string) string {
	if kind == "" || strings.Contains(kind, ":") {
		return kind
	}
	return string(exchange.TypeOf(kind))
}

// tokenEndpoint is the URL of /token: the one given, or that of the issuer
// given.
func tokenEndpoint(given string) (string, error) {
	u, err := url.Parse(given)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", console.Usage("--url: want one such as https://sts.example.com, not %q", given)
	}
	if !strings.HasSuffix(u.Path, "/token") {
		u.Path = strings.TrimSuffix(u.Path, "/") + "/token"
	}
	return u.String(), nil
}

// send posts the form. Redirects are refused: a 307 would carry the secret and
// the tokens to another place.
func (in *tokenCall) send(req *http.Request) (status int, body []byte, err error) {
	c := &http.Client{
		Timeout:       30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := c.Do(req)
	if err != nil {
		return 0, nil, fmt.Errorf("call the token endpoint: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxTokenAnswer))
	if err != nil {
		return 0, nil, fmt.Errorf("read the token endpoint's answer: %w", err)
	}
	return resp.StatusCode, body, nil
}

// tokenAnswer is the answer of /token, issued (RFC 8693 §2.2.1) or refused
// (RFC 6749 §5.2).
type tokenAnswer struct {
	AccessToken string `json:"access_token"`
	IssuedType  string `json:"issued_token_type"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int64  `json:"expires_in"`
	Scope       string `json:"scope"`

	Code        string `json:"error"`
	Description string `json:"error_description"`
	Reason      string `json:"reason"`
	Decision    string `json:"decision_id"`
}

func (a tokenAnswer) refusal() string {
	line := console.Visible(a.Code)
	if a.Reason != "" {
		line += " (" + console.Visible(a.Reason) + ")"
	}
	if a.Description != "" {
		line += ": " + console.Visible(a.Description)
	}
	if a.Decision != "" {
		line += "; strait audit show " + console.Visible(a.Decision)
	}
	return line
}

func (in *tokenCall) print(w io.Writer, body []byte, a tokenAnswer) error {
	if in.output != console.FormatTable {
		return console.PrintOne(w, in.output, body)
	}
	if a.Code != "" {
		return console.Table(w, []string{"ERROR", "REASON", "DECISION"}, [][]string{{a.Code, a.Reason, a.Decision}})
	}
	return console.Table(w, []string{"TYPE", "EXPIRES IN", "SCOPE", "TOKEN"},
		[][]string{{a.TokenType, (time.Duration(a.ExpiresIn) * time.Second).String(), a.Scope, a.AccessToken}})
}

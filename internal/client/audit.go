package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// maxJWKS bounds a key set.
const maxJWKS = 1 << 20

// VerifyAudit has the server prove every record, and gives its report, an
// audit.Report as JSON. It takes as long as the log is long.
func (c *Client) VerifyAudit(ctx context.Context) (json.RawMessage, error) {
	body, err := c.stream(ctx, call{method: http.MethodGet, path: root + "audit/verify"})
	if err != nil {
		return nil, err
	}
	defer func() { _ = body.Close() }()
	report, err := io.ReadAll(io.LimitReader(body, maxAnswer))
	if err != nil {
		return nil, c.unreachable(err)
	}
	return report, nil
}

// ExportAudit writes the records of a time, zero for without end, with what
// proves them. An error means that what was written is not whole.
func (c *Client) ExportAudit(ctx context.Context, since, until time.Time, w io.Writer) error {
	query := url.Values{}
	for name, at := range map[string]time.Time{"since": since, "until": until} {
		if !at.IsZero() {
			query.Set(name, at.UTC().Format(time.RFC3339Nano))
		}
	}
	body, err := c.stream(ctx, call{method: http.MethodGet, path: root + "audit/export", query: query})
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	if _, err := io.Copy(w, body); err != nil {
		return fmt.Errorf("the export broke off: %w", err)
	}
	return nil
}

// stream makes a call whose answer may take any time, and gives its body.
func (c *Client) stream(ctx context.Context, in call) (io.ReadCloser, error) {
	req, err := c.request(ctx, in)
	if err != nil {
		return nil, err
	}
	patient := *c.http
	patient.Timeout = 0
	resp, err := patient.Do(req)
	if err != nil {
		return nil, c.unreachable(err)
	}
	if resp.StatusCode/100 == 2 {
		return resp.Body, nil
	}
	defer func() { _ = resp.Body.Close() }()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20)) // what there is of it
	return nil, problemOf(resp, text)
}

// PublishedKeys reads the JWK Set that an issuer publishes at
// /.well-known/jwks.json, as Strait does.
func PublishedKeys(ctx context.Context, issuer string) ([]byte, error) {
	c, err := New(issuer, "")
	if err != nil {
		return nil, fmt.Errorf("the issuer is %q; want one such as https://sts.example.com", issuer)
	}
	req, err := c.request(ctx, call{method: http.MethodGet, path: "/.well-known/jwks.json"})
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("the keys of %s cannot be fetched: %w", strings.TrimSuffix(issuer, "/"), err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the keys of %s cannot be fetched: %s", issuer, resp.Status)
	}
	return io.ReadAll(io.LimitReader(resp.Body, maxJWKS))
}

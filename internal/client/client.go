package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/strait-sts/strait/internal/exchange"
)

// The limits of one call.
const (
	timeout   = 30 * time.Second
	maxAnswer = 64 << 20
)

// ErrUnreachable is wrapped by every error of a call that got no answer.
var ErrUnreachable = errors.New("the admin API cannot be reached")

// Client calls the admin API at one address.
type Client struct {
	base      string
	authorize func(*http.Request) // a function, since fmt would print an unexported secret
	http      *http.Client
}

// New makes a client for the admin API at base, such as
// http://127.0.0.1:8081, with the token of an administrator. http is for
// loopback hosts and for those who must: the token is sent with every call.
func New(base string, token exchange.Secret) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, fmt.Errorf("the admin URL is %q; want one such as http://127.0.0.1:8081 (STRAIT_ADMIN_URL)", base)
	}
	return &Client{
		base: strings.TrimSuffix(base, "/"),
		authorize: func(req *http.Request) {
			if token != "" {
				req.Header.Set("Authorization", "Bearer "+token.Reveal())
			}
		},
		http: &http.Client{
			Timeout:       timeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// call is one request to the admin API.
type call struct {
	method, path string
	query        url.Values
	header       http.Header
	body         any // nil for none
}

// do makes the call and decodes the answer's JSON into out, unless out is nil.
func (c *Client) do(ctx context.Context, in call, out any) (http.Header, error) {
	req, err := c.request(ctx, in)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, c.unreachable(err)
	case len(text) > maxAnswer:
		return nil, fmt.Errorf("%s %s: the answer is larger than %d bytes", in.method, in.path, maxAnswer)
	case resp.StatusCode/100 != 2:
		return nil, problemOf(resp, text)
	case out == nil:
		return resp.Header, nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return nil, fmt.Errorf("%s %s: the answer cannot be read: %w", in.method, in.path, err)
	}
	return resp.Header, nil
}

func (c *Client) request(ctx context.Context, in call) (*http.Request, error) {
	target := c.base + in.path
	if len(in.query) > 0 {
		target += "?" + in.query.Encode()
	}
	var body io.Reader
	if in.body != nil {
		text, err := json.Marshal(in.body)
		if err != nil {
			return nil, fmt.Errorf("write the body of %s %s: %w", in.method, in.path, err)
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, in.method, target, body)
	if err != nil {
		return nil, err
	}
	for name, values := range in.header {
		req.Header[name] = values
	}
	req.Header.Set("Accept", "application/json, application/problem+json")
	if in.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	c.authorize(req)
	return req, nil
}

// unreachable says where nobody answered, and what to do about it.
func (c *Client) unreachable(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return fmt.Errorf("%w at %s: %w (is strait serve running there? STRAIT_ADMIN_URL names another address)", ErrUnreachable, c.base, err)
}

// Problem is an answer that is no success (RFC 9457 §3.1).
type Problem struct {
	Type     string       `json:"type"`
	Title    string       `json:"title"`
	Status   int          `json:"status"`
	Detail   string       `json:"detail"`
	Instance string       `json:"instance"` // urn:strait:request:<request id>
	Errors   []FieldError `json:"errors"`
}

// FieldError is one fault of a body: where (a JSON Pointer, RFC 6901), what
// sort, and the words for people.
type FieldError struct {
	Pointer string `json:"pointer"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Error gives what went wrong, with every fault of the body on its own line.
func (p *Problem) Error() string {
	text := p.Title
	if p.Detail != "" {
		text += ": " + p.Detail
	}
	text += fmt.Sprintf(" (%d", p.Status)
	if id, ok := strings.CutPrefix(p.Instance, "urn:strait:request:"); ok {
		text += ", request " + id
	}
	text += ")"
	for _, e := range p.Errors {
		text += "\n  " + strings.TrimPrefix(e.Pointer+": "+e.Message, ": ")
	}
	return text
}

// Is says whether err is a problem with this HTTP status.
func Is(err error, status int) bool {
	var p *Problem
	return errors.As(err, &p) && p.Status == status
}

// problemOf reads the problem document of an answer. An answer that has none
// is not from an admin API: its text is left out, its status told.
func problemOf(resp *http.Response, text []byte) error {
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	p := &Problem{}
	if kind != "application/problem+json" || json.Unmarshal(text, p) != nil {
		return fmt.Errorf("%s %s answered %s, not as an admin API does; is STRAIT_ADMIN_URL the admin address?",
			resp.Request.Method, resp.Request.URL.Redacted(), resp.Status)
	}
	p.Status = resp.StatusCode
	return p
}

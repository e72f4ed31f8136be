package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/strait-sts/strait/internal/exchange"
)

const root = "/admin/v1/"

// ApplyRequest is the body of POST /apply. Objects are manifests as JSON.
type ApplyRequest struct {
	Objects    []json.RawMessage `json:"objects"`
	Set        string            `json:"set,omitempty"`
	Prune      bool              `json:"prune,omitempty"`
	IfRevision *int64            `json:"ifRevision,omitempty"`
	DryRun     bool              `json:"dryRun,omitempty"`
}

// ApplyResult is its answer: the catalogue's revision, and what became of each
// object. A dry run also tells which findings the change would bring, and what it
// would open and close.
type ApplyResult struct {
	Revision int64           `json:"revision"`
	Results  []Result        `json:"results"`
	Findings json.RawMessage `json:"findings"`
	Reach    json.RawMessage `json:"reach"`
}

// Result is what became of an object: created, configured, unchanged or
// deleted.
type Result struct {
	Kind   string `json:"kind"`
	Name   string `json:"name"`
	Result string `json:"result"`
}

// Administrator is who the token belongs to.
type Administrator struct {
	Name string `json:"name"`
	Role string `json:"role"`
}

// Key is the public side of a signing key.
type Key struct {
	ID        string     `json:"kid"`
	Algorithm string     `json:"algorithm"`
	State     string     `json:"state"`
	Created   time.Time  `json:"created"`
	Activated *time.Time `json:"activated,omitempty"`
	Retired   *time.Time `json:"retired,omitempty"`
}

// list is one page of any list.
type list struct {
	Items []json.RawMessage `json:"items"`
	Next  string            `json:"nextPageToken"`
}

// Apply applies the objects, all or nothing. reason is kept in the change
// records.
func (c *Client) Apply(ctx context.Context, in ApplyRequest, reason string) (ApplyResult, error) {
	var out ApplyResult
	_, err := c.do(ctx, call{method: http.MethodPost, path: root + "apply", header: because(reason), body: in}, &out)
	return out, err
}

// Get reads an object as JSON, with its entity tag.
func (c *Client) Get(ctx context.Context, plural, name string) (object json.RawMessage, etag string, err error) {
	header, err := c.do(ctx, call{method: http.MethodGet, path: objectPath(plural, name)}, &object)
	return object, header.Get("ETag"), err
}

// List reads all objects of a kind, by name, page by page.
func (c *Client) List(ctx context.Context, plural string) ([]json.RawMessage, error) {
	return c.pages(ctx, root+plural, url.Values{}, 0)
}

// Delete removes an object if it is still the one with this entity tag; "*" is
// whatever is there.
func (c *Client) Delete(ctx context.Context, plural, name, etag, reason string) error {
	header := because(reason)
	header.Set("If-Match", etag)
	_, err := c.do(ctx, call{method: http.MethodDelete, path: objectPath(plural, name), header: header}, nil)
	return err
}

// Lint reads what there is to find in the catalogue, as it came; with usage, days
// such as "90d", what the log shows to be unused too.
func (c *Client) Lint(ctx context.Context, usage string) (json.RawMessage, error) {
	query := url.Values{}
	if usage != "" {
		query.Set("usage", usage)
	}
	var report json.RawMessage
	_, err := c.do(ctx, call{method: http.MethodGet, path: root + "lint", query: query}, &report)
	return report, err
}

// Reach asks what can be reached, with the parameters of GET /reach, and gives the
// answer as it came.
func (c *Client) Reach(ctx context.Context, query url.Values) (json.RawMessage, error) {
	var answer json.RawMessage
	_, err := c.do(ctx, call{method: http.MethodGet, path: root + "reach", query: query}, &answer)
	return answer, err
}

// Exchanges reads at most most records, newest first, with the filters of
// GET /exchanges.
func (c *Client) Exchanges(ctx context.Context, filter url.Values, most int) ([]json.RawMessage, error) {
	return c.pages(ctx, root+"exchanges", filter, most)
}

// Exchange reads one record.
func (c *Client) Exchange(ctx context.Context, id exchange.ID) (json.RawMessage, error) {
	var record json.RawMessage
	_, err := c.do(ctx, call{method: http.MethodGet, path: root + "exchanges/" + url.PathEscape(string(id))}, &record)
	return record, err
}

// Lineage reads the tree that an exchange is in, a lineage.Tree as JSON.
func (c *Client) Lineage(ctx context.Context, id exchange.ID) (json.RawMessage, error) {
	var tree json.RawMessage
	_, err := c.do(ctx, call{method: http.MethodGet, path: root + "exchanges/" + url.PathEscape(string(id)) + "/lineage"}, &tree)
	return tree, err
}

// Keys reads the signing keys.
func (c *Client) Keys(ctx context.Context) ([]Key, error) {
	var out struct {
		Items []Key `json:"items"`
	}
	_, err := c.do(ctx, call{method: http.MethodGet, path: root + "keys"}, &out)
	return out.Items, err
}

// Whoami says who the token belongs to.
func (c *Client) Whoami(ctx context.Context) (Administrator, error) {
	var me Administrator
	_, err := c.do(ctx, call{method: http.MethodGet, path: root + "whoami"}, &me)
	return me, err
}

// Ready says whether the server is ready: nil where GET /readyz answers 2xx.
func (c *Client) Ready(ctx context.Context) error {
	req, err := c.request(ctx, call{method: http.MethodGet, path: "/readyz"})
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return c.unreachable(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode/100 == 2 {
		return nil
	}
	why, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10)) // what there is of it
	return fmt.Errorf("the server at %s is not ready (%s): %q", c.base, resp.Status, strings.TrimSpace(string(why)))
}

// maxPage is the most items that a page may have.
const maxPage = 500

// pages reads a list to its end, or to most items where most is not 0.
func (c *Client) pages(ctx context.Context, path string, query url.Values, most int) ([]json.RawMessage, error) {
	all := []json.RawMessage{}
	for {
		limit := maxPage
		if most > 0 {
			limit = min(limit, most-len(all))
		}
		query.Set("limit", strconv.Itoa(limit))
		var one list
		if _, err := c.do(ctx, call{method: http.MethodGet, path: path, query: query}, &one); err != nil {
			return nil, err
		}
		all = append(all, one.Items...)
		if most > 0 && len(all) >= most {
			return all[:most], nil
		}
		if one.Next == "" {
			return all, nil
		}
		query.Set("pageToken", one.Next)
	}
}

func objectPath(plural, name string) string {
	return root + plural + "/" + url.PathEscape(name)
}

func because(reason string) http.Header {
	header := http.Header{}
	if reason != "" {
		header.Set("X-Change-Reason", reason)
	}
	return header
}

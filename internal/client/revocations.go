package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/strait-sts/strait/internal/exchange"
)

// Selector names what is revoked: exactly one member is set.
type Selector struct {
	Token    *exchange.RevokedToken   `json:"token,omitempty"`
	Exchange exchange.ID              `json:"exchange,omitempty"`
	Subject  *exchange.RevokedSubject `json:"subject,omitempty"`
	Client   string                   `json:"client,omitempty"`
	Policy   string                   `json:"policy,omitempty"`
	Issuer   string                   `json:"issuer,omitempty"`
	Key      string                   `json:"key,omitempty"`
}

// RevokeRequest is the body of POST /revocations.
type RevokeRequest struct {
	Selector

	Before  *time.Time `json:"before,omitempty"` // nil: now
	Cascade bool       `json:"cascade"`
}

// RevokeResult is its answer: the order's id, the revision that it made, and how
// many unexpired tokens of ours hold no more by it.
type RevokeResult struct {
	ID       exchange.ID `json:"id"`
	Revision int64       `json:"revision"`
	Tokens   int         `json:"tokens"`
}

// Revocation is an order that was given.
type Revocation struct {
	Selector
	RevokeResult

	Time    time.Time `json:"time"`
	By      string    `json:"by"`
	Reason  string    `json:"reason"`
	Before  time.Time `json:"before"`
	Cascade bool      `json:"cascade"`
}

// Revoke revokes; reason is kept with the order. An error leaves open whether it
// was kept: revoking again is no error.
func (c *Client) Revoke(ctx context.Context, in RevokeRequest, reason string) (RevokeResult, error) {
	var out RevokeResult
	_, err := c.do(ctx, call{method: http.MethodPost, path: root + "revocations", header: because(reason), body: in}, &out)
	return out, err
}

// Revocations reads at most most orders, newest first.
func (c *Client) Revocations(ctx context.Context, most int) ([]json.RawMessage, error) {
	return c.pages(ctx, root+"revocations", url.Values{}, most)
}

package client

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/strait-sts/strait/internal/exchange"
)

// Question is the body of POST /explain: a token of each party, or what it would
// say; or a recorded exchange alone.
type Question struct {
	Exchange           string          `json:"exchange,omitempty"`
	At                 string          `json:"at,omitempty"` // record or now
	Client             string          `json:"client,omitempty"`
	Grant              string          `json:"grant,omitempty"`
	SubjectToken       Sent            `json:"subjectToken,omitempty"`
	SubjectTokenType   string          `json:"subjectTokenType,omitempty"`
	Subject            json.RawMessage `json:"subject,omitempty"`
	ActorToken         Sent            `json:"actorToken,omitempty"`
	ActorTokenType     string          `json:"actorTokenType,omitempty"`
	Actor              json.RawMessage `json:"actor,omitempty"`
	Audience           []string        `json:"audience,omitempty"`
	Resource           []string        `json:"resource,omitempty"`
	Scope              string          `json:"scope,omitempty"`
	RequestedTokenType string          `json:"requestedTokenType,omitempty"`
}

// Sent is a secret that is on its way to the server: JSON shows it, and no other
// printer does.
type Sent string

// MarshalJSON reveals it.
func (s Sent) MarshalJSON() ([]byte, error) { return json.Marshal(string(s)) }

// String hides it.
func (s Sent) String() string { return exchange.Secret(s).String() }

// GoString hides it from %#v.
func (s Sent) GoString() string { return s.String() }

// Explain asks what an exchange would come to, and gives the answer as it came.
func (c *Client) Explain(ctx context.Context, q Question) (json.RawMessage, error) {
	var answer json.RawMessage
	_, err := c.do(ctx, call{method: http.MethodPost, path: root + "explain", body: q}, &answer)
	return answer, err
}

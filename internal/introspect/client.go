package introspect

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/fetch"
	"github.com/strait-sts/strait/internal/jws"
)

// The bounds of what is asked and remembered.
const (
	maxAnswerBytes = 1 << 20
	maxOpen        = 32               // questions to one issuer at a time
	maxWait        = 3 * time.Second  // for a place among them
	keepFor        = 30 * time.Second // a positive answer
	maxKept        = 1024             // positive answers of one issuer
)

// Why a token cannot be believed.
var (
	// ErrInactive: the issuer says that the token is not active, which covers
	// unknown, expired and revoked (RFC 7662 §2.2).
	ErrInactive = errors.New("the issuer says that the token is not active")
	// ErrUnavailable: the issuer gave no answer that means anything, so nothing
	// is said of the token.
	ErrUnavailable = errors.New("the issuer's introspection endpoint gave no usable answer")
)

// Poster sends a form: *fetch.Client.
type Poster interface {
	// PostForm sends one form and reads one JSON answer, within bounds of its
	// own for time and where it may connect.
	PostForm(ctx context.Context, f fetch.Form) (fetch.Response, error)
}

// Spec says whom to ask, and who asks. It can be compared.
type Spec struct {
	Name        string // of the entry
	URL         string
	ClientID    string
	Secret      exchange.Secret
	Authorities string // PEM, whom TLS believes; empty: the system's roots
}

// Client asks one issuer. It may be used by many at once.
type Client struct {
	spec   Spec
	poster Poster
	roots  *x509.CertPool
	open   chan struct{}

	mu     sync.Mutex
	kept   map[[sha256.Size]byte]answer
	health Health
}

// answer is a positive one. Its claims never change.
type answer struct {
	claims exchange.Claims
	until  time.Time
}

// Health is how the endpoint did. Times are zero where nothing happened yet.
type Health struct {
	Answered  time.Time // the last answer that could be used, active or not
	LastUsed  time.Time // the last question
	LastError string    // of the last question; names the host, never a token
	Failures  uint64
}

// New makes a client. The error says that Authorities cannot be read.
func New(spec Spec, poster Poster) (*Client, error) {
	c := &Client{spec: spec, poster: poster, open: make(chan struct{}, maxOpen), kept: map[[sha256.Size]byte]answer{}}
	if spec.Authorities == "" {
		return c, nil
	}
	var err error
	c.roots, err = fetch.ParseRoots(spec.Authorities)
	return c, err
}

// Ask gives what the issuer says of an active token: what it answers now, or
// answered less than 30 s before now. The errors wrap ErrInactive or
// ErrUnavailable. Callers only read the claims.
func (c *Client) Ask(ctx context.Context, token exchange.Secret, now time.Time) (exchange.Claims, error) {
	id := sha256.Sum256([]byte(token.Reveal()))
	if claims, found := c.recall(id, now); found {
		return claims, nil
	}
	claims, err := c.ask(ctx, token)
	c.note(id, claims, err, now)
	return claims, err
}

// Health tells how the endpoint did.
func (c *Client) Health() Health {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.health
}

// ask sends the question (RFC 7662 §2.1).
func (c *Client) ask(ctx context.Context, token exchange.Secret) (exchange.Claims, error) {
	if err := c.enter(ctx); err != nil {
		return nil, err
	}
	defer func() { <-c.open }()
	response, err := c.poster.PostForm(ctx, fetch.Form{
		URL: c.spec.URL, MaxBytes: maxAnswerBytes, RootCAs: c.roots,
		Values: url.Values{"token": {token.Reveal()}, "token_type_hint": {"access_token"}},
		User:   c.spec.ClientID, Password: c.spec.Secret.Reveal(),
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return read(response.Body)
}

// enter waits for a place among the open questions.
func (c *Client) enter(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	select {
	case c.open <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %d questions are open already", ErrUnavailable, maxOpen)
	}
}

// read judges an answer: an object whose active is a JSON true. Anything but
// true and false says nothing about the token.
func read(body []byte) (exchange.Claims, error) {
	claims, err := jws.ParseObject(body, jws.Limits{MaxBytes: maxAnswerBytes})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	active, isBool := claims["active"].(bool)
	switch {
	case !isBool:
		return nil, fmt.Errorf("%w: active is missing, or not true or false (RFC 7662 §2.2)", ErrUnavailable)
	case !active:
		return nil, ErrInactive
	}
	return claims, nil
}

// recall finds a positive answer that may still be used.
func (c *Client) recall(id [sha256.Size]byte, now time.Time) (exchange.Claims, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a, found := c.kept[id]
	if !found || !now.Before(a.until) {
		return nil, false
	}
	c.health.LastUsed = now
	return a.claims, true
}

// note keeps a positive answer, and how the endpoint did. Where there are too
// many answers, all are forgotten: the issuer is asked again.
func (c *Client) note(id [sha256.Size]byte, claims exchange.Claims, err error, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.health.LastUsed = now
	delete(c.kept, id)
	if errors.Is(err, ErrUnavailable) {
		c.health.Failures++
		c.health.LastError = err.Error()
		return
	}
	c.health.Answered, c.health.LastError = now, ""
	if err != nil {
		return
	}
	if len(c.kept) >= maxKept {
		clear(c.kept)
	}
	c.kept[id] = answer{claims, now.Add(keepFor)}
}

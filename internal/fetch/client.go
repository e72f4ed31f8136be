package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// The bounds of one request. They leave a caller of /token, who waits 10 s at
// most, time for an answer.
const (
	dialTimeout    = 2 * time.Second // the resolution of the name included
	tlsTimeout     = 2 * time.Second
	headerTimeout  = 3 * time.Second
	totalTimeout   = 5 * time.Second
	maxHeaderBytes = 32 << 10
)

// DefaultMaxBytes bounds a body where the request does not say.
const DefaultMaxBytes = 1 << 20

// Client sends requests under one Policy. It holds no connections, no cookies
// and no state, and may be used by many at once.
type Client struct {
	policy Policy
	dialer net.Dialer
	total  time.Duration
}

// New makes a Client.
func New(p Policy) *Client {
	return &Client{policy: p, dialer: net.Dialer{Timeout: dialTimeout}, total: totalTimeout}
}

// Request is one document to get.
type Request struct {
	URL      string
	MaxBytes int64          // of the body; 0 means DefaultMaxBytes
	RootCAs  *x509.CertPool // whom TLS believes; nil means the system's roots
	ETag     string         // of the version that the caller has, if any (RFC 9110 §13.1.2)
}

// Response is a document that was got.
type Response struct {
	Body        []byte        // nil where NotModified
	ETag        string        // to be sent with the next Request, if any
	MaxAge      time.Duration // how long it may be kept, if HasMaxAge: not yet bounded by any rule of ours
	HasMaxAge   bool
	NotModified bool // the version that the caller has is the newest
}

// Form is one form to send (RFC 7662 §2.1). It holds secrets: never log it.
type Form struct {
	URL      string
	Values   url.Values
	User     string // of HTTP Basic, with Password, both form-encoded (RFC 6749 §2.3.1)
	Password string
	MaxBytes int64          // of the answer's body; 0 means DefaultMaxBytes
	RootCAs  *x509.CertPool // whom TLS believes; nil means the system's roots
}

// GetJSON gets a JSON document. The caller's context lends its values, not its
// end: who waits for a document may go away without failing others who share
// the request; it ends by itself after 5 s. The error is one of this package's.
func (c *Client) GetJSON(ctx context.Context, r Request) (Response, error) {
	header := http.Header{}
	if r.ETag != "" {
		header.Set("If-None-Match", r.ETag)
	}
	return c.send(context.WithoutCancel(ctx), r, http.MethodGet, header, "")
}

// PostForm sends a form and reads a JSON answer, under the same rules as
// GetJSON, but that it ends with the caller's context: nobody shares it. What
// is sent goes to the host of the URL and nowhere else, since no redirect is
// followed. The error is one of this package's.
func (c *Client) PostForm(ctx context.Context, f Form) (Response, error) {
	header := http.Header{}
	header.Set("Content-Type", "application/x-www-form-urlencoded")
	credentials := url.QueryEscape(f.User) + ":" + url.QueryEscape(f.Password)
	header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(credentials)))
	return c.send(ctx, Request{URL: f.URL, MaxBytes: f.MaxBytes, RootCAs: f.RootCAs}, http.MethodPost, header, f.Values.Encode())
}

// send checks the URL, sends the request and reads the answer.
func (c *Client) send(ctx context.Context, r Request, method string, header http.Header, body string) (Response, error) {
	u, err := c.policy.parse(r.URL)
	if err != nil {
		return Response{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.total)
	defer cancel()
	response, err := c.exchange(ctx, u, r, method, header, body)
	if err != nil {
		return Response{}, fmt.Errorf("fetch from %s: %w", u.Host, err)
	}
	return response, nil
}

func (c *Client) exchange(ctx context.Context, u *url.URL, r Request, method string, header http.Header, body string) (Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, u.String(), strings.NewReader(body))
	if err != nil {
		return Response{}, forbidden("it cannot be requested")
	}
	request.Header = header
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "strait")
	answer, err := c.httpClient(u.Scheme == "http", r.RootCAs).Do(request)
	if err != nil {
		return Response{}, failure(err)
	}
	defer answer.Body.Close() //nolint:errcheck // what was read is judged by its own error
	return read(answer, r)
}

// httpClient makes the client of one request, so that no connection outlives
// the check of its address.
func (c *Client) httpClient(plain bool, roots *x509.CertPool) *http.Client {
	dialer := c.dialer
	inner := dialer.ControlContext
	dialer.ControlContext = func(ctx context.Context, network, address string, conn syscall.RawConn) error {
		if err := c.checkDial(address, plain); err != nil || inner == nil {
			return err
		}
		return inner(ctx, network, address, conn)
	}
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:                  nil, // not even the environment's
			DialContext:            dialer.DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
			TLSHandshakeTimeout:    tlsTimeout,
			ResponseHeaderTimeout:  headerTimeout,
			MaxResponseHeaderBytes: maxHeaderBytes,
			DisableKeepAlives:      true,
			DisableCompression:     true,
		},
	}
}

// checkDial is asked with each address that is about to be connected to, after
// all resolving is done.
func (c *Client) checkDial(address string, plain bool) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil || !c.policy.permits(to.Addr(), plain) {
		return ErrForbiddenAddress
	}
	return nil
}

// failure names what an error of net/http is. Only errors that the network and
// TLS make are passed on: the others quote the URL or the answer.
func failure(err error) error {
	var (
		timing      net.Error
		unresolved  *net.DNSError
		certificate *tls.CertificateVerificationError
		network     *net.OpError
	)
	switch {
	case errors.Is(err, ErrForbiddenAddress):
		return ErrForbiddenAddress
	case errors.As(err, &timing) && timing.Timeout():
		return ErrTimeout
	case errors.As(err, &unresolved):
		return fmt.Errorf("%w: the name does not resolve", ErrUnreachable)
	case errors.As(err, &certificate):
		return fmt.Errorf("%w: %w", ErrUnreachable, certificate)
	case errors.As(err, &network):
		return fmt.Errorf("%w: %w", ErrUnreachable, network)
	}
	return fmt.Errorf("%w: the answer is not HTTP, or broke off", ErrUnreachable)
}

package trust

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/introspect"
	"github.com/strait-sts/strait/internal/keysource"
)

// Status is the state of one trusted issuer, for administrators. Of an issuer
// of opaque tokens, fetched is the last answer that could be used.
type Status struct {
	Name   string `json:"-"` // of the entry
	Issuer string `json:"-"`
	keysource.Status
}

// ErrNoEntry: the trust list has no entry of this name.
var ErrNoEntry = errors.New("the trust list has no such entry")

func (e *entry) status() Status {
	s := Status{Name: e.name, Issuer: e.issuer, Status: keysource.Status{State: keysource.Disabled}}
	switch {
	case e.keys != nil:
		s.Status = e.keys.Status()
	case e.asker != nil:
		s.Status = askerStatus(e.asker.Health())
	case e.askError != nil:
		s.State, s.LastError = keysource.Failing, e.askError.Error()
	}
	return s
}

// askerStatus tells of an introspection endpoint in the words for keys.
func askerStatus(h introspect.Health) keysource.Status {
	s := keysource.Status{State: keysource.Healthy, Fetched: h.Answered, LastUsed: h.LastUsed, LastError: h.LastError, Failures: h.Failures}
	switch {
	case h.LastError != "":
		s.State = keysource.Failing
	case h.Answered.IsZero():
		s.State = keysource.NeverFetched
	}
	return s
}

// Probe is what reaching an issuer now came to.
type Probe struct {
	keysource.Finding
	OK       bool   `json:"ok"`
	Error    string `json:"error,omitempty"` // names hosts, never a token or a secret
	Endpoint string `json:"introspection,omitempty"`
	Took     string `json:"took"`
}

// Probe reaches the issuer of an entry now, disabled or not, with the guards of
// every fetch, and tells what it found; nothing in use changes. Keys are
// fetched; an introspection endpoint is asked about a token that nobody has,
// which it must call inactive. The error is ErrNoEntry.
func (t *Trust) Probe(ctx context.Context, s *catalog.Snapshot, name string) (Probe, error) {
	o := s.Issuer(name)
	if o == nil {
		return Probe{}, fmt.Errorf("%w: %q", ErrNoEntry, name)
	}
	var p Probe
	var err error
	begun := t.options.Clock()
	if in := o.Spec.Keys.Introspection; in != nil {
		p.Endpoint, err = in.URL, t.probeAsker(ctx, o)
	} else {
		p.Finding, err = t.keeper.Probe(ctx, keySpec(o))
	}
	p.Took = t.options.Clock().Sub(begun).Round(time.Millisecond).String()
	p.OK = err == nil
	if err != nil {
		p.Error = err.Error()
	}
	return p, nil
}

func (t *Trust) probeAsker(ctx context.Context, o *catalog.Of[catalog.TrustedIssuer]) error {
	client, err := t.asker(o, map[introspect.Spec]*introspect.Client{})
	if err != nil {
		return err
	}
	_, err = client.Ask(ctx, exchange.Secret("strait-probe-"+rand.Text()), t.options.Clock())
	switch {
	case err == nil:
		return errors.New("the endpoint calls a token active that nobody has: it believes everything")
	case errors.Is(err, introspect.ErrInactive):
		return nil
	}
	return err
}

package keysource

import (
	"context"
	"crypto/x509"
	"fmt"

	"github.com/strait-sts/strait/internal/fetch"
	"github.com/strait-sts/strait/internal/jws"
)

// Fetcher gets documents from outside: *fetch.Client.
type Fetcher interface {
	// GetJSON gets one JSON document, within bounds of its own for time, size
	// and where it may connect.
	GetJSON(ctx context.Context, r fetch.Request) (fetch.Response, error)
}

// remote is where an entry's keys are fetched from.
type remote struct {
	fetcher   Fetcher
	roots     *x509.CertPool // nil: the system's
	issuer    string
	jwksURI   string     // empty: by discovery
	discovery *Discovery // nil where jwksURI is written

	etag     string // of the key set that was last read
	etagFrom string // the URL it came from
	metadata string // the URL where discovery last found a document
}

// newRemote reads how an entry's keys are to be fetched.
func newRemote(spec Spec, fetcher Fetcher) (*remote, error) {
	r := &remote{fetcher: fetcher, issuer: spec.Issuer, jwksURI: spec.JWKSURI, discovery: spec.Discovery}
	if r.jwksURI == "" && r.discovery == nil {
		return nil, fmt.Errorf("%w: the entry does not say where its keys are", ErrUnavailable)
	}
	if spec.Authorities == "" {
		return r, nil
	}
	var err error
	r.roots, err = fetch.ParseRoots(spec.Authorities)
	return r, err
}

// load is a loader. Nothing but the entry, and for discovery the issuer's own
// document within the hosts that the entry names, says where it connects.
func (r *remote) load(ctx context.Context) (keyDocument, error) {
	uri := r.jwksURI
	if uri == "" {
		var err error
		if uri, err = r.discover(ctx); err != nil {
			return keyDocument{}, err
		}
	}
	return r.loadSet(ctx, uri)
}

// loadSet fetches the key set itself, if it is not the one that we have (RFC
// 9110 §13.1.2).
func (r *remote) loadSet(ctx context.Context, uri string) (keyDocument, error) {
	request := fetch.Request{URL: uri, MaxBytes: jws.MaxKeySetBytes, RootCAs: r.roots}
	if uri == r.etagFrom {
		request.ETag = r.etag
	}
	response, err := r.fetcher.GetJSON(ctx, request)
	if err != nil {
		return keyDocument{}, fmt.Errorf("key set: %w", err)
	}
	document := keyDocument{fresh: response.MaxAge, hasFresh: response.HasMaxAge, unchanged: response.NotModified}
	if document.unchanged {
		return document, nil
	}
	if document.set, err = jws.ParseKeySet(response.Body); err != nil {
		return keyDocument{}, err
	}
	r.etag, r.etagFrom = response.ETag, uri
	return document, nil
}

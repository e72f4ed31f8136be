package keysource

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/strait-sts/strait/internal/fetch"
)

// maxMetadataBytes bounds an issuer's metadata.
const maxMetadataBytes = 256 << 10

// discover finds the jwks_uri in the issuer's metadata.
func (r *remote) discover(ctx context.Context) (string, error) {
	var failures []error
	for _, location := range r.locations() {
		response, err := r.fetcher.GetJSON(ctx, fetch.Request{URL: location, MaxBytes: maxMetadataBytes, RootCAs: r.roots})
		if err == nil {
			r.metadata = location
			return r.jwksURIOf(response.Body, location)
		}
		failures = append(failures, fmt.Errorf("metadata: %w", err))
		if !notThere(err) {
			break
		}
	}
	return "", errors.Join(failures...)
}

// notThere: somebody answered, but not with metadata, so that the other
// well-known form is worth a try.
func notThere(err error) bool {
	return errors.Is(err, fetch.ErrStatus) || errors.Is(err, fetch.ErrContent) || errors.Is(err, fetch.ErrRedirect)
}

// locations are the URLs where the metadata may be: the one that the entry
// names, else the issuer with the well-known path behind (OpenID Connect
// Discovery 1.0 §4) and in between (RFC 8414 §3.1).
func (r *remote) locations() []string {
	if r.discovery.URL != "" {
		return []string{r.discovery.URL}
	}
	issuer := strings.TrimSuffix(r.issuer, "/")
	locations := []string{issuer + "/.well-known/openid-configuration"}
	if u, err := url.Parse(issuer); err == nil {
		path := u.EscapedPath()
		locations = append(locations, strings.TrimSuffix(issuer, path)+"/.well-known/oauth-authorization-server"+path)
	}
	return locations
}

// jwksURIOf reads the metadata that was found at location. Its issuer must be
// the entry's byte for byte, or it is somebody else's (RFC 8414 §3.3); its
// jwks_uri must stay with the hosts that the entry names.
func (r *remote) jwksURIOf(metadata []byte, location string) (string, error) {
	var document struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(metadata, &document); err != nil {
		return "", errors.New("metadata: not a JSON object with an issuer and a jwks_uri")
	}
	if document.Issuer != r.issuer {
		return "", errors.New("metadata: its issuer is not that of the entry")
	}
	if err := r.checkJWKSURI(document.JWKSURI, location); err != nil {
		return "", fmt.Errorf("metadata: %w", err)
	}
	return document.JWKSURI, nil
}

// checkJWKSURI: the host, with its port, is that of the issuer, of the document
// or one that the entry adds, and https does not become http on the way.
func (r *remote) checkJWKSURI(uri, location string) error {
	at, err := url.Parse(uri)
	if err != nil || authority(at) == "" {
		return errors.New("its jwks_uri is not an absolute URL")
	}
	from, err := url.Parse(location)
	if err != nil || from.Scheme == "https" && at.Scheme != "https" {
		return errors.New("its jwks_uri is not https")
	}
	allowed := []string{authority(from)}
	if issuer, err := url.Parse(r.issuer); err == nil {
		allowed = append(allowed, authority(issuer))
	}
	for _, host := range r.discovery.JWKSHosts {
		allowed = append(allowed, authority(&url.URL{Scheme: at.Scheme, Host: host}))
	}
	if !slices.Contains(allowed, authority(at)) {
		return errors.New("its jwks_uri is on a host that the entry does not name; add it to keys.discovery.jwksHosts")
	}
	return nil
}

// authority is the host and port of a URL, to compare: lower case, the scheme's
// port written out (RFC 3986 §6.2.3). It is empty where there is no host.
func authority(u *url.URL) string {
	if u.Hostname() == "" {
		return ""
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	return strings.ToLower(u.Hostname()) + " " + port
}

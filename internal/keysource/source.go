package keysource

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/strait-sts/strait/internal/jws"
)

// ErrUnavailable: the issuer's keys cannot be had, so nothing is said of the
// token.
var ErrUnavailable = errors.New("the issuer's keys are not available")

// Spec says where the keys of one entry come from: exactly one of JWKS, JWKSURI
// and Discovery is set.
type Spec struct {
	Name        string // of the entry
	Issuer      string // its issuer identifier; a discovery document must name the same
	JWKS        json.RawMessage
	JWKSURI     string
	Discovery   *Discovery
	Authorities string        // PEM, whom TLS believes; empty: the system's roots
	MaxStale    time.Duration // how long keys serve while they cannot be refreshed; 0: 1 h
	Expires     time.Time     // from then on nothing is fetched ahead of need; zero: never
}

// Discovery finds the jwks_uri in the issuer's metadata.
type Discovery struct {
	URL       string   // of the document, where it is elsewhere
	JWKSHosts []string // further hosts that jwks_uri may name
}

func (s Spec) expired(now time.Time) bool { return !s.Expires.IsZero() && !now.Before(s.Expires) }

// Source is where the keys of one entry come from. It belongs to that entry
// alone, and may be used by many at once.
type Source interface {
	// Key is the one key for a token with this kid and alg. The error wraps
	// jws.ErrNoKey or jws.ErrAlgorithm where the issuer has no such key, and
	// ErrUnavailable where that cannot be said. As long as a key is the same,
	// so is the pointer.
	Key(ctx context.Context, kid string, alg jws.Algorithm) (*jws.Key, error)
	// Status tells how the source is.
	Status() Status
}

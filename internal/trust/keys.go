package trust

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/strait-sts/strait/internal/jws"
)

// keySource is where the keys of one entry come from. It belongs to that entry
// alone: two entries with the same jwksUri have a source each.
type keySource interface {
	// key is the one key for a token with this kid and alg. The error wraps
	// jws.ErrNoKey or jws.ErrAlgorithm where the issuer has no such key, and
	// errKeys where that cannot be said.
	key(ctx context.Context, kid string, alg jws.Algorithm) (*jws.Key, error)
	// status tells how the source is.
	status() KeyStatus
}

// errKeys: the issuer's keys cannot be had, so nothing is said of the token.
var errKeys = errors.New("the issuer's keys are not available")

// inlineKeys are written in the entry itself.
type inlineKeys struct {
	set jws.KeySet
	err error
}

func newInlineKeys(raw json.RawMessage) *inlineKeys {
	set, err := jws.ParseKeySet(raw)
	return &inlineKeys{set, err}
}

func (k *inlineKeys) key(_ context.Context, kid string, alg jws.Algorithm) (*jws.Key, error) {
	if k.err != nil {
		return nil, fmt.Errorf("%w: %w", errKeys, k.err)
	}
	return k.set.Select(kid, alg)
}

func (k *inlineKeys) status() KeyStatus {
	s := KeyStatus{State: Healthy, Ignored: k.set.Ignored}
	if k.err != nil {
		s.State, s.LastError = Failing, k.err.Error()
	}
	for _, key := range k.set.Keys {
		s.Keys = append(s.Keys, SeenKey{ID: key.ID()})
	}
	return s
}

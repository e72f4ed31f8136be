package keysource

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/strait-sts/strait/internal/jws"
)

// inlineKeys are written in the entry itself.
type inlineKeys struct {
	set jws.KeySet
	err error
}

func newInlineKeys(raw json.RawMessage) *inlineKeys {
	set, err := jws.ParseKeySet(raw)
	return &inlineKeys{set, err}
}

func (k *inlineKeys) Key(_ context.Context, kid string, alg jws.Algorithm) (*jws.Key, error) {
	if k.err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, k.err)
	}
	return k.set.Select(kid, alg)
}

func (k *inlineKeys) Status() Status {
	s := Status{State: Healthy, Ignored: k.set.Ignored}
	if k.err != nil {
		s.State, s.LastError = Failing, k.err.Error()
	}
	for _, key := range k.set.Keys {
		s.Keys = append(s.Keys, SeenKey{ID: key.ID()})
	}
	return s
}

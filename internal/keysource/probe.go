package keysource

import (
	"context"
	"slices"
	"time"

	"github.com/strait-sts/strait/internal/jws"
)

// Finding is what a probe of an entry's keys found, as far as it came.
type Finding struct {
	Metadata string           `json:"metadata,omitempty"` // the URL where discovery found a document
	JWKSURI  string           `json:"jwksUri,omitempty"`  // where the keys were fetched
	Keys     []FoundKey       `json:"keys,omitempty"`
	Ignored  []jws.IgnoredKey `json:"ignored,omitempty"` // members of the key set that cannot be used
	Fresh    string           `json:"fresh,omitempty"`   // how long these keys would be kept before a refresh, such as 5m0s
}

// FoundKey is a key that can verify tokens.
type FoundKey struct {
	ID         string          `json:"kid"`
	Algorithms []jws.Algorithm `json:"algorithms"`
}

// Probe fetches the keys of an entry now, with the guards of every fetch, and
// tells what it found; the keys in use stay as they are. An error goes with
// what was found until then.
func (k *Keeper) Probe(ctx context.Context, spec Spec) (Finding, error) {
	if spec.JWKS != nil {
		set, err := jws.ParseKeySet(spec.JWKS)
		return findingOf(set), err
	}
	remote, err := newRemote(spec, k.options.Fetch)
	if err != nil {
		return Finding{}, err
	}
	document, err := remote.load(ctx)
	finding := findingOf(document.set)
	finding.Metadata, finding.JWKSURI = remote.metadata, remote.etagFrom
	if err == nil {
		finding.Fresh = document.freshFor().Round(time.Second).String()
	}
	return finding, err
}

func findingOf(set jws.KeySet) Finding {
	found := Finding{Ignored: slices.Clone(set.Ignored)}
	for _, key := range set.Keys {
		found.Keys = append(found.Keys, FoundKey{key.ID(), key.Algorithms()})
	}
	return found
}

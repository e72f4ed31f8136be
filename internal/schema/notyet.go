package schema

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
)

// What the contract promises and nothing acts on yet is refused on write with
// not_implemented, never stored and ignored. Whoever builds a thing takes its
// line out here.

// unbuiltKinds are the kinds that cannot be kept yet.
var unbuiltKinds = []catalog.Kind{catalog.KindAdminGrant}

// unbuiltFields are fields, or single words of a field, without effect yet.
// A "*" in a pointer stands for each member of a list. No words means whatever
// is written there.
var unbuiltFields = map[catalog.Kind][]struct {
	pointer string
	words   []any
}{
	catalog.KindTrustedIssuer: {
		{"/spec/acceptAs/*", []any{"client", "admin"}},
	},
	catalog.KindTarget: {
		{"/spec/requireProof", []any{"dpop", "mtls", "any"}},
	},
	catalog.KindClient: {
		{"/spec/authentication/*/method", []any{"private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth", "workload_jwt"}},
		{"/spec/requireProof", []any{"dpop", "mtls", "any"}},
	},
	catalog.KindExchangePolicy: {
		{"/spec/issue/tokenType", []any{exchange.TypeJWT.Short(), exchange.TypeIDToken.Short()}},
	},
}

// notBuilt reports what stands in the body, an object of the kind, and has no
// effect yet.
func (r *report) notBuilt(kind catalog.Kind, body []byte) {
	var tree any
	if json.Unmarshal(body, &tree) != nil {
		return
	}
	for _, field := range unbuiltFields[kind] {
		r.walk("", strings.Split(field.pointer, "/")[1:], tree, field.words)
	}
}

// walk follows the rest of a pointer's tokens into value.
func (r *report) walk(pointer string, tokens []string, value any, words []any) {
	if len(tokens) == 0 {
		if value != nil && value != "" && (words == nil || slices.Contains(words, value)) {
			r.add(pointer, catalog.CodeNotImplemented, "%s is not implemented yet, so it is refused rather than ignored; leave it out", unbuilt(pointer, value, words))
		}
		return
	}
	switch value := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(value)) {
			if name == tokens[0] || tokens[0] == "*" {
				r.walk(below(pointer, name), tokens[1:], value[name], words)
			}
		}
	case []any:
		for i, item := range value {
			if tokens[0] == "*" {
				r.walk(below(pointer, i), tokens[1:], item, words)
			}
		}
	}
}

// unbuilt names what is refused: the word, or the field with whatever it holds.
func unbuilt(pointer string, value any, words []any) string {
	if words == nil {
		return pointer
	}
	return fmt.Sprintf("%s %v", pointer, value)
}

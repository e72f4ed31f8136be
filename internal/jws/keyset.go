package jws

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// What a JWK Set may measure.
const (
	MaxKeySetBytes = 1 << 20
	MaxKeys        = 100
)

// KeySet is the usable keys of a JWK Set (RFC 7517 §5). It does not change once
// made; the zero KeySet has no keys.
type KeySet struct {
	Keys    []*Key       // in the set's order
	Ignored []IgnoredKey // what else it held
}

// IgnoredKey is a member of a JWK Set that no signature is checked with.
type IgnoredKey struct {
	Index  int    `json:"index"`         // its place in the set, from 0
	KeyID  string `json:"kid,omitempty"` // its kid, where that could be read
	Reason string `json:"reason"`        // why; holds nothing of the key
}

// ParseKeySet reads a JWK Set, each key on its own: an unusable one is reported
// in Ignored and never spoils the others (RFC 7517 §5). Unusable are private
// and symmetric keys, a use other than sig and key_ops without verify (RFC 7517
// §4.2, §4.3), an alg that is unknown or does not fit, weak keys (see NewKey),
// and all keys that share their kid with another usable one, since a token that
// names it would leave the choice to us (RFC 7517 §4.5).
//
// A key's alg pins it to that one algorithm; a key without it is for all that
// fit its type (see NewKey). Certificates beside a key (x5c, x5u) are not read.
//
// The error wraps ErrKeySet where data is no JWK Set, or has more than MaxKeys
// keys or MaxKeySetBytes bytes, or not one usable key: a publisher's mistake
// must not replace keys that work. In the last case Ignored is filled.
func ParseKeySet(data []byte) (KeySet, error) {
	elements, err := keyElements(data)
	if err != nil {
		return KeySet{}, fmt.Errorf("%w: %w", ErrKeySet, err)
	}
	var set KeySet
	places := map[*Key]int{}
	for i, element := range elements {
		key, id, err := parseJWK(element)
		if err != nil {
			set.Ignored = append(set.Ignored, IgnoredKey{i, id, err.Error()})
			continue
		}
		places[key] = i
		set.Keys = append(set.Keys, key)
	}
	set.dropAmbiguous(places)
	if len(set.Keys) == 0 {
		return set, fmt.Errorf("%w: none of its %d keys can be used", ErrKeySet, len(elements))
	}
	return set, nil
}

// dropAmbiguous moves the keys that share a kid to Ignored.
func (s *KeySet) dropAmbiguous(places map[*Key]int) {
	shared := map[string]int{}
	for _, k := range s.Keys {
		shared[k.id]++
	}
	all := s.Keys
	s.Keys = nil
	for _, k := range all {
		if k.id != "" && shared[k.id] > 1 {
			s.Ignored = append(s.Ignored, IgnoredKey{places[k], k.id, "another key of the set has the same kid"})
			continue
		}
		s.Keys = append(s.Keys, k)
	}
}

// Select is the one key that a token with this kid and alg may be checked with.
// A kid means exactly the key that has it. A token without one is checked only
// where the set has a single usable key: with several, OpenID Connect Core
// §10.1 makes kid a duty of the issuer, and trying all would be guessing.
//
// The error is ErrNoKey where there is no such key, and ErrAlgorithm where there
// is, but for other algorithms (RFC 8725 §3.1).
func (s KeySet) Select(kid string, alg Algorithm) (*Key, error) {
	key, err := s.named(kid)
	if err != nil {
		return nil, err
	}
	if !key.Allows(alg) {
		return nil, fmt.Errorf("%w: the key is not for it", ErrAlgorithm)
	}
	return key, nil
}

// named is the key that kid means.
func (s KeySet) named(kid string) (*Key, error) {
	if kid == "" {
		if len(s.Keys) == 1 {
			return s.Keys[0], nil
		}
		return nil, fmt.Errorf("%w: it has no kid, and the set has not exactly one key", ErrNoKey)
	}
	for _, k := range s.Keys {
		if k.id == kid {
			return k, nil
		}
	}
	return nil, fmt.Errorf("%w: the set has no usable key with its kid", ErrNoKey)
}

// keyElements is the raw elements of the keys member (RFC 7517 §5.1). They may
// themselves be wrong in ways that parseJWK refuses, duplicate members and
// invalid UTF-8 among them.
func keyElements(data []byte) ([]jsontext.Value, error) {
	if len(data) > MaxKeySetBytes {
		return nil, fmt.Errorf("longer than %d bytes", MaxKeySetBytes)
	}
	dec := jsontext.NewDecoder(bytes.NewBuffer(bytes.Clone(data)),
		jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if tok, err := dec.ReadToken(); err != nil || tok.Kind() != '{' {
		return nil, errNotObject
	}
	elements, err := keysMember(dec)
	if err != nil {
		return nil, err
	}
	if err := endOfText(dec); err != nil {
		return nil, err
	}
	if elements == nil {
		return nil, errors.New("it has no keys member")
	}
	return elements, nil
}

// keysMember reads the members of the outer object; nil where keys is none.
func keysMember(dec *jsontext.Decoder) (elements []jsontext.Value, err error) {
	for dec.PeekKind() == '"' {
		name, err := dec.ReadToken()
		if err != nil {
			return nil, errSyntax
		}
		if name.String() != "keys" {
			if dec.SkipValue() != nil {
				return nil, errSyntax
			}
			continue
		}
		if elements != nil {
			return nil, errDuplicate
		}
		if elements, err = arrayElements(dec); err != nil {
			return nil, err
		}
	}
	return elements, nil
}

// arrayElements reads an array of at most MaxKeys elements, never nil.
func arrayElements(dec *jsontext.Decoder) ([]jsontext.Value, error) {
	if tok, err := dec.ReadToken(); err != nil || tok.Kind() != '[' {
		return nil, errors.New("keys is not an array")
	}
	elements := []jsontext.Value{}
	for dec.PeekKind() != ']' {
		element, err := dec.ReadValue()
		if err != nil {
			return nil, errSyntax
		}
		if len(elements) == MaxKeys {
			return nil, fmt.Errorf("it has more than %d keys", MaxKeys)
		}
		elements = append(elements, element.Clone())
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, errSyntax
	}
	return elements, nil
}

// endOfText reads the outer object's closing brace, and nothing after it.
func endOfText(dec *jsontext.Decoder) error {
	if _, err := dec.ReadToken(); err != nil {
		return errSyntax
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return errTrailing
	}
	return nil
}

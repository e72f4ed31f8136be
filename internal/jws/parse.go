package jws

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// What a token may measure where Limits does not say.
const (
	DefaultMaxBytes = 16 << 10
	DefaultMaxDepth = 32
)

// Limits bounds what Parse reads; a field that is zero means its default.
type Limits struct {
	MaxBytes int // of the whole token
	MaxDepth int // of the header's and the payload's JSON, the outer object counted
}

// Header is what we read of a JOSE header (RFC 7515 §4.1). A member that the
// token does not have is empty; one that it has never is.
type Header struct {
	Algorithm   Algorithm // alg; "Ed25519" is read as EdDSA
	Type        string    // typ, as written: see TypeMatches
	KeyID       string    // kid
	ContentType string    // cty, as written
	Raw         []byte    // the whole header's JSON
}

// Object is a JWS that was read, not yet verified: until Verify returns nil
// nothing in it may be believed.
type Object struct {
	Header  Header
	Payload []byte         // the JSON as it was signed
	Claims  map[string]any // the same: string, bool, nil, json.Number, []any, map[string]any

	signed    []byte // the JWS Signing Input (RFC 7515 §5.1 step 8)
	signature []byte
}

// base64url is the encoding of RFC 7515 §2 that also refuses set bits which no
// byte uses. It still skips line breaks, which must be refused beside it.
var base64url = base64.RawURLEncoding.Strict()

// Parse reads a token in the compact form (RFC 7515 §7.1, RFC 7519 §7.2). The
// errors wrap ErrAlgorithm where alg is not one of ours, else ErrMalformed.
//
// Refused are any crit, since we know no extension (RFC 7515 §4.1.11), b64 (RFC
// 7797 §3), the zip and enc of a JWE (RFC 7516 §4.1), and nested tokens (RFC
// 7519 §5.2). Strings must not contain NUL; numbers are bounded to 32 characters
// with an exponent of two digits.
func Parse(token string, l Limits) (*Object, error) {
	l = l.orDefault()
	o, err := split(token, l)
	if err != nil {
		return nil, err
	}
	if o.Header.Algorithm, err = ParseAlgorithm(string(o.Header.Algorithm)); err != nil {
		return nil, err
	}
	if TypeMatches(o.Header.ContentType, "JWT") {
		return nil, malformed("header: cty JWT: nested tokens are not read", nil)
	}
	if o.Claims, err = readObject(o.Payload, l.MaxDepth); err != nil {
		return nil, malformed("payload", err)
	}
	return o, nil
}

// orDefault is l with its zero fields set.
func (l Limits) orDefault() Limits {
	if l.MaxBytes == 0 {
		l.MaxBytes = DefaultMaxBytes
	}
	if l.MaxDepth == 0 {
		l.MaxDepth = DefaultMaxDepth
	}
	return l
}

// split reads the three parts and the header of any JWS (RFC 7515 §5.2 steps 1
// to 4), whatever its algorithm and its payload.
func split(token string, l Limits) (*Object, error) {
	if len(token) > l.MaxBytes {
		return nil, malformed(fmt.Sprintf("longer than %d bytes", l.MaxBytes), nil)
	}
	first := strings.IndexByte(token, '.')
	last := strings.LastIndexByte(token, '.')
	if first == last || strings.IndexByte(token[first+1:last], '.') >= 0 {
		return nil, malformed("not three parts", nil)
	}
	raw := []byte(token)
	d := decoder{out: make([]byte, 0, len(raw))}
	o := &Object{signed: raw[:last]}
	o.Header.Raw = d.part(raw[:first])
	o.Payload = d.part(raw[first+1 : last])
	o.signature = d.part(raw[last+1:])
	if d.failed {
		return nil, malformed("not base64url in its one spelling (RFC 7515 §2)", nil)
	}
	return o, o.Header.read(l.MaxDepth)
}

// decoder decodes the parts of one token into one buffer.
type decoder struct {
	out    []byte
	failed bool
}

// part is the bytes that encoded stands for.
func (d *decoder) part(encoded []byte) []byte {
	start := len(d.out)
	out, err := base64url.AppendDecode(d.out, encoded)
	d.out, d.failed = out, d.failed || err != nil || bytes.ContainsAny(encoded, "\r\n")
	return out[start:len(out):len(out)]
}

// read fills h from h.Raw.
func (h *Header) read(maxDepth int) error {
	members, err := readObject(h.Raw, maxDepth)
	if err != nil {
		return malformed("header", err)
	}
	for _, name := range []string{"crit", "b64", "zip", "enc"} {
		if _, present := members[name]; present {
			return malformed("header: "+name+" is not served", nil)
		}
	}
	alg, err := stringMember(members, "alg")
	if err != nil || members["alg"] == nil {
		return malformed("header: alg must be a string", nil)
	}
	h.Algorithm = Algorithm(alg)
	return h.readOptional(members)
}

// readOptional reads the members that a header may leave out.
func (h *Header) readOptional(members map[string]any) error {
	var err error
	if h.Type, err = namedMember(members, "typ"); err != nil {
		return err
	}
	if h.KeyID, err = namedMember(members, "kid"); err != nil {
		return err
	}
	h.ContentType, err = namedMember(members, "cty")
	return err
}

// namedMember is a header's member of that name, empty only where it is absent.
func namedMember(members map[string]any, name string) (string, error) {
	s, err := stringMember(members, name)
	if _, present := members[name]; err != nil || present && s == "" {
		return "", malformed("header: "+name+" must be a string that is not empty", nil)
	}
	return s, nil
}

// stringMember is the member of that name: empty where there is none, an error
// where it is not a string.
func stringMember(members map[string]any, name string) (string, error) {
	v, present := members[name]
	if !present {
		return "", nil
	}
	s, isString := v.(string)
	if !isString {
		return "", errors.New(name + " is not a string")
	}
	return s, nil
}

// malformed is an ErrMalformed that says where and why.
func malformed(where string, why error) error {
	if why != nil {
		return fmt.Errorf("%w: %s: %w", ErrMalformed, where, why)
	}
	return fmt.Errorf("%w: %s", ErrMalformed, where)
}

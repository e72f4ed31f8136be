package jws

import (
	"bytes"
	"crypto"
	"crypto/elliptic"
	"encoding/json"
	"reflect"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// oracleAlgorithms are ours by the oracle's names; it knows no "Ed25519".
var oracleAlgorithms = []jose.SignatureAlgorithm{
	jose.ES256, jose.ES384, jose.ES512, jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.EdDSA,
}

// What we accept has one spelling, and go-jose accepts it with the same header,
// payload and claims.
func FuzzParse(f *testing.F) {
	for _, payload := range []string{`{}`, `{"sub":"a","n":1e9,"a":[null,{"b":"\u00e9"}]}`, `{"a":1,"a":2}`, `[]`, `{"x":"\ud800"}`} {
		for _, header := range []string{plainHeader, `{"alg":"none"}`, `{"alg":"EdDSA","crit":[]}`, `{"alg":"Ed25519"}`} {
			f.Add([]byte(header), []byte(payload), unsigned(header, payload))
		}
	}
	f.Fuzz(func(t *testing.T, header, payload []byte, compact string) {
		checkAgainstOracle(t, compact)
		checkAgainstOracle(t, encode(header)+"."+encode(payload)+"."+encode(make([]byte, 64)))
	})
}

func checkAgainstOracle(t *testing.T, compact string) {
	o, err := Parse(compact, Limits{})
	if err != nil {
		return
	}
	if spelled := encode(o.Header.Raw) + "." + encode(o.Payload) + "." + encode(o.signature); spelled != compact {
		t.Fatalf("another spelling of it is %q", spelled)
	}
	if bytes.Contains(o.Header.Raw, []byte("Ed25519")) || bytes.Contains(o.Header.Raw, []byte(`\u`)) {
		return // a name that the oracle has not, perhaps spelled in escapes
	}
	theirs, err := jose.ParseSignedCompact(compact, oracleAlgorithms)
	if err != nil {
		if oracleIsStricter(o) {
			return
		}
		t.Fatalf("we accept what go-jose refuses: %v", err)
	}
	h := theirs.Signatures[0].Header
	if h.Algorithm != string(o.Header.Algorithm) || h.KeyID != o.Header.KeyID {
		t.Fatalf("header %+v, go-jose read %+v", o.Header, h)
	}
	dec := json.NewDecoder(bytes.NewReader(theirs.UnsafePayloadWithoutVerification()))
	dec.UseNumber()
	var claims map[string]any
	if err := dec.Decode(&claims); err != nil || !reflect.DeepEqual(claims, o.Claims) {
		t.Fatalf("claims %v, others read %v, %v", o.Claims, claims, err)
	}
}

// oracleIsStricter: go-jose reads header members that we leave unread, and
// refuses those that are wrong.
func oracleIsStricter(o *Object) bool {
	members, err := readObject(o.Header.Raw, DefaultMaxDepth)
	for _, name := range []string{"jwk", "x5c", "nonce", "x5t", "x5t#S256", "epk", "apu", "apv", "p2c", "p2s", "tag", "iv"} {
		if _, present := members[name]; present {
			return true
		}
	}
	return err != nil
}

// A key that we accept is public, fit for its algorithms, and the same key to
// go-jose.
func FuzzParseKeySet(f *testing.F) {
	for _, public := range []crypto.PublicKey{
		rsaKeyPair(f, 2048).Public(), ecKeyPair(f, elliptic.P256()).Public(),
		ecKeyPair(f, elliptic.P521()).Public(), edKeyPair(f).Public(),
	} {
		f.Add(keySetJSON(f, jwk(f, public, map[string]any{"kid": "a", "use": "sig"}), map[string]any{"kty": "oct"}))
	}
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQ","e":"AQAB"},{}],"keys":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := ParseKeySet(data)
		if (err == nil) != (len(set.Keys) > 0) {
			t.Fatalf("%d keys, %v", len(set.Keys), err)
		}
		for _, k := range set.Keys {
			if len(k.Algorithms()) == 0 {
				t.Fatal("a key without an algorithm")
			}
			checkKeyAgainstOracle(t, k)
		}
	})
}

func checkKeyAgainstOracle(t *testing.T, k *Key) {
	var theirs jose.JSONWebKey
	if err := theirs.UnmarshalJSON([]byte(must(t)(requiredMembers(k.Public())).(string))); err != nil {
		t.Fatalf("go-jose refuses the key: %v", err)
	}
	if !theirs.Valid() || !theirs.IsPublic() || !reflect.DeepEqual(theirs.Key, k.Public()) {
		t.Fatalf("go-jose reads another key: %v", theirs.Key)
	}
	sum, err := theirs.Thumbprint(crypto.SHA256)
	if ours := must(t)(Thumbprint(k.Public())); err != nil || ours != encode(sum) {
		t.Fatalf("thumbprint %v, go-jose has %s, %v", ours, encode(sum), err)
	}
}

package jws

import (
	"bytes"
	"crypto"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
)

func TestOneBadKeyNeverSpoilsTheGoodOnes(t *testing.T) {
	t.Parallel()
	good := jwk(t, ecKeyPair(t, elliptic.P256()).Public(), map[string]any{"kid": "good"})
	rsa2048 := rsaKeyPair(t, 2048)
	n := encode(rsa2048.N.Bytes())
	ec := func(more map[string]any) map[string]any {
		return jwk(t, ecKeyPair(t, elliptic.P256()).Public(), more)
	}
	point := ec(nil)
	for name, bad := range map[string]any{
		"not an object":           "x",
		"null":                    nil,
		"no kty":                  map[string]any{"kid": "bad"},
		"unknown kty":             map[string]any{"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA"},
		"symmetric":               map[string]any{"kty": "oct", "k": "c2VjcmV0"},
		"private EC":              ec(map[string]any{"d": "x"}),
		"private RSA prime":       jwk(t, rsa2048.Public(), map[string]any{"p": "AQ"}),
		"for encryption":          ec(map[string]any{"use": "enc"}),
		"use of another type":     ec(map[string]any{"use": []string{"sig"}}),
		"key_ops for encryption":  ec(map[string]any{"key_ops": []string{"encrypt"}}),
		"key_ops empty":           ec(map[string]any{"key_ops": []string{}}),
		"key_ops a string":        ec(map[string]any{"key_ops": "verify"}),
		"alg of another curve":    ec(map[string]any{"alg": "ES384"}),
		"alg of another kty":      ec(map[string]any{"alg": "RS256"}),
		"alg unknown":             ec(map[string]any{"alg": "ES521"}),
		"alg none":                ec(map[string]any{"alg": "none"}),
		"alg not a string":        ec(map[string]any{"alg": 1}),
		"kid not a string":        ec(map[string]any{"kid": 1}),
		"kid with NUL":            ec(map[string]any{"kid": "a\x00"}),
		"point off the curve":     ec(map[string]any{"y": point["y"]}),
		"coordinate too short":    ec(map[string]any{"x": encode(make([]byte, 31))}),
		"coordinate with newline": ec(map[string]any{"x": point["x"].(string) + "\n"}),
		"coordinate padded":       ec(map[string]any{"x": point["x"].(string) + "="}),
		"x missing":               map[string]any{"kty": "EC", "crv": "P-256", "y": point["y"]},
		"curve of Bitcoin":        ec(map[string]any{"crv": "secp256k1"}),
		"curve of another size":   ec(map[string]any{"crv": "P-384"}),
		"X25519":                  map[string]any{"kty": "OKP", "crv": "X25519", "x": encode(make([]byte, 32))},
		"Ed25519 of order 4":      map[string]any{"kty": "OKP", "crv": "Ed25519", "x": encode(make([]byte, 32))},
		"e=1":                     map[string]any{"kty": "RSA", "n": n, "e": "AQ"},
		"e=3":                     map[string]any{"kty": "RSA", "n": n, "e": "Aw"},
		"e longer than an int":    map[string]any{"kty": "RSA", "n": n, "e": "AQAAAAAAAQAB"},
		"e missing":               map[string]any{"kty": "RSA", "n": n},
		"RSA of 1024 bits":        jwk(t, rsaKeyPair(t, 1024).Public(), nil),
		"EC without crv":          map[string]any{"kty": "EC", "x": point["x"], "y": point["y"]},
	} {
		set, err := ParseKeySet(must(t)(json.Marshal(map[string]any{"keys": []any{bad, good}})).([]byte))
		if err != nil || len(set.Keys) != 1 || set.Keys[0].ID() != "good" {
			t.Errorf("%s: the good key is lost: %+v, %v", name, set, err)
			continue
		}
		if len(set.Ignored) != 1 || set.Ignored[0].Index != 0 || set.Ignored[0].Reason == "" {
			t.Errorf("%s: not reported: %+v", name, set.Ignored)
		}
	}
}

func TestDuplicateMembersSpoilOnlyTheirKey(t *testing.T) {
	good := string(keySetJSON(t, jwk(t, edKeyPair(t).Public(), map[string]any{"kid": "good"})))
	data := strings.Replace(good, `[`, "[{\"kty\":\"EC\",\"kty\":\"oct\"},{\"kid\":\"\xff\"},", 1)
	set, err := ParseKeySet([]byte(data))
	if err != nil || len(set.Keys) != 1 || len(set.Ignored) != 2 {
		t.Errorf("%+v, %v", set, err)
	}
}

func TestKeysAreForTheAlgorithmsOfTheirType(t *testing.T) {
	t.Parallel()
	rsa2048 := rsaKeyPair(t, 2048).Public()
	for _, c := range []struct {
		public crypto.PublicKey
		more   map[string]any
		want   []Algorithm
	}{
		{rsa2048, nil, []Algorithm{RS256, RS384, RS512, PS256, PS384, PS512}},
		{rsa2048, map[string]any{"alg": "PS384", "use": "sig"}, []Algorithm{PS384}},
		{ecKeyPair(t, elliptic.P256()).Public(), map[string]any{"key_ops": []string{"sign", "verify"}}, []Algorithm{ES256}},
		{ecKeyPair(t, elliptic.P384()).Public(), map[string]any{"x5c": []string{"not a certificate"}}, []Algorithm{ES384}},
		{ecKeyPair(t, elliptic.P521()).Public(), map[string]any{"alg": "ES512"}, []Algorithm{ES512}},
		{edKeyPair(t).Public(), map[string]any{"alg": "Ed25519"}, []Algorithm{EdDSA}},
		{edKeyPair(t).Public(), map[string]any{"alg": "EdDSA"}, []Algorithm{EdDSA}},
	} {
		set, err := ParseKeySet(keySetJSON(t, jwk(t, c.public, c.more)))
		if err != nil {
			t.Errorf("%v: %v", c.more, err)
			continue
		}
		if got := set.Keys[0].Algorithms(); !slices.Equal(got, c.want) {
			t.Errorf("%v: for %v, want %v", c.more, got, c.want)
		}
		if !c.public.(interface{ Equal(crypto.PublicKey) bool }).Equal(set.Keys[0].Public()) {
			t.Errorf("%v: another key came back", c.more)
		}
	}
}

func TestKeysThatShareAKidAreAllIgnored(t *testing.T) {
	named := func(kid string) map[string]any {
		return jwk(t, edKeyPair(t).Public(), map[string]any{"kid": kid})
	}
	encryption := jwk(t, ecKeyPair(t, elliptic.P256()).Public(), map[string]any{"kid": "c", "use": "enc"})
	set, err := ParseKeySet(keySetJSON(t, named("a"), named("b"), named("a"), named("c"), encryption))
	if err != nil {
		t.Fatal(err)
	}
	for kid, want := range map[string]error{"a": ErrNoKey, "b": nil, "c": nil} {
		if _, err := set.Select(kid, EdDSA); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", kid, err, want)
		}
	}
	if len(set.Ignored) != 3 {
		t.Errorf("ignored: %+v", set.Ignored)
	}
}

func TestSelectNeverGuesses(t *testing.T) {
	ed := jwk(t, edKeyPair(t).Public(), map[string]any{"kid": "ed"})
	ec := jwk(t, ecKeyPair(t, elliptic.P256()).Public(), map[string]any{"kid": "ec"})
	nameless := jwk(t, edKeyPair(t).Public(), nil)
	for _, c := range []struct {
		keys []map[string]any
		kid  string
		alg  Algorithm
		want error
	}{
		{[]map[string]any{ed, ec}, "ed", EdDSA, nil},
		{[]map[string]any{ed, ec}, "ec", ES256, nil},
		{[]map[string]any{ed, ec}, "ed", ES256, ErrAlgorithm},
		{[]map[string]any{ed, ec}, "ED", EdDSA, ErrNoKey},
		{[]map[string]any{ed, ec}, "ed ", EdDSA, ErrNoKey},
		{[]map[string]any{ed, ec}, "", EdDSA, ErrNoKey}, // though only one fits
		{[]map[string]any{ed}, "", EdDSA, nil},
		{[]map[string]any{ed}, "", ES256, ErrAlgorithm},
		{[]map[string]any{nameless}, "", EdDSA, nil},
		{[]map[string]any{nameless}, "x", EdDSA, ErrNoKey},
		{[]map[string]any{nameless, nameless}, "", EdDSA, ErrNoKey},
	} {
		set, err := ParseKeySet(keySetJSON(t, c.keys...))
		if err != nil {
			t.Fatal(err)
		}
		if k, err := set.Select(c.kid, c.alg); !errors.Is(err, c.want) || (err == nil) != (k != nil) {
			t.Errorf("%d keys, kid %q, %s: %v, want %v", len(c.keys), c.kid, c.alg, err, c.want)
		}
	}
	if _, err := (KeySet{}).Select("", ES256); !errors.Is(err, ErrNoKey) {
		t.Errorf("empty set: %v", err)
	}
}

func TestRejectsWhatIsNoKeySet(t *testing.T) {
	good := keySetJSON(t, jwk(t, edKeyPair(t).Public(), nil))
	many := make([]map[string]any, MaxKeys+1)
	for i := range many {
		many[i] = map[string]any{"kty": "oct"}
	}
	for name, data := range map[string][]byte{
		"empty": nil, "HTML": []byte("<html>"), "array": []byte(`[]`), "null": []byte(`null`), "no keys": []byte(`{}`),
		"keys null": []byte(`{"keys":null}`), "keys an object": []byte(`{"keys":{}}`), "no key": []byte(`{"keys":[]}`),
		"KEYS": bytes.Replace(good, []byte("keys"), []byte("KEYS"), 1), "cut": good[:len(good)-1],
		"keys twice":    bytes.Replace(good, []byte(`{`), []byte(`{"keys":[],`), 1),
		"followed":      append(slices.Clone(good), '{', '}'),
		"followed by x": append(slices.Clone(good), 'x'),
		"BOM":           append([]byte("\ufeff"), good...),
		"101 keys":      keySetJSON(t, many...),
		"one bad key":   []byte(`{"keys":[{"kty":"oct","k":"AA"}]}`),
		"too long":      append(slices.Clone(good), bytes.Repeat([]byte(" "), MaxKeySetBytes)...),
		"deep":          []byte(`{"keys":` + strings.Repeat("[", 20000)),
	} {
		if _, err := ParseKeySet(data); !errors.Is(err, ErrKeySet) {
			t.Errorf("%s: %v, want ErrKeySet", name, err)
		}
	}
	extended := bytes.Replace(good, []byte(`{`), []byte(`{"issuer":{"a":[1]},`), 1)
	for _, data := range [][]byte{good, extended} {
		if set, err := ParseKeySet(data); err != nil || len(set.Keys) != 1 {
			t.Errorf("positive control: %+v, %v", set, err)
		}
	}
}

func TestReasonsHoldNothingOfTheKey(t *testing.T) {
	const secret = "aHVudGVyMg"
	set, _ := ParseKeySet([]byte(fmt.Sprintf(
		`{"keys":[{"kty":"oct","kid":"s","k":"%[1]s"},{"%[1]s":1,"%[1]s":2},{"kty":"%[1]s"},{"kty":"EC","crv":"%[1]s"}]}`, secret)))
	for _, ignored := range set.Ignored {
		if strings.Contains(ignored.Reason, secret) {
			t.Errorf("%+v", ignored)
		}
	}
	if len(set.Ignored) != 4 || set.Ignored[0].KeyID != "s" {
		t.Errorf("ignored: %+v", set.Ignored)
	}
}

// A modulus that is 65537^a modulo every small prime has the fingerprint; a
// sound one does not.
func TestROCAFingerprint(t *testing.T) {
	t.Parallel()
	power := new(big.Int).Exp(big.NewInt(65537), big.NewInt(128), nil)
	if !weakByROCA(power) {
		t.Error("a power of 65537 must have the fingerprint")
	}
	if weakByROCA(rsaKeyPair(t, 2048).N) {
		t.Error("a sound modulus has the fingerprint")
	}
}

// RFC 7638 §3.1 and RFC 8037 App. A.3.
func TestThumbprintsOfTheRFCs(t *testing.T) {
	for want, members := range map[string]string{
		"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs": `{"kty":"RSA","e":"AQAB","alg":"RS256","kid":"2011-04-29","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"}`,
		"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k": `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`,
	} {
		set, err := ParseKeySet([]byte(`{"keys":[` + members + `]}`))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Thumbprint(set.Keys[0].Public()); err != nil || got != want {
			t.Errorf("thumbprint = %s, %v, want %s", got, err, want)
		}
	}
}

func TestThumbprintRefusesWhatIsNoPublicKey(t *testing.T) {
	for _, public := range []crypto.PublicKey{nil, []byte("secret"), ecKeyPair(t, elliptic.P256())} {
		if got, err := Thumbprint(public); !errors.Is(err, ErrKey) || got != "" {
			t.Errorf("%T: %q, %v", public, got, err)
		}
	}
	ec := ecKeyPair(t, elliptic.P521()).Public()
	got, err := Thumbprint(ec)
	if raw, decodeErr := base64.RawURLEncoding.DecodeString(got); err != nil || decodeErr != nil || len(raw) != 32 {
		t.Errorf("%q, %v", got, err)
	}
}

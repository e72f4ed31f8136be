package jws

import (
	"crypto/hmac"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"slices"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"
)

// The vectors of Project Wycheproof (testdata/wycheproof, Apache-2.0). They are
// about signatures, so they are read without the rule that a payload is JSON.
//
// Strait has no MAC. A group whose key is symmetric still tests how a token is
// read: there the test supplies the MAC, and checks beside it that the package
// refuses every such token and every such key.

// unmet are the signature vectors that a strict verifier cannot answer as the
// file says, and why.
var unmet = map[int]string{
	346: "PS384 under a key whose alg says PS256",
	350: "PS384 under a key whose alg says PS256",
	347: "the key's alg is ES521, which does not exist",
	351: "the key's alg is ES521, which does not exist",
	367: "said to be invalid, yet byte for byte the valid vector 357",
	370: "said to be invalid, yet byte for byte the valid vector 357",
	372: "said to be valid, with a question mark inside the header",
	373: "said to be valid, with a question mark inside the payload",
}

type vectorFile struct {
	Algorithm     string         `json:"algorithm"`
	Schema        string         `json:"schema"`
	NumberOfTests int            `json:"numberOfTests"`
	Header        []string       `json:"header"`
	Notes         map[string]any `json:"notes"`
	TestGroups    []vectorGroup  `json:"testGroups"`
}

type vectorGroup struct {
	Type    string            `json:"type"`
	Comment string            `json:"comment"`
	Source  map[string]string `json:"source"`
	Public  json.RawMessage   `json:"public"`
	Private json.RawMessage   `json:"private"`
	Tests   []vector          `json:"tests"`
}

type vector struct {
	TCID    int      `json:"tcId"`
	Comment string   `json:"comment"`
	JWS     string   `json:"jws"`
	Result  string   `json:"result"`
	Flags   []string `json:"flags"`
}

// vectors reads a file so strictly that a field unknown to us fails.
func vectors(t *testing.T, name string) vectorFile {
	t.Helper()
	data := must(t)(os.ReadFile("../../testdata/wycheproof/" + name)).([]byte)
	var f vectorFile
	if err := jsonv2.Unmarshal(data, &f, jsonv2.RejectUnknownMembers(true)); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, g := range f.TestGroups {
		n += len(g.Tests)
	}
	if n != f.NumberOfTests || n == 0 {
		t.Fatalf("%d tests, the file says %d", n, f.NumberOfTests)
	}
	return f
}

// keySet is the group's keys as a JWK Set; symmetric says that all are.
func (g vectorGroup) keySet(t *testing.T) (data []byte, symmetric bool) {
	t.Helper()
	data = g.Public
	if data == nil {
		data = g.Private
	}
	var set struct {
		Keys []map[string]any `json:"keys"`
	}
	if err := json.Unmarshal(data, &set); err != nil {
		t.Fatal(err)
	}
	if set.Keys == nil {
		var one map[string]any
		if err := json.Unmarshal(data, &one); err != nil {
			t.Fatal(err)
		}
		set.Keys = []map[string]any{one}
	}
	symmetric = !slices.ContainsFunc(set.Keys, func(k map[string]any) bool { return k["kty"] != "oct" })
	return must(t)(json.Marshal(set)).([]byte), symmetric
}

// verifies is the package's answer, without the rule about payloads.
func verifies(data []byte, compact string) error {
	set, err := ParseKeySet(data)
	if err != nil {
		return err
	}
	o, err := split(compact, Limits{}.orDefault())
	if err != nil {
		return err
	}
	if o.Header.Algorithm, err = ParseAlgorithm(string(o.Header.Algorithm)); err != nil {
		return err
	}
	k, err := set.Select(o.Header.KeyID, o.Header.Algorithm)
	if err != nil {
		return err
	}
	return o.Verify(k)
}

// verifiesMAC supplies what the package has not, to the same rules: kid exact
// and in the set once, alg pinned, a key at least as long as the hash (RFC 7518
// §3.2).
func verifiesMAC(t *testing.T, data []byte, compact string) error {
	t.Helper()
	o, err := split(compact, Limits{}.orDefault())
	if err != nil {
		return err
	}
	var set struct {
		Keys []struct{ Kid, Alg, K string }
	}
	if err := json.Unmarshal(data, &set); err != nil {
		t.Fatal(err)
	}
	alg, found := string(o.Header.Algorithm), []string{}
	for _, k := range set.Keys {
		if k.Kid == o.Header.KeyID && k.Alg == alg && slices.Contains([]string{"HS256", "HS384", "HS512"}, alg) {
			found = append(found, k.K)
		}
	}
	if len(found) != 1 {
		return ErrNoKey
	}
	secret := must(t)(base64url.DecodeString(found[0])).([]byte)
	if len(secret) < hashOf(alg).Size() || !hmac.Equal(o.signature, sign(t, secret, alg, string(o.signed))) {
		return ErrSignature
	}
	return nil
}

// wrong runs the vectors of a file and lists those that are not answered as it
// says.
func wrong(t *testing.T, f vectorFile) []int {
	t.Helper()
	var ids []int
	for _, g := range f.TestGroups {
		data, symmetric := g.keySet(t)
		for _, v := range g.Tests {
			err := verifies(data, v.JWS)
			if symmetric {
				if err == nil {
					t.Errorf("%d %s: a MAC was believed", v.TCID, v.Comment)
				}
				err = verifiesMAC(t, data, v.JWS)
			}
			if (err == nil) != (v.Result == "valid") {
				t.Logf("%d %s is %s: %v", v.TCID, v.Comment, v.Result, err)
				ids = append(ids, v.TCID)
			}
		}
	}
	return ids
}

func TestWycheproofSignatures(t *testing.T) {
	t.Parallel()
	f := vectors(t, "json_web_signature_test.json")
	got, want := wrong(t, f), slices.Sorted(maps.Keys(unmet))
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("wrong: %v, want exactly %v", got, want)
	}
	if right := f.NumberOfTests - len(got); right < 393 {
		t.Errorf("%d of %d right, want at least 393", right, f.NumberOfTests)
	}
}

func TestWycheproofKeys(t *testing.T) {
	t.Parallel()
	f := vectors(t, "json_web_key_test.json")
	if ids := wrong(t, f); len(ids) != 0 || f.NumberOfTests != 26 {
		t.Errorf("wrong: %v of %d", ids, f.NumberOfTests)
	}
}

// A token of a MAC is refused for its alg already when it is read.
func TestRejectsMACs(t *testing.T) {
	compact := token(t, make([]byte, 32), "HS256", `{"alg":"HS256"}`, `{}`)
	if _, err := Parse(compact, Limits{}); !errors.Is(err, ErrAlgorithm) {
		t.Errorf("%v, want ErrAlgorithm", err)
	}
}

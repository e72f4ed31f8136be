package ststest

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"
	"time"
)

// Case is one case of testdata/security-cases.json.
type Case struct {
	ID          string
	Area        string
	Layer       string
	Description string
	Mutation    struct{ Ops []Op }
	Expected    struct {
		Status      any
		Error       any
		AuditReason any `json:"audit_reason"`
		Assert      []string
	}
}

// Op is one operation of the catalogue's language: "op" says which.
type Op map[string]any

// text is a member that is a string, else empty.
func (o Op) text(name string) string {
	s, _ := o[name].(string)
	return s
}

// Refused says whether the case must be refused whatever else.
func (c Case) Refused() bool {
	status, isNumber := c.Expected.Status.(json.Number)
	return isNumber && status != "200"
}

// Reasons are the names that the catalogue has for the refusal, one of which is
// meant.
func (c Case) Reasons() []string {
	switch reason := c.Expected.AuditReason.(type) {
	case string:
		return []string{reason}
	case []any:
		var all []string
		for _, r := range reason {
			if s, isString := r.(string); isString {
				all = append(all, s)
			}
		}
		return all
	}
	return nil
}

// LoadCases reads the catalogue, numbers exact.
func LoadCases(t testing.TB, path string) []Case {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var catalogue struct{ Cases []Case }
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if err := decoder.Decode(&catalogue); err != nil {
		t.Fatal(err)
	}
	if len(catalogue.Cases) == 0 {
		t.Fatalf("%s holds no cases", path)
	}
	return catalogue.Cases
}

// Fixture is the issuers of the catalogue, with keys of their own.
type Fixture struct {
	Now  time.Time // T
	keys map[string]Key
}

// NewFixture makes the keys of the catalogue.
func NewFixture(t testing.TB, now time.Time) *Fixture {
	t.Helper()
	f := &Fixture{Now: now, keys: map[string]Key{}}
	for kid, alg := range map[string]string{
		"a1": "ES256", "a2": "RS256", "a3": "ES384", "a-enc": "ES256", "a-ops": "ES256", "a-alg": "ES256",
		"b-a1": "ES256", "c1": "EdDSA", "d1": "ES256", "e1": "PS256", "t1": "ES256", "attacker": "ES256", "staging": "ES256",
	} {
		f.keys[kid] = NewKey(t, kid, alg)
	}
	return f
}

// JWKS is the key set of an issuer of the catalogue: "A" to "E".
func (f *Fixture) JWKS(t testing.TB, issuer string) json.RawMessage {
	t.Helper()
	jwk := func(name string, more map[string]any) map[string]any { return f.keys[name].JWK(t, more) }
	switch issuer {
	case "A":
		return KeySet(t, jwk("a1", nil), jwk("a2", nil), jwk("a3", nil), jwk("a-enc", map[string]any{"use": "enc"}),
			jwk("a-ops", map[string]any{"use": nil, "key_ops": []string{"encrypt"}}), jwk("a-alg", map[string]any{"alg": "ES384"}))
	case "B":
		return KeySet(t, jwk("b-a1", map[string]any{"kid": "a1"}))
	case "C":
		return KeySet(t, jwk("c1", nil))
	case "D":
		return KeySet(t, jwk("d1", nil))
	case "E":
		return KeySet(t, jwk("e1", nil))
	}
	t.Fatalf("the catalogue has no issuer %q with keys", issuer)
	return nil
}

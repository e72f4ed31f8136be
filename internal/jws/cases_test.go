package jws

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The cases of testdata/security-cases.json that one signed object can answer
// alone: all unit cases of jose_header, and of claims those that a payload
// itself refuses. The rest of claims is checked to be no business of ours: the
// object is accepted. Each runs beside its positive control.

type securityCase struct {
	ID, Area, Layer, Description string
	Mutation                     struct{ Ops []map[string]any }
	Expected                     struct {
		Status      any
		AuditReason any `json:"audit_reason"`
	}
}

// reasonErrors is which of our errors answers a reason of the catalogue. A case
// may be refused earlier than it expects, which is noted in sooner.
var reasonErrors = map[string]error{
	"alg_not_allowed": ErrAlgorithm, "alg_key_mismatch": ErrAlgorithm,
	"malformed_token": ErrMalformed, "crit_unsupported": ErrMalformed,
	"nested_not_supported": ErrMalformed, "jwe_not_supported": ErrMalformed,
	"bad_signature": ErrSignature, "typ_not_allowed": errType,
	"unknown_kid": ErrNoKey, "kid_required": ErrNoKey, "key_use_mismatch": ErrNoKey,
}

var errType = errors.New("typ not allowed")

// sooner are cases that are refused by an earlier rule than the catalogue's.
var sooner = map[string]error{
	"JOSE-024": ErrMalformed, // NUL in alg
	"JOSE-108": ErrNoKey,     // a key whose alg does not fit its curve is no key
	"JOSE-039": ErrMalformed, // NUL in a kid: no string may hold it
	"JOSE-044": ErrNoKey,     // no kid, several keys: there is no signature to try
	"CLM-040":  ErrMalformed, // NUL in sub
	"CLM-082":  ErrMalformed, // 1e300
	"CLM-083":  ErrMalformed, // 1e400
}

// later are malformed_token cases about what a claim means.
var later = map[string]bool{"CLM-029": true, "CLM-113": true, "CLM-122": true}

func TestSecurityCases(t *testing.T) {
	t.Parallel()
	data := must(t)(os.ReadFile("../../testdata/security-cases.json")).([]byte)
	var catalogue struct{ Cases []securityCase }
	if err := json.Unmarshal(data, &catalogue); err != nil {
		t.Fatal(err)
	}
	issuer := newCaseIssuer(t)
	ran := map[string]int{}
	for _, c := range catalogue.Cases {
		if c.Layer != "unit" || c.Area != "jose_header" && c.Area != "claims" {
			continue
		}
		ran[c.Area]++
		t.Run(c.ID, func(t *testing.T) { issuer.run(t, c) })
	}
	if ran["jose_header"] != 58 || ran["claims"] != 58 {
		t.Errorf("ran %v: the catalogue has changed", ran)
	}
}

// run decides one case, and its unmodified token before it.
func (i *caseIssuer) run(t *testing.T, c securityCase) {
	if err := i.believes(i.compact(t, nil)); err != nil {
		t.Fatalf("positive control: %v", err)
	}
	err := i.believes(i.compact(t, c.Mutation.Ops))
	want := c.wants()
	switch {
	case want == nil && err != nil && c.Expected.AuditReason != nil:
		t.Errorf("%s: %v, want it left to the rules about claims", c.Description, err)
	case want != nil && !errors.Is(err, want):
		t.Errorf("%s: %v, want %v", c.Description, err, want)
	}
}

// wants is our error for the case, nil where refusing it is not ours to do.
func (c securityCase) wants() error {
	if err, found := sooner[c.ID]; found {
		return err
	}
	reason, _ := c.Expected.AuditReason.(string)
	if later[c.ID] {
		return nil
	}
	return reasonErrors[reason]
}

// caseIssuer is the fixture "A" of the catalogue, and "C" for Ed25519.
type caseIssuer struct {
	private map[string]crypto.Signer // by kid
	set     KeySet
}

func newCaseIssuer(t *testing.T) *caseIssuer {
	p256 := func() *ecdsa.PrivateKey { return ecKeyPair(t, elliptic.P256()) }
	i := &caseIssuer{private: map[string]crypto.Signer{
		"a1": p256(), "a2": rsaKeyPair(t, 2048), "a3": ecKeyPair(t, elliptic.P384()), "a-enc": p256(),
		"a-ops": p256(), "a-alg": p256(), "attacker": p256(), "c1": edKeyPair(t),
	}}
	var keys []map[string]any
	for kid, more := range map[string]map[string]any{
		"a1": {"alg": "ES256"}, "a2": {"alg": "RS256"}, "a3": {"alg": "ES384"}, "a-enc": {"use": "enc"},
		"a-ops": {"key_ops": []string{"encrypt"}}, "a-alg": {"alg": "ES384"}, "c1": {"alg": "EdDSA"},
	} {
		more["kid"] = kid
		keys = append(keys, jwk(t, i.public(kid), more))
	}
	i.set = must(t)(ParseKeySet(keySetJSON(t, keys...))).(KeySet)
	return i
}

func (i *caseIssuer) public(kid string) crypto.PublicKey {
	return i.private[kid].Public()
}

// believes is what trust does with the package, without issuers and claims.
func (i *caseIssuer) believes(compact string) error {
	o, err := Parse(compact, Limits{})
	if err != nil {
		return err
	}
	if typ := o.Header.Type; typ != "" && !TypeMatches(typ, "JWT") {
		return errType
	}
	k, err := i.set.Select(o.Header.KeyID, o.Header.Algorithm)
	if err != nil {
		return err
	}
	return o.Verify(k)
}

// member is one member of a JSON object as text, so that order and spelling are
// kept.
type member struct{ name, text string }

// draft is a token in the making.
type draft struct {
	header, claims       []member
	rawHeader, rawClaims *string
	key, alg             string
	signature, wire      map[string]any
	literal              *string
}

// compact is the token of the fixture ST_A after the ops.
func (i *caseIssuer) compact(t *testing.T, ops []map[string]any) string {
	d := &draft{
		header: []member{{"alg", `"ES256"`}, {"typ", `"JWT"`}, {"kid", `"a1"`}},
		claims: []member{
			{"iss", `"https://idp-a.test"`}, {"sub", `"alice"`}, {"aud", `"https://sts.test"`},
			{"exp", "1800000600"}, {"iat", "1799999990"}, {"scope", `"orders:read profile"`},
		},
		key: "a1", alg: "ES256",
	}
	for _, op := range ops {
		i.apply(t, d, op)
	}
	if d.literal != nil {
		return *d.literal
	}
	return i.finish(t, d)
}

// apply does one op of the catalogue's language.
func (i *caseIssuer) apply(t *testing.T, d *draft, op map[string]any) {
	name, _ := op["k"].(string)
	text, _ := op["v"].(string)
	text = expand(text)
	switch op["op"] {
	case "hdr_set":
		d.header = with(d.header, name, i.value(t, op["v"]))
	case "hdr_del":
		d.header = without(d.header, name)
	case "hdr_raw":
		d.rawHeader = &text
	case "claim_set":
		d.claims = with(d.claims, name, i.value(t, op["v"]))
	case "claim_raw":
		d.claims = with(d.claims, name, text)
	case "claim_del":
		d.claims = without(d.claims, name)
	case "claims_bulk":
		for n := range int(op["n"].(float64)) {
			d.claims = append(d.claims, member{fmt.Sprintf("c%d", n), `"v"`})
		}
	case "payload_raw":
		d.rawClaims = &text
	case "sign":
		d.key, d.alg = op["key"].(string), op["alg"].(string)
	case "sig":
		d.signature = op
	case "wire":
		d.wire = op
	case "use_token": // ST_C, the only one used
		d.header = []member{{"alg", `"EdDSA"`}, {"typ", `"JWT"`}, {"kid", `"c1"`}}
		d.key, d.alg = "c1", "EdDSA"
	case "token_literal":
		if strings.HasPrefix(text, "${jwe:") {
			text = encode([]byte(`{"alg":"RSA-OAEP-256","enc":"A256GCM"}`)) + ".AA.AA.AA.AA"
		}
		d.literal = &text
	default:
		t.Fatalf("unknown op %v", op["op"])
	}
}

// with sets a member, without removes it.
func with(members []member, name, text string) []member {
	for i := range members {
		if members[i].name == name {
			members[i].text = text
			return members
		}
	}
	return append(members, member{name, text})
}

func without(members []member, name string) []member {
	var rest []member
	for _, m := range members {
		if m.name != name {
			rest = append(rest, m)
		}
	}
	return rest
}

func object(members []member) string {
	var texts []string
	for _, m := range members {
		name, _ := json.Marshal(m.name)
		texts = append(texts, string(name)+":"+m.text)
	}
	return "{" + strings.Join(texts, ",") + "}"
}

// value is the JSON of an op's value, its templates filled.
func (i *caseIssuer) value(t *testing.T, v any) string {
	if s, isString := v.(string); isString {
		if s == "${jwk:attacker}" {
			v = jwk(t, i.public("attacker"), nil)
		} else if full := expand(s); full != s && numeral.MatchString(full) {
			return full
		} else {
			v = full
		}
	}
	return string(must(t)(json.Marshal(v)).([]byte))
}

var (
	numeral  = regexp.MustCompile(`^\d+$`)
	instant  = regexp.MustCompile(`\$\{T([+-]\d+)\}`)
	repeated = regexp.MustCompile(`\$\{repeat:(.):(\d+)\}`)
	nested   = regexp.MustCompile(`\$\{nest_arr:(\d+)\}`)
	members  = regexp.MustCompile(`\$\{members:(\d+)\}`)
)

// expand fills the templates of the catalogue.
func expand(s string) string {
	s = instant.ReplaceAllStringFunc(s, func(m string) string {
		n, _ := strconv.Atoi(instant.FindStringSubmatch(m)[1])
		return strconv.Itoa(1800000000 + n)
	})
	s = repeated.ReplaceAllStringFunc(s, func(m string) string {
		parts := repeated.FindStringSubmatch(m)
		n, _ := strconv.Atoi(parts[2])
		return strings.Repeat(parts[1], n)
	})
	s = nested.ReplaceAllStringFunc(s, func(m string) string {
		n, _ := strconv.Atoi(nested.FindStringSubmatch(m)[1])
		return strings.Repeat("[", n) + strings.Repeat("]", n)
	})
	return members.ReplaceAllStringFunc(s, func(m string) string {
		n, _ := strconv.Atoi(members.FindStringSubmatch(m)[1])
		texts := make([]string, n)
		for i := range texts {
			texts[i] = fmt.Sprintf(`"m%d":%d`, i, i)
		}
		return strings.Join(texts, ",")
	})
}

// finish signs the draft and then spoils it as asked.
func (i *caseIssuer) finish(t *testing.T, d *draft) string {
	header, payload := object(d.header), object(d.claims)
	if d.rawHeader != nil {
		header = *d.rawHeader
	}
	if d.rawClaims != nil {
		payload = *d.rawClaims
	}
	input := encode([]byte(header)) + "." + encode([]byte(payload))
	signature := sign(t, i.signer(t, d.key), d.alg, input)
	if d.signature != nil {
		signature = spoiled(t, signature, d.signature["mode"].(string))
	}
	compact := input + "." + encode(signature)
	if d.wire != nil {
		compact = rewired(t, compact, d.wire["mode"].(string))
	}
	return compact
}

// signer is the private key of that name, or the bytes of a public one misused
// as a MAC key (RFC 8725 §2.1).
func (i *caseIssuer) signer(t *testing.T, name string) any {
	misuse, isMAC := strings.CutPrefix(name, "hmac:")
	if !isMAC {
		return i.private[name]
	}
	form, kid, _ := strings.Cut(strings.TrimSuffix(misuse, ")"), "(")
	if form == "empty" {
		return []byte{}
	}
	der := must(t)(x509.MarshalPKIXPublicKey(i.public(kid))).([]byte)
	switch form {
	case "pem":
		return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	case "der":
		return der
	case "jwkjson":
		return must(t)(json.Marshal(jwk(t, i.public(kid), nil))).([]byte)
	case "ecpoint":
		return must(t)(i.private[kid].(*ecdsa.PrivateKey).PublicKey.Bytes()).([]byte)
	}
	t.Fatalf("unknown key %q", name)
	return nil
}

// spoiled changes a signature.
func spoiled(t *testing.T, signature []byte, mode string) []byte {
	n := elliptic.P256().Params().N
	switch mode {
	case "empty":
		return nil
	case "zero":
		return make([]byte, 64)
	case "r0s1":
		return big.NewInt(1).FillBytes(make([]byte, 64))
	case "rn_sn":
		return bytes.Repeat(n.Bytes(), 2)
	case "flip":
		signature[10] ^= 1
	case "trunc":
		return signature[:63]
	case "ed25519_s_plus_l":
		addOrder(signature[32:])
	default:
		t.Fatalf("unknown sig %q", mode)
	}
	return signature
}

// rewired changes the spelling of a token.
func rewired(t *testing.T, compact, mode string) string {
	part := strings.Split(compact, ".")
	switch mode {
	case "json_flattened":
		return fmt.Sprintf(`{"protected":%q,"header":{"kid":"a2"},"payload":%q,"signature":%q}`, part[0], part[1], part[2])
	case "segments_1":
		return part[0]
	case "segments_2":
		return part[0] + "." + part[1]
	case "segments_6":
		return compact + ".a.b.c"
	case "empty_payload":
		return part[0] + ".." + part[2]
	case "pad_sig":
		return compact + "=="
	case "std_alphabet":
		return part[0] + "." + part[1] + ".+/" + part[2][2:]
	case "trailing_lf":
		return compact + "\n"
	case "noncanonical_last":
		const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
		last := strings.IndexByte(digits, compact[len(compact)-1])
		return compact[:len(compact)-1] + string(digits[last|1])
	case "nul":
		return part[0] + "\x00." + part[1] + "." + part[2]
	case "pct_dots":
		return strings.ReplaceAll(compact, ".", "%2E")
	case "unicode_dot":
		return strings.ReplaceAll(compact, ".", "\u2024")
	}
	t.Fatalf("unknown wire %q", mode)
	return ""
}

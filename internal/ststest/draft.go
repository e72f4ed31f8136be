package ststest

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Tokens makes the subject's and the actor's token of the catalogue after the
// ops that are about tokens, and returns the other ops.
func (f *Fixture) Tokens(t testing.TB, ops []Op) (subject, actor string, others []Op) {
	t.Helper()
	drafts := map[string]*draft{"subject": f.draft(t, "ST_A"), "actor": f.draft(t, "AT_C")}
	for _, op := range ops {
		role := op.text("t")
		switch {
		case op["op"] == "use_token":
			drafts[role] = f.draft(t, op.text("fixture"))
		case op["op"] == "copy_token":
			drafts[op.text("to")] = drafts[op.text("from")]
		case op["op"] == "swap_tokens":
			drafts["subject"], drafts["actor"] = drafts["actor"], drafts["subject"]
		case drafts[role] == nil || !f.edit(t, drafts[role], op):
			others = append(others, op)
		}
	}
	return f.finish(t, drafts["subject"]), f.finish(t, drafts["actor"]), others
}

// member is one member of a JSON object, its value as text: order and spelling
// are kept.
type member struct{ name, text string }

// draft is a token in the making.
type draft struct {
	header, claims       []member
	rawHeader, rawClaims *string
	key, alg             string
	spoil, wire          string // transformations of the signature and of the whole
	literal              *string
}

// draft is a token of the catalogue's fixtures.
func (f *Fixture) draft(t testing.TB, fixture string) *draft {
	t.Helper()
	d := f.subjectDraft()
	iss, kid, alg, key := "https://idp-a.test", "a1", "ES256", "a1"
	switch fixture {
	case "ST_A", "ST_DELEGATED":
	case "ST_B":
		iss, key = "https://idp-b.test", "b-a1"
	case "ST_C", "AT_C", "AT_C2":
		iss, kid, alg, key = "https://idp-c.test", "c1", "EdDSA", "c1"
	case "ST_D":
		iss, kid, key = "https://idp-d.test", "d1", "d1"
	case "ST_E":
		iss, kid, alg, key = "https://idp-e.test", "e1", "PS256", "e1"
	case "ST_T2":
		iss, kid, key = "https://login.test/tenant2", "t1", "t1"
	case "STS_STAGING_MINTED":
		iss, kid, key = "https://sts.staging.test", "sts-1", "staging"
	default:
		t.Fatalf("unknown fixture %q", fixture)
	}
	switch fixture {
	case "AT_C":
		d.claims = with(without(without(d.claims, "scope"), "client_id"), "sub", `"agent-1"`)
	case "AT_C2":
		d.claims = with(without(without(d.claims, "scope"), "client_id"), "sub", `"agent-2"`)
	case "ST_DELEGATED":
		d.claims = append(d.claims, member{"act", `{"iss":"https://idp-c.test","sub":"agent-1"}`})
	}
	d.header = []member{{"alg", quote(alg)}, {"typ", `"JWT"`}, {"kid", quote(kid)}}
	d.claims, d.key, d.alg = with(d.claims, "iss", quote(iss)), key, alg
	return d
}

func (f *Fixture) subjectDraft() *draft {
	at := func(seconds int64) string { return strconv.FormatInt(f.Now.Unix()+seconds, 10) }
	return &draft{claims: []member{
		{"iss", ""}, {"sub", `"alice"`}, {"aud", `"https://sts.test"`}, {"exp", at(600)}, {"iat", at(-10)}, {"nbf", at(-10)},
		{"jti", `"jti-1"`}, {"scope", `"orders:read orders:write profile"`}, {"dept", `"eng"`}, {"client_id", `"svc-gateway"`},
	}}
}

// edit does one op; false where it is not about a token.
func (f *Fixture) edit(t testing.TB, d *draft, op Op) bool {
	t.Helper()
	name, text := op.text("k"), f.expand(op.text("v"))
	switch op["op"] {
	case "hdr_set":
		d.header = with(d.header, name, f.value(t, op["v"]))
	case "hdr_del":
		d.header = without(d.header, name)
	case "hdr_raw":
		d.rawHeader = &text
	case "claim_set":
		d.claims = with(d.claims, name, f.value(t, op["v"]))
	case "claim_raw":
		d.claims = with(d.claims, name, text)
	case "claim_del":
		d.claims = without(d.claims, name)
	case "claims_bulk":
		d.claims = append(d.claims, member{"bulk", "{" + f.expand("${members:"+fmt.Sprint(op["n"])+"}") + "}"})
	case "payload_raw":
		d.rawClaims = &text
	case "sign":
		d.key, d.alg = op.text("key"), op.text("alg")
	case "sig":
		d.spoil = op.text("mode")
	case "wire":
		d.wire = op.text("mode")
	case "token_literal":
		d.literal = &text
	default:
		return false
	}
	return true
}

// finish signs the draft and then spoils it as asked.
func (f *Fixture) finish(t testing.TB, d *draft) string {
	t.Helper()
	if d.literal != nil {
		return *d.literal
	}
	header, payload := object(d.header), object(d.claims)
	if d.rawHeader != nil {
		header = *d.rawHeader
	}
	if d.rawClaims != nil {
		payload = *d.rawClaims
	}
	compact := Sign(t, f.signer(t, d.key), d.alg, header, payload)
	return rewire(t, spoil(t, compact, d.spoil), d.wire)
}

// signer is the private key of a name, or a public one misused as the secret of
// a MAC (RFC 8725 §2.1): "hmac:pem(a2)".
func (f *Fixture) signer(t testing.TB, name string) any {
	t.Helper()
	misuse, isMAC := strings.CutPrefix(name, "hmac:")
	if !isMAC {
		return f.keys[name].Private
	}
	form, kid, _ := strings.Cut(strings.TrimSuffix(misuse, ")"), "(")
	if form == "empty" {
		return []byte{}
	}
	der, err := x509.MarshalPKIXPublicKey(f.keys[kid].Private.Public())
	if err != nil {
		t.Fatal(err)
	}
	switch form {
	case "der":
		return der
	case "jwkjson":
		return mustJSON(t, f.keys[kid].JWK(t, nil))
	case "ecpoint":
		public, isEC := f.keys[kid].Private.Public().(*ecdsa.PublicKey)
		if !isEC {
			t.Fatalf("%s is no EC key", kid)
		}
		point, err := public.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		return point
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
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
	return slices.DeleteFunc(members, func(m member) bool { return m.name == name })
}

func object(members []member) string {
	texts := make([]string, len(members))
	for i, m := range members {
		texts[i] = quote(m.name) + ":" + m.text
	}
	return "{" + strings.Join(texts, ",") + "}"
}

// quote is s as a JSON string.
func quote(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		return `""`
	}
	return string(text)
}

// template is "${name:arguments}", or an instant such as "${T+600}".
var template = regexp.MustCompile(`\$\{(T|uuid|repeat|nest_arr|nest_act|members|jwk|jwe|str)([^}]*)\}`)

// value is the JSON of an op's value. A string that is one template and does
// not make text becomes what the template makes.
func (f *Fixture) value(t testing.TB, v any) string {
	t.Helper()
	s, isString := v.(string)
	if !isString {
		return string(mustJSON(t, v))
	}
	if s == "${jwk:attacker}" {
		return string(mustJSON(t, f.keys["attacker"].JWK(t, nil)))
	}
	found := template.FindStringSubmatch(s)
	if found != nil && found[0] == s && slices.Contains([]string{"T", "nest_arr", "nest_act"}, found[1]) {
		return f.expand(s)
	}
	return quote(f.expand(s))
}

// expand fills the templates.
func (f *Fixture) expand(s string) string {
	return template.ReplaceAllStringFunc(s, func(whole string) string {
		found := template.FindStringSubmatch(whole)
		arguments := strings.Split(strings.TrimPrefix(found[2], ":"), ":")
		n, _ := strconv.Atoi(arguments[len(arguments)-1])
		switch found[1] {
		case "T":
			return strconv.FormatInt(f.Now.Unix()+int64(n), 10)
		case "repeat":
			return strings.Repeat(arguments[0], n)
		case "nest_arr":
			return strings.Repeat("[", n) + strings.Repeat("]", n)
		case "nest_act":
			return strings.Repeat(`{"sub":"agent","act":`, n-1) + `{"sub":"agent"}` + strings.Repeat("}", n-1)
		case "members":
			texts := make([]string, n)
			for i := range texts {
				texts[i] = fmt.Sprintf(`"m%d":%d`, i, i)
			}
			return strings.Join(texts, ",")
		case "jwe":
			return encode([]byte(`{"alg":"RSA-OAEP-256","enc":"A256GCM"}`)) + ".AA.AA.AA.AA"
		}
		return "fixture"
	})
}

package conformance_test

import (
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/strait-sts/strait/internal/ststest"
)

// What a request of RFC 8693 §2.1 is made of.
const (
	exchangeURN = "urn:ietf:params:oauth:grant-type:token-exchange"
	typePrefix  = "urn:ietf:params:oauth:token-type:"
	jwtType     = typePrefix + "jwt"
	accessType  = typePrefix + "access_token"
	idType      = typePrefix + "id_token"
)

// What the targets of the world are called in a request.
const (
	ordersAudience  = "https://orders.example.com"
	ordersResource  = "https://orders.example.com/api"
	ordersQuery     = "https://orders.example.com/api?tenant=1"
	billingAudience = "https://billing.example.com"
)

// oddID and oddSecret need RFC 6749 App. B, which is what they are for.
const oddID = "odd:a/b~c"

// world is a house with a small trust list that every row of the table shares.
// Rows add what is theirs under names of their own.
type world struct {
	*house

	idp     *ststest.Issuer // found by discovery; its tokens are of type jwt
	partner *ststest.Issuer // keys written inline; tokens of three types
	closed  *ststest.Issuer // on the list, and disabled
	agents  *ststest.Issuer // of actors alone

	secret, oddSecret string
}

func newWorld(t *testing.T, more ...flags) *world {
	t.Helper()
	all := flags{}
	for _, f := range more {
		maps.Copy(all, f)
	}
	w := &world{
		house: open(t, all), idp: ststest.NewIssuer(t), partner: ststest.NewIssuer(t, "RS256", "ES256"), closed: ststest.NewIssuer(t), agents: ststest.NewIssuer(t),
		secret: aSecret(), oddSecret: "p%:&+ é" + aSecret(),
	}
	w.apply(t, w.trustList()...)
	w.apply(t, w.parties()...)
	w.apply(t, w.policies()...)
	return w
}

func (w *world) trustList() []object {
	return []object{
		issuer("idp", w.idp.URL, members{"discovery": members{}}, nil),
		issuer("partner", w.partner.URL, inline(w.partner.JWKS()), members{"tokenTypes": list("jwt", "access_token", "id_token")}),
		issuer("closed", w.closed.URL, inline(w.closed.JWKS()), members{"mode": "disabled"}),
		issuer("agents", w.agents.URL, inline(w.agents.JWKS()), members{"acceptAs": list("actor")}),
	}
}

func (w *world) parties() []object {
	return []object{
		target("orders", ordersAudience, list("orders:read", "orders:write", "common"), members{"resources": list(ordersResource, ordersQuery)}),
		target("billing", billingAudience, list("billing:read", "common"), nil),
		target("tenant-1", "https://api.example.com/t1", list("read"), nil),
		target("tenant-2", "https://api.example.com/t2", list("read"), nil),
		target("eddsa", "https://eddsa.example.com", list("read"), members{"token": members{"algorithm": "EdDSA"}}),
		target("rs256", "https://rs256.example.com", list("read"), members{"token": members{"algorithm": "RS256"}}),
		target("closed", "https://closed.example.com", list("read"), members{"mode": "disabled"}),
		client("gateway", w.secret, nil),
		client("stranger", w.secret, nil),
		client("machine", w.secret, members{"grants": list("client_credentials")}),
		client("simple", w.secret, members{"serves": list("orders")}),
		client("delegate", w.secret, nil),
		client("sole", w.secret, nil),
		client("odd", w.oddSecret, members{"clientId": oddID, "serves": list("orders")}),
		client("relay", w.secret, members{"serves": list("orders")}),
		client("ledger", w.secret, members{"serves": list("billing")}),
	}
}

func (w *world) policies() []object {
	all := []object{
		policy("orders", "gateway", "idp", list("orders"), nil, scopes(list("orders:read", "orders:write"), list("orders:read"))),
		policy("together", "gateway", "idp", list("orders", "billing"), list("orders:read", "common"), nil),
		policy("billing", "gateway", "idp", list("billing"), list("billing:read", "common"), nil),
		policy("shut", "gateway", "idp", list("closed"), list("read"), nil),
		policy("partner", "gateway", "partner", list("orders"), list("orders:read"), subject(list("jwt", "access_token", "id_token"), "partner")),
		policy("simple", "simple", "idp", list("orders"), nil, scopes(list("orders:read"), list("orders:read"))),
		policy("onward", "relay", "self", list("billing"), list("common"), subject(list("access_token"), "self")),
		policy("odd", "odd", "idp", list("orders"), list("orders:read"), nil),
		policy("delegate", "delegate", "idp", list("orders"), list("orders:read"), members{"flow": "delegation", "actor": members{
			"from": "token", "issuers": list("agents"), "conditions": []any{members{"expression": "actor.claims.owner == subject.claims.sub", "message": "an agent of hers"}},
		}}),
		policy("sole", "sole", "idp", list("orders"), list("orders:read"), members{"flow": "delegation", "actor": members{"from": "client"}}),
		clientPolicy("machine", "machine", list("orders"), list("orders:read")),
	}
	for _, name := range list("tenant-1", "eddsa", "rs256") {
		all = append(all, policy(name, "gateway", "idp", list(name), list("read"), nil))
	}
	return all
}

// claims are claims over the usual ones of alice's token; nil takes one away.
type claims = map[string]any

// held are the scopes of alice's token.
const held = "openid orders:read orders:write billing:read common read"

// alice is a subject token of the identity provider.
func (w *world) alice(more claims) string { return w.tokenOf(w.idp, nil, more) }

// tokenOf is a token of an issuer for alice.
func (w *world) tokenOf(i *ststest.Issuer, header, more claims) string {
	all := claims{"scope": held, "jti": "subject-1"}
	maps.Copy(all, more)
	return i.IssueWith(i.Key(), w.clock.Now(), header, all)
}

// ask is a token request in the making.
type ask struct {
	method, path string
	header       http.Header
	form         url.Values
	body         string // instead of form
}

// bend changes the good request in one way.
type bend func(*world, *ask)

// ask is the good request, bent: RFC 8693 §2.1 with HTTP Basic.
func (w *world) ask(bends ...bend) *ask {
	a := &ask{
		method: http.MethodPost, path: "/token",
		header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Authorization": {basic("gateway", w.secret)}},
		form: url.Values{
			"grant_type": {exchangeURN}, "subject_token": {w.alice(nil)}, "subject_token_type": {jwtType},
			"audience": {ordersAudience}, "scope": {"orders:read"},
		},
	}
	for _, b := range bends {
		b(w, a)
	}
	return a
}

// send asks the token endpoint.
func (w *world) send(t testing.TB, bends ...bend) *answer {
	t.Helper()
	a := w.ask(bends...)
	body := a.body
	if body == "" {
		body = a.form.Encode()
	}
	return w.request(t, a.method, w.public+a.path, a.header, body)
}

// issued sends the bent request, which must succeed, and gives what was issued.
func (w *world) issued(t testing.TB, bends ...bend) (*answer, claims) {
	t.Helper()
	a := w.send(t, bends...).mustIssue()
	_, payload := a.token()
	return a, payload
}

// basic is an Authorization header with id and secret as they are.
func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
}

// The ways to bend a request.

func set(name string, values ...string) bend {
	return func(_ *world, a *ask) { a.form[name] = values }
}

func drop(names ...string) bend {
	return func(_ *world, a *ask) {
		for _, name := range names {
			a.form.Del(name)
		}
	}
}

// twice repeats a parameter that is there, or adds one two times.
func twice(name string) bend {
	return func(_ *world, a *ask) {
		value := a.form.Get(name)
		if value == "" {
			value = "x"
		}
		a.form[name] = []string{value, value}
	}
}

func header(name string, values ...string) bend {
	return func(_ *world, a *ask) { a.header[http.CanonicalHeaderKey(name)] = values }
}

func method(m string) bend { return func(_ *world, a *ask) { a.method = m } }

func body(text string) bend { return func(_ *world, a *ask) { a.body = text } }

// as calls as another client.
func as(id string) bend {
	return func(w *world, a *ask) { a.header.Set("Authorization", basic(id, w.secret)) }
}

// with presents alice's token with other claims.
func with(more claims) bend {
	return func(w *world, a *ask) { a.form.Set("subject_token", w.alice(more)) }
}

// headed presents alice's token with other members of its JOSE header.
func headed(more claims) bend {
	return func(w *world, a *ask) { a.form.Set("subject_token", w.tokenOf(w.idp, more, nil)) }
}

// spelled presents alice's token respelled.
func spelled(how func(compact string) string) bend {
	return func(w *world, a *ask) { a.form.Set("subject_token", how(w.alice(nil))) }
}

// replaced respells one piece of the token.
func replaced(old, by string) bend {
	return spelled(func(compact string) string { return strings.Replace(compact, old, by, 1) })
}

// foreign presents a token of the partner, as a type.
func foreign(typ string, header, more claims) bend {
	return func(w *world, a *ask) {
		a.form.Set("subject_token", w.tokenOf(w.partner, header, more))
		a.form.Set("subject_token_type", typ)
	}
}

// machine asks with the client_credentials grant (RFC 6749 §4.4).
func machine(w *world, a *ask) {
	drop("subject_token", "subject_token_type")(w, a)
	set("grant_type", "client_credentials")(w, a)
	as("machine")(w, a)
}

// all bends one request in several ways.
func all(bends ...bend) bend {
	return func(w *world, a *ask) {
		for _, b := range bends {
			b(w, a)
		}
	}
}

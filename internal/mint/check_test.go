package mint

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/exchange"
)

const ourIssuer = "https://sts.example.com"

// sound is a delegation with everything in it: what the check must let
// through, and what each mutation below breaks in one place.
func sound() (*exchange.Request, exchange.Ceiling, map[string]any) {
	now := time.Unix(1_800_000_000, 500)
	target := func(name string) *exchange.Target {
		return &exchange.Target{Name: name, Audience: "https://" + name, Scopes: []string{"a", "b", "other"}, MaxLifetime: 300 * time.Second}
	}
	c := exchange.Ceiling{
		ID: "id-1", Now: now, Client: &exchange.Client{Name: "edge", ID: "edge-1"},
		Subject: &exchange.Token{
			Issuer: exchange.SelfIssuer, Subject: "okta:alice", Txn: "root", Scopes: []string{"a", "b"}, Expires: now.Add(300 * time.Second),
			Act:    exchange.Chain{{Issuer: "https://i", Subject: "one"}, {Issuer: "https://i", Subject: "two"}},
			Claims: exchange.Claims{"auth_time": json.Number("1799999999"), "acr": "silver", "amr": []any{"pwd", "otp"}},
		},
		Actor: &exchange.Token{Expires: now.Add(300 * time.Second)},
		Adds:  &exchange.Hop{Issuer: "https://i", Subject: "actor"},
		Policy: &exchange.Policy{
			Flow: exchange.FlowDelegation, Allow: []string{"a", "b"}, Default: []string{"a", "b"}, Prove: exchange.ProveSame,
			Lifetime: 300 * time.Second, MaxActDepth: 3, TokenType: exchange.TypeAccessToken, Claims: []string{"dept", "absent"},
		},
		Claims:  exchange.Claims{"dept": []any{"sales", json.Number("7")}},
		Targets: []*exchange.Target{target("x"), target("y")},
	}
	hop := func(sub string, act any) map[string]any {
		h := map[string]any{"iss": "https://i", "sub": sub}
		if act != nil {
			h["act"] = act
		}
		return h
	}
	payload := map[string]any{
		"iss": ourIssuer, "sub": "okta:alice", "aud": []string{"https://x", "https://y"}, "client_id": "edge-1",
		"iat": now.Unix(), "exp": now.Unix() + 300, "jti": "id-1", "scope": "a b", "txn": "root",
		"act":       hop("actor", hop("one", hop("two", nil))),
		"auth_time": 1799999999, "acr": "silver", "amr": []string{"pwd", "otp"},
		"dept": []any{"sales", 7},
	}
	return &exchange.Request{ID: c.ID, Time: now, Client: c.Client}, c, payload
}

func runCheck(t *testing.T, req *exchange.Request, c exchange.Ceiling, payload map[string]any) error {
	t.Helper()
	text, err := json.Marshal(payload)
	if err != nil {
		t.Fatal(err)
	}
	return check(text, ourIssuer, req, c)
}

func TestCheckLetsASoundTokenThrough(t *testing.T) {
	t.Parallel()
	req, c, payload := sound()
	if err := runCheck(t, req, c, payload); err != nil {
		t.Error(err)
	}
	delete(payload, "auth_time")
	delete(payload, "acr")
	delete(payload, "amr")
	delete(payload, "scope")
	delete(payload, "dept")
	if err := runCheck(t, req, c, payload); err != nil {
		t.Errorf("less than is allowed: %v", err)
	}
}

// TestCheckRefusesEveryWiderToken changes one claim of a sound payload, by as
// little as can be.
func TestCheckRefusesEveryWiderToken(t *testing.T) {
	t.Parallel()
	set := func(claim string, value any) func(map[string]any) {
		return func(p map[string]any) { p[claim] = value }
	}
	drop := func(claim string) func(map[string]any) {
		return func(p map[string]any) { delete(p, claim) }
	}
	inner := func(p map[string]any) map[string]any { return p["act"].(map[string]any)["act"].(map[string]any) }
	for name, mutate := range map[string]func(map[string]any){
		"one scope more":            set("scope", "a b other"),
		"a scope that nobody knows": set("scope", "a c"),
		"a scope in another case":   set("scope", "A"),
		"a scope twice":             set("scope", "a a"),
		"an empty scope":            set("scope", ""),
		"two spaces":                set("scope", "a  b"),
		"scope as an array":         set("scope", []string{"a"}),

		"one second longer":    set("exp", 1_800_000_301),
		"exp with a fraction":  set("exp", 1_800_000_299.5),
		"exp as a string":      set("exp", "1800000300"),
		"exp in the past":      set("exp", 1_799_999_999),
		"exp at iat":           set("exp", 1_800_000_000),
		"no exp":               drop("exp"),
		"iat a second earlier": set("iat", 1_799_999_999),
		"iat a second later":   set("iat", 1_800_000_001),
		"no iat":               drop("iat"),
		"one audience more":    set("aud", []string{"https://x", "https://y", "https://z"}),
		"one audience less":    set("aud", "https://x"),
		"one audience, array":  set("aud", []string{"https://x"}),
		"another audience":     set("aud", []string{"https://x", "https://z"}),
		"one audience twice":   set("aud", []string{"https://x", "https://x"}),
		"target's name as aud": set("aud", []string{"x", "y"}),
		"aud as an object":     set("aud", map[string]any{"a": "https://x"}),
		"no aud":               drop("aud"),
		"another issuer":       set("iss", ourIssuer+"/"),
		"no iss":               drop("iss"),
		"the original sub":     set("sub", "alice"),
		"another sub":          set("sub", "okta:bob"),
		"no sub":               drop("sub"),
		"another client":       set("client_id", "edge"),
		"no client_id":         drop("client_id"),
		"another jti":          set("jti", "id-2"),
		"no jti":               drop("jti"),
		"a new txn":            set("txn", "id-1"),
		"no txn":               drop("txn"),
		"no chain":             drop("act"),
		"newest hop dropped":   func(p map[string]any) { p["act"] = inner(p) },
		"oldest hop dropped":   func(p map[string]any) { delete(inner(p), "act") },
		"hop in between gone":  func(p map[string]any) { p["act"].(map[string]any)["act"] = inner(p)["act"] },
		"hops swapped":         func(p map[string]any) { inner(p)["sub"], inner(p)["act"].(map[string]any)["sub"] = "two", "one" },
		"one hop more": func(p map[string]any) {
			inner(p)["act"].(map[string]any)["act"] = map[string]any{"iss": "https://i", "sub": "root"}
		},
		"two hops added":         func(p map[string]any) { p["act"] = map[string]any{"iss": "https://i", "sub": "root", "act": p["act"]} },
		"hop of another issuer":  func(p map[string]any) { inner(p)["iss"] = "https://j" },
		"hop without iss":        func(p map[string]any) { delete(inner(p), "iss") },
		"hop with a claim more":  func(p map[string]any) { inner(p)["exp"] = 1_800_000_300 },
		"auth_time refreshed":    set("auth_time", 1_800_000_000),
		"auth_time spelt anew":   set("auth_time", json.Number("1799999999.0")),
		"acr raised":             set("acr", "gold"),
		"amr with a factor more": set("amr", []string{"pwd", "otp", "hwk"}),
		"amr with one less":      set("amr", []string{"pwd"}),

		"a policy's claim changed":       set("dept", []any{"sales", 8}),
		"a policy's claim spelt anew":    set("dept", []any{"sales", 7.5}),
		"a policy's claim without value": set("absent", "x"),

		"nbf":                  set("nbf", 1_800_000_000),
		"may_act":              set("may_act", map[string]any{"sub": "root"}),
		"cnf":                  set("cnf", map[string]any{"jkt": "x"}),
		"email":                set("email", "alice@example.com"),
		"Scope beside scope":   set("Scope", "admin"),
		"EXP beside exp":       set("EXP", 1_900_000_000),
		"a claim without name": set("", "x"),
	} {
		req, c, payload := sound()
		mutate(payload)
		if err := runCheck(t, req, c, payload); err == nil {
			t.Errorf("%s: the check let it through", name)
		}
	}
}

// TestCheckRefusesUnderANarrowerCeiling leaves the payload and lowers the
// ceiling: the same token must then be too wide.
func TestCheckRefusesUnderANarrowerCeiling(t *testing.T) {
	t.Parallel()
	for name, lower := range map[string]func(*exchange.Ceiling){
		"policy allows less":       func(c *exchange.Ceiling) { c.Policy.Allow = []string{"a"} },
		"policy's default is less": func(c *exchange.Ceiling) { c.Policy.Default = []string{"a"} },
		"subject holds less":       func(c *exchange.Ceiling) { c.Subject.Scopes = []string{"a"} },
		"subject holds none":       func(c *exchange.Ceiling) { c.Subject.Scopes = nil },
		"one target knows less":    func(c *exchange.Ceiling) { c.Targets[1].Scopes = []string{"a"} },
		"map leads to less": func(c *exchange.Ceiling) {
			c.Policy.Prove, c.Policy.Map = exchange.ProveMap, map[string][]string{"a": {"a"}}
		},
		"grant outside federation":     func(c *exchange.Ceiling) { c.Policy.Prove = exchange.ProveGrant },
		"no proof named":               func(c *exchange.Ceiling) { c.Policy.Prove = "" },
		"subject ends earlier":         func(c *exchange.Ceiling) { c.Subject.Expires = c.Now.Add(299 * time.Second) },
		"subject ends a bit earlier":   func(c *exchange.Ceiling) { c.Subject.Expires = c.Now.Add(300*time.Second - 501) },
		"actor ends earlier":           func(c *exchange.Ceiling) { c.Actor.Expires = c.Now.Add(299 * time.Second) },
		"policy lives shorter":         func(c *exchange.Ceiling) { c.Policy.Lifetime = 299 * time.Second },
		"one target lives shorter":     func(c *exchange.Ceiling) { c.Targets[0].MaxLifetime = 299 * time.Second },
		"policy allows fewer hops":     func(c *exchange.Ceiling) { c.Policy.MaxActDepth = 2 },
		"policy adds no claims":        func(c *exchange.Ceiling) { c.Policy.Claims = nil },
		"no value was found":           func(c *exchange.Ceiling) { c.Claims = nil },
		"downscope with a hop":         func(c *exchange.Ceiling) { c.Policy.Flow = exchange.FlowDownscope },
		"no hop to add":                func(c *exchange.Ceiling) { c.Adds = nil },
		"subject without a chain":      func(c *exchange.Ceiling) { c.Subject.Act = nil },
		"one target less":              func(c *exchange.Ceiling) { c.Targets = c.Targets[:1] },
		"targets in another order":     func(c *exchange.Ceiling) { c.Targets[0], c.Targets[1] = c.Targets[1], c.Targets[0] },
		"bound subject":                func(c *exchange.Ceiling) { c.Subject.Bound = true },
		"bound actor":                  func(c *exchange.Ceiling) { c.Actor.Bound = true },
		"foreign txn":                  func(c *exchange.Ceiling) { c.Subject.Issuer = "okta" },
		"no subject":                   func(c *exchange.Ceiling) { c.Subject = nil },
		"client flow with a subject":   func(c *exchange.Ceiling) { c.Policy.Flow = exchange.FlowClient },
		"own token in federation":      func(c *exchange.Ceiling) { c.Policy.Flow = exchange.FlowFederation },
		"another token type":           func(c *exchange.Ceiling) { c.Policy.TokenType = exchange.TypeJWT },
		"subject says nothing of acr":  func(c *exchange.Ceiling) { delete(c.Subject.Claims, "acr") },
		"subject says nothing of amr":  func(c *exchange.Ceiling) { delete(c.Subject.Claims, "amr") },
		"subject says nothing of time": func(c *exchange.Ceiling) { delete(c.Subject.Claims, "auth_time") },
	} {
		req, c, payload := sound()
		lower(&c)
		if err := runCheck(t, req, c, payload); err == nil {
			t.Errorf("%s: the check let it through", name)
		}
	}
}

// POL-080: not even a policy that came in by another way sets what only the
// engine may, in whatever case.
func TestCheckRefusesReservedClaimsOfAPolicy(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"nbf", "may_act", "cnf", "azp", "sid", "nonce", "Sub", "AUD", "Scope"} {
		req, c, payload := sound()
		c.Policy.Claims, c.Claims, payload[name] = append(c.Policy.Claims, name), exchange.Claims{"dept": payload["dept"], name: "x"}, "x"
		if err := runCheck(t, req, c, payload); err == nil {
			t.Errorf("%s: the check let it through", name)
		}
	}
}

func TestCheckBoundsTheClaimsOfAPolicy(t *testing.T) {
	t.Parallel()
	for size, fine := range map[int]bool{1000: true, 5000: false} {
		req, c, payload := sound()
		long := strings.Repeat("x", size)
		c.Claims["dept"], payload["dept"] = long, long
		if err := runCheck(t, req, c, payload); (err == nil) != fine {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

func TestCheckRefusesWhatIsNotOneObject(t *testing.T) {
	t.Parallel()
	req, c, payload := sound()
	good, err := json.Marshal(payload)
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]string{
		"empty": "", "null": "null", "array": "[]", "two": string(good) + string(good), "cut off": string(good[:len(good)-1]),
		"duplicate claim": strings.Replace(string(good), `"acr"`, `"scope":"admin","acr"`, 1),
		"invalid UTF-8":   strings.Replace(string(good), "silver", "silv\xff", 1),
	} {
		err := check([]byte(bad), ourIssuer, req, c)
		if err == nil {
			t.Errorf("%s: the check let it through", name)
		} else if strings.Contains(err.Error(), "alice") {
			t.Errorf("%s: the error holds a claim's value: %v", name, err)
		}
	}
}

func FuzzCheckNeverLetsAnotherScopeThrough(f *testing.F) {
	for _, seed := range []string{"a", "a b", "b", "", "a  b", "A", "a b other", "a\tb"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, scope string) {
		req, c, payload := sound()
		payload["scope"] = scope
		text, err := json.Marshal(payload)
		if err != nil {
			return
		}
		fine := scope == "a" || scope == "b" || scope == "a b" || scope == "b a"
		if err := check(text, ourIssuer, req, c); (err == nil) != fine {
			t.Errorf("scope %q: %v", scope, err)
		}
	})
}

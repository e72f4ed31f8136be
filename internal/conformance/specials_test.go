package conformance_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/strait-sts/strait/internal/ststest"
)

// specials are those that stand by none of their kind.
var specials = map[string]special{
	"CLM-067": noAudiences, "TRU-018": removedKey, "AVL-003": slowDatabase, "AVL-010": hangingIssuer,
	"POL-022": brokenRow, "POL-036": refusesNUL, "POL-077": tooLong, "POL-085": deletedPolicy,
	"POL-026": issues("scope", "orders:read"), "POL-074": issues("expires_in", "1"), "POL-078": issues("expires_in", "300"),
	"POL-082": actAsItCame, "CAU-005": noSecret, "CAU-010": disabledClient, "CAU-026": issuesTo("a:b"), "CAU-047": manyAtOnce,
	"HTF-019": issues("scope", "orders:read"), "HTF-057": raw(400, 401), "HTF-058": raw(400), "HTF-060": raw(400),
	"HTF-063": untouched, "HTF-064": untouched, "HTF-065": spoofedAddress,
	"OUT-001": goodHeaders, "OUT-004": goodKeySet, "OUT-010": noBanner,
}

// issues holds that the bent request succeeds, and with what.
func issues(member, want string) special {
	return func(t *testing.T, h *caseHouse, c ststest.Case) {
		a := h.sendCase(t, h.bend(t, c)).mustIssue()
		h.restore(t)
		if got := fmt.Sprint(a.body[member]); got != want {
			t.Errorf("%s: %s %s, want %s", c.Description, member, got, want)
		}
	}
}

func issuesTo(id string) special {
	return func(t *testing.T, h *caseHouse, c ststest.Case) {
		if _, payload := h.sendCase(t, h.bend(t, c)).mustIssue().token(); payload["client_id"] != id {
			t.Errorf("client_id %v", payload["client_id"])
		}
	}
}

// noAudiences: the catalogue would have every token refused; here such an
// entry is never taken.
func noAudiences(t *testing.T, h *caseHouse, _ ststest.Case) {
	h.tryApply(t, h.issuer(t, "A", members{"audiences": list()})).mustBeInvalid("required")
	h.tryApply(t, h.issuer(t, "A", members{"audiences": nil})).mustBeInvalid("required")
}

// removedKey: a key that its issuer has withdrawn is gone here too, in time.
func removedKey(t *testing.T, h *caseHouse, c ststest.Case) {
	stays, goes := ststest.NewKey(t, "stays", "ES256"), ststest.NewKey(t, "goes", "ES256")
	s := serveKeys(t, stays.JWK(t, nil), goes.JWK(t, nil))
	shared := members{"audiences": list(sts), "claimMappings": members{"subject": members{"claim": "sub", "prefix": "tru-018|"}}}
	p := h.p1(subject(list("jwt"), "tru-018"))
	p["metadata"] = members{"name": "tru-018"}
	h.apply(t, issuer("tru-018", s.URL, members{"jwksUri": s.URL + "/keys"}, shared), p)
	ask := func(key ststest.Key) *request {
		header := fmt.Sprintf(`{"alg":"ES256","kid":%q}`, key.ID)
		now := h.clock.Now().Unix()
		claims := fmt.Sprintf(`{"iss":%q,"sub":"alice","aud":%q,"iat":%d,"exp":%d,"scope":"orders:read"}`, s.URL, sts, now, now+600)
		r := h.baseline(t, ststest.Sign(t, key.Private, key.Alg, header, claims))
		r.form.Set("subject_token_type", jwtType)
		return r
	}
	h.sendCase(t, ask(goes)).mustIssue()
	s.publish(t, stays.JWK(t, nil))
	h.clock.advance(25 * time.Hour) // longer than any max-age that is heeded
	h.fixture.Now = h.clock.Now()
	began := time.Now()
	for h.sendCase(t, ask(goes)).status == http.StatusOK {
		if time.Since(began) > 5*time.Second {
			t.Fatal("the key still serves")
		}
	}
	r := ask(goes)
	h.judge(t, c, r, h.sendCase(t, r))
	h.sendCase(t, ask(stays)).mustIssue()
}

// slowDatabase: a record that is not durable in time is none, and ends in 503;
// when the database is itself again, so are we.
func slowDatabase(t *testing.T, h *caseHouse, _ ststest.Case) {
	h.execute(t, `CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(10); RETURN NEW; END $$;
		CREATE TRIGGER dawdle BEFORE INSERT ON records FOR EACH ROW EXECUTE FUNCTION dawdle()`)
	began := time.Now()
	a := h.sendCase(t, h.plain(t)).mustRefuse(http.StatusServiceUnavailable, "temporarily_unavailable", "audit_unavailable")
	if took := time.Since(began); took > 5*time.Second || a.header.Get("Retry-After") == "" {
		t.Errorf("after %v, Retry-After %q", took, a.header.Get("Retry-After"))
	}
	h.execute(t, "DROP TRIGGER dawdle ON records")
	for began = time.Now(); h.sendCase(t, h.plain(t)).status != http.StatusOK; {
		if time.Since(began) > 5*time.Second {
			t.Fatal("it has not come back")
		}
	}
}

// hangingIssuer: who waits for one issuer's keys keeps nobody else waiting.
func hangingIssuer(t *testing.T, h *caseHouse, _ ststest.Case) {
	slow := ststest.NewIssuer(t)
	slow.Behave(ststest.Hanging)
	p := h.p1(subject(list("jwt"), "avl-010"))
	p["metadata"] = members{"name": "avl-010"}
	h.apply(t, issuer("avl-010", slow.URL, members{"jwksUri": slow.URL + ststest.JWKSPath}, members{"audiences": list(sts)}), p)
	var waiting sync.WaitGroup
	for range 8 {
		waiting.Go(func() {
			r := h.baseline(t, slow.Issue(h.clock.Now(), claims{"aud": sts, "scope": "orders:read"}))
			r.form.Set("subject_token_type", jwtType)
			if a := h.sendCase(t, r); a.status != http.StatusServiceUnavailable || a.text("reason") != "issuer_keys_unavailable" {
				t.Errorf("%d %s", a.status, a.raw)
			}
		})
	}
	for range 20 {
		began := time.Now()
		h.control(t)
		if took := time.Since(began); took > within {
			t.Errorf("another issuer's exchange took %v", took)
		}
	}
	slow.Behave(ststest.Down)
	waiting.Wait()
	h.remove(t, "avl-010")
}

// refusesNUL: the form refuses NUL wherever it stands, before any scope is read.
func refusesNUL(t *testing.T, h *caseHouse, c ststest.Case) {
	h.sendCase(t, h.bend(t, c)).mustRefuse(400, "invalid_request", "malformed_request")
}

func tooLong(t *testing.T, h *caseHouse, _ ststest.Case) {
	h.tryApply(t, h.p1(members{"issue": members{"lifetime": "864000s"}})).mustBeInvalid("value")
}

// brokenRow: what somebody wrote past the program, and makes no sense, is left
// out and named; everything else decides as before.
func brokenRow(t *testing.T, h *caseHouse, _ ststest.Case) {
	h.execute(t, "INSERT INTO catalog_objects (kind, name, revision, body) VALUES ('ExchangePolicy', 'blank', 1, '{}'), ('Target', '', 1, '')")
	again := openOn(t, h.db, flags{"issuer": sts, "tls": "proxy", "keys-dir": h.cfg.KeysDir})
	second := *h
	second.house = again
	again.clock.advance(h.clock.Now().Sub(again.clock.Now()))
	second.control(t)
	if !strings.Contains(again.log.String(), "blank") {
		t.Error("the log does not name the row")
	}
	h.execute(t, "DELETE FROM catalog_objects WHERE name IN ('blank', '')")
}

// execute runs a statement as the owner of the database.
func (h *house) execute(t *testing.T, statement string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), h.db.OwnerURL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if _, err := conn.Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

func deletedPolicy(t *testing.T, h *caseHouse, c ststest.Case) {
	h.remove(t, "p1")
	h.changed = true
	r := h.bend(t, c)
	h.judge(t, c, r, h.sendCase(t, r))
	h.restore(t)
}

// actAsItCame: the chain of a foreign token goes on as that issuer's word.
func actAsItCame(t *testing.T, h *caseHouse, c ststest.Case) {
	_, payload := h.sendCase(t, h.bend(t, c)).mustIssue().token()
	if got := fmt.Sprint(payload["act"]); got != "map[iss:https://idp-a.test sub:root]" {
		t.Errorf("act %s", got)
	}
}

// noSecret: a client that has no secret is not one with an empty secret.
func noSecret(t *testing.T, h *caseHouse, c ststest.Case) {
	h.tryApply(t, client("svc-pkjwt", "", nil)).mustBeInvalid("required")
	r := h.bend(t, c)
	h.judge(t, c, r, h.sendCase(t, r))
	r = h.bend(t, c)
	r.header.Set("Authorization", basic("svc-gateway", ""))
	h.judge(t, c, r, h.sendCase(t, r))
}

func disabledClient(t *testing.T, h *caseHouse, c ststest.Case) {
	h.apply(t, client("svc-gateway", h.secrets["svc-gateway"], members{"mode": "disabled"}))
	r := h.bend(t, c)
	h.judge(t, c, r, h.sendCase(t, r))
	h.apply(t, client("svc-gateway", h.secrets["svc-gateway"], nil))
}

// manyAtOnce: two clients that authenticate at once, one wrongly, stay two.
func manyAtOnce(t *testing.T, h *caseHouse, _ ststest.Case) {
	token, _, _ := h.fixture.Tokens(t, nil)
	var all sync.WaitGroup
	for i := range 60 {
		all.Go(func() {
			r, want := h.baseline(t, token), http.StatusOK
			if i%2 == 1 {
				r.header.Set("Authorization", basic("svc-other", "wrong"))
				want = http.StatusUnauthorized
			}
			a := h.sendCase(t, r)
			if a.status != want {
				t.Errorf("%d %s, want %d", a.status, a.raw, want)
				return
			}
			if _, payload := decodeIssued(t, a); want == http.StatusOK && payload["client_id"] != "svc-gateway" {
				t.Errorf("client_id %v", payload["client_id"])
			}
		})
	}
	all.Wait()
}

// decodeIssued is what was issued, or nothing.
func decodeIssued(t *testing.T, a *answer) (header, payload map[string]any) {
	t.Helper()
	if a.text("access_token") == "" {
		return nil, nil
	}
	return a.token()
}

// raw sends bytes, and wants one answer with a status of these and the
// connection closed after it (RFC 9112 §6.3).
func raw(statuses ...int) special {
	return func(t *testing.T, h *caseHouse, c ststest.Case) {
		t.Helper()
		connection, err := net.Dial("tcp", strings.TrimPrefix(h.public, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer connection.Close()
		if _, err := io.WriteString(connection, fmt.Sprint(c.Mutation.Ops[0]["v"])); err != nil {
			t.Fatal(err)
		}
		_ = connection.SetReadDeadline(time.Now().Add(5 * time.Second))
		reader := bufio.NewReader(connection)
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		if !slices.Contains(statuses, response.StatusCode) {
			t.Errorf("status %d", response.StatusCode)
		}
		if rest, err := io.ReadAll(reader); len(rest) > 0 || err != nil {
			t.Errorf("after the answer: %q, %v", rest, err)
		}
	}
}

// untouched: the metadata says nothing that the request said.
func untouched(t *testing.T, h *caseHouse, c ststest.Case) {
	a := h.sendCase(t, h.bend(t, c))
	if a.status != 200 || strings.Contains(a.raw, "evil.test") || strings.Contains(a.raw, "http:") || a.text("issuer") != sts {
		t.Errorf("%d %s", a.status, a.raw)
	}
}

// spoofedAddress: no proxy is trusted here, so the peer is who sent it.
func spoofedAddress(t *testing.T, h *caseHouse, c ststest.Case) {
	for _, forwarded := range list("127.0.0.1", "203.0.113.9") {
		r := h.bend(t, c)
		r.header.Set("X-Forwarded-For", forwarded)
		a := h.sendCase(t, r).mustIssue()
		if addr := h.record(t, a.header.Get("X-Strait-Decision"))["remoteAddr"]; addr != "127.0.0.1" {
			t.Errorf("recorded address %v", addr)
		}
	}
}

func goodHeaders(t *testing.T, h *caseHouse, c ststest.Case) {
	a := h.sendCase(t, h.bend(t, c)).mustIssue()
	if !strings.HasPrefix(a.header.Get("Content-Type"), "application/json") || a.text("issued_token_type") != accessType || a.text("token_type") != "Bearer" {
		t.Errorf("%v %s", a.header, a.raw)
	}
}

// goodKeySet: our key set stands at another path than the catalogue's.
func goodKeySet(t *testing.T, h *caseHouse, _ ststest.Case) {
	w := &world{house: h.house}
	publicParts(t, w)
	if a := h.get(t, jwksPath); a.header.Get("ETag") == "" || a.header.Get("Cache-Control") != "public, max-age=300" {
		t.Errorf("%v", a.header)
	}
}

func noBanner(t *testing.T, h *caseHouse, c ststest.Case) {
	a := h.sendCase(t, h.bend(t, c))
	if a.status != http.StatusNotFound || a.header.Get("Server") != "" || a.header.Get("X-Powered-By") != "" || strings.Contains(a.raw, "goroutine") {
		t.Errorf("%d %v %s", a.status, a.header, a.raw)
	}
}

package conformance_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/strait-sts/strait/internal/ststest"
)

// TestNothingIsToldAboutSecrets runs a story of exchanges that were issued and
// denied in many ways, and then looks for every token, secret and key of it in
// the log, the metrics, every table and every refusal (contract §3, promise 8).
func TestNothingIsToldAboutSecrets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	secrets := w.story(t)
	maps.Copy(secrets, w.wrongManifests(t))
	secrets["the admin token"] = w.cfg.AdminToken.Reveal()
	for name, key := range w.keyFiles(t) {
		secrets[name] = key
	}
	places := map[string]string{"the log": w.log.String(), "the tables": w.dump(t), "the metrics": w.request(t, http.MethodGet, w.admin+"/metrics", nil, nil).raw}
	for name, want := range map[string]string{"the log": `"route":"/token"`, "the tables": "idp|alice", "the metrics": "strait_"} {
		if !strings.Contains(places[name], want) {
			t.Fatalf("%s were not read: no %q in them", name, want)
		}
	}
	for name, text := range places {
		look(t, name, text, secrets)
		if token := compactJWS.FindString(text); token != "" && name != "the tables" { // checkpoints are signed
			t.Errorf("%s hold %.40s…", name, token)
		}
	}
	for _, member := range list(`"d":"`, `"p":"`, "PRIVATE KEY") {
		look(t, "the tables", places["the tables"], map[string]string{"a private key": member})
	}
}

// story is one exchange for each way of ending that there is, all their
// refusals searched, and what was secret in them.
func (w *world) story(t *testing.T) map[string]string {
	t.Helper()
	secrets := map[string]string{"the gateway's secret": w.secret, "the odd secret": w.oddSecret}
	bends := []bend{
		drop(), machine, foreign(accessType, nil, nil), // issued
		with(claims{"aud": "x"}), with(claims{"exp": 1}), headed(claims{"kid": "?"}), headed(claims{"alg": "none"}), swapped, // the token
		set("audience", "x"), set("scope", "nobody"), set("requested_token_type", "x"), as("stranger"), // the request
		header("Authorization", basic("gateway", "guess-"+aSecret())), inQuery, twice("subject_token"), // the form and the client
		func(_ *world, a *ask) { a.body = a.form.Get("subject_token") }, // a body that is no form
		func(_ *world, a *ask) {
			a.form.Set(a.form.Get("subject_token"), "1")
			a.form.Add(a.form.Get("subject_token"), "2")
		},
		func(_ *world, a *ask) { a.form.Set("audience", a.form.Get("subject_token")) }, // in the wrong place
		func(_ *world, a *ask) { a.form.Set("scope", a.form.Get("subject_token")) },
		func(_ *world, a *ask) {
			a.form.Set("client_id", a.form.Get("subject_token"))
			a.header.Del("Authorization")
		},
		func(_ *world, a *ask) { a.form.Set("subject_token_type", a.form.Get("subject_token")) },
		func(_ *world, a *ask) { a.header.Set("X-Request-Id", a.form.Get("subject_token")) },
	}
	issued := 0
	for i, b := range bends {
		sent := w.ask(b)
		a := w.send(t, func(_ *world, a *ask) { *a = *sent })
		here := pieces(fmt.Sprintf("subject token %d", i), sent.form.Get("subject_token"))
		if a.status == http.StatusOK {
			issued++
			for name, piece := range pieces(fmt.Sprintf("issued token %d", i), a.text("access_token")) {
				secrets[name] = piece
			}
		} else {
			look(t, fmt.Sprintf("refusal %d", i), a.raw, here)
			look(t, fmt.Sprintf("refusal %d", i), a.raw, secrets)
		}
		for name, piece := range here {
			secrets[name] = piece
		}
	}
	if issued < 3 {
		t.Fatalf("only %d were issued", issued)
	}
	return secrets
}

// wrongManifests are writes with a secret in them that are refused, and say
// nothing of it.
func (w *world) wrongManifests(t *testing.T) map[string]string {
	t.Helper()
	short, long := "too-short-a-secret", aSecret()
	secrets := map[string]string{"the short secret": short, "the long secret": long}
	entry := func(authentication members) object {
		return client("silent", "", members{"authentication": []any{authentication}})
	}
	private := w.idp.Key()
	jwk := private.JWK(t, members{"d": long})
	for name, body := range map[string]any{
		"short":   []object{entry(members{"method": "client_secret", "secret": short})},
		"unknown": []object{entry(members{"method": "client_secret", "secrett": long})},
		"from":    []object{entry(members{"method": "client_secret", "secretFrom": members{"env": long}})},
		"list":    []object{entry(members{"method": "client_secret", "secret": list(long)})},
		"method":  []object{entry(members{"method": long, "secret": long})},
		"twice":   []object{entry(members{"method": "client_secret", "secret": long}), entry(members{"method": "client_secret", "secret": long})},
		"jwk":     []object{issuer("silent", "https://silent.example.com", inline(ststest.KeySet(t, jwk)), nil)},
	} {
		a := w.manage(t, http.MethodPost, "/apply", map[string]any{"objects": body})
		if a.status < 400 {
			t.Errorf("%s: taken", name)
		}
		look(t, name, a.raw, secrets)
	}
	a := w.manage(t, http.MethodPost, "/apply", `{"objects":[{"kind":"Client","spec":{"secret":"`+long+`"`)
	look(t, "a broken body", a.raw, secrets)
	w.apply(t, client("silent", long, nil))
	for _, path := range list("/clients/silent", "/clients", "/changes") {
		look(t, path, w.manage(t, http.MethodGet, path, nil).raw, secrets)
	}
	return secrets
}

// pieces are a token, its payload and its signature, by name. A header says
// nothing that is secret.
func pieces(name, compact string) map[string]string {
	found := map[string]string{}
	for i, part := range strings.Split(compact, ".") {
		if i > 0 && len(part) > 20 {
			found[fmt.Sprintf("%s, part %d", name, i)] = part
		}
	}
	return found
}

// keyFiles is what stands in the folder of key-encryption keys.
func (w *world) keyFiles(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(w.cfg.KeysDir, "*.key"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no key files: %v", err)
	}
	found := map[string]string{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		found[filepath.Base(name)] = strings.TrimSpace(string(text))
	}
	return found
}

// look searches a text for secrets.
func look(t *testing.T, where, text string, secrets map[string]string) {
	t.Helper()
	for name, secret := range secrets {
		if tells(text, secret) {
			t.Errorf("%s: %s is told", where, name)
		}
	}
}

// tells says whether a secret stands in a text, as it is, in hex or in base64,
// whose last characters depend on what follows.
func tells(text, secret string) bool {
	if strings.Contains(text, secret) || strings.Contains(text, hex.EncodeToString([]byte(secret))) {
		return true
	}
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		if encoded := encoding.EncodeToString([]byte(secret)); len(secret) > 15 && strings.Contains(text, encoded[:len(encoded)-4]) {
			return true
		}
	}
	return false
}

// dump is every row of every table as JSON, bytes in hex.
func (w *world) dump(t *testing.T) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), w.db.OwnerURL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	tables := texts(t, conn, "SELECT quote_ident(table_name) FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'")
	if len(tables) < 5 {
		t.Fatalf("only %d tables", len(tables))
	}
	var all strings.Builder
	for _, table := range tables {
		for _, row := range texts(t, conn, "SELECT row_to_json(x)::text FROM "+table+" x") {
			all.WriteString(table + " " + row + "\n")
		}
	}
	return all.String()
}

// texts is the one column of a query's rows.
func texts(t *testing.T, conn *pgx.Conn, query string) []string {
	t.Helper()
	rows, err := conn.Query(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestTokenAndRecordAgree: what was issued is what was recorded, and what was
// answered leads to it (contract §5).
func TestTokenAndRecordAgree(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, b := range []bend{drop(), set("scope", "orders:read orders:write"), machine, foreign(idType, nil, nil)} {
		a, payload := w.issued(t, b)
		record := w.record(t, a.header.Get("X-Strait-Decision"))
		issued, _ := record["scopes"].(map[string]any)
		life, _ := record["lifetime"].(map[string]any)
		if record["decision"] != "issued" || record["jti"] != payload["jti"] || record["txn"] != payload["txn"] || record["id"] != payload["jti"] {
			t.Errorf("record %v, token %v", record, payload)
		}
		if !same(issued["issued"], strings.Fields(a.text("scope"))...) || whole(t, life["issued"]) != whole(t, a.body["expires_in"]) {
			t.Errorf("scopes %v, lifetime %v, answer %s", issued, life, a.raw)
		}
	}
	refused := w.send(t, set("scope", "nobody")).mustRefuse(400, "invalid_scope", "scope_not_allowed")
	if record := w.record(t, refused.text("decision_id")); record["decision"] != "denied" || record["reason"] != "scope_not_allowed" || record["jti"] != nil {
		t.Errorf("record %v", record)
	}
}

// TestSearchFindsWhatIsThere keeps the search honest: in each spelling.
func TestSearchFindsWhatIsThere(t *testing.T) {
	t.Parallel()
	const secret = "the-secret-that-is-told"
	for _, text := range list(secret, hex.EncodeToString([]byte(secret)),
		base64.StdEncoding.EncodeToString([]byte(secret+"-and-more")), base64.URLEncoding.EncodeToString([]byte(secret))) {
		if !tells("…"+text+"…", secret) {
			t.Errorf("not found in %s", text)
		}
	}
	if tells("nothing of the sort", secret) {
		t.Error("found where it is not")
	}
}

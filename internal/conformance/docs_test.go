package conformance_test

import (
	"bytes"
	"context"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/strait-sts/strait/internal/cli"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/ststest"
)

// pageOf is a page of docs/.
func pageOf(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// constants are the values of a string type's constants in package exchange, as
// the source has them.
func constants(t *testing.T, typ string) []string {
	t.Helper()
	files, err := filepath.Glob("../exchange/*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no source of package exchange: %v", err)
	}
	var values []string
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, isSpec := n.(*ast.ValueSpec)
			if !isSpec || len(spec.Values) != 1 {
				return true
			}
			name, isNamed := spec.Type.(*ast.Ident)
			value, isLiteral := spec.Values[0].(*ast.BasicLit)
			if isNamed && isLiteral && name.Name == typ {
				text, _ := strconv.Unquote(value.Value)
				values = append(values, text)
			}
			return true
		})
	}
	return values
}

// TestDocsListEveryReason: docs/reasons.md has a row for each reason of the
// code, with its error code, and no other rows.
func TestDocsListEveryReason(t *testing.T) {
	t.Parallel()
	var inCode []string
	inCode = append(inCode, constants(t, "Reason")...)
	for _, fault := range constants(t, "Fault") {
		inCode = append(inCode, "subject_"+fault)
	}
	if len(inCode) < 30 {
		t.Fatalf("only %d reasons found in the code", len(inCode))
	}
	rows := regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| ([^|]*) \\|").FindAllStringSubmatch(pageOf(t, "reasons.md"), -1)
	var inDocs []string
	for _, row := range rows {
		inDocs = append(inDocs, row[1])
		if code := string(exchange.Refuse(exchange.Reason(row[1]), "").Code); !strings.Contains(row[2], "`"+code+"`") {
			t.Errorf("%s: docs/reasons.md gives %s, the code %s", row[1], row[2], code)
		}
	}
	for _, reason := range inCode {
		if !slices.Contains(inDocs, reason) {
			t.Errorf("docs/reasons.md does not list %s", reason)
		}
	}
	for _, reason := range inDocs {
		if !slices.Contains(inCode, reason) {
			t.Errorf("docs/reasons.md lists %s, which no code gives", reason)
		}
	}
}

// TestDocsReadmeCurlWorks runs the README's curl command as it stands, against
// a server with the quickstart's manifests, applied by strait apply.
func TestDocsReadmeCurlWorks(t *testing.T) {
	t.Parallel()
	h, idp, secret := open(t, flags{"now": written}), ststest.NewIssuer(t), aSecret()
	h.applyFolder(t, quickstart(t, idp.URL), secret, 4)
	dir := t.TempDir()
	alice := idp.Issue(h.clock.Now(), claims{"scope": "openid orders:read orders:write"})
	if err := os.WriteFile(filepath.Join(dir, "alice.jwt"), []byte(alice), 0o600); err != nil {
		t.Fatal(err)
	}
	out := h.curl(t, fenced(t, "sh", "curl "), dir, "EDGE_SECRET="+secret)
	var issued struct {
		AccessToken string `json:"access_token"`
		Scope       string `json:"scope"`
	}
	if err := json.Unmarshal(out, &issued); err != nil || issued.AccessToken == "" || issued.Scope != "orders:read" {
		t.Fatalf("%s: %v", out, err)
	}
	if _, payload := decode(t, issued.AccessToken); payload["aud"] != ordersAudience || payload["sub"] != "demo:alice" {
		t.Errorf("claims %v", payload)
	}
}

// TestDocsIntrospectionWorks runs the commands of docs/introspection.md as they
// stand, with its manifest: a token is active, as the page shows it, and ended.
func TestDocsIntrospectionWorks(t *testing.T) {
	t.Parallel()
	h, idp, secret := open(t, flags{"now": written}), ststest.NewIssuer(t), aSecret()
	folder, page, dir := quickstart(t, idp.URL), "../../docs/introspection.md", t.TempDir()
	text := fencedIn(t, page, "yaml", "apiVersion: strait/v1\nkind: Client")
	text = strings.ReplaceAll(text, "ORDERS_SECRET", "EDGE_SECRET") // one secret for both, in this test
	if err := os.WriteFile(filepath.Join(folder, "9-server.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	h.applyFolder(t, folder, secret, 5)
	form := url.Values{"grant_type": {exchangeURN}, "subject_token_type": {jwtType}, "audience": {"orders-api"}, "scope": {"orders:read"},
		"subject_token": {idp.Issue(h.clock.Now(), claims{"scope": "orders:read"})}}
	a := h.request(t, http.MethodPost, h.public+"/token", http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"}, "Authorization": {basic("edge-gateway", secret)},
	}, form.Encode()).mustIssue()
	if err := os.WriteFile(filepath.Join(dir, "token.jwt"), []byte(a.text("access_token")), 0o600); err != nil {
		t.Fatal(err)
	}
	introspect, revoke := fencedIn(t, page, "sh", "curl -sS -u orders-service"), fencedIn(t, page, "sh", "curl -sS -u edge-gateway")
	var shown, told map[string]any
	if err := json.Unmarshal([]byte(fencedIn(t, page, "json", "{")), &shown); err != nil {
		t.Fatal(err)
	}
	out := h.curl(t, introspect, dir, "ORDERS_SECRET="+secret)
	if err := json.Unmarshal(out, &told); err != nil || told["active"] != true {
		t.Fatalf("%s: %v", out, err)
	}
	for name, value := range shown {
		same := told[name] == value || slices.Contains(list("iss", "iat", "exp", "jti", "txn"), name)
		if _, has := told[name]; !has || !same || len(told) != len(shown) {
			t.Errorf("%s: the page shows %v of %v, told was %s", name, value, len(shown), out)
		}
	}
	if out := h.curl(t, revoke, dir, "EDGE_SECRET="+secret); len(out) != 0 {
		t.Errorf("revoked: %s", out)
	}
	if out := h.curl(t, introspect, dir, "ORDERS_SECRET="+secret); string(out) != `{"active":false}` {
		t.Errorf("after it: %s", out)
	}
}

// curl runs a command of the documentation against the house.
func (h *house) curl(t *testing.T, command, dir string, environment ...string) []byte {
	t.Helper()
	run := exec.CommandContext(t.Context(), "sh", "-c", strings.ReplaceAll(command, "http://localhost:8080", h.public))
	run.Dir, run.Env = dir, append(os.Environ(), environment...)
	out, err := run.CombinedOutput()
	if err != nil {
		t.Fatalf("curl: %v %s", err, out)
	}
	return out
}

// TestDocsReadmeManifestsAreTaken applies the README's two manifests, with the
// quickstart's target and client that they name.
func TestDocsReadmeManifestsAreTaken(t *testing.T) {
	t.Parallel()
	h, dir := open(t, flags{"now": written}), quickstart(t, "http://127.0.0.1:9")
	for name, kind := range map[string]string{"1-trusted-issuer.yaml": "TrustedIssuer", "4-policy.yaml": "ExchangePolicy"} {
		text := fenced(t, "yaml", "apiVersion: strait/v1\nkind: "+kind)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	h.applyFolder(t, dir, aSecret(), 4)
}

// written is when the manifests of the documentation were, whose dates of
// review pass one day.
const written = "2026-11-23T12:00:00Z"

// fenced is the README's one block in a language that begins with these words.
func fenced(t *testing.T, language, words string) string {
	t.Helper()
	return fencedIn(t, "../../README.md", language, words)
}

// fencedIn is the same of another page.
func fencedIn(t *testing.T, path, language, words string) string {
	t.Helper()
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?s)```"+language+"\n("+regexp.QuoteMeta(words)+".*?)```").FindAllStringSubmatch(string(page), -1)
	if len(found) != 1 {
		t.Fatalf("%s has %d blocks that begin with %q", path, len(found), words)
	}
	return found[0][1]
}

// quickstart is a copy of examples/quickstart for an identity provider at url.
func quickstart(t *testing.T, url string) string {
	t.Helper()
	dir, replaced := t.TempDir(), 0
	source := os.DirFS("../../examples/quickstart")
	names, err := fs.Glob(source, "*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatalf("no manifests: %v", err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(source, name)
		if err != nil {
			t.Fatal(err)
		}
		replaced += bytes.Count(text, []byte("issuer: http://localhost:9400"))
		text = bytes.ReplaceAll(text, []byte("http://localhost:9400"), []byte(url))
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if replaced != 1 {
		t.Fatalf("the quickstart's issuer stands %d times", replaced)
	}
	return dir
}

// applyFolder runs strait apply as the README says.
func (h *house) applyFolder(t *testing.T, dir, secret string, created int) {
	t.Helper()
	environment := map[string]string{"STRAIT_ADMIN_URL": h.admin, "STRAIT_ADMIN_TOKEN": h.cfg.AdminToken.Reveal(), "EDGE_SECRET": secret}
	var out, errs bytes.Buffer
	code := cli.Run(context.WithoutCancel(t.Context()), cli.Process{
		Args: list("apply", "-f", dir), In: strings.NewReader(""), Out: &out, Err: &errs, Clock: h.clock.Now,
		Env: func(name string) (string, bool) { value, set := environment[name]; return value, set },
	})
	if code != 0 || strings.Count(out.String(), " created\n") != created {
		t.Fatalf("strait apply: %d %s%s", code, out.String(), errs.String())
	}
}

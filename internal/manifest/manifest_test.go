package manifest_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/manifest"
	"github.com/strait-sts/strait/internal/schema"
)

const target = `apiVersion: strait/v1
kind: Target
metadata: {name: orders-api}
governance: {owner: orders@example.com}
spec:
  audience: https://orders.internal
  scopes: [orders:read, orders:write]
`

const secretClient = `kind: Client
metadata: {name: edge-gateway}
governance: {owner: platform@example.com}
spec:
  authentication: [{method: client_secret, secretFrom: {%s}}]
  grants: [token-exchange]
`

// places is the faults as "line pointer code".
func places(faults []catalog.FieldError) []string {
	var all []string
	for _, f := range faults {
		all = append(all, fmt.Sprintf("%d %s %s", f.Line, f.Pointer, f.Code))
	}
	return all
}

func names(manifests []manifest.Manifest) string {
	var all []string
	for _, m := range manifests {
		all = append(all, m.Ref().String())
	}
	return strings.Join(all, " ")
}

// The contract's examples, §4: what is built is read, the rest is refused at its
// very field.
func TestContractExamples(t *testing.T) {
	data, err := os.ReadFile("testdata/contract.yaml")
	if err != nil {
		t.Fatal(err)
	}
	manifests, faults := manifest.Parse("contract.yaml", data)
	if got, want := names(manifests), "TrustedIssuer/okta-prod Target/orders-api ExchangePolicy/staff-orders Guardrail/no-long-payments"; got != want {
		t.Errorf("read: %s, want %s", got, want)
	}
	want := []string{
		"Client/edge-gateway /spec/authentication/1/method",
		"Client/edge-gateway /spec/authentication/2/method",
		"Client/edge-gateway /spec/authentication/3/method",
		"Client/edge-gateway /spec/authentication/4/method",
		"AdminGrant/identity-team /kind",
	}
	var got []string
	for _, f := range faults {
		got = append(got, fmt.Sprintf("%s/%s %s", f.Kind, f.Name, f.Pointer))
		if f.Code != catalog.CodeNotImplemented || f.Line < 1 {
			t.Errorf("%v (%s)", f, f.Code)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("refused: %s", strings.Join(got, "\n"))
	}
}

// Lists in flow style with colons within their words are what every policy has.
func TestColonsInWordsDivideNothing(t *testing.T) {
	text := "kind: ExchangeTest\nmetadata: {name: x}\na: {b: [orders:read, c:d], map: {sales.read: [orders:read]}, u: https://x:8080/y, w: {k:v: 1}}\n"
	manifests, faults := manifest.Parse("x.yaml", []byte(text))
	want := `"a":{"b":["orders:read","c:d"],"map":{"sales.read":["orders:read"]},"u":"https://x:8080/y","w":{"k:v":1}}}`
	if len(faults) > 0 || !strings.HasSuffix(string(manifests[0].JSON), want) {
		t.Errorf("%v: %s", faults, manifests[0].JSON)
	}
}

// The same examples without what is not built yet.
func TestContractExamplesAsFarAsBuilt(t *testing.T) {
	data, err := os.ReadFile("testdata/contract.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	var kept []string
	for line := range strings.Lines(text[:strings.Index(text, "---\nkind: AdminGrant")]) {
		if !strings.Contains(line, "claimValidationRules") && (!strings.Contains(line, "- {method:") || strings.Contains(line, "client_secret")) {
			kept = append(kept, line)
		}
	}
	text = strings.Join(kept, "")
	manifests, faults := manifest.Parse("contract.yaml", []byte(text))
	if got := names(manifests); got != "TrustedIssuer/okta-prod Target/orders-api Client/edge-gateway ExchangePolicy/staff-orders Guardrail/no-long-payments" || len(faults) > 0 {
		t.Errorf("%s, %v", got, faults)
	}
}

func TestExamplesStandTogether(t *testing.T) {
	manifests, err := manifest.ReadPaths("../../examples/quickstart")
	if err != nil {
		t.Fatal(err)
	}
	var entries []*catalog.Entry
	for _, m := range manifests {
		entries = append(entries, &catalog.Entry{Object: m.Object})
	}
	if faults := schema.Check(schema.Identity{Issuer: "http://localhost:8080"})(catalog.NewSnapshot(1, entries...)); len(faults) > 0 {
		t.Error(faults)
	}
	for _, ref := range []string{"TrustedIssuer/demo-idp", "Target/orders-api", "Client/edge-gateway", "ExchangePolicy/staff-orders"} {
		if !strings.Contains(names(manifests), ref) {
			t.Errorf("%s is missing", ref)
		}
	}
}

func TestNoDocumentIsDropped(t *testing.T) {
	one := func(name string) string { return strings.ReplaceAll(target, "orders", name) }
	for name, file := range map[string]string{
		"between markers":     one("a") + "---\n" + one("b") + "---\n" + one("c"),
		"after a comment":     "# first\n---\n# only a comment\n---\n" + one("a") + "---\n# c\n---\n---\n" + one("b") + "---\n" + one("c"),
		"ended":               one("a") + "...\n---\n" + one("b") + "...\n" + one("c") + "...\n",
		"marker with comment": "--- # one\n" + one("a") + "--- # two\n" + one("b") + "---\t\n" + one("c"),
		"windows":             strings.ReplaceAll("\ufeff"+one("a")+"---\n"+one("b")+"---\n"+one("c"), "\n", "\r\n"),
	} {
		manifests, faults := manifest.Parse("x.yaml", []byte(file))
		if got := names(manifests); got != "Target/a-api Target/b-api Target/c-api" || len(faults) > 0 {
			t.Errorf("%s: %s, %v", name, got, faults)
		}
	}
	body := string(parsed(t, target).Canonical())
	manifests, faults := manifest.Parse("x.json", []byte(body+"\n"+strings.ReplaceAll(body, "orders", "b")+strings.ReplaceAll(body, "orders", "c")))
	if got := names(manifests); got != "Target/orders-api Target/b-api Target/c-api" || len(faults) > 0 {
		t.Errorf("JSON: %s, %v", got, faults)
	}
}

func parsed(t testing.TB, text string) catalog.Object {
	t.Helper()
	manifests, faults := manifest.Parse("x.yaml", []byte(text))
	if len(manifests) != 1 || len(faults) > 0 {
		t.Fatalf("%d manifests, %v", len(manifests), faults)
	}
	return manifests[0].Object
}

func TestFaultsNameTheirLine(t *testing.T) {
	for _, test := range []struct{ file, text, want string }{
		{"x.yaml", strings.Replace(target, "audience:", "audiance:", 1), "6 /spec/audiance unknown_field"},
		{"x.yaml", "---\n" + target + "---\n" + strings.Replace(target, "https:", "h ttps:", 1), "15 /spec/audience value"},
		{"x.yaml", strings.Replace(target, "orders:write]", "\n    orders:read]", 1), "8 /spec/scopes/1 duplicate"},
		{"x.yaml", strings.Replace(target, "  audience: https://orders.internal\n", "", 1), "5 /spec/audience required"},
		{"x.yaml", target + "  audience: again\n", "8 /spec/audience duplicate"},
		{"x.yaml", target + "\tmode: enforce\n", "8  unreadable"},
		{"x.yaml", target + "  mode: [enforce\n", "7  unreadable"},
		{"x.yaml", "%YAML 1.2\n---\n" + target, "1  unreadable"},
		{"x.yaml", "\xff", "1  unreadable"},
		{"x.yaml", "- a\n", "1  type"},
		{"x.yaml", "just text\n", "1  type"},
		{"x.json", "{\n  \"kind\": \"Target\",\n  \"kind\": \"Client\"\n}", "3 /kind duplicate"},
		{"x.json", "{\n  \"kind\": \"Target\",\n}", "3  unreadable"},
		{"x.json", "{\n  \"kind\": \"Target\",\n  \"spec\": {\n    \"x\": 1}}", "1 /metadata/name required"},
		{"x.json", "{", "1  unreadable"},
	} {
		_, faults := manifest.Parse(test.file, []byte(test.text))
		if got := places(faults); len(got) != 1 || got[0] != test.want {
			t.Errorf("%q: %q, want %q", test.text, got, test.want)
		}
		if len(faults) > 0 && !strings.HasPrefix(faults[0].Error(), test.file+":") {
			t.Errorf("%v does not begin with its place", faults[0])
		}
	}
}

func TestWhatYAMLHasAndJSONHasNotIsRefused(t *testing.T) {
	for value, want := range map[string]string{
		"[&x a, *x]":   "anchors and aliases",
		"&x prod":      "anchors and aliases",
		"!!str prod":   "tags",
		"!secret x":    "tags",
		".inf":         "quote it",
		".nan":         "quote it",
		"0755":         "write a decimal number, or quote it",
		"0x1f":         "write a decimal number, or quote it",
		"1_000":        "write a decimal number, or quote it",
		"{<<: {a: b}}": "merge keys",
		"{1: a}":       "quote it",
		"{true: a}":    "quote it",
		"{? [a] : b}":  "",
		strings.Repeat("[", 70) + strings.Repeat("]", 70): "levels deep",
	} {
		_, faults := manifest.Parse("x.yaml", []byte(strings.Replace(target, "{name: orders-api}", "{name: orders-api, labels: {env: "+value+"}}", 1)))
		if len(faults) == 0 || !strings.Contains(faults[0].Message, want) || faults[0].Line != 3 {
			t.Errorf("%s: %v, want %q", value, faults, want)
		}
	}
}

func TestValuesKeepTheirSpelling(t *testing.T) {
	for written, want := range map[string]string{
		"2027-03-01": "2027-03-01", "2027-09-01T00:00:00Z": "2027-09-01T00:00:00Z", "5m": "5m", "yes": "yes", "no": "no", "on": "on",
		`"123"`: "123", "'0755'": "0755", "1.2.3": "1.2.3", "12:30:45": "12:30:45", `"\u00e9\t"`: "", "a#b": "a#b",
	} {
		text := strings.Replace(target, "{name: orders-api}", "{name: orders-api, labels: {env: "+written+"}}", 1)
		manifests, faults := manifest.Parse("x.yaml", []byte(text))
		if want == "" {
			continue
		}
		if len(faults) > 0 || manifests[0].Metadata.Labels["env"] != want {
			t.Errorf("%s: %v", written, faults)
		}
	}
}

func TestNumbersAreNotRounded(t *testing.T) {
	for _, number := range []string{"9007199254740993", "123456789012345678901234567890", "1e5", "-7", "0.1"} {
		manifests, _ := manifest.Parse("x.yaml", []byte("kind: ExchangeTest\nmetadata: {name: x}\nn: "+number+"\n"))
		if len(manifests) != 1 || !strings.Contains(string(manifests[0].JSON), `"n":`+number+"}") {
			t.Errorf("%s: %s", number, manifests[0].JSON)
		}
	}
}

func TestExchangeTestsAreMarkedAndLeftAlone(t *testing.T) {
	text := target + "---\napiVersion: strait/v1\nkind: ExchangeTest\nmetadata: {name: staff-orders}\nnow: 2026-11-23T12:00:00Z\ntests: [{any: thing}]\n"
	manifests, faults := manifest.Parse("x.yaml", []byte(text))
	if len(faults) > 0 || len(manifests) != 2 || manifests[0].Test || !manifests[1].Test || manifests[1].Line != 9 {
		t.Errorf("%+v, %v", manifests, faults)
	}
}

// folder writes files into a folder of the test.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestFoldersAreReadInOrder(t *testing.T) {
	root := folder(t, map[string]string{
		"b.yaml": strings.ReplaceAll(target, "orders", "b"), "a/x.yml": strings.ReplaceAll(target, "orders", "a"),
		"c.json":  string(parsed(t, strings.ReplaceAll(target, "orders", "c")).Canonical()),
		"read.md": "not: [a manifest", ".hidden.yaml": "not: [a manifest", ".git/x.yaml": "not: [a manifest",
	})
	manifests, err := manifest.ReadPaths(root)
	if got := names(manifests); err != nil || got != "Target/a-api Target/b-api Target/c-api" {
		t.Errorf("%s, %v", got, err)
	}
	if _, err := manifest.ReadPaths(filepath.Join(root, "read.md")); err == nil {
		t.Error("a file that is named is read, whatever its name")
	}
	if _, err := manifest.ReadPaths(t.TempDir()); err == nil || !strings.Contains(err.Error(), "has no .yaml") {
		t.Errorf("an empty folder: %v", err)
	}
	if _, err := manifest.ReadPaths(filepath.Join(root, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no such file: %v", err)
	}
}

func TestFaultsOfAllFilesComeTogether(t *testing.T) {
	root := folder(t, map[string]string{"a.yaml": target, "b.yaml": "x: [", "c.yaml": target})
	_, err := manifest.ReadPaths(root)
	var invalid *catalog.Invalid
	if !errors.As(err, &invalid) || len(invalid.Errors) != 2 {
		t.Fatalf("%v", err)
	}
	if last := invalid.Errors[1]; last.Code != catalog.CodeDuplicate || !strings.Contains(last.Error(), "c.yaml:3: Target/orders-api: /metadata/name: Target/orders-api stands in") {
		t.Errorf("%v", last)
	}
}

func TestHugeFileIsRefused(t *testing.T) {
	if _, faults := manifest.Parse("x.yaml", make([]byte, 9<<20)); len(faults) != 1 || faults[0].Code != catalog.CodeTooLarge {
		t.Error(places(faults))
	}
}

func TestSecretsComeFromEnvironmentOrFile(t *testing.T) {
	secret := strings.Repeat("s3\"", 12)
	env := func(name string) (string, bool) { return secret, name == "EDGE_SECRET" }
	file := func(path string) ([]byte, error) {
		if path != filepath.Join("deploy", "secrets", "edge") {
			return nil, fmt.Errorf("%s: %w", path, os.ErrNotExist)
		}
		return []byte(secret + "\r\n"), nil
	}
	for _, from := range []string{"env: EDGE_SECRET", "file: secrets/edge"} {
		manifests, faults := manifest.Parse("deploy/x.yaml", fmt.Appendf(nil, secretClient, from))
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		m := manifests[0]
		if err := m.ResolveSecrets(env, file); err != nil {
			t.Errorf("%s: %v", from, err)
		}
		sent, faults := schema.DecodeJSON(m.JSON)
		if len(faults) > 0 || strings.Contains(string(m.JSON), "secretFrom") {
			t.Errorf("%s: %v", from, faults)
		}
		for _, o := range []catalog.Object{sent, m.Object} {
			if got := o.Spec.(*catalog.Client).Authentication[0]; got.Secret.Reveal() != secret || got.SecretFrom != nil {
				t.Errorf("%s: the secret is not in its place", from)
			}
			if strings.Contains(fmt.Sprintf("%+v %s", o.Spec, manifest.MarshalYAML(o)), secret) {
				t.Errorf("%s: the secret can be printed", from)
			}
		}
	}
}

func TestTheSecretOfAnIntrospectionIsPutInItsPlace(t *testing.T) {
	const text = `kind: TrustedIssuer
metadata: {name: acme}
governance: {owner: id@example.com, justification: Partners, reviewBy: 2027-03-01}
spec:
  issuer: https://acme.test
  keys: {introspection: {url: "https://acme.test/i", clientId: strait, clientSecretFrom: {env: ACME}, allowedClientIds: [a]}}
  acceptAs: [subject]
  claimMappings: {subject: {prefix: "acme:"}}
`
	manifests, faults := manifest.Parse("x.yaml", []byte(text))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	m := manifests[0]
	if err := m.ResolveSecrets(func(name string) (string, bool) { return `s"3`, name == "ACME" }, os.ReadFile); err != nil {
		t.Fatal(err)
	}
	sent, faults := schema.DecodeJSON(m.JSON)
	if len(faults) > 0 || strings.Contains(string(m.JSON), "clientSecretFrom") {
		t.Fatalf("%v: %s", faults, m.JSON)
	}
	if in := sent.Spec.(*catalog.TrustedIssuer).Keys.Introspection; in.ClientSecret.Reveal() != `s"3` || in.ClientID != "strait" {
		t.Errorf("%+v", in)
	}
}

func TestSecretThatIsNotThereIsNamed(t *testing.T) {
	env := func(name string) (string, bool) { return "", name == "EMPTY" }
	file := func(path string) ([]byte, error) {
		if strings.HasSuffix(path, "empty") {
			return []byte("\n"), nil
		}
		return nil, os.ErrNotExist
	}
	for from, want := range map[string]string{"env: UNSET": "UNSET is not set", "env: EMPTY": "EMPTY is not set", "file: empty": "empty is empty", "file: /none": "not exist"} {
		manifests, _ := manifest.Parse("x.yaml", fmt.Appendf(nil, secretClient, from))
		m := manifests[0]
		err := m.ResolveSecrets(env, file)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "x.yaml:1: Client/edge-gateway: /spec/authentication/0/secretFrom: ") {
			t.Errorf("%s: %v", from, err)
		}
	}
}

func TestManifestWithoutSecretsStaysAsItIs(t *testing.T) {
	manifests, _ := manifest.Parse("x.yaml", []byte(target))
	before := string(manifests[0].JSON)
	if err := manifests[0].ResolveSecrets(nil, nil); err != nil || string(manifests[0].JSON) != before {
		t.Errorf("%v: %s", err, manifests[0].JSON)
	}
}

// line is a string that a field of one line can hold.
var line = rapid.StringMatching(`[ -~é✓]{0,12}[!-~é]`)

func drawTarget(t *rapid.T) catalog.Object {
	scopes := rapid.SliceOfNDistinct(rapid.StringMatching(`[!#-\[\]-~]{1,8}`), 0, 4, rapid.ID[string])
	expires := time.Unix(rapid.Int64Range(0, 1<<33).Draw(t, "expires"), 0).UTC()
	return catalog.Object{
		APIVersion: catalog.APIVersion, Kind: catalog.KindTarget,
		Metadata: catalog.Metadata{
			Name:        rapid.StringMatching(`[a-z0-9][a-z0-9-]{0,20}`).Draw(t, "name"),
			Labels:      rapid.MapOf(line, line).Draw(t, "labels"),
			Annotations: rapid.MapOf(line, line).Draw(t, "annotations"),
		},
		Governance: catalog.Governance{Owner: line.Draw(t, "owner"), ExpiresAt: &expires},
		Spec: &catalog.Target{
			Audience: rapid.StringMatching(`[!-~]{1,20}`).Draw(t, "audience"),
			Scopes:   scopes.Draw(t, "scopes"),
			Token:    catalog.TargetToken{MaxLifetime: catalog.Duration(time.Duration(rapid.IntRange(1, 86400).Draw(t, "seconds")) * time.Second)},
		},
	}
}

func TestYAMLReadsBackToTheSameObject(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		o, faults := schema.Complete(drawTarget(rt))
		if len(faults) > 0 {
			rt.Fatal(faults)
		}
		text := manifest.MarshalYAML(o)
		manifests, faults := manifest.Parse("x.yaml", text)
		if len(faults) > 0 || len(manifests) != 1 || string(manifests[0].Canonical()) != string(o.Canonical()) {
			rt.Fatalf("%v\n%s\n%s", faults, text, o.Canonical())
		}
	})
}

func TestYAMLIsInTheContractsOrder(t *testing.T) {
	want := `apiVersion: strait/v1
kind: Target
metadata:
  name: orders-api
governance:
  owner: orders@example.com
spec:
  audience: https://orders.internal
  scopes:
    - orders:read
    - orders:write
  token:
    algorithm: ES256
    maxLifetime: 1h
  requireProof: none
  mode: enforce
`
	if got := string(manifest.MarshalYAML(parsed(t, target))); got != want {
		t.Errorf("%s", got)
	}
}

func TestAnyJSONIsWrittenAsYAML(t *testing.T) {
	body := `{"kind":"ExchangeTest","metadata":{"name":"x"},"a":[{"b":1,"c":[[],["d",[2]],{}]},"2027-03-01","no","12"],"e":{"f":null,"g":true,"- h":"i: #j"},"k":"l\nm"}`
	want := `kind: ExchangeTest
metadata:
  name: x
a:
  - b: 1
    c:
      - []
      - - d
        - - 2
      - {}
  - 2027-03-01
  - "no"
  - "12"
e:
  f: null
  g: true
  "- h": "i: #j"
k: "l\nm"
`
	text := manifest.FromJSON([]byte(body))
	if string(text) != want {
		t.Errorf("%s", text)
	}
	if again, faults := manifest.Parse("x.yaml", text); len(faults) > 0 || string(again[0].JSON) != body {
		t.Errorf("%v: %s", faults, again[0].JSON)
	}
}

// However many documents a file has, and whatever stands between them, as many
// come back, each with its line.
func TestAsManyDocumentsComeBack(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		between := rapid.SampledFrom([]string{"---\n", "...\n---\n", "--- # c\n", "---\n# c\n---\n", "...\n", "\n---\n\n", "---\r\n"})
		file, want := "", rapid.IntRange(1, 6).Draw(rt, "documents")
		var lines []int
		for i := range want {
			if i > 0 {
				file += between.Draw(rt, "between")
			}
			lines = append(lines, 1+strings.Count(file, "\n"))
			file += fmt.Sprintf("kind: ExchangeTest\nmetadata: {name: t-%d}\ntext: |\n  a\n   ---\n", i)
		}
		manifests, faults := manifest.Parse("x.yaml", []byte(file))
		if len(faults) > 0 || len(manifests) != want {
			rt.Fatalf("%d of %d, %v\n%s", len(manifests), want, faults, file)
		}
		for i, m := range manifests {
			if m.Metadata.Name != fmt.Sprintf("t-%d", i) || m.Line != lines[i] {
				rt.Fatalf("%s at %d, want line %d\n%s", m.Metadata.Name, m.Line, lines[i], file)
			}
		}
	})
}

func TestListsOfObjectsReadBack(t *testing.T) {
	manifests, faults := manifest.Parse("x.yaml", fmt.Appendf(nil, secretClient, "env: X"))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	manifests[0].Spec.(*catalog.Client).Authentication[0].Secret = exchange.Secret("unseen")
	text := manifest.MarshalYAML(manifests[0].Object)
	if again := parsed(t, string(text)); string(again.Canonical()) != string(manifests[0].Canonical()) || strings.Contains(string(text), "unseen") {
		t.Errorf("%s", text)
	}
}

func TestDiffShowsWhatChanges(t *testing.T) {
	orders, stock := parsed(t, target), parsed(t, strings.ReplaceAll(target, "orders", "stock"))
	if got := manifest.Diff([]catalog.Object{orders, stock}, []catalog.Object{stock, orders}); len(got) > 0 {
		t.Errorf("the same in another order: %s", got)
	}
	changed := parsed(t, strings.Replace(target, ", orders:write", "", 1))
	got := string(manifest.Diff([]catalog.Object{orders}, []catalog.Object{changed, stock}))
	for _, want := range []string{"--- current/Target/orders-api\n+++ proposed/Target/orders-api\n", "\n-    - orders:write\n", "\n+++ proposed/Target/stock-api\n", "\n+kind: Target\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	if got := string(manifest.Diff([]catalog.Object{orders}, nil)); !strings.Contains(got, "\n-kind: Target\n") {
		t.Errorf("a deletion: %s", got)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{target, "---\n# c\n---\n" + target + "...\n", "a: &x [*x]\n", "{\"kind\": \"Target\"}", "a: |\n  x\n---\n- ? b\n", "a: \"\\ud800\"\n", "!!binary x", "\ufeff%YAML"} {
		f.Add("x.yaml", []byte(seed))
		f.Add("x.json", []byte(seed))
	}
	f.Fuzz(func(t *testing.T, file string, data []byte) {
		manifests, faults := manifest.Parse(file, data)
		for _, fault := range faults {
			if fault.Line < 1 || fault.Message == "" {
				t.Fatalf("%+v", fault)
			}
		}
		for _, m := range manifests {
			if m.Test {
				continue
			}
			again, faults := manifest.Parse("x.yaml", manifest.MarshalYAML(m.Object))
			if len(faults) > 0 || len(again) != 1 || string(again[0].Canonical()) != string(m.Canonical()) {
				t.Fatalf("%s reads back with %v", m.Canonical(), faults)
			}
		}
	})
}

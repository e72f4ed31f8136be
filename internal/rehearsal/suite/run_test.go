package suite_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/rehearsal/suite"
)

// failures are the cases that failed: what was asked and what came of it.
func failures(r *suite.Report) []string {
	var lines []string
	for _, c := range r.Cases {
		if !c.Passed {
			lines = append(lines, c.Name+"|"+c.Request.String()+"|"+c.Got)
		}
	}
	return lines
}

// one is a document with one test.
func one(request, expect string) string {
	return fmt.Sprintf("%s  - {name: t, request: {%s}, expect: {%s}}\n", head, request, expect)
}

func TestExpectations(t *testing.T) {
	t.Parallel()
	const read = "client: gw, subject: alice, audience: orders, scope: read"
	for _, c := range []struct {
		request, expect string
		why             string // the first difference; "" where the test passes
	}{
		{read, "issued: {}", ""},
		{read, "issued: {policy: orders, scope: read, lifetime: 5m, claims: {sub: 'idp:alice', nbf: null, exp: 1795435500}}", ""},
		{read, "issued: {act: {iss: https://idp, sub: bot}}", ""},
		{read, "issued: {act: null}", "claim act: want null, got"},
		{read, "issued: {policy: pay}", "policy: want pay, got orders"},
		{read, "issued: {scope: write}", "scope: want write, got read"},
		{read, "issued: {scope: ''}", "scope: want none, got read"},
		{read, "issued: {lifetime: 6m}", "lifetime: want 6m, got 5m"},
		{read, "issued: {claims: {sub: alice}}", `claim sub: want "alice", got "idp:alice"`},
		{read, "issued: {claims: {aud: [https://orders]}}", `claim aud: want ["https://orders"], got "https://orders"`},
		{read, "issued: {claims: {email: x}}", `claim email: want "x", got null`},
		{read, "denied: any", "it was not denied"},
		{read, "", "it was not denied"},
		{"client: gw, subject: alice, audience: orders", "issued: {scope: read}", ""},
		{"client: gw, subject: alice, audience: orders, scope: write read", "issued: {scope: read write}", ""},
		{"client: gw, subject: alice, audience: https://pay, scope: pay:read", "denied: scope_not_allowed", ""},
		{"client: gw, subject: alice, audience: orders, scope: nothing", "issued: {}", "it was not issued"},
		{"client: gw, subject: alice, audience: orders, scope: nothing", "denied: scope_not_held", "it was denied for another reason"},
		{"client: gw, subject: alice, audience: orders, scope: nothing", "", ""},
		{"client: gw, subject: late, audience: orders", "denied: subject_expired", ""},
		{"client: gw, subject: stranger, audience: orders", "denied: subject_issuer_not_trusted", ""},
		{"client: gw, subject: alice, actor: late, audience: orders", "denied: actor_expired", ""},
		{"client: gw, subject: alice, audience: orders, requestedTokenType: jwt", "denied: unsupported_token_type", ""},
		{"client: gw, subject: alice, resource: https://orders, scope: read", "issued: {policy: orders}", ""},
		{"client: gw, subject: alice, resource: [https://orders, https://pay], scope: read", "issued: {claims: {aud: [https://orders, https://pay]}}", ""},
		{"client: batch, grant: client_credentials, audience: orders", "issued: {policy: batch, claims: {sub: 'client:batch'}}", ""},
		{"client: gw, grant: client_credentials, audience: orders", "denied: target_not_allowed", ""},
	} {
		report := run(t, one(c.request, c.expect))
		got := report.Cases[0]
		if len(report.Cases) != 1 || got.Passed != (c.why == "") || c.why != "" && !strings.HasPrefix(got.Why[0], c.why) {
			t.Errorf("{%s} {%s}: passed %v, %v (%s)", c.request, c.expect, got.Passed, got.Why, got.Got)
		}
		if got.Line != 11 || got.File != "doc.yaml" || got.Document != "doc" {
			t.Errorf("place %s:%d %s", got.File, got.Line, got.Document)
		}
	}
}

func TestMatrixStandsForEachRequest(t *testing.T) {
	t.Parallel()
	for request, want := range map[string]int{
		"client: gw, subject: alice, audience: orders":                                        1,
		"client: [gw, batch], subject: [alice, late], audience: [orders, pay], scope: [read]": 8,
		"client: '*', subject: alice, audience: orders, scope: read":                          2,
		"client: gw, subject: '*', audience: orders, scope: read":                             3,
		"client: gw, subject: alice, audience: '*'":                                           2,
		"client: gw, subject: alice, audience: orders, scope: '*'":                            3, // none, read, write
		"client: gw, subject: alice, audience: '*', scope: '*'":                               6,
		"client: gw, subject: alice, audience: [[orders, pay]], scope: '*'":                   4,
		"client: gw, subject: alice, audience: [[orders, pay], orders], scope: [read, write]": 4,
		"client: gw, subject: alice, resource: [https://orders, https://pay], scope: '*'":     4,
		"client: '*', grant: client_credentials, audience: '*'":                               4,
	} {
		if got := len(run(t, one(request, "")).Cases); got != want {
			t.Errorf("{%s} stands for %d requests, want %d", request, got, want)
		}
	}
}

func TestOneOfAMatrixThatFailsIsNamed(t *testing.T) {
	t.Parallel()
	report := run(t, one("client: '*', subject: alice, audience: [orders, pay], scope: write", "denied: any"))
	want := []string{"t|client gw, subject alice, audience orders, scope write|issued by orders with scope write"}
	if got := failures(report); !slices.Equal(got, want) || report.Passed != 3 || report.Failed != 1 {
		t.Errorf("%q, %d passed", got, report.Passed)
	}
}

func TestTestOfNothingFails(t *testing.T) {
	t.Parallel()
	text := strings.ReplaceAll(one("client: gw, subject: '*', audience: orders", ""), "tokens:\n", "tokens: {}\n")
	var kept []string
	for line := range strings.Lines(text) {
		if !strings.Contains(line, "issuer:") {
			kept = append(kept, line)
		}
	}
	report := run(t, strings.Join(kept, ""))
	if report.Failed != 1 || !strings.Contains(report.Cases[0].Got, "stands for no request") {
		t.Errorf("%+v", report.Cases)
	}
	report = run(t, one("client: nobody, subject: alice, audience: orders", "denied: any"))
	if report.Failed != 1 || !strings.Contains(report.Cases[0].Got, `no client "nobody"`) {
		t.Errorf("%+v", report.Cases)
	}
}

// strict is a document for which what is not listed must be denied.
func strict(tests ...string) string {
	return strings.Replace(head, "unlisted: ignored\n", "", 1) + strings.Join(tests, "")
}

func TestWhatIsNotListedMustBeDenied(t *testing.T) {
	t.Parallel()
	const (
		read  = "  - {name: r, request: {client: gw, subject: alice, audience: orders, scope: read}, expect: {issued: {}}}\n"
		both  = "  - {name: b, request: {client: gw, subject: alice, audience: orders, scope: read write}, expect: {issued: {}}}\n"
		pay   = "  - {name: p, request: {client: gw, subject: alice, audience: [[pay, orders]], scope: read}, expect: {issued: {}}}\n"
		batch = "  - {name: c, request: {client: batch, grant: client_credentials, audience: orders, scope: ''}, expect: {issued: {}}}\n"
		own   = "  - {name: o, request: {client: gw, grant: client_credentials, audience: orders}, expect: {denied: any}}\n"
	)
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"all is listed": {strict(both, pay), nil},
		"a scope is missing": {strict(read, pay), []string{
			"unlisted|client gw, subject alice, audience orders, scope write|issued by orders with scope write",
		}},
		"a target is missing": {strict(both), []string{
			"unlisted|client gw, subject alice, audience pay|issued by orders with scope read",
			"unlisted|client gw, subject alice, audience pay, scope read|issued by orders with scope read",
		}},
		"own tokens are swept where one is asked for": {strict(both, pay, own), []string{
			"unlisted|client batch, grant client_credentials, audience orders|issued by batch with scope read",
			"unlisted|client batch, grant client_credentials, audience orders, scope read|issued by batch with scope read",
		}},
		"and listed by their default": {strict(both, pay, batch), nil},
	} {
		report := run(t, c.text)
		if got := failures(report); !slices.Equal(got, c.want) || report.Unlisted == 0 {
			t.Errorf("%s: %q, %d tried", name, got, report.Unlisted)
		}
	}
}

func TestListedDenialIsNoLicence(t *testing.T) {
	t.Parallel()
	text := strict("  - {name: d, request: {client: gw, subject: alice, audience: [orders, pay], scope: '*'}, expect: {denied: any}}\n")
	report := run(t, text)
	for _, f := range failures(report) {
		if strings.HasPrefix(f, "unlisted") {
			t.Errorf("told twice: %s", f)
		}
	}
	if report.Failed == 0 {
		t.Error("what was issued though it must be denied did not fail")
	}
}

// TestFaultOfOursIsNoDenial: a test that expects a denial does not pass because
// the engine broke.
func TestFaultOfOursIsNoDenial(t *testing.T) {
	t.Parallel()
	broken := stage()
	broken.World.Verifier = struct{ exchange.Verifier }{} // no Judge
	report, err := suite.Run(t.Context(), broken, documents(t, one("client: gw, subject: alice, audience: orders", "denied: any")))
	if err != nil || report.Failed != 1 || report.Cases[0].Decision != exchange.OutcomeError {
		t.Errorf("%v, %+v", err, report.Cases)
	}
}

func TestCoverageNamesWhatLacksATest(t *testing.T) {
	t.Parallel()
	report := run(t, one("client: gw, subject: alice, audience: orders, scope: [read, nothing]", "")+
		"  - {name: closest, request: {client: batch, grant: client_credentials, audience: pay}, expect: {denied: any}}\n")
	want := []suite.Coverage{{Policy: "batch", Deny: true}, {Policy: "orders", Allow: true, Deny: true}, {Policy: "pay"}}
	if !slices.Equal(report.Coverage, want) {
		t.Errorf("%+v", report.Coverage)
	}
}

func TestNowIsTheDocuments(t *testing.T) {
	t.Parallel()
	text := strings.Replace(one("client: gw, subject: late, audience: orders", "issued: {}"), "2026-11-23T12:00:00Z", "1970-01-01T00:00:00Z", 1)
	if report := run(t, text); report.Failed > 0 { // the token ends a second later
		t.Errorf("%+v", report.Cases)
	}
}

func TestTooManyRequestsAreRefused(t *testing.T) {
	t.Parallel()
	list := func(word string) string { return "[" + strings.Repeat(word+", ", 1000) + word + "]" }
	text := one("client: "+list("gw")+", subject: "+list("alice")+", audience: "+list("orders")+", scope: "+list("read"), "")
	_, err := suite.Run(t.Context(), stage(), documents(t, text))
	if err == nil || !strings.Contains(err.Error(), "doc.yaml:1: ExchangeTest/doc: ") {
		t.Errorf("%v", err)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := suite.Run(ctx, stage(), documents(t, head+sound)); err == nil {
		t.Error("it ran on")
	}
}

// failing is a report with both outcomes.
func failing(t *testing.T) *suite.Report {
	t.Helper()
	return run(t, one("client: gw, subject: alice, audience: orders, scope: [read, '<&>']", "issued: {}"))
}

func TestTextTellsAsCompilersDo(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	if err := failing(t).WriteText(&text); err != nil {
		t.Fatal(err)
	}
	want := `doc.yaml:11: doc: t
  asked  client gw, subject alice, audience orders, scope <&>
  want   issued
  got    denied: scope_not_allowed
         it was not issued
         scope "<&>" is not allowed by policy "orders" for every requested target
         mend: add the scope to scopes.allow of policy "orders" and to scopes of its targets, or ask without it
2 tests: 1 passed, 1 failed; 0 unlisted requests tried
policies without a test that it allows: batch, pay
policies without a test that it denies: batch, pay
`
	if text.String() != want {
		t.Errorf("%s\nwant\n%s", text.String(), want)
	}
}

func TestJUnitIsXMLWithTheFailures(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	if err := failing(t).WriteJUnit(&text); err != nil {
		t.Fatal(err)
	}
	var read struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Suites   []struct {
			Cases []struct {
				Name    string `xml:"name,attr"`
				Line    int    `xml:"line,attr"`
				Failure *struct {
					Message string `xml:"message,attr"`
				} `xml:"failure"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(text.Bytes(), &read); err != nil {
		t.Fatal(err)
	}
	cases := read.Suites[0].Cases
	if read.Tests != 2 || read.Failures != 1 || len(cases) != 2 || cases[0].Failure != nil || cases[1].Failure == nil || cases[1].Line != 11 {
		t.Errorf("%+v", read)
	}
	if !strings.Contains(cases[1].Name, "scope <&>") || !strings.Contains(cases[1].Failure.Message, "scope_not_allowed") {
		t.Errorf("%+v", cases[1])
	}
}

func TestReportIsJSON(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(failing(t))
	if err != nil || !strings.Contains(string(text), `"failed":1`) || !strings.Contains(string(text), `"reason":"scope_not_allowed"`) {
		t.Errorf("%s, %v", text, err)
	}
}

package conformance_test

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// row is one clause: what it asks, and the test that holds it. A row without a
// test says in waits which feature brings it. A row that departs has a line in
// docs/divergences.md with the reason.
type row struct {
	id, section, level, requirement string
	check                           check
	waits                           string
	departs                         bool
}

// check is a test against the running program.
type check func(t *testing.T, w *world)

// chapter is the clauses of one standard.
type chapter struct {
	title string
	rows  []row
}

// table is every clause that we answer for, in the order of the page.
func table() []chapter {
	return []chapter{
		{"RFC 8693: the request (§2.1)", requestRows},
		{"RFC 8693: the answer (§2.2)", answerRows},
		{"RFC 8693: token types and claims (§3 to §7)", claimRows},
		{"RFC 7515, 7517, 7518, 7519, 8725: the tokens that are presented", inboundRows},
		{"RFC 6749: the token endpoint", endpointRows},
		{"RFC 9068: the tokens that are issued", issuedRows},
		{"RFC 8707: resources", resourceRows},
		{"RFC 8414: metadata", metadataRows},
		{"RFC 7662: introspection", introspectionRows},
		{"RFC 7009: revocation", revocationRows},
		{"RFC 9457: errors of the admin API", problemRows},
	}
}

// TestConformance runs every row that is built, by its id.
func TestConformance(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range table() {
		for _, r := range c.rows {
			if r.check != nil {
				t.Run(r.id, func(t *testing.T) { r.check(t, w) })
			}
		}
	}
}

// TestTableIsWhole: ids are unique, every row is kept or waits for something
// that has a name, and departures are explained.
func TestTableIsWhole(t *testing.T) {
	t.Parallel()
	divergences, err := os.ReadFile("../../docs/divergences.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, c := range table() {
		for _, r := range c.rows {
			switch {
			case seen[r.id]:
				t.Errorf("%s stands twice", r.id)
			case (r.check == nil) == (r.waits == ""):
				t.Errorf("%s is neither kept nor later, or both", r.id)
			case r.departs && !strings.Contains(string(divergences), r.id):
				t.Errorf("%s departs, and docs/divergences.md does not say why", r.id)
			case !slices.Contains(list("MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "RECOMMENDED", "MAY", "req", "prose", "ours"), r.level):
				t.Errorf("%s: no such level: %q", r.id, r.level)
			}
			if _, unbuilt := features[r.waits]; r.waits != "" && !unbuilt {
				t.Errorf("%s waits for %q, which is built or has no name", r.id, r.waits)
			}
			seen[r.id] = true
		}
	}
}

const pagePath = "../../docs/rfc8693.md"

// update is -args -update: write the generated page instead of comparing it.
var update = flag.Bool("update", false, "write docs/rfc8693.md")

// TestConformancePageIsFresh compares docs/rfc8693.md with the table; with
// -args -update it writes the page.
func TestConformancePageIsFresh(t *testing.T) {
	t.Parallel()
	fresh := page()
	if *update {
		if err := os.WriteFile(pagePath, fresh, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	written, err := os.ReadFile(pagePath)
	if err != nil || !bytes.Equal(written, fresh) {
		t.Errorf("docs/rfc8693.md is stale (%v): run make generate", err)
	}
}

// page is docs/rfc8693.md.
func page() []byte {
	var text bytes.Buffer
	kept, later, departed := count()
	fmt.Fprintf(&text, `# Conformance

Generated from the table in `+"`internal/conformance`"+` by `+"`make generate`"+`; each row that is kept is a test over HTTP against the
whole program with a real PostgreSQL, run by `+"`go test ./internal/conformance -run 'TestConformance/<id>$'`"+`. %d rows are kept, of which %d depart
(see [divergences.md](divergences.md)), and %d wait for a feature.

Levels are those of the text; "req" is a field that the text calls required or optional, "prose" is stated in lower case, "ours" is
written in no standard.
`, kept+departed, departed, later)
	for _, c := range table() {
		fmt.Fprintf(&text, "\n## %s\n\n| id | section | level | requirement | state | test |\n| --- | --- | --- | --- | --- | --- |\n", c.title)
		for _, r := range c.rows {
			fmt.Fprintf(&text, "| %s | %s | %s | %s | %s\n", r.id, r.section, r.level, r.requirement, r.state())
		}
	}
	text.WriteString("\n## What rows wait for\n\n| feature | what brings it |\n| --- | --- |\n")
	for _, name := range slices.Sorted(maps.Keys(features)) {
		fmt.Fprintf(&text, "| %s | %s |\n", name, features[name])
	}
	return text.Bytes()
}

// state is the two last columns of a row.
func (r row) state() string {
	switch {
	case r.check == nil:
		return "later: " + r.waits + " | |"
	case r.departs:
		return "departed | TestConformance/" + r.id + " |"
	}
	return "kept | TestConformance/" + r.id + " |"
}

func count() (kept, later, departed int) {
	for _, c := range table() {
		for _, r := range c.rows {
			switch {
			case r.check == nil:
				later++
			case r.departs:
				departed++
			default:
				kept++
			}
		}
	}
	return kept, later, departed
}

// features are what rows and cases wait for. Who builds one takes its line out
// here, and the tests say which rows and cases are now due.
var features = map[string]string{
	"proof of possession":  "no token of ours is bound yet (RFC 8705 §3, RFC 9449 §6); where one is, its cnf is told as it is",
	"rich authorization":   "authorization_details (RFC 9396) are not read or issued",
	"signing key rotation": "keys list, rotate, retire",
	"client assertions":    "private_key_jwt and workload_jwt (RFC 7523)",
	"secret rotation":      "clients/{name}:rotate-secret",
	"encrypted tokens":     "a target with an encryption key",
	"pairwise subjects":    "a sub a target",
	"custom token types":   "other URIs than those of RFC 8693 §3",
	"fault injection":      "a slow or broken signer, database and handler from outside",
	"load":                 "make bench and the load targets: minutes, not seconds",
	"refresh tokens":       "never issued (contract §3)",
}

// The checks that most rows need.

// refuses holds that each bend alone is refused so, with the good request
// before and after.
func refuses(status int, code, reason string, bends ...bend) check {
	return func(t *testing.T, w *world) {
		w.send(t).mustIssue()
		for _, b := range bends {
			w.send(t, b).mustRefuse(status, code, reason)
		}
		w.send(t).mustIssue()
	}
}

// bad is refuses for what a request of RFC 8693 gets wrong: 400.
func bad(code, reason string, bends ...bend) check { return refuses(400, code, reason, bends...) }

// allows holds that each bend alone still succeeds.
func allows(bends ...bend) check {
	return func(t *testing.T, w *world) {
		for _, b := range bends {
			w.send(t, b).mustIssue()
		}
	}
}

// both runs several checks as one.
func both(checks ...check) check {
	return func(t *testing.T, w *world) {
		for _, c := range checks {
			c(t, w)
		}
	}
}

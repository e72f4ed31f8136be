package suite_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/strait-sts/strait/internal/manifest"
	"github.com/strait-sts/strait/internal/rehearsal/suite"
)

const sound = "  - {name: x, request: {client: gw, subject: alice, audience: orders, scope: read}, expect: {issued: {}}}\n"

func TestFaultsNameTheirLine(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		head + sound: "",
		head + strings.Replace(sound, "client: gw", "clint: gw", 1):                           "11 /tests/0/request/clint unknown_field",
		head + strings.Replace(sound, "client: gw, ", "", 1):                                  "11 /tests/0/request/client required",
		head + strings.Replace(sound, "subject: alice, ", "", 1):                              "11 /tests/0/request/subject required",
		head + strings.Replace(sound, "alice", "bob", 1):                                      "11 /tests/0/request/subject reference",
		head + strings.Replace(sound, "subject: alice", "subject: [alice, bob]", 1):           "11 /tests/0/request/subject reference",
		head + strings.Replace(sound, "subject: alice", "subject: alice, actor: bob", 1):      "11 /tests/0/request/actor reference",
		head + strings.Replace(sound, "subject: alice", "subject: alice, grant: password", 1): "11 /tests/0/request/grant value",
		head + strings.Replace(sound, "subject: alice", "subject: 7", 1):                      "11 /tests/0/request/subject type",
		head + strings.Replace(sound, "name: x", "name: ''", 1):                               "11 /tests/0/name required",
		head + strings.Replace(sound, "issued: {}", "issued: {}, denied: any", 1):             "11 /tests/0/expect conflict",
		head + strings.Replace(sound, "issued: {}", "denied: because", 1):                     "11 /tests/0/expect/denied value",
		head + strings.Replace(sound, "issued: {}", "denied: actor_expired", 1):               "",
		head + strings.Replace(sound, "issued: {}", "issued: {lifetime: soon}", 1):            "11 /tests/0/expect/issued/lifetime value",
		head + strings.Replace(sound, "issued: {}", "issued: {scop: x}", 1):                   "11 /tests/0/expect/issued/scop unknown_field",
		head: "10 /tests required",
		strings.Replace(head, "tests:\n", "tests: []\n", 1):                                           "10 /tests required",
		strings.Replace(head, "now: 2026-11-23T12:00:00Z\n", "", 1) + sound:                           "1 /now required",
		strings.Replace(head, "2026-11-23T12:00:00Z", "today", 1) + sound:                             "4 /now value",
		strings.Replace(head, "strait/v1", "strait/v2", 1) + sound:                                    "1 /apiVersion value",
		strings.Replace(head, "name: doc", "name: Doc", 1) + sound:                                    "3 /metadata/name value",
		strings.Replace(head, "ignored", "allowed", 1) + sound:                                        "5 /unlisted value",
		strings.Replace(head, "issuer: other, ", "", 1) + sound:                                       "9 /tokens/stranger/issuer required",
		strings.Replace(head, "type: jwt", "type: saml", 1) + sound:                                   "7 /tokens/alice/type value",
		strings.Replace(head, "claims: {sub: alice, scope: read}", "claims: [sub]", 1) + sound:        "9 /tokens/stranger/claims type",
		strings.Replace(head, "issuer: idp, claims", "issuer: idp, expiresIn: 5m, claims", 1) + sound: "8 /tokens/late/expiresIn conflict",
	} {
		read, faults := manifest.Parse("doc.yaml", []byte(text))
		for _, m := range read {
			_, more := suite.Read(m)
			faults = append(faults, more...)
		}
		got := ""
		for _, f := range faults {
			got += fmt.Sprintf("%d %s %s", f.Line, f.Pointer, f.Code)
			if !strings.HasPrefix(f.Error(), "doc.yaml:") {
				t.Errorf("%v has no place", f)
			}
		}
		if got != want {
			t.Errorf("%s\ngot  %q\nwant %q", text, got, want)
		}
	}
}

// TestReasonsAreThoseOfThePage: every reason that docs/reasons.md has for a
// denial can be expected.
func TestReasonsAreThoseOfThePage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../docs/reasons.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| `([a-z_]+)`").FindAllStringSubmatch(string(page), -1)
	if len(rows) < 25 {
		t.Fatalf("docs/reasons.md has %d reasons", len(rows))
	}
	// No denial of an exchange: a fault of ours, and a word of /revoke alone.
	others := []string{"temporarily_unavailable", "token_of_another_client"}
	for _, row := range rows {
		text := head + strings.Replace(sound, "issued: {}", "denied: "+row[1], 1)
		read, _ := manifest.Parse("doc.yaml", []byte(text))
		if _, faults := suite.Read(read[0]); (len(faults) > 0) != (slices.Contains(others, row[1]) || slices.Contains(others, row[2])) {
			t.Errorf("%s (%s): %v", row[1], row[2], faults)
		}
	}
}

// FuzzRead: whatever stands in a file is read or refused with its place.
func FuzzRead(f *testing.F) {
	f.Add(head + sound)
	f.Add(head + strings.Replace(sound, "audience: orders", "audience: [[orders, pay], orders]", 1))
	f.Add("kind: ExchangeTest\ntokens: {a: {claims: 1}}\n")
	f.Fuzz(func(t *testing.T, text string) {
		read, _ := manifest.Parse("doc.yaml", []byte(text))
		for _, m := range read {
			if !m.Test {
				continue
			}
			document, faults := suite.Read(m)
			if document == nil && len(faults) == 0 {
				t.Error("neither a document nor a fault")
			}
			for _, fault := range faults {
				if fault.Line < 1 || fault.Message == "" {
					t.Errorf("%+v", fault)
				}
			}
		}
	})
}

package policy_test

import (
	"os"
	"strings"
	"testing"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/manifest"
	"github.com/strait-sts/strait/internal/schema"
)

// Every example of docs/policies.md is a manifest that the catalogue takes, and
// its expressions compile.
func TestExamplesOfThePage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/policies.md")
	if err != nil {
		t.Fatal(err)
	}
	var entries []*catalog.Entry
	for _, block := range strings.Split(string(page), "```yaml\n")[1:] {
		text, _, _ := strings.Cut(block, "```")
		parsed, faults := manifest.Parse("policies.md", []byte(text))
		if len(faults) > 0 {
			t.Errorf("%v in\n%s", faults, text)
			continue
		}
		o, faults := schema.DecodeJSON(parsed[0].JSON)
		if len(faults) > 0 {
			t.Errorf("%v in\n%s", faults, text)
		}
		entries = append(entries, &catalog.Entry{Object: o})
	}
	s := catalog.NewSnapshot(1, entries...)
	if faults := engine.Check(s); len(faults) > 0 {
		t.Error(faults)
	}
	if len(s.Policies()) < 4 || len(s.Guardrails()) != 1 {
		t.Errorf("%d policies, %d guardrails: examples are missing", len(s.Policies()), len(s.Guardrails()))
	}
}

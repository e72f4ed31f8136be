package conformance_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// pages are the pages of the documentation, by their paths from the root.
func pages(t *testing.T) (list []string) {
	t.Helper()
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/adr/*.md", "examples/*.md"} {
		found, err := filepath.Glob(filepath.Join("../..", pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %v, %v", pattern, found, err)
		}
		list = append(list, found...)
	}
	return list
}

// anchors are the fragments of a page's headings, as GitHub makes them.
func anchors(page []byte) (list []string) {
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllSubmatch(page, -1) {
		text := regexp.MustCompile(`[^\p{L}\p{N}_ -]`).ReplaceAllString(strings.ToLower(string(m[1])), "")
		list = append(list, strings.ReplaceAll(text, " ", "-"))
	}
	return list
}

// TestDocsLinksLeadSomewhere follows each link between the pages, to its heading.
func TestDocsLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	links := regexp.MustCompile(`\]\(([^)]+)\)`)
	followed := 0
	for _, page := range pages(t) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range links.FindAllSubmatch(text, -1) {
			if strings.Contains(string(m[1]), "://") {
				continue
			}
			path, fragment, _ := strings.Cut(string(m[1]), "#")
			to := page
			if path != "" {
				to = filepath.Join(filepath.Dir(page), path)
			}
			followed++
			if fragment == "" {
				if _, err := os.Stat(to); err != nil {
					t.Errorf("%s: %s: %v", page, m[1], err)
				}
				continue
			}
			if target, err := os.ReadFile(to); err != nil || !slices.Contains(anchors(target), fragment) {
				t.Errorf("%s: %s: there is no such heading (%v)", page, m[1], err)
			}
		}
	}
	if followed < 50 {
		t.Errorf("only %d links were followed", followed)
	}
}

// TestDocsReadmeListsEveryPage holds the README's table of where everything is.
func TestDocsReadmeListsEveryPage(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages(t) {
		name, err := filepath.Rel("../..", page)
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Dir(name) == "docs" && !strings.Contains(string(readme), "]("+name+")") {
			t.Errorf("README.md does not list %s", name)
		}
	}
}

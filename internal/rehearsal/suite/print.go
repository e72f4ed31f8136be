package suite

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

// WriteText tells a run as compilers tell theirs: the failures with their place,
// then the sums, then the policies that lack a test.
func (r *Report) WriteText(w io.Writer) error {
	var text strings.Builder
	for _, c := range r.Cases {
		if !c.Passed {
			c.write(&text)
		}
	}
	fmt.Fprintf(&text, "%s: %d passed, %d failed; %s tried\n", count(r.Passed+r.Failed, "test"), r.Passed, r.Failed, count(r.Unlisted, "unlisted request"))
	for _, lack := range []struct {
		what string
		has  func(Coverage) bool
	}{
		{"without a test that it allows", func(c Coverage) bool { return c.Allow }},
		{"without a test that it denies", func(c Coverage) bool { return c.Deny }},
	} {
		var names []string
		for _, c := range r.Coverage {
			if !lack.has(c) {
				names = append(names, c.Policy)
			}
		}
		if len(names) > 0 {
			fmt.Fprintf(&text, "policies %s: %s\n", lack.what, strings.Join(names, ", "))
		}
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// count is a number with its word: 1 test, 2 tests.
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (c Case) write(text *strings.Builder) {
	fmt.Fprintf(text, "%s:%d: %s: %s\n", c.File, c.Line, c.Document, c.Name)
	if request := c.Request.String(); request != "" {
		fmt.Fprintf(text, "  asked  %s\n", request)
	}
	fmt.Fprintf(text, "  want   %s\n  got    %s\n", c.Want, c.Got)
	for _, why := range c.Why {
		fmt.Fprintf(text, "         %s\n", why)
	}
}

// The elements of JUnit's report, as continuous integration reads them.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		File     string      `xml:"file,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name    string        `xml:"name,attr"`
		Class   string        `xml:"classname,attr"`
		File    string        `xml:"file,attr"`
		Line    int           `xml:"line,attr"`
		Failure *junitFailure `xml:"failure"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// WriteJUnit tells a run as JUnit XML, a suite a document.
func (r *Report) WriteJUnit(w io.Writer) error {
	all := junitSuites{Tests: r.Passed + r.Failed, Failures: r.Failed}
	for _, c := range r.Cases {
		if n := len(all.Suites); n == 0 || all.Suites[n-1].Name != c.Document {
			all.Suites = append(all.Suites, junitSuite{Name: c.Document, File: c.File})
		}
		all.Suites[len(all.Suites)-1].add(c)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	encoder := xml.NewEncoder(w)
	encoder.Indent("", "  ")
	if err := encoder.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func (s *junitSuite) add(c Case) {
	name := c.Name
	if request := c.Request.String(); request != "" {
		name += " (" + request + ")"
	}
	one := junitCase{Name: name, Class: c.Document, File: c.File, Line: c.Line}
	s.Tests++
	if !c.Passed {
		s.Failures++
		one.Failure = &junitFailure{"want " + c.Want + ", got " + c.Got, strings.Join(c.Why, "\n")}
	}
	s.Cases = append(s.Cases, one)
}

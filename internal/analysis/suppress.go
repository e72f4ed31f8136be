package analysis

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/strait-sts/strait/internal/catalog"
)

// suppressPrefix begins the annotations that suppress a finding; the code follows.
const suppressPrefix = "strait.dev/suppress-"

// maxSuppressed is how far ahead a suppression can end: as far as a review.
const maxSuppressed = 400 * 24 * time.Hour

func suppressionRules() []Rule {
	return []Rule{
		{
			Code: "suppression-malformed", Severity: Warning, Title: "A suppression that is none",
			Why: "What looks suppressed and is not, or is for ever and for no reason, hides what a review should see.",
		},
		{
			Code: "suppression-expired", Severity: Warning, Title: "A suppression whose end has passed",
			Why: "The finding counts again: somebody promised to mend it by that day.",
		},
	}
}

// suppressible says whether an annotation may name the code: it is one of ours,
// and not about suppressions themselves.
func suppressible(code string) bool {
	return slices.ContainsFunc(Rules(), func(r Rule) bool { return r.Code == code && r.check != nil })
}

// suppress moves what was found into the report, but for what an annotation of
// its object suppresses; those are counted. Suppressions that are malformed or
// over suppress nothing, and are findings themselves.
func (in *inspection) suppress(report *Report) {
	type key struct {
		object catalog.Ref
		code   string
	}
	hidden := map[key]bool{}
	for _, e := range in.Entries() {
		for _, name := range slices.Sorted(maps.Keys(e.Metadata.Annotations)) {
			code, ours := strings.CutPrefix(name, suppressPrefix)
			if !ours {
				continue
			}
			if fault := suppression(code, e.Metadata.Annotations[name], in.Now); fault.code != "" {
				report.Findings = append(report.Findings, fault.finding(e.Object, name))
				continue
			}
			hidden[key{e.Ref(), code}] = true
		}
	}
	for _, f := range in.found {
		if hidden[key{f.ref, f.Code}] {
			report.Suppressed++
			continue
		}
		report.Findings = append(report.Findings, f)
	}
}

// suppressionFault is why an annotation suppresses nothing; without a code it
// does.
type suppressionFault struct{ code, message, fix string }

func (f suppressionFault) finding(o catalog.Object, annotation string) Finding {
	return Finding{
		Severity: Warning, Code: f.code, Object: o.Ref().String(), ref: o.Ref(),
		Path:    "/metadata/annotations/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(annotation),
		Message: f.message, Fix: f.fix,
	}
}

// suppression judges "<reason>; until 2027-03-01". The day itself still counts.
func suppression(code, text string, now time.Time) suppressionFault {
	malformed := func(why string) suppressionFault {
		return suppressionFault{"suppression-malformed", why, "write: <reason>; until <date>, such as: accepted in SEC-12; until 2027-03-01"}
	}
	if !suppressible(code) {
		return malformed(fmt.Sprintf("there is no finding %q to suppress", code))
	}
	last, err := readSuppression(text)
	switch {
	case err != nil:
		return malformed(err.Error())
	case last.Sub(now) > maxSuppressed:
		return malformed("it ends more than 400 days ahead, so nobody will look again")
	case !now.Before(last.AddDate(0, 0, 1)):
		return suppressionFault{
			"suppression-expired", fmt.Sprintf("the suppression of %s ended with %s", code, last.Format(time.DateOnly)),
			"mend what it hid, or decide anew and give a later date",
		}
	}
	return suppressionFault{}
}

var (
	errNoReason = errors.New("a suppression needs a reason before the semicolon")
	errNoEnd    = errors.New("a suppression ends with \"; until\" and a date")
)

// readSuppression gives the last day of a suppression. Reasons may hold
// semicolons: the last one counts.
func readSuppression(text string) (last time.Time, err error) {
	i := strings.LastIndex(text, ";")
	if i < 0 {
		return last, errNoEnd
	}
	if strings.TrimSpace(text[:i]) == "" {
		return last, errNoReason
	}
	day, until := strings.CutPrefix(strings.TrimSpace(text[i+1:]), "until ")
	if last, err = time.Parse(time.DateOnly, strings.TrimSpace(day)); err != nil || !until {
		return last, errNoEnd
	}
	return last, nil
}

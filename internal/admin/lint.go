package admin

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/strait-sts/strait/internal/analysis"
	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/reach"
)

// maxChanged is how many entries of each sort the answer of a dry run has of what
// becomes reachable, and of what no longer is.
const maxChanged = 1000

// lint answers GET /lint: what there is to find in the catalogue now, with usage
// what the log shows to be unused too. Tests are not at hand here, so nothing is
// said of them.
func (a *server) lint(w http.ResponseWriter, r *http.Request) error {
	values, err := query(r, "usage")
	if err != nil {
		return err
	}
	o := analysis.Options{Now: a.Clock(), Claims: a.Claims}
	if text := values.Get("usage"); text != "" {
		if o.Usage, err = a.usage(w, r, text); err != nil {
			return err
		}
	}
	return reply(w, http.StatusOK, analysis.Lint(a.Catalog.Current(), o))
}

// The days that usage can be asked for: fewer say nothing, more are in no log.
const minUsageDays, maxUsageDays = 7, 400

// usage reads the log for as many days as were asked for.
func (a *server) usage(w http.ResponseWriter, r *http.Request, text string) (*analysis.Usage, error) {
	days, err := strconv.Atoi(strings.TrimSuffix(text, "d"))
	if err != nil || !strings.HasSuffix(text, "d") || days < minUsageDays || days > maxUsageDays {
		return nil, refuse(Unreadable, "usage is not a number of days from 7d to 400d, such as 90d")
	}
	if a.Usage == nil {
		return nil, refuse(Unreadable, "usage cannot be told here: there is no log")
	}
	patient(w)
	return a.Usage(r.Context(), time.Duration(days)*24*time.Hour)
}

func (a *server) lintOf(s *catalog.Snapshot) *analysis.Report {
	return analysis.Lint(s, analysis.Options{Now: a.Clock(), Claims: a.Claims})
}

// outlook is what a dry run tells beside its results.
type outlook struct {
	Findings []analysis.Finding `json:"findings,omitzero"` // those that the change brings
	Reach    *reach.Change      `json:"reach,omitzero"`
}

// outlook compares the catalogue without and with a change.
func (a *server) outlook(before, after *catalog.Snapshot) outlook {
	change := reach.Compare(before, after, a.Clock()).First(maxChanged)
	return outlook{a.lintOf(after).NewSince(a.lintOf(before)), &change}
}

// outlookWithout compares the catalogue with itself without an object.
func (a *server) outlookWithout(ref catalog.Ref) outlook {
	before := a.Catalog.Current()
	left := slices.DeleteFunc(before.Entries(), func(e *catalog.Entry) bool { return e.Ref() == ref })
	return a.outlook(before, catalog.NewSnapshot(before.Revision, left...))
}

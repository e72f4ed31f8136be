package admin

import (
	"net/http"
	"slices"

	"github.com/strait-sts/strait/internal/analysis"
	"github.com/strait-sts/strait/internal/catalog"
)

// maxChanged is how many entries of each sort the answer of a dry run has of what
// becomes reachable, and of what no longer is.
const maxChanged = 1000

// lint answers GET /lint: what there is to find in the catalogue now. Tests are
// not at hand here, so nothing is said of them.
func (a *server) lint(w http.ResponseWriter, r *http.Request) error {
	if _, err := query(r); err != nil {
		return err
	}
	return reply(w, http.StatusOK, a.lintOf(a.Catalog.Current()))
}

func (a *server) lintOf(s *catalog.Snapshot) *analysis.Report {
	return analysis.Lint(s, analysis.Options{Now: a.Clock(), Claims: a.Claims})
}

// outlook is what a dry run tells beside its results.
type outlook struct {
	Findings []analysis.Finding `json:"findings,omitzero"` // those that the change brings
	Reach    *analysis.Change   `json:"reach,omitzero"`
}

// outlook compares the catalogue without and with a change.
func (a *server) outlook(before, after *catalog.Snapshot) outlook {
	change := analysis.Compare(before, after, a.Clock()).First(maxChanged)
	return outlook{a.lintOf(after).NewSince(a.lintOf(before)), &change}
}

// outlookWithout compares the catalogue with itself without an object.
func (a *server) outlookWithout(ref catalog.Ref) outlook {
	before := a.Catalog.Current()
	left := slices.DeleteFunc(before.Entries(), func(e *catalog.Entry) bool { return e.Ref() == ref })
	return a.outlook(before, catalog.NewSnapshot(before.Revision, left...))
}

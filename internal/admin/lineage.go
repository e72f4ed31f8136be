package admin

import (
	"errors"
	"net/http"

	"github.com/gorilla/mux"

	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/lineage"
)

// lineage answers GET /exchanges/{id}/lineage: the whole tree, whichever of its
// exchanges is asked for.
func (a *server) lineage(w http.ResponseWriter, r *http.Request) error {
	if _, err := query(r); err != nil {
		return err
	}
	id := mux.Vars(r)["id"]
	if !aDecisionID.MatchString(id) {
		return refuse(NotFound, "this is not a decision id")
	}
	rows, err := a.Records.Lineage(r.Context(), id, lineage.MaxNodes, lineage.MaxDepth)
	if errors.Is(err, ErrNoRecord) {
		return refuse(NotFound, "there is no record of this decision")
	}
	if err != nil {
		return err
	}
	bodies := make([][]byte, len(rows))
	for i := range rows {
		bodies[i] = rows[i].Body
	}
	tree, err := lineage.New(exchange.ID(id), bodies, a.Clock(), a.Revoked)
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, tree)
}

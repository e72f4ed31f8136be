package admin

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/strait-sts/strait/internal/reach"
)

// reach answers GET /reach: every way in which somebody can end up with the scope
// to, at the target, in chains that begin at from.
func (a *server) reach(w http.ResponseWriter, r *http.Request) error {
	values, err := query(r, "to", "target", "from", "limit")
	if err != nil {
		return err
	}
	q := reach.Query{Scope: values.Get("to"), Target: values.Get("target"), From: values.Get("from")}
	if text := values.Get("limit"); text != "" {
		if q.Ways, err = strconv.Atoi(text); err != nil || q.Ways < 1 || q.Ways > reach.MaxWays {
			return refuse(Unreadable, "limit is not a number from 1 to "+strconv.Itoa(reach.MaxWays))
		}
	}
	answer, err := reach.Find(a.Catalog.Current(), a.Clock(), q)
	if errors.Is(err, reach.ErrQuery) {
		return refuse(Unreadable, err.Error())
	}
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, answer)
}

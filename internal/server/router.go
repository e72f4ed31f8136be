package server

import (
	"net/http"

	"github.com/gorilla/mux"
)

// router mounts the routes in the order given. Paths are compared in their
// escaped form and are not cleaned: //token, /x/../token and /%74oken are
// other paths than /token, and not found. mux would answer a wrong method with
// a 405 without Allow; no route names methods, so that it never does.
func router(routes []Route) http.Handler {
	r := mux.NewRouter().SkipClean(true).UseEncodedPath()
	r.NotFoundHandler = http.HandlerFunc(notFound)
	r.MethodNotAllowedHandler = r.NotFoundHandler
	for _, route := range routes {
		handler := named(route)
		r.Path(route.Pattern).Handler(handler)
		if route.Prefix {
			r.PathPrefix(route.Pattern + "/").Handler(handler)
		}
	}
	return r
}

// named tells the access log which route answered: a pattern of ours, not a
// path of a stranger's.
func named(route Route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a, ok := w.(*answer); ok {
			a.route = route.Pattern
		}
		route.Handler.ServeHTTP(w, r)
	})
}

func notFound(w http.ResponseWriter, _ *http.Request) {
	plain(w, http.StatusNotFound)
}

// plain answers with a status and nothing else to say.
func plain(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte("{}\n")) // who has gone needs no answer
}

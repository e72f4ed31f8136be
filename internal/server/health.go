package server

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"
)

// readyTimeout bounds all checks of one /readyz together.
const readyTimeout = 2 * time.Second

// Check is one condition of readiness.
type Check struct {
	Name  string                          // what /readyz calls it
	Ready func(ctx context.Context) error // nil: it holds
}

// errDraining is why a server that is going down is not ready.
var errDraining = errors.New("the server is draining")

// health is /livez, /readyz and /metrics.
func (s *Server) health(h Handlers) []Route {
	draining := Check{Name: "draining", Ready: func(context.Context) error {
		if s.draining.Load() {
			return errDraining
		}
		return nil
	}}
	routes := []Route{
		{Pattern: "/livez", Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { report(w, nil) })},
		{Pattern: "/readyz", Handler: s.readyz(append([]Check{draining}, h.Checks...))},
	}
	if h.Metrics != nil {
		routes = append(routes, Route{Pattern: "/metrics", Handler: h.Metrics})
	}
	return routes
}

// readyz answers 200 while every check holds. What fails is named; why stands
// in the log, since an error can name hosts.
func (s *Server) readyz(checks []Check) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
		defer cancel()
		var failing []string
		for i, err := range run(ctx, checks) {
			if err != nil {
				s.log.WarnContext(ctx, "not ready", "check", checks[i].Name, "err", err)
				failing = append(failing, checks[i].Name)
			}
		}
		report(w, failing)
	})
}

// run asks all checks at once, so that one that hangs hides no other. One that
// does not heed its context is not waited for.
func run(ctx context.Context, checks []Check) []error {
	errs := make([]error, len(checks))
	var mu sync.Mutex
	var all sync.WaitGroup
	for i, check := range checks {
		errs[i] = context.DeadlineExceeded
		all.Go(func() {
			err := check.Ready(ctx)
			mu.Lock()
			defer mu.Unlock()
			errs[i] = err
		})
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
	}
	mu.Lock()
	defer mu.Unlock()
	return append([]error(nil), errs...)
}

// report writes {"status":"ok"}, or 503 with the names of what fails.
func report(w http.ResponseWriter, failing []string) {
	body := struct {
		Status  string   `json:"status"`
		Failing []string `json:"failing,omitempty"`
	}{"ok", failing}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if len(failing) > 0 {
		body.Status = "unavailable"
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(body) // who has gone needs no answer
}

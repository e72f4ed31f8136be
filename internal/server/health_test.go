package server_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/server"
)

// TestReadyNamesWhatFails, and tells why in the log alone.
func TestReadyNamesWhatFails(t *testing.T) {
	t.Parallel()
	var down atomic.Bool
	c := loopback()
	c.Probe.Addr = "127.0.0.1:0"
	s := run(t, c, server.Handlers{
		Metrics: http.HandlerFunc(ok),
		Checks: []server.Check{
			{Name: "keys", Ready: func(context.Context) error { return nil }},
			{Name: "database", Ready: func(context.Context) error {
				if down.Load() {
					return errors.New("dial db.internal: refused")
				}
				return nil
			}},
		},
	})
	for _, listener := range []string{"admin", "probe"} {
		down.Store(false)
		if response, body := s.get(t, listener, "/readyz", nil); response.StatusCode != 200 || body != `{"status":"ok"}`+"\n" {
			t.Errorf("%s: %d %s", listener, response.StatusCode, body)
		}
		down.Store(true)
		response, body := s.get(t, listener, "/readyz", nil)
		if response.StatusCode != 503 || body != `{"status":"unavailable","failing":["database"]}`+"\n" {
			t.Errorf("%s: %d %s", listener, response.StatusCode, body)
		}
		if response, _ := s.get(t, listener, "/livez", nil); response.StatusCode != 200 {
			t.Errorf("%s: not alive because not ready: %d", listener, response.StatusCode)
		}
		if _, body := s.get(t, listener, "/metrics", nil); body != "ok" {
			t.Errorf("%s: metrics %q", listener, body)
		}
	}
	s.log.await(t, "db.internal")
	for _, path := range []string{"/livez", "/readyz", "/metrics"} {
		if response, _ := s.get(t, "public", path, nil); response.StatusCode != 404 {
			t.Errorf("%s is public", path)
		}
	}
}

// TestDrainingIsNotReady, but alive, and still serves.
func TestDrainingIsNotReady(t *testing.T) {
	t.Parallel()
	s := run(t, loopback(), public("/x", ok))
	s.Drain()
	if response, body := s.get(t, "admin", "/readyz", nil); response.StatusCode != 503 || !strings.Contains(body, `["draining"]`) {
		t.Errorf("%d %s", response.StatusCode, body)
	}
	if response, _ := s.get(t, "public", "/x", nil); response.StatusCode != 200 {
		t.Errorf("%d", response.StatusCode)
	}
}

// TestCheckThatHangsIsNotWaitedFor: it fails, and hides no other.
func TestCheckThatHangsIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	s := run(t, loopback(), server.Handlers{Checks: []server.Check{
		{Name: "hangs", Ready: func(context.Context) error { <-release; return nil }},
		{Name: "fails", Ready: func(context.Context) error { return errors.New("no") }},
		{Name: "holds", Ready: func(context.Context) error { return nil }},
	}})
	began := time.Now()
	_, body := s.get(t, "admin", "/readyz", nil)
	if !strings.Contains(body, `["hangs","fails"]`) || time.Since(began) > 4*time.Second {
		t.Errorf("%s after %v", body, time.Since(began))
	}
}

// TestNoMetricsNoRoute: without a handler there is no /metrics.
func TestNoMetricsNoRoute(t *testing.T) {
	t.Parallel()
	s := run(t, loopback(), server.Handlers{})
	if response, _ := s.get(t, "admin", "/metrics", nil); response.StatusCode != 404 {
		t.Errorf("%d", response.StatusCode)
	}
}

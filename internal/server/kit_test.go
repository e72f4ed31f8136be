package server_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/server"
)

// lines is a log that can be read while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// await waits for a text: the access log is written after the answer.
func (l *lines) await(t *testing.T, text string) {
	t.Helper()
	for range 200 {
		if strings.Contains(l.String(), text) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%q is not in the log:\n%s", text, l.String())
}

// running is a server that serves.
type running struct {
	*server.Server
	log *lines
}

func loopback() server.Config {
	free := server.Address{Addr: "127.0.0.1:0"}
	return server.Config{Public: free, Admin: free}
}

// run starts a server and stops it with the test.
func run(t *testing.T, c server.Config, h server.Handlers) running {
	t.Helper()
	log := &lines{}
	c.Logger = slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s, err := server.Listen(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	s.Serve(h)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = s.Shutdown(ctx)
	})
	return running{s, log}
}

// public is one route on the public listener.
func public(pattern string, handle http.HandlerFunc) server.Handlers {
	return server.Handlers{Public: []server.Route{{Pattern: pattern, Handler: handle}}}
}

func ok(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }

// get asks without following redirects, the path as it stands.
func (r running) get(t *testing.T, listener, path string, header http.Header) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+r.Addr(listener), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.URL.Opaque = "//" + req.URL.Host + path
	if header != nil {
		req.Header = header
	}
	client := &http.Client{
		Timeout:       10 * time.Second,
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

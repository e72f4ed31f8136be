package server_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/server"
)

// TestPathsAreMatchedAsTheyCame: no cleaning, no redirect, no decoding leads to
// a handler by another way.
func TestPathsAreMatchedAsTheyCame(t *testing.T) {
	t.Parallel()
	s := run(t, loopback(), public("/token", ok))
	for _, path := range []string{
		"//token", "/x/../token", "/x/%2e%2e/token", "/./token", "/token/", "/token;x=1", "/%74oken", "/token%2f", "/token%00", "/TOKEN",
		"/token/x", "/", "/x%2f..%2ftoken", "/token%3Fx",
	} {
		if response, body := s.get(t, "public", path, nil); response.StatusCode != 404 || body == "ok" {
			t.Errorf("%s: %d %s", path, response.StatusCode, body)
		}
	}
	if response, body := s.get(t, "public", "/token", nil); response.StatusCode != 200 || body != "ok" {
		t.Errorf("/token: %d %s", response.StatusCode, body)
	}
	if response, _ := s.get(t, "public", "/token?x=1", nil); response.StatusCode != 200 {
		t.Errorf("with a query: %d", response.StatusCode)
	}
}

// TestRoutesOfAnIssuerWithAPath: percent escapes are compared as they stand.
func TestRoutesOfAnIssuerWithAPath(t *testing.T) {
	t.Parallel()
	s := run(t, loopback(), public("/t%201/token", ok))
	for path, status := range map[string]int{"/t%201/token": 200, "/t+1/token": 404, "/t%2501/token": 404} {
		if response, _ := s.get(t, "public", path, nil); response.StatusCode != status {
			t.Errorf("%s: %d", path, response.StatusCode)
		}
	}
}

// TestEveryMethodReachesItsHandler: only the handler can word a 405.
func TestEveryMethodReachesItsHandler(t *testing.T) {
	t.Parallel()
	s := run(t, loopback(), public("/token", func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Method", r.Method) }))
	for _, method := range []string{"GET", "PUT", "OPTIONS", "TRACE", "PROPFIND"} {
		req, _ := http.NewRequestWithContext(t.Context(), method, "http://"+s.Addr("public")+"/token", nil)
		response, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.Header.Get("Method") != method {
			t.Errorf("%s: %v", method, response.Header)
		}
	}
}

// TestPrefixIsAWholeSegment: what is mounted below /admin/v1 does not answer
// for /admin/v10.
func TestPrefixIsAWholeSegment(t *testing.T) {
	t.Parallel()
	s := run(t, loopback(), server.Handlers{Admin: []server.Route{{Pattern: "/admin/v1", Prefix: true, Handler: http.HandlerFunc(ok)}}})
	for path, status := range map[string]int{
		"/admin/v1": 200, "/admin/v1/": 200, "/admin/v1/clients/a:b": 200, "/admin/v10": 404, "/admin": 404, "//admin/v1/x": 404,
	} {
		if response, _ := s.get(t, "admin", path, nil); response.StatusCode != status {
			t.Errorf("%s: %d", path, response.StatusCode)
		}
		if response, _ := s.get(t, "public", path, nil); response.StatusCode != 404 {
			t.Errorf("%s is public: %d", path, response.StatusCode)
		}
	}
}

// TestRequestID: a well-formed one is taken over, any other replaced, and
// handler, answer and log agree.
func TestRequestID(t *testing.T) {
	t.Parallel()
	seen := make(chan [2]string, 1)
	s := run(t, loopback(), public("/x", func(_ http.ResponseWriter, r *http.Request) {
		seen <- [2]string{server.RequestID(r.Context()), r.Header.Get("X-Request-Id")}
	}))
	for given, kept := range map[string]bool{
		"req-1": true, "0198c1d2-7a10-7c3e-9f00-2b1f6f1d3a55": true, "Root=1-67891233-abcdef": true, strings.Repeat("a", 128): true,
		"": false, strings.Repeat("a", 129): false, "a b": false, `a"b`: false, "a<b": false, "é": false, "a,b": false,
	} {
		response, _ := s.get(t, "public", "/x", http.Header{"X-Request-Id": {given}})
		got := <-seen
		if got[0] != got[1] || got[0] != response.Header.Get("X-Request-Id") || len(got[0]) < 3 || (got[0] == given) != kept {
			t.Errorf("%q became %q, answered %q", given, got, response.Header.Get("X-Request-Id"))
		}
		s.log.await(t, `"requestId":"`+got[0]+`"`)
	}
	_, _ = s.get(t, "public", "/x", http.Header{"X-Request-Id": {"one", "two"}})
	if got := <-seen; got[0] == "one" || got[0] == "two" {
		t.Errorf("of two ids %q was chosen", got)
	}
	if server.RequestID(context.Background()) != "" {
		t.Error("an id without a request")
	}
}

// TestCallerAddress: X-Forwarded-For is believed of trusted proxies only, and
// of it the rightmost hop that is none of them.
func TestCallerAddress(t *testing.T) {
	t.Parallel()
	echo := public("/x", func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.RemoteAddr) })
	trusting := loopback()
	trusting.ProxyCIDRs = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")}
	behind, direct := run(t, trusting, echo), run(t, loopback(), echo)
	for name, c := range map[string]struct {
		forwarded []string
		want      string
	}{
		"none":              {nil, "127.0.0.1"},
		"one":               {[]string{"203.0.113.9"}, "203.0.113.9"},
		"spoofed left":      {[]string{"127.0.0.1, 203.0.113.9"}, "203.0.113.9"},
		"through a proxy":   {[]string{"198.51.100.1, 203.0.113.9, 10.1.2.3"}, "203.0.113.9"},
		"two headers":       {[]string{"198.51.100.1", "203.0.113.9"}, "203.0.113.9"},
		"all ours":          {[]string{"10.0.0.1, 10.0.0.2"}, "10.0.0.1"},
		"nonsense":          {[]string{"203.0.113.9, evil"}, "127.0.0.1"},
		"nonsense, behind":  {[]string{"evil, 10.0.0.2"}, "10.0.0.2"},
		"a port":            {[]string{"203.0.113.9:80"}, "127.0.0.1"},
		"IPv6":              {[]string{"2001:db8::1"}, "2001:db8::1"},
		"IPv4 within IPv6":  {[]string{"::ffff:203.0.113.9"}, "203.0.113.9"},
		"proxy within IPv6": {[]string{"203.0.113.9, ::ffff:10.0.0.1"}, "203.0.113.9"},
		"zone":              {[]string{"fe80::1%eth0"}, "127.0.0.1"},
	} {
		header := http.Header{}
		if c.forwarded != nil {
			header["X-Forwarded-For"] = c.forwarded
		}
		if _, got := behind.get(t, "public", "/x", header); got != c.want {
			t.Errorf("%s: %q", name, got)
		}
		if _, got := direct.get(t, "public", "/x", header); !strings.HasPrefix(got, "127.0.0.1:") {
			t.Errorf("%s, believed of anybody: %q", name, got)
		}
	}
}

// TestAccessLog: a line a request, found or not, and nothing of the caller's in
// it but method, id and address.
func TestAccessLog(t *testing.T) {
	t.Parallel()
	s := run(t, loopback(), public("/token", ok))
	_, _ = s.get(t, "public", "/token?client_secret=hidden", http.Header{"Authorization": {"Basic hidden"}, "X-Request-Id": {"found"}})
	_, _ = s.get(t, "public", "/hidden", http.Header{"X-Request-Id": {"lost"}})
	s.log.await(t, `"method":"GET","route":"/token","status":200,"bytes":2,`)
	s.log.await(t, `"route":"","status":404,`)
	for _, line := range strings.Split(strings.TrimSpace(s.log.String()), "\n") {
		if !strings.Contains(line, `"remote":"127.0.0.1:`) || !strings.Contains(line, `"took":`) {
			t.Errorf("a line lacks something: %s", line)
		}
	}
	if strings.Contains(s.log.String(), "hidden") {
		t.Errorf("the log tells:\n%s", s.log.String())
	}
}

// TestEveryAnswerHasItsHeaders: also what was not found; and no CORS.
func TestEveryAnswerHasItsHeaders(t *testing.T) {
	t.Parallel()
	s := run(t, loopback(), public("/token", ok))
	for _, listener := range []string{"public", "admin"} {
		for _, path := range []string{"/token", "/lost", "/livez"} {
			response, _ := s.get(t, listener, path, http.Header{"Origin": {"https://evil.test"}})
			if response.Header.Get("X-Content-Type-Options") != "nosniff" || response.Header.Get("X-Request-Id") == "" {
				t.Errorf("%s %s: %v", listener, path, response.Header)
			}
			for name := range response.Header {
				if strings.HasPrefix(name, "Access-Control") || name == "Server" {
					t.Errorf("%s %s: %s", listener, path, name)
				}
			}
		}
	}
}

// TestPanicIs503: what was thrown stays inside, and the next is served.
func TestPanicIs503(t *testing.T) {
	t.Parallel()
	var thrown any = "a token"
	s := run(t, loopback(), server.Handlers{Public: []server.Route{
		{Pattern: "/early", Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(thrown) })},
		{Pattern: "/nil", Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { _ = []int(nil)[len(thrown.(string))] })},
		{Pattern: "/late", Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201); panic(thrown) })},
		{Pattern: "/fine", Handler: http.HandlerFunc(ok)},
	}})
	for path, status := range map[string]int{"/early": 503, "/nil": 503, "/late": 201, "/fine": 200} {
		response, body := s.get(t, "public", path, nil)
		if response.StatusCode != status || strings.Contains(body, "token") {
			t.Errorf("%s: %d %q", path, response.StatusCode, body)
		}
		if status == 503 && (response.Header.Get("Retry-After") == "" || response.Header.Get("Cache-Control") != "no-store" || body != "{}\n") {
			t.Errorf("%s: %v %q", path, response.Header, body)
		}
	}
	s.log.await(t, "index out of range")
	if strings.Contains(s.log.String(), "a token") {
		t.Errorf("the log tells:\n%s", s.log.String())
	}
}

// TestAbortCutsTheConnection: http.ErrAbortHandler keeps its meaning.
func TestAbortCutsTheConnection(t *testing.T) {
	t.Parallel()
	s := run(t, loopback(), public("/x", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.Addr("public")+"/x", strings.NewReader("x"))
	if response, err := http.DefaultTransport.RoundTrip(req); err == nil {
		response.Body.Close()
		t.Errorf("answered %d", response.StatusCode)
	}
}

// TestChunkedEndsTheConnection: what follows chunks may be smuggled (RFC 9112
// §6.3), so that nothing that follows is read.
func TestChunkedEndsTheConnection(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 4)
	s := run(t, loopback(), server.Handlers{Public: []server.Route{
		{Pattern: "/x", Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			asked <- "x"
			ok(w, r)
		})},
		{Pattern: "/smuggled", Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked <- "smuggled" })},
	}})
	for _, length := range []string{"", "Content-Length: 5\r\n"} {
		connection, err := net.Dial("tcp", s.Addr("public"))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(connection, "POST /x HTTP/1.1\r\nHost: h\r\n"+length+"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n")
		_ = connection.SetReadDeadline(time.Now().Add(5 * time.Second))
		answer, err := io.ReadAll(connection)
		if err != nil || strings.Count(string(answer), "HTTP/1.1 ") != 1 || !strings.Contains(string(answer), "Connection: close") {
			t.Errorf("%v: %q", err, answer)
		}
		connection.Close()
	}
	close(asked)
	for path := range asked {
		if path != "x" {
			t.Errorf("%s was reached", path)
		}
	}
}

// TestHeadersAreBounded: 32 KiB are too much.
func TestHeadersAreBounded(t *testing.T) {
	t.Parallel()
	s := run(t, loopback(), public("/x", ok))
	if response, _ := s.get(t, "public", "/x", http.Header{"X-Large": {strings.Repeat("a", 48<<10)}}); response.StatusCode != 431 {
		t.Errorf("48 KiB of headers: %d", response.StatusCode)
	}
	if response, _ := s.get(t, "public", "/x", http.Header{"X-Large": {strings.Repeat("a", 16<<10)}}); response.StatusCode != 200 {
		t.Errorf("16 KiB of headers: %d", response.StatusCode)
	}
}

// TestSlowHeadersAreCutOff: who never ends a header does not hold a connection.
func TestSlowHeadersAreCutOff(t *testing.T) {
	t.Parallel()
	s := run(t, loopback(), public("/x", ok))
	connection, err := net.Dial("tcp", s.Addr("public"))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	began := time.Now()
	_, _ = io.WriteString(connection, "GET /x HTTP/1.1\r\nHost: h\r\nX-Slow: ")
	_ = connection.SetReadDeadline(began.Add(9 * time.Second))
	if _, err := io.ReadAll(connection); err != nil {
		t.Errorf("still open after %v: %v", time.Since(began), err)
	}
}

// TestListenNamesWhatFailed: an address that is taken, a certificate that is
// not there; and what was bound before is free again.
func TestListenNamesWhatFailed(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	c := loopback()
	c.Admin.Addr = taken.Addr().String()
	if _, err := server.Listen(t.Context(), c); err == nil || !strings.HasPrefix(err.Error(), "admin listener: ") {
		t.Errorf("taken address: %v", err)
	}
	c = loopback()
	c.Public.Cert, c.Public.Key = "/nowhere/cert.pem", "/nowhere/key.pem"
	if _, err := server.Listen(t.Context(), c); err == nil || !strings.Contains(err.Error(), "public listener: certificate") {
		t.Errorf("missing certificate: %v", err)
	}
}

// TestRealPortsAreKnown before anything is served.
func TestRealPortsAreKnown(t *testing.T) {
	t.Parallel()
	s, err := server.Listen(t.Context(), loopback())
	if err != nil {
		t.Fatal(err)
	}
	for _, listener := range []string{"public", "admin"} {
		if addr := s.Addr(listener); addr == "" || strings.HasSuffix(addr, ":0") {
			t.Errorf("%s: %q", listener, addr)
		}
	}
	if s.Addr("probe") != "" {
		t.Error("a probe listener that nobody asked for")
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", s.Addr("public")); err == nil {
		t.Error("still listening")
	}
}

// TestShutdownWaitsForRequestsInFlight, and no longer than it may.
func TestShutdownWaitsForRequestsInFlight(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ work, patience time.Duration }{
		"in time":  {200 * time.Millisecond, 5 * time.Second},
		"too late": {5 * time.Second, 200 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := make(chan struct{})
			s := run(t, loopback(), public("/x", func(w http.ResponseWriter, r *http.Request) {
				close(began)
				select {
				case <-time.After(c.work):
				case <-r.Context().Done():
				}
				ok(w, r)
			}))
			answered := make(chan error, 1)
			go func() {
				response, err := http.Get("http://" + s.Addr("public") + "/x")
				if err == nil {
					response.Body.Close()
				}
				answered <- err
			}()
			<-began
			ctx, cancel := context.WithTimeout(t.Context(), c.patience)
			defer cancel()
			stopped := s.Shutdown(ctx)
			if served := <-answered; (served == nil) != (name == "in time") || (stopped == nil) != (name == "in time") {
				t.Errorf("request: %v, shutdown: %v", served, stopped)
			}
			if name == "too late" && !errors.Is(stopped, context.DeadlineExceeded) {
				t.Errorf("shutdown: %v", stopped)
			}
		})
	}
}

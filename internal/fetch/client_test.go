package fetch

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestGetsADocument(t *testing.T) {
	t.Parallel()
	var seen *http.Request
	response, err := get(t, func(w http.ResponseWriter, r *http.Request) {
		seen = r.Clone(context.Background())
		w.Header().Set("ETag", `"v1"`)
		w.Header().Set("Cache-Control", "public, max-age=900")
		w.Header().Set("Set-Cookie", "a=b")
		answering("application/jwk-set+json; charset=utf-8", `{"keys":[]}`)(w, r)
	})
	if err != nil {
		t.Fatal(err)
	}
	if string(response.Body) != `{"keys":[]}` || response.ETag != `"v1"` || response.NotModified ||
		!response.HasMaxAge || response.MaxAge != 15*time.Minute {
		t.Errorf("%+v", response)
	}
	for _, header := range []string{"Authorization", "Cookie", "Referer", "Accept-Encoding", "If-None-Match"} {
		if seen.Header.Get(header) != "" {
			t.Errorf("%s was sent", header)
		}
	}
}

func TestNotModified(t *testing.T) {
	t.Parallel()
	handler := func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-None-Match") != `"v1"` {
			t.Errorf("If-None-Match = %q", r.Header.Get("If-None-Match"))
		}
		w.Header().Set("Cache-Control", "max-age=60")
		w.WriteHeader(http.StatusNotModified)
	}
	response, err := get(t, handler, func(r *Request) { r.ETag = `"v1"` })
	if err != nil || !response.NotModified || response.MaxAge != time.Minute || response.Body != nil {
		t.Errorf("%+v, %v", response, err)
	}
	unasked := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) }
	if _, err := get(t, unasked); !errors.Is(err, ErrRedirect) {
		t.Errorf("304 to no ETag: %v", err)
	}
}

// The answers that are no document, by the ids of testdata/security-cases.json
// where it has them.
func TestRejectsAnswers(t *testing.T) {
	t.Parallel()
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(code)
		}
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = z.Write([]byte(`{"keys":[]}`))
	_ = z.Close()
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		want    error
	}{
		"JWK-027 10 MiB": {answering("application/json", strings.Repeat(" ", 10<<20)), ErrTooLarge},
		"JWK-031 500":    {status(500), ErrStatus},
		"JWK-032 404":    {status(404), ErrStatus},
		"JWK-033 HTML":   {answering("text/html", "<html>"), ErrContent},
		"201":            {status(201), ErrStatus},
		"204":            {status(204), ErrStatus},
		"206":            {status(206), ErrStatus},
		"no type":        {answering("", "{}"), ErrContent},
		"text":           {answering("text/plain", "{}"), ErrContent},
		"text+json":      {answering("text/x+json", "{}"), ErrContent},
		"two types":      {answering("application/json, text/html", "{}"), ErrContent},
		"gzip": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			answering("application/json", zipped.String())(w, r)
		}, ErrContent},
		"endless without a length": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		}, ErrTooLarge},
		"headers of 1 MiB": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 1<<20))
			answering("application/json", "{}")(w, r)
		}, ErrUnreachable},
		"cut short": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "100")
			answering("application/json", "{}")(w, r)
		}, ErrUnreachable},
	} {
		if response, err := get(t, c.handler); !errors.Is(err, c.want) || response.Body != nil {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// JWK-001: a redirect is a failure, and its destination is not asked.
func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	elsewhere, _ := serve(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	for _, code := range []int{301, 302, 303, 307, 308} {
		_, err := get(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere, code) })
		if !errors.Is(err, ErrRedirect) {
			t.Errorf("%d: %v, want ErrRedirect", code, err)
		}
	}
	if asked.Load() != 0 {
		t.Error("the destination was asked")
	}
}

func TestMaxBytesIsExact(t *testing.T) {
	t.Parallel()
	for size, want := range map[int]error{10: nil, 11: ErrTooLarge} {
		for _, chunked := range []bool{true, false} {
			_, err := get(t, func(w http.ResponseWriter, r *http.Request) {
				if chunked {
					w.Header().Set("Transfer-Encoding", "chunked")
				}
				answering("application/json", strings.Repeat(" ", size))(w, r)
			}, func(r *Request) { r.MaxBytes = 10 })
			if !errors.Is(err, want) {
				t.Errorf("%d bytes, chunked %v: %v, want %v", size, chunked, err, want)
			}
		}
	}
}

// JWK-029 and JWK-030: the whole request has one end.
func TestSlowAnswersTimeOut(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]http.HandlerFunc{
		"JWK-029 drip": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			for r.Context().Err() == nil {
				_, _ = w.Write([]byte(" "))
				_ = http.NewResponseController(w).Flush()
				time.Sleep(10 * time.Millisecond)
			}
		},
		"JWK-030 hang": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	} {
		start := time.Now()
		_, err := get(t, handler)
		if took := time.Since(start); !errors.Is(err, ErrTimeout) || took > 3*time.Second {
			t.Errorf("%s: %v after %v", name, err, took)
		}
	}
}

func TestSilentTLSTimesOut(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, err = local().GetJSON(t.Context(), Request{URL: fmt.Sprintf("https://a.test:%d/", listener.Addr().(*net.TCPAddr).Port)})
	if !errors.Is(err, ErrTimeout) {
		t.Errorf("%v, want ErrTimeout", err)
	}
}

func TestTheBoundsAreThoseOfTheContract(t *testing.T) {
	c := New(Policy{})
	transport := c.httpClient(false, nil).Transport.(*http.Transport)
	if c.total != 5*time.Second || c.dialer.Timeout != 2*time.Second || transport.TLSHandshakeTimeout != 2*time.Second ||
		transport.ResponseHeaderTimeout != 3*time.Second || transport.TLSClientConfig.MinVersion != tls.VersionTLS12 {
		t.Errorf("%+v", transport)
	}
}

// JWK-062: the first caller may go away without failing the others.
func TestCancelledCallerDoesNotStopTheFetch(t *testing.T) {
	t.Parallel()
	address, roots := serve(t, answering("application/json", `{}`))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := local().GetJSON(ctx, Request{URL: address, RootCAs: roots}); err != nil {
		t.Error(err)
	}
}

// JWK-026: a certificate of nobody's is refused, and so is another name's.
func TestRejectsCertificates(t *testing.T) {
	t.Parallel()
	address, roots := serve(t, answering("application/json", `{}`))
	other := strings.Replace(address, "example.com", "other.test", 1)
	for name, r := range map[string]Request{
		"self-signed": {URL: address}, "another name": {URL: other, RootCAs: roots},
	} {
		_, err := local().GetJSON(t.Context(), r)
		var certificate *tls.CertificateVerificationError
		if !errors.Is(err, ErrUnreachable) || !errors.As(err, &certificate) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRejectsOldTLS(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(answering("application/json", `{}`))
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	server.StartTLS()
	defer server.Close()
	roots, err := ParseRoots(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	if err != nil {
		t.Fatal(err)
	}
	_, err = local().GetJSON(t.Context(), Request{URL: server.URL, RootCAs: roots})
	if !errors.Is(err, ErrUnreachable) {
		t.Errorf("%v, want ErrUnreachable", err)
	}
}

func TestPlainHTTPOnlyWhereAllowed(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(answering("application/json", `{}`))
	defer server.Close()
	named := strings.Replace(server.URL, "127.0.0.1", "idp.test", 1)
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	for name, c := range map[string]struct {
		policy Policy
		answer string
		want   error
	}{
		"allowed":                {Policy{loopback, true}, "127.0.0.1", nil},
		"not allowed":            {Policy{AllowCIDRs: loopback}, "127.0.0.1", ErrForbiddenURL},
		"no networks":            {Policy{AllowHTTP: true}, "127.0.0.1", ErrForbiddenAddress},
		"public, though allowed": {Policy{loopback, true}, "1.1.1.1", ErrForbiddenAddress},
	} {
		w := newWorld(c.policy, []string{c.answer})
		_, err := w.GetJSON(t.Context(), Request{URL: named})
		if !errors.Is(err, c.want) || (c.want != nil) != (len(w.reached()) == 0) {
			t.Errorf("%s: %v, want %v; dialled %v", name, err, c.want, w.reached())
		}
	}
}

// JWK-070: the environment's proxy is not ours. The standard library reads the
// environment once a process, so the transport itself is asked as well.
func TestProxyOfTheEnvironmentIsIgnored(t *testing.T) {
	var asked atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer proxy.Close()
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY"} {
		t.Setenv(name, proxy.URL)
	}
	if _, err := get(t, answering("application/json", `{}`)); err != nil || asked.Load() != 0 {
		t.Errorf("%v, the proxy was asked %d times", err, asked.Load())
	}
	if New(Policy{}).httpClient(false, nil).Transport.(*http.Transport).Proxy != nil {
		t.Error("a proxy is asked for")
	}
}

func TestErrorsNameTheHostAndNothingMore(t *testing.T) {
	t.Parallel()
	const secret = "hunter2"
	address, roots := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, _ := http.NewResponseController(w).Hijack()
		_, _ = io.WriteString(conn, secret+"\r\n\r\n")
		_ = conn.Close()
	})
	for _, r := range []Request{
		{URL: address + "?key=" + secret, RootCAs: roots}, {URL: address + "?key=" + secret},
		{URL: "https://a.test:1/" + secret},
	} {
		_, err := local().GetJSON(t.Context(), r)
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%v", err)
		}
		if host := strings.Split(r.URL, "/")[2]; !strings.Contains(err.Error(), host) {
			t.Errorf("%v does not name %s", err, host)
		}
	}
}

// RFC 9111 §5.2.2. JWK-064 and JWK-065: what is done with the number is for the
// caller to bound.
func TestFreshness(t *testing.T) {
	for header, want := range map[string]struct {
		age   time.Duration
		known bool
	}{
		"":                             {0, false},
		"public":                       {0, false},
		"max-age=300":                  {5 * time.Minute, true},
		"public, Max-Age=300, x=1":     {5 * time.Minute, true},
		`max-age="300"`:                {5 * time.Minute, true},
		"max-age=31536000":             {365 * 24 * time.Hour, true},
		"max-age=300, max-age=60":      {time.Minute, true},
		"no-store, max-age=300":        {0, true},
		"max-age=300, no-cache":        {0, true},
		"max-age=-1":                   {0, true},
		"max-age=":                     {0, true},
		"max-age=1e9":                  {0, true},
		"max-age=99999999999999999999": {(1 << 31) * time.Second, true},
		"s-maxage=300":                 {0, false},
	} {
		age, known := freshness(http.Header{"Cache-Control": {header}})
		if age != want.age || known != want.known {
			t.Errorf("%q: %v, %v", header, age, known)
		}
	}
}

func TestParseRoots(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	good := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	private := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")}))
	broken := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}))
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"one": {good, nil}, "two": {good + "\n" + good + "\n\n", nil}, "a comment before": {"# our root\n" + good, nil},
		"empty": {" \n", ErrCertificates}, "no PEM": {"x", ErrCertificates}, "a private key": {private, ErrCertificates},
		"one and a private key": {good + private, ErrCertificates}, "broken": {broken, ErrCertificates},
		"text after": {good + "x", ErrCertificates},
	} {
		if pool, err := ParseRoots(c.text); !errors.Is(err, c.want) || (pool != nil) != (c.want == nil) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"
)

// Timeouts and limits of every listener. A token request is small and its
// answer takes milliseconds; what takes longer is an attack or a fault.
const (
	headerTimeout  = 5 * time.Second
	readTimeout    = 15 * time.Second
	writeTimeout   = 30 * time.Second
	idleTimeout    = 60 * time.Second
	maxHeaderBytes = 32 << 10
	maxStreams     = 100 // of one HTTP/2 connection at a time (RFC 9113 §5.1.2)
)

// Address is where a listener listens, and its TLS where it has any.
type Address struct {
	Addr      string // host:port; port 0 picks a free one
	Cert, Key string // PEM files; both empty for plain HTTP
}

// Config says where to listen, and whom to believe about a caller's address.
type Config struct {
	Public, Admin Address
	Probe         Address        // an empty Addr: none
	ProxyCIDRs    []netip.Prefix // peers whose X-Forwarded-For is believed
	Logger        *slog.Logger
}

// Route is a handler and the path that it answers.
type Route struct {
	Pattern string // a path as it stands in a request, percent escapes included
	Prefix  bool   // also answers every path below Pattern
	Handler http.Handler
}

// Handlers is what the listeners serve.
type Handlers struct {
	Public  []Route // the most used first
	Admin   []Route
	Metrics http.Handler // at /metrics of admin and probe; nil: none
	Checks  []Check      // of /readyz
}

// Server holds the listeners.
type Server struct {
	log      *slog.Logger
	proxies  []netip.Prefix
	bound    []*bound
	draining atomic.Bool
	failed   chan error
}

// bound is one listener and what serves it.
type bound struct {
	name     string
	listener net.Listener
	secure   *tls.Config  // nil: plain HTTP
	http     *http.Server // nil until Serve
}

// Listen binds the addresses and answers nothing yet. An address that is taken
// or a certificate that cannot be read is an error that names its listener.
func Listen(ctx context.Context, c Config) (*Server, error) {
	s := &Server{log: c.Logger, proxies: c.ProxyCIDRs, failed: make(chan error, 3)}
	for _, l := range []struct {
		name string
		at   Address
	}{{"public", c.Public}, {"admin", c.Admin}, {"probe", c.Probe}} {
		if l.name == "probe" && l.at.Addr == "" {
			continue
		}
		b, err := bind(ctx, l.name, l.at)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s listener: %w", l.name, err), s.close())
		}
		s.bound = append(s.bound, b)
	}
	return s, nil
}

func bind(ctx context.Context, name string, at Address) (*bound, error) {
	b := &bound{name: name}
	var err error
	if at.Cert != "" {
		if b.secure, err = tlsConfig(at); err != nil {
			return nil, err
		}
	}
	var config net.ListenConfig
	b.listener, err = config.Listen(ctx, "tcp", at.Addr)
	return b, err
}

// tlsConfig wants TLS 1.2 at least (RFC 8414 §6.1, RFC 9325 §3.1.1), and in
// 1.2 forward secrecy with authenticated encryption (RFC 9325 §4.2). The
// suites of TLS 1.3 are all of that kind, and not for us to choose.
func tlsConfig(at Address) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(at.Cert, at.Key)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	return &tls.Config{
		Certificates: []tls.Certificate{pair},
		MinVersion:   tls.VersionTLS12,
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
	}, nil
}

// Addr is the real address of a listener: "public", "admin" or "probe"; empty
// where there is none.
func (s *Server) Addr(name string) string {
	for _, b := range s.bound {
		if b.name == name {
			return b.listener.Addr().String()
		}
	}
	return ""
}

// Serve begins to answer on every listener, and returns at once. Failed tells
// of a listener that broke.
func (s *Server) Serve(h Handlers) {
	health := s.health(h)
	routes := map[string][]Route{"public": h.Public, "admin": append(health, h.Admin...), "probe": health}
	for _, b := range s.bound {
		b.http = s.newHTTP(b, router(routes[b.name]))
		go func() {
			serve := func() error { return b.http.Serve(b.listener) }
			if b.secure != nil {
				serve = func() error { return b.http.ServeTLS(b.listener, "", "") }
			}
			if err := serve(); !errors.Is(err, http.ErrServerClosed) {
				s.failed <- fmt.Errorf("%s listener: %w", b.name, err)
			}
		}()
	}
}

// newHTTP is the one place where a server gets its limits. HTTP/2 comes with
// TLS alone.
func (s *Server) newHTTP(b *bound, next http.Handler) *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(b.secure != nil)
	return &http.Server{
		Handler:           s.around(b.name, next),
		ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes:               maxHeaderBytes,
		DisableGeneralOptionsHandler: true,
		TLSConfig:                    b.secure,
		Protocols:                    &protocols,
		HTTP2:                        &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		ErrorLog:                     slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}

// Failed receives the error of a listener that broke while it should serve.
func (s *Server) Failed() <-chan error { return s.failed }

// Drain makes /readyz answer 503 from now on; requests are still served.
func (s *Server) Drain() { s.draining.Store(true) }

// Shutdown stops accepting, and waits for requests in flight as long as ctx
// lasts; then it cuts them. The public listener goes first, so that the others
// can say meanwhile what is happening.
func (s *Server) Shutdown(ctx context.Context) error {
	s.Drain()
	var errs []error
	for _, b := range s.bound {
		if b.http == nil {
			errs = append(errs, b.listener.Close())
			continue
		}
		if err := b.http.Shutdown(ctx); err != nil {
			errs = append(errs, fmt.Errorf("%s listener: %w", b.name, err), b.http.Close())
		}
	}
	return errors.Join(errs...)
}

func (s *Server) close() error {
	var errs []error
	for _, b := range s.bound {
		errs = append(errs, b.listener.Close())
	}
	return errors.Join(errs...)
}

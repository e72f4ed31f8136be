package fetch

import (
	"context"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// errNoInternet stands for every public host: tests connect to none.
var errNoInternet = errors.New("no internet in tests")

// world is a Client whose names resolve as the test says, and that counts the
// connections it was let to make.
type world struct {
	*Client
	mu      sync.Mutex
	answers [][]string // what each lookup gives; the last one stays
	dialled []netip.Addr
}

// newWorld makes a world; with no answers every name means loopback.
func newWorld(p Policy, answers ...[]string) *world {
	if len(answers) == 0 {
		answers = [][]string{{"127.0.0.1"}}
	}
	w := &world{Client: New(p), answers: answers}
	w.total = time.Second
	w.dialer.Resolver = &net.Resolver{PreferGo: true, Dial: w.dialDNS}
	w.dialer.ControlContext = func(_ context.Context, _, address string, _ syscall.RawConn) error {
		to := netip.MustParseAddrPort(address).Addr()
		w.mu.Lock()
		defer w.mu.Unlock()
		w.dialled = append(w.dialled, to)
		if !to.IsLoopback() {
			return errNoInternet
		}
		return nil
	}
	return w
}

// local is a world that may reach loopback.
func local() *world {
	return newWorld(Policy{AllowCIDRs: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
}

// reached are the addresses that a connection was begun to.
func (w *world) reached() []netip.Addr {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.dialled)
}

// dialDNS is a name server at the other end of a pipe (RFC 1035 §4.2.2).
func (w *world) dialDNS(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	go w.serveDNS(far)
	return near, nil
}

func (w *world) serveDNS(conn net.Conn) {
	defer conn.Close()
	for {
		var length [2]byte
		if _, err := io.ReadFull(conn, length[:]); err != nil {
			return
		}
		query := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(conn, query); err != nil {
			return
		}
		reply := w.answerDNS(query)
		if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...)); err != nil {
			return
		}
	}
}

// answerDNS answers a query for A or AAAA with the addresses of that family.
// The lookups of both families see the same step: the A lookup moves on.
func (w *world) answerDNS(query []byte) []byte {
	end := 12
	for query[end] != 0 {
		end += int(query[end]) + 1
	}
	kind := binary.BigEndian.Uint16(query[end+1:])
	reply := slices.Concat(query[:2], []byte{0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, query[12:end+5])
	for _, text := range w.lookup(kind) {
		addr := netip.MustParseAddr(text)
		if addr.Is4() != (kind == 1) {
			continue
		}
		reply[7]++
		reply = append(reply, 0xc0, 12)
		reply = binary.BigEndian.AppendUint16(reply, kind)
		reply = append(reply, 0, 1, 0, 0, 0, 0)
		reply = binary.BigEndian.AppendUint16(reply, uint16(addr.BitLen()/8))
		reply = append(reply, addr.AsSlice()...)
	}
	return reply
}

func (w *world) lookup(kind uint16) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.answers[0]
	if kind == 1 && len(w.answers) > 1 {
		w.answers = w.answers[1:]
	}
	return now
}

// serve starts a TLS server that answers with handler, and gives the URL of a
// path there under the name that its certificate has.
func serve(t testing.TB, handler http.HandlerFunc) (address string, roots *x509.CertPool) {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = nil
	server.StartTLS()
	t.Cleanup(server.Close)
	roots = x509.NewCertPool()
	roots.AddCert(server.Certificate())
	_, port, _ := strings.Cut(server.Listener.Addr().String(), ":")
	return "https://example.com:" + port + "/keys", roots
}

// answering serves one document.
func answering(contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = io.WriteString(w, body)
	}
}

// get fetches what the handler serves.
func get(t testing.TB, handler http.HandlerFunc, change ...func(*Request)) (Response, error) {
	t.Helper()
	address, roots := serve(t, handler)
	r := Request{URL: address, RootCAs: roots}
	for _, f := range change {
		f(&r)
	}
	return local().GetJSON(t.Context(), r)
}

package server_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/strait-sts/strait/internal/server"
)

// secured is a config whose public listener speaks TLS, and who trusts it.
func secured(t *testing.T) (server.Config, *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	c := loopback()
	c.Public.Cert, c.Public.Key = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	for path, block := range map[string]*pem.Block{
		c.Public.Cert: {Type: "CERTIFICATE", Bytes: der}, c.Public.Key: {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return c, &tls.Config{RootCAs: roots}
}

// TestHTF077_OldTLSIsRefused: TLS 1.0, 1.1 and the weak suites of 1.2 (MD-12,
// OA-08).
func TestHTF077_OldTLSIsRefused(t *testing.T) {
	t.Parallel()
	c, trust := secured(t)
	s := run(t, c, public("/x", ok))
	shake := func(change func(*tls.Config)) error {
		config := trust.Clone()
		change(config)
		connection, err := tls.Dial("tcp", s.Addr("public"), config)
		if err == nil {
			connection.Close()
		}
		return err
	}
	for name, change := range map[string]func(*tls.Config){
		"1.0": func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS10 },
		"1.1": func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 },
		"CBC": func(c *tls.Config) {
			c.MaxVersion = tls.VersionTLS12
			c.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}
		},
		"3DES": func(c *tls.Config) {
			c.MaxVersion = tls.VersionTLS12
			c.CipherSuites = []uint16{tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA}
		},
	} {
		if shake(change) == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	for name, change := range map[string]func(*tls.Config){
		"1.2": func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 },
		"1.3": func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 },
	} {
		if err := shake(change); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestHTTP2WithTLSAlone: h2 is negotiated; in the clear there is none.
func TestHTTP2WithTLSAlone(t *testing.T) {
	t.Parallel()
	c, trust := secured(t)
	s := run(t, c, public("/x", ok))
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: trust, ForceAttemptHTTP2: true}}
	response, err := client.Get("https://" + s.Addr("public") + "/x")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.ProtoMajor != 2 {
		t.Errorf("over TLS: %s", response.Proto)
	}
	plain := run(t, loopback(), public("/x", ok))
	unsecured := &http.Transport{Protocols: new(http.Protocols)}
	unsecured.Protocols.SetUnencryptedHTTP2(true)
	if response, err := (&http.Client{Transport: unsecured, Timeout: 5 * time.Second}).Get("http://" + plain.Addr("public") + "/x"); err == nil {
		response.Body.Close()
		t.Errorf("in the clear: %s", response.Proto)
	}
}

// TestHTF056_RapidReset: streams opened and reset by the thousand end in
// nobody's harm but the attacker's.
func TestHTF056_RapidReset(t *testing.T) {
	t.Parallel()
	c, trust := secured(t)
	s := run(t, c, public("/x", ok))
	config := trust.Clone()
	config.NextProtos = []string{"h2"}
	connection, err := tls.Dial("tcp", s.Addr("public"), config)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	flood(connection, 10_000)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: trust, ForceAttemptHTTP2: true}, Timeout: 5 * time.Second}
	response, err := client.Get("https://" + s.Addr("public") + "/x")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != 200 {
		t.Errorf("another connection: %d", response.StatusCode)
	}
}

// flood opens and resets n streams, as far as it is let.
func flood(connection net.Conn, n int) {
	_ = connection.SetWriteDeadline(time.Now().Add(5 * time.Second))
	_, _ = connection.Write([]byte(http2.ClientPreface))
	framer := http2.NewFramer(connection, nil)
	_ = framer.WriteSettings()
	// :method GET, :scheme https and :path / by their indices, :authority h.
	block := []byte{0x82, 0x87, 0x84, 0x01, 0x01, 'h'}
	for i := range n {
		id := uint32(2*i + 1)
		if framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block, EndStream: true, EndHeaders: true}) != nil {
			return
		}
		if framer.WriteRSTStream(id, http2.ErrCodeCancel) != nil {
			return
		}
	}
}

package conformance_test

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/config"
	"github.com/strait-sts/strait/internal/ststest"
)

// overTLS: tokens travel over TLS 1.2 or newer, and what would serve them in
// the clear off loopback does not start (RFC 8693 §6, RFC 6749 §3.2).
func overTLS(t *testing.T, _ *world) {
	none := func(string) (string, bool) { return "", false }
	for issuer, starts := range map[string]bool{"http://sts.example.com": false, "https://sts.example.com": false, "http://127.0.0.1:8080": true} {
		if _, err := config.Load(none, nil, map[string]string{"issuer": issuer, "embedded": "true"}); (err == nil) != starts {
			t.Errorf("%s: %v", issuer, err)
		}
	}
	cert, key, roots := certificate(t)
	h := open(t, flags{"issuer": "https://localhost", "tls-cert": cert, "tls-key": key})
	url := "https://" + h.app.Addr("public") + oauthMetadata
	for version, works := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "localhost", MinVersion: tls.VersionTLS10, MaxVersion: version}}
		response, err := (&http.Client{Transport: transport, Timeout: 5 * time.Second}).Get(url)
		if err == nil {
			_ = response.Body.Close()
		}
		if (err == nil) != works {
			t.Errorf("TLS %x: %v", version, err)
		}
		transport.CloseIdleConnections()
	}
	if a := h.request(t, http.MethodGet, "http://"+h.app.Addr("public")+oauthMetadata, nil, nil); a.status != http.StatusBadRequest {
		t.Errorf("in the clear: %d %s", a.status, a.raw)
	}
}

// certificate is a fresh one for localhost, in files.
func certificate(t *testing.T) (cert, key string, roots *x509.CertPool) {
	t.Helper()
	private := ststest.NewKey(t, "tls", "ES256").Private
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: list("localhost"),
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots = x509.NewCertPool()
	roots.AddCert(parsed)
	cert, key = filepath.Join(t.TempDir(), "tls.crt"), filepath.Join(t.TempDir(), "tls.key")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key, roots
}

package fetch

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
)

// ParseRoots reads the certificateAuthority of an entry: PEM certificates (RFC
// 7468 §5), one at least, no other blocks and nothing after the last; text before
// a block is a comment. The pool takes the place of the system's roots. Errors
// wrap ErrCertificates.
func ParseRoots(text string) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	rest := []byte(strings.TrimSpace(text))
	if len(rest) == 0 {
		return nil, fmt.Errorf("%w: it is empty", ErrCertificates)
	}
	for n := 1; len(rest) > 0; n++ {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil || block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("%w: block %d is not a certificate", ErrCertificates, n)
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%w: block %d cannot be read", ErrCertificates, n)
		}
		pool.AddCert(certificate)
	}
	return pool, nil
}

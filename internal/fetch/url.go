package fetch

import (
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// What a URL may measure. The names' bounds are those of RFC 1035 §2.3.4.
const (
	maxURLLength   = 2048
	maxHostLength  = 253
	maxLabelLength = 63
)

// CheckURL says whether raw may be fetched from: an absolute https URL (RFC
// 3986 §4.3) with a host, without user and fragment, in printable ASCII. An
// IP-literal host must lie inside AllowCIDRs, as must plain http's, by AllowHTTP;
// what a name resolves to is judged when it is dialled. Errors wrap
// ErrForbiddenURL or, for a literal, ErrForbiddenAddress.
func (p Policy) CheckURL(raw string) error {
	_, err := p.parse(raw)
	return err
}

// CheckIssuer is CheckURL for an issuer identifier, which has no query either
// (RFC 8414 §2).
func (p Policy) CheckIssuer(raw string) error {
	if strings.Contains(raw, "?") {
		return forbidden("it has a query")
	}
	return p.CheckURL(raw)
}

// parse reads a URL under the rules of CheckURL.
func (p Policy) parse(raw string) (*url.URL, error) {
	if len(raw) > maxURLLength || strings.ContainsFunc(raw, notInURL) {
		return nil, forbidden("it is too long or not in printable ASCII")
	}
	u, err := url.Parse(raw)
	if err != nil || u.Opaque != "" {
		return nil, forbidden("it is not an absolute URL")
	}
	if u.User != nil || strings.Contains(raw, "#") {
		return nil, forbidden("it has a user or a fragment")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !p.AllowHTTP) {
		return nil, forbidden("its scheme is not https, nor http where that is allowed")
	}
	if err := checkPort(u); err != nil {
		return nil, err
	}
	return u, p.checkHost(u)
}

// notInURL is what RFC 3986 §2 has no place for, and what parsers disagree on.
func notInURL(r rune) bool {
	return r <= ' ' || r > '~' || strings.ContainsRune("\"<>\\^`{|}", r)
}

// checkPort wants a port that can be dialled, where one is written.
func checkPort(u *url.URL) error {
	port := u.Port()
	if port == "" {
		if strings.HasSuffix(u.Host, ":") {
			return forbidden("its port is empty")
		}
		return nil
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return forbidden("its port is not a number from 1 to 65535")
	}
	return nil
}

// checkHost wants a DNS name, or an address that the policy opens.
func (p Policy) checkHost(u *url.URL) error {
	host := u.Hostname()
	if addr, err := netip.ParseAddr(host); err == nil {
		if !p.allowed(addr) || addr.Zone() != "" {
			return fmt.Errorf("%w: %s: an IP address must lie inside the allowed networks", ErrForbiddenAddress, host)
		}
		return nil
	}
	if !isName(host) {
		return forbidden("its host is neither a DNS name in ASCII nor an IP address")
	}
	return nil
}

// isName says whether host is a DNS name in ASCII. One whose last label starts
// with a digit is none: some resolvers take 127.1 and 0x7f000001 for addresses.
func isName(host string) bool {
	labels := strings.Split(host, ".")
	for _, label := range labels {
		if label == "" || len(label) > maxLabelLength || strings.ContainsFunc(label, notInName) {
			return false
		}
	}
	last := labels[len(labels)-1][0]
	return len(host) <= maxHostLength && (last < '0' || last > '9')
}

// notInName is what a host name has no place for (RFC 1123 §2.1), but for the
// underscore, which private zones use.
func notInName(r rune) bool {
	letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
	return !letter && (r < '0' || r > '9') && r != '-' && r != '_'
}

// forbidden is an ErrForbiddenURL with its reason.
func forbidden(reason string) error {
	return fmt.Errorf("%w: %s", ErrForbiddenURL, reason)
}

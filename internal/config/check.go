package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// minAdminToken is how many characters the bootstrap admin token has at least.
const minAdminToken = 32

// check judges the settings together. Each problem names the setting and the
// mend.
func (c *Config) check() []error {
	issuer, err := CheckIssuer(c.Issuer)
	if err != nil {
		return []error{fmt.Errorf("STRAIT_ISSUER: %w", err)}
	}
	var problems []error
	complain := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	c.checkTLS(issuer.Scheme == "https", complain)
	c.checkDatabase(LoopbackHost(issuer.Hostname()), complain)
	c.checkAddresses(complain)
	if c.AdminToken != "" && len(c.AdminToken) < minAdminToken {
		complain("STRAIT_ADMIN_TOKEN is shorter than %d characters", minAdminToken)
	}
	return problems
}

// checkTLS: tokens travel over TLS alone, but for a loopback issuer (RFC 8693
// §6); each listener's settings fit together.
func (c *Config) checkTLS(secure bool, complain func(string, ...any)) {
	c.TLS.check("STRAIT_TLS", complain)
	c.AdminTLS.check("STRAIT_ADMIN_TLS", complain)
	if secure && !c.TLS.Set() && !c.TLS.Proxy {
		complain("STRAIT_ISSUER is https: set STRAIT_TLS_CERT and STRAIT_TLS_KEY, or STRAIT_TLS=proxy where TLS ends in front")
	}
	if !secure && c.TLS.Set() {
		complain("STRAIT_TLS_CERT is set but STRAIT_ISSUER is http: make the issuer https")
	}
}

// checkDatabase: the embedded PostgreSQL is for one machine unless it is asked
// for, and an external one needs what only an administrator can give.
func (c *Config) checkDatabase(loopback bool, complain func(string, ...any)) {
	if c.DatabaseURL == "" {
		if !loopback && !c.Embedded {
			complain("STRAIT_DATABASE_URL is empty and the issuer is not on loopback: set it, or STRAIT_EMBEDDED=true to use the embedded PostgreSQL all the same")
		}
		return
	}
	if c.AdminToken == "" {
		complain("STRAIT_ADMIN_TOKEN is empty: it is generated with the embedded PostgreSQL only; set it or STRAIT_ADMIN_TOKEN_FILE")
	}
	if c.AutoMigrate && c.DatabaseOwnerURL == "" {
		complain("STRAIT_MIGRATE=auto needs STRAIT_DATABASE_OWNER_URL: the application's role may not change the schema")
	}
}

// checkAddresses: the admin listener leaves loopback only behind TLS.
func (c *Config) checkAddresses(complain func(string, ...any)) {
	for _, a := range []struct{ name, value string }{
		{"STRAIT_PUBLIC_ADDR", c.PublicAddr}, {"STRAIT_ADMIN_ADDR", c.AdminAddr}, {"STRAIT_PROBE_ADDR", c.ProbeAddr},
	} {
		if a.value == "" && a.name == "STRAIT_PROBE_ADDR" {
			continue
		}
		if _, _, err := net.SplitHostPort(a.value); err != nil {
			complain("%s: want host:port or :port, not %q", a.name, a.value)
		}
	}
	host, _, err := net.SplitHostPort(c.AdminAddr)
	if err == nil && !LoopbackHost(host) && !c.AdminTLS.Set() && !c.AdminTLS.Proxy {
		complain("STRAIT_ADMIN_ADDR %q is not on loopback: set STRAIT_ADMIN_TLS_CERT and STRAIT_ADMIN_TLS_KEY, or STRAIT_ADMIN_TLS=proxy", c.AdminAddr)
	}
}

// check: a certificate and its key go together, and not with a proxy.
func (t TLS) check(name string, complain func(string, ...any)) {
	if (t.Cert == "") != (t.Key == "") {
		complain("%s_CERT and %s_KEY go together", name, name)
	}
	if t.Set() && t.Proxy {
		complain("%s=proxy and %s_CERT exclude each other", name, name)
	}
}

// CheckIssuer holds RFC 8414 §2: an https URL without query and fragment; http
// for a loopback host alone. Strait asks further that it does not end in a
// slash, so that each endpoint has one spelling.
func CheckIssuer(issuer string) (*url.URL, error) {
	u, err := url.Parse(issuer)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return nil, fmt.Errorf("want a URL such as https://sts.example.com, not %q", issuer)
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, fmt.Errorf("want https, not %q", u.Scheme)
	case u.Scheme == "http" && !LoopbackHost(u.Hostname()):
		return nil, fmt.Errorf("http is for a loopback host only; use https for %s", u.Host)
	case u.User != nil || strings.ContainsAny(issuer, "?#"):
		return nil, fmt.Errorf("%q has a user, query or fragment; leave it out", u.Redacted())
	case strings.HasSuffix(issuer, "/"):
		return nil, fmt.Errorf("%q ends in a slash; leave it out", issuer)
	}
	return u, nil
}

// LoopbackHost says whether a host, as a URL or an address names it, is this
// machine alone. An empty host is not: it listens everywhere.
func LoopbackHost(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

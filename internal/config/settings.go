package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/strait-sts/strait/internal/exchange"
)

// Setting is one line of the table of settings.
type Setting struct {
	Env     string // STRAIT_PUBLIC_ADDR
	Default string
	Meaning string
	Secret  bool // has a …_FILE form and no flag of its own

	set func(*Config, string) error
}

// Flag is the name of the setting's flag: public-addr; for a secret that of
// its file: admin-token-file.
func (s Setting) Flag() string {
	name := strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(s.Env, "STRAIT_")), "_", "-")
	if s.Secret {
		return name + "-file"
	}
	return name
}

// value finds the setting's value: flag, variable, file; "" where there is
// none, since an empty setting is an unset one.
func (s Setting) value(env Environment, flags map[string]string) (string, error) {
	if value, given := flags[s.Flag()]; given {
		if s.Secret {
			return readSecret(value)
		}
		return value, nil
	}
	value, _ := env(s.Env)
	if !s.Secret {
		return value, nil
	}
	file, _ := env(s.Env + "_FILE")
	switch {
	case value != "" && file != "":
		return "", fmt.Errorf("set it or %s_FILE, not both", s.Env)
	case file != "":
		return readSecret(file)
	}
	return value, nil
}

// readSecret reads a secret's file, without the newline that editors leave.
func readSecret(path string) (string, error) {
	text, err := os.ReadFile(path) //nolint:gosec // G304: the administrator names the file
	if err != nil {
		return "", fmt.Errorf("its file cannot be read: %w", err)
	}
	secret := strings.TrimRight(string(text), "\r\n")
	if secret == "" {
		return "", fmt.Errorf("its file %s is empty", path)
	}
	return secret, nil
}

// Settings is the table of all settings, in the order of the documentation.
func Settings() []Setting {
	return []Setting{
		{Env: "STRAIT_ISSUER", Default: "http://localhost:8080", Meaning: "issuer identifier; https, or http on a loopback host only", set: setIssuer},
		{Env: "STRAIT_PUBLIC_ADDR", Default: ":8080", Meaning: "OAuth endpoints, metadata, JWKS", set: text(func(c *Config) *string { return &c.PublicAddr })},
		{Env: "STRAIT_ADMIN_ADDR", Default: "127.0.0.1:8081", Meaning: "admin API, health, metrics; off loopback only with STRAIT_ADMIN_TLS_CERT and _KEY, or STRAIT_ADMIN_TLS=proxy", set: text(func(c *Config) *string { return &c.AdminAddr })},
		{Env: "STRAIT_PROBE_ADDR", Meaning: "a further address for /livez, /readyz and /metrics alone", set: text(func(c *Config) *string { return &c.ProbeAddr })},
		{Env: "STRAIT_PROXY_CIDRS", Meaning: "networks of the proxies whose X-Forwarded-For is believed, with commas between them", set: prefixes(func(c *Config) *[]netip.Prefix { return &c.ProxyCIDRs })},
		{Env: "STRAIT_TLS_CERT", Meaning: "PEM file: certificate chain of the public listener", set: text(func(c *Config) *string { return &c.TLS.Cert })},
		{Env: "STRAIT_TLS_KEY", Meaning: "PEM file: its private key", set: text(func(c *Config) *string { return &c.TLS.Key })},
		{Env: "STRAIT_TLS_CLIENT_CA", Meaning: "not built yet: client certificates", set: notBuilt},
		{Env: "STRAIT_TLS", Meaning: "proxy: TLS ends at a trusted proxy in front of the public listener", set: proxy(func(c *Config) *bool { return &c.TLS.Proxy })},
		{Env: "STRAIT_ADMIN_TLS_CERT", Meaning: "PEM file: certificate chain of the admin listener", set: text(func(c *Config) *string { return &c.AdminTLS.Cert })},
		{Env: "STRAIT_ADMIN_TLS_KEY", Meaning: "PEM file: its private key", set: text(func(c *Config) *string { return &c.AdminTLS.Key })},
		{Env: "STRAIT_ADMIN_TLS", Meaning: "proxy: TLS ends at a trusted proxy in front of the admin listener", set: proxy(func(c *Config) *bool { return &c.AdminTLS.Proxy })},
		{Env: "STRAIT_DATABASE_URL", Secret: true, Meaning: "PostgreSQL URL of the application's role; empty: the embedded PostgreSQL", set: secret(func(c *Config) *exchange.Secret { return &c.DatabaseURL })},
		{Env: "STRAIT_DATABASE_OWNER_URL", Secret: true, Meaning: "PostgreSQL URL of the owner's role, for migrations only", set: secret(func(c *Config) *exchange.Secret { return &c.DatabaseOwnerURL })},
		{Env: "STRAIT_EMBEDDED", Default: "false", Meaning: "true: use the embedded PostgreSQL although the issuer is not on loopback", set: boolean(func(c *Config) *bool { return &c.Embedded })},
		{Env: "STRAIT_MIGRATE", Default: "check", Meaning: "auto: apply migrations at start (the embedded PostgreSQL always does); check: refuse to start behind", set: setMigrate},
		{Env: "STRAIT_POSTGRES_BIN", Meaning: "folder of the PostgreSQL programs for the embedded PostgreSQL; empty: found", set: text(func(c *Config) *string { return &c.PostgresBin })},
		{Env: "STRAIT_DATA_DIR", Default: ".strait", Meaning: "embedded PostgreSQL, generated admin token", set: text(func(c *Config) *string { return &c.DataDir })},
		{Env: "STRAIT_KEYS_DIR", Default: "keys", Meaning: "key-encryption keys; one is made only where the database holds no wrapped key yet", set: text(func(c *Config) *string { return &c.KeysDir })},
		{Env: "STRAIT_ADMIN_TOKEN", Secret: true, Meaning: "bootstrap admin token; with the embedded PostgreSQL generated into $STRAIT_DATA_DIR/admin-token", set: secret(func(c *Config) *exchange.Secret { return &c.AdminToken })},
		{Env: "STRAIT_ADMIN_URL", Default: "http://127.0.0.1:8081", Meaning: "where the client commands find the admin API", set: text(func(c *Config) *string { return &c.AdminURL })},
		{Env: "STRAIT_ADMIN_AUDIENCE", Meaning: "what the aud of an administrator's JWT must contain; empty: <issuer>/admin/v1", set: text(func(c *Config) *string { return &c.AdminAudience })},
		{Env: "STRAIT_FETCH_ALLOW_CIDRS", Meaning: "private or loopback networks that outbound fetches may reach; all others are refused", set: prefixes(func(c *Config) *[]netip.Prefix { return &c.FetchAllowCIDRs })},
		{Env: "STRAIT_FETCH_ALLOW_HTTP", Default: "false", Meaning: "plain http for hosts inside those networks", set: boolean(func(c *Config) *bool { return &c.FetchAllowHTTP })},
		{Env: "STRAIT_AUDIT_CLAIMS", Default: "used", Meaning: "used: records keep the claims that rules read, at most 4 KiB a token; none: no claims", set: oneOf(func(c *Config) *string { return &c.AuditClaims }, "used", "none")},
		{Env: "STRAIT_AUDIT_ANCHOR", Meaning: "file, outside the database's reach, that each signed checkpoint of the records is appended to; empty: none", set: text(func(c *Config) *string { return &c.AuditAnchor })},
		{Env: "STRAIT_RATE_FAILURES", Default: "100", Meaning: "failed authentications that one client may have from one address in a minute; an address ten times that; 0: no limit", set: number(func(c *Config) *int { return &c.RateFailures }, 1_000_000)},
		{Env: "STRAIT_RATE_REQUESTS", Default: "10000", Meaning: "requests to /token, /introspect and /revoke that one client may make in a second; an address ten times that; 0: no limit", set: number(func(c *Config) *int { return &c.RateRequests }, 1_000_000)},
		{Env: "STRAIT_ERROR_DETAIL", Default: "reason", Meaning: "none: leave reason out of answers", set: setErrorDetail},
		{Env: "STRAIT_CLOCK_SKEW", Default: "30s", Meaning: "default leeway for nbf and iat; the exp of subject and actor tokens is exact", set: setClockSkew},
		{Env: "STRAIT_LOG_FORMAT", Default: "json", Meaning: "json or text", set: oneOf(func(c *Config) *string { return &c.LogFormat }, "json", "text")},
		{Env: "STRAIT_LOG_LEVEL", Default: "info", Meaning: "debug, info, warn or error", set: setLogLevel},
	}
}

func text(field func(*Config) *string) func(*Config, string) error {
	return func(c *Config, value string) error {
		*field(c) = value
		return nil
	}
}

func secret(field func(*Config) *exchange.Secret) func(*Config, string) error {
	return func(c *Config, value string) error {
		*field(c) = exchange.Secret(value)
		return nil
	}
}

func boolean(field func(*Config) *bool) func(*Config, string) error {
	return func(c *Config, value string) error {
		parsed, err := strconv.ParseBool(value)
		if err != nil {
			return fmt.Errorf("want true or false, not %q", value)
		}
		*field(c) = parsed
		return nil
	}
}

// number reads a whole number from 0 to most.
func number(field func(*Config) *int, most int) func(*Config, string) error {
	return func(c *Config, value string) error {
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 || n > most {
			return fmt.Errorf("want a whole number from 0 to %d, not %q", most, value)
		}
		*field(c) = n
		return nil
	}
}

func proxy(field func(*Config) *bool) func(*Config, string) error {
	return func(c *Config, value string) error {
		if value != "" && value != "proxy" {
			return fmt.Errorf("want proxy or nothing, not %q", value)
		}
		*field(c) = value == "proxy"
		return nil
	}
}

func oneOf(field func(*Config) *string, allowed ...string) func(*Config, string) error {
	return func(c *Config, value string) error {
		for _, a := range allowed {
			if value == a {
				*field(c) = value
				return nil
			}
		}
		return fmt.Errorf("want %s, not %q", strings.Join(allowed, " or "), value)
	}
}

func prefixes(field func(*Config) *[]netip.Prefix) func(*Config, string) error {
	return func(c *Config, value string) error {
		var list []netip.Prefix
		for part := range strings.SplitSeq(value, ",") {
			part = strings.TrimSpace(part)
			if part == "" {
				continue
			}
			prefix, err := netip.ParsePrefix(part)
			if err != nil {
				return fmt.Errorf("want networks such as 10.0.0.0/8, not %q", part)
			}
			list = append(list, prefix.Masked())
		}
		*field(c) = list
		return nil
	}
}

func setIssuer(c *Config, value string) error {
	c.Issuer = value
	return nil
}

func setMigrate(c *Config, value string) error {
	if value != "auto" && value != "check" {
		return fmt.Errorf("want auto or check, not %q", value)
	}
	c.AutoMigrate = value == "auto"
	return nil
}

func setErrorDetail(c *Config, value string) error {
	if value != "reason" && value != "none" {
		return fmt.Errorf("want reason or none, not %q", value)
	}
	c.ErrorDetail = value == "reason"
	return nil
}

func setClockSkew(c *Config, value string) error {
	skew, err := time.ParseDuration(value)
	if err != nil || skew < 0 || skew > 5*time.Minute {
		return fmt.Errorf("want a duration from 0s to 5m, not %q", value)
	}
	c.ClockSkew = skew
	return nil
}

func setLogLevel(c *Config, value string) error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(value)); err != nil {
		return fmt.Errorf("want debug, info, warn or error, not %q", value)
	}
	c.LogLevel = level
	return nil
}

// notBuilt refuses a setting whose effect does not exist yet, rather than
// ignoring it.
func notBuilt(_ *Config, value string) error {
	if value != "" {
		return errors.New("not built yet; leave it unset")
	}
	return nil
}

package config

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/strait-sts/strait/internal/exchange"
)

// Config is everything that serve can be told, checked as a whole.
type Config struct {
	Issuer    string
	IssuerSet bool // false: the issuer follows from the public port

	PublicAddr, AdminAddr, ProbeAddr string
	ProxyCIDRs                       []netip.Prefix

	TLS      TLS // of the public listener
	AdminTLS TLS

	DatabaseURL      exchange.Secret // empty: the embedded PostgreSQL
	DatabaseOwnerURL exchange.Secret
	Embedded         bool // the embedded PostgreSQL is wanted off loopback too
	AutoMigrate      bool
	PostgresBin      string

	DataDir, KeysDir string
	AdminToken       exchange.Secret
	AdminURL         string
	AdminAudience    string // empty: <issuer>/admin/v1

	FetchAllowCIDRs []netip.Prefix
	FetchAllowHTTP  bool

	AuditClaims string // used or none
	AuditAnchor string // file; empty: none
	// What one client may do, an address ten times: failures a minute, requests
	// a second. 0: no limit.
	RateFailures, RateRequests int

	ErrorDetail bool // reason in answers
	ClockSkew   time.Duration
	LogFormat   string
	LogLevel    slog.Level

	// GCPercent is what serve gives the garbage collector; 0: nothing, since
	// the environment sets GOGC.
	GCPercent int
}

// TLS is how a listener is protected.
type TLS struct {
	Cert, Key string // PEM files
	Proxy     bool   // TLS ends at a trusted proxy in front
}

// Set says whether the listener itself speaks TLS.
func (t TLS) Set() bool { return t.Cert != "" }

// Environment looks up an environment variable.
type Environment func(name string) (value string, set bool)

// OS is the environment of this process.
func OS() Environment { return os.LookupEnv }

// Names lists the names of all variables of this process.
func Names() []string {
	var names []string
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		names = append(names, name)
	}
	return names
}

// Load reads every setting: a flag wins over its variable, which wins over the
// default. names are the variables that exist, so that a misspelt STRAIT_ name
// is an error rather than a setting without effect. All problems are reported
// at once.
func Load(env Environment, names []string, flags map[string]string) (Config, error) {
	cfg := Config{GCPercent: gcPercent(env)}
	var problems []error
	settings := Settings()
	for _, s := range settings {
		value, err := s.value(env, flags)
		if s.Env == "STRAIT_ISSUER" {
			cfg.IssuerSet = value != ""
		}
		if err == nil {
			err = s.set(&cfg, cmp.Or(value, s.Default))
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", s.Env, err))
		}
	}
	problems = append(problems, unknown(settings, names)...)
	if len(problems) == 0 {
		problems = cfg.check()
	}
	return cfg, errors.Join(problems...)
}

// gcPercent lets the heap grow to five times what is live, where Go's own 100
// has it grow to twice: Strait holds little and allocates much, and would
// collect every hundred exchanges. GOGC is Go's own variable, no setting of
// ours: what it says stands. Empty, it says nothing to Go either.
func gcPercent(env Environment) int {
	if value, _ := env("GOGC"); value != "" {
		return 0
	}
	return 400
}

// unknown reports names that begin like ours and are none.
func unknown(settings []Setting, names []string) []error {
	var problems []error
	for _, name := range names {
		if !strings.HasPrefix(name, "STRAIT_") {
			continue
		}
		known := slices.ContainsFunc(settings, func(s Setting) bool {
			return name == s.Env || s.Secret && name == s.Env+"_FILE"
		})
		if !known {
			problems = append(problems, fmt.Errorf("%s: no such setting; docs/configuration.md lists them all", name))
		}
	}
	return problems
}

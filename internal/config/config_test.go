package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/strait-sts/strait/internal/config"
)

// load reads settings from a map, as if it were the whole environment.
func load(env map[string]string, flags map[string]string) (config.Config, error) {
	var names []string
	for name := range env {
		names = append(names, name)
	}
	lookup := func(name string) (string, bool) {
		value, set := env[name]
		return value, set
	}
	return config.Load(lookup, names, flags)
}

func TestDefaultsAreTheContracts(t *testing.T) {
	cfg, err := load(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, got, want string }{
		{"issuer", cfg.Issuer, "http://localhost:8080"},
		{"public", cfg.PublicAddr, ":8080"},
		{"admin", cfg.AdminAddr, "127.0.0.1:8081"},
		{"data", cfg.DataDir, ".strait"},
		{"keys", cfg.KeysDir, "keys"},
		{"skew", cfg.ClockSkew.String(), "30s"},
	} {
		if c.got != c.want {
			t.Errorf("%s = %q, want %q", c.name, c.got, c.want)
		}
	}
	if cfg.IssuerSet || cfg.FetchAllowHTTP || !cfg.ErrorDetail || cfg.AutoMigrate {
		t.Errorf("defaults: %+v", cfg)
	}
}

func TestFlagWinsOverVariable(t *testing.T) {
	cfg, err := load(map[string]string{"STRAIT_PUBLIC_ADDR": ":1"}, map[string]string{"public-addr": ":2"})
	if err != nil || cfg.PublicAddr != ":2" {
		t.Fatalf("public = %q, %v", cfg.PublicAddr, err)
	}
}

func TestGOGCOfTheEnvironmentStands(t *testing.T) {
	for _, c := range []struct {
		env  map[string]string
		want int
	}{
		{nil, 400},
		{map[string]string{"GOGC": ""}, 400},
		{map[string]string{"GOMEMLIMIT": "200MiB"}, 400},
		{map[string]string{"GOGC": "100"}, 0},
		{map[string]string{"GOGC": "off"}, 0},
	} {
		if cfg, err := load(c.env, nil); err != nil || cfg.GCPercent != c.want {
			t.Errorf("%v: %d, %v; want %d", c.env, cfg.GCPercent, err, c.want)
		}
	}
}

func TestRefusesWhatCannotWork(t *testing.T) {
	token := strings.Repeat("t", 32)
	for _, c := range []struct {
		name string
		env  map[string]string
		want string // what the error must name
	}{
		{"misspelt name", map[string]string{"STRAIT_PUBLIC_ADR": ":1"}, "STRAIT_PUBLIC_ADR: no such setting"},
		{"file form of what is no secret", map[string]string{"STRAIT_ISSUER_FILE": "x"}, "no such setting"},
		{"http issuer off loopback", map[string]string{"STRAIT_ISSUER": "http://sts.example.com"}, "http is for a loopback host only"},
		{"issuer with a query", map[string]string{"STRAIT_ISSUER": "https://sts.example.com?x=1", "STRAIT_TLS": "proxy", "STRAIT_EMBEDDED": "true"}, "query or fragment"},
		{"issuer with a slash", map[string]string{"STRAIT_ISSUER": "https://sts.example.com/", "STRAIT_TLS": "proxy", "STRAIT_EMBEDDED": "true"}, "ends in a slash"},
		{"https issuer without TLS", map[string]string{"STRAIT_ISSUER": "https://localhost:8443"}, "STRAIT_TLS_CERT"},
		{"certificate without key", map[string]string{"STRAIT_ISSUER": "https://localhost:8443", "STRAIT_TLS_CERT": "c.pem"}, "go together"},
		{"certificate under an http issuer", map[string]string{"STRAIT_TLS_CERT": "c.pem", "STRAIT_TLS_KEY": "k.pem"}, "make the issuer https"},
		{"public issuer on the embedded database", map[string]string{"STRAIT_ISSUER": "https://sts.example.com", "STRAIT_TLS": "proxy"}, "STRAIT_DATABASE_URL is empty"},
		{"admin off loopback without TLS", map[string]string{"STRAIT_ADMIN_ADDR": ":8081"}, "not on loopback"},
		{"external database without admin token", map[string]string{"STRAIT_DATABASE_URL": "postgres://x"}, "STRAIT_ADMIN_TOKEN is empty"},
		{"short admin token", map[string]string{"STRAIT_ADMIN_TOKEN": "short"}, "shorter than 32"},
		{"auto migration without the owner", map[string]string{"STRAIT_DATABASE_URL": "postgres://x", "STRAIT_ADMIN_TOKEN": token, "STRAIT_MIGRATE": "auto"}, "STRAIT_DATABASE_OWNER_URL"},
		{"client certificates", map[string]string{"STRAIT_TLS_CLIENT_CA": "ca.pem"}, "not built yet"},
		{"skew beyond reason", map[string]string{"STRAIT_CLOCK_SKEW": "1h"}, "from 0s to 5m"},
		{"network without length", map[string]string{"STRAIT_FETCH_ALLOW_CIDRS": "10.0.0.1"}, "10.0.0.0/8"},
		{"rate below nothing", map[string]string{"STRAIT_RATE_FAILURES": "-1"}, "STRAIT_RATE_FAILURES: want a whole number"},
		{"rate with a unit", map[string]string{"STRAIT_RATE_REQUESTS": "10/s"}, "STRAIT_RATE_REQUESTS: want a whole number"},
		{"log level", map[string]string{"STRAIT_LOG_LEVEL": "loud"}, "debug, info, warn"},
		{"admin address without port", map[string]string{"STRAIT_ADMIN_ADDR": "localhost"}, "host:port"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := load(c.env, nil)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestAcceptsWhatWorks(t *testing.T) {
	token := strings.Repeat("t", 32)
	for name, env := range map[string]map[string]string{
		"TLS of its own":    {"STRAIT_ISSUER": "https://localhost:8443", "STRAIT_TLS_CERT": "c.pem", "STRAIT_TLS_KEY": "k.pem"},
		"behind a proxy":    {"STRAIT_ISSUER": "https://sts.example.com/t1", "STRAIT_TLS": "proxy", "STRAIT_DATABASE_URL": "postgres://x", "STRAIT_ADMIN_TOKEN": token},
		"admin behind TLS":  {"STRAIT_ADMIN_ADDR": ":8081", "STRAIT_ADMIN_TLS": "proxy"},
		"loopback in full":  {"STRAIT_ISSUER": "http://127.0.0.1:9000", "STRAIT_ADMIN_ADDR": "[::1]:0"},
		"embedded on asked": {"STRAIT_ISSUER": "https://sts.example.com", "STRAIT_TLS": "proxy", "STRAIT_EMBEDDED": "true"},
		"empty is unset":    {"STRAIT_LOG_LEVEL": "", "STRAIT_ISSUER": ""},
	} {
		if _, err := load(env, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSecretFromFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	secret := strings.Repeat("s", 40)
	if err := os.WriteFile(path, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := load(map[string]string{"STRAIT_ADMIN_TOKEN_FILE": path}, nil)
	if err != nil || cfg.AdminToken.Reveal() != secret {
		t.Fatalf("from the environment: %v", err)
	}
	cfg, err = load(nil, map[string]string{"admin-token-file": path})
	if err != nil || cfg.AdminToken.Reveal() != secret {
		t.Fatalf("from the flag: %v", err)
	}
	if _, err = load(map[string]string{"STRAIT_ADMIN_TOKEN_FILE": path, "STRAIT_ADMIN_TOKEN": secret}, nil); err == nil {
		t.Error("a secret set twice was accepted")
	}
	if _, err = load(map[string]string{"STRAIT_ADMIN_TOKEN_FILE": path + "-missing"}, nil); err == nil {
		t.Error("a missing file was accepted")
	}
}

func TestErrorNeverEchoesASecret(t *testing.T) {
	_, err := load(map[string]string{"STRAIT_ADMIN_TOKEN": "hunter2-hunter2"}, nil)
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("error = %v", err)
	}
}

func TestSecretsAreNeverFlags(t *testing.T) {
	for _, s := range config.Settings() {
		if s.Secret && !strings.HasSuffix(s.Flag(), "-file") {
			t.Errorf("%s has the flag --%s", s.Env, s.Flag())
		}
	}
}

// TestDocumentationListsEverySetting holds docs/configuration.md to the table.
func TestDocumentationListsEverySetting(t *testing.T) {
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range config.Settings() {
		row := "| `" + s.Env + "` | `--" + s.Flag() + "` | "
		if s.Default != "" {
			row += "`" + s.Default + "`"
		}
		row += " | " + s.Meaning + " |"
		if !strings.Contains(string(page), row+"\n") {
			t.Errorf("docs/configuration.md lacks the row:\n%s", row)
		}
	}
}

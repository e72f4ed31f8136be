package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/strait-sts/strait/internal/client"
	"github.com/strait-sts/strait/internal/exchange"
)

// The defaults of the client commands, as docs/configuration.md has them.
const (
	defaultAdminURL = "http://127.0.0.1:8081"
	defaultDataDir  = ".strait"
	defaultIssuer   = "http://localhost:8080"
)

// setting looks up an environment variable; "" is unset.
func (p *Process) setting(name, otherwise string) string {
	value, _ := p.Env(name)
	return cmp.Or(value, otherwise)
}

// connect makes the client that the commands call the admin API with.
func (p *Process) connect() (*client.Client, error) {
	token, err := p.adminToken()
	if err != nil {
		return nil, err
	}
	return client.New(p.setting("STRAIT_ADMIN_URL", defaultAdminURL), token)
}

// anonymous is a client without a token, for /readyz.
func (p *Process) anonymous() (*client.Client, error) {
	return client.New(p.setting("STRAIT_ADMIN_URL", defaultAdminURL), "")
}

// adminToken finds the administrator's token: STRAIT_ADMIN_TOKEN, else the file
// of STRAIT_ADMIN_TOKEN_FILE, else the one that serve generated.
func (p *Process) adminToken() (exchange.Secret, error) {
	if token, err := p.secret("STRAIT_ADMIN_TOKEN"); token != "" || err != nil {
		return token, err
	}
	path := filepath.Join(p.setting("STRAIT_DATA_DIR", defaultDataDir), "admin-token")
	token, err := readSecret(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("no admin token: set STRAIT_ADMIN_TOKEN or STRAIT_ADMIN_TOKEN_FILE, or STRAIT_DATA_DIR to the server's data folder (%s is not there)", path)
	}
	return token, err
}

// secret looks up a secret's variable, else the file that its …_FILE names; ""
// is unset.
func (p *Process) secret(name string) (exchange.Secret, error) {
	if value := p.setting(name, ""); value != "" {
		return exchange.Secret(value), nil
	}
	if path := p.setting(name+"_FILE", ""); path != "" {
		return readSecret(path)
	}
	return "", nil
}

// readSecret reads a secret's file, without the newline that editors leave.
func readSecret(path string) (exchange.Secret, error) {
	text, err := os.ReadFile(path) //nolint:gosec // G304: the caller names the file
	if err != nil {
		return "", fmt.Errorf("the secret's file cannot be read: %w", err)
	}
	return trimSecret(path, text)
}

func trimSecret(name string, text []byte) (exchange.Secret, error) {
	secret := strings.TrimRight(string(text), "\r\n")
	if secret == "" {
		return "", fmt.Errorf("%s is empty", name)
	}
	return exchange.Secret(secret), nil
}

// readToken reads a token from a file, or from standard input for "-".
func (p *Process) readToken(path string) (exchange.Secret, error) {
	if path != "-" {
		return readSecret(path)
	}
	text, err := io.ReadAll(p.In)
	if err != nil {
		return "", fmt.Errorf("standard input: %w", err)
	}
	return trimSecret("standard input", text)
}

package console

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
	DefaultAdminURL = "http://127.0.0.1:8081"
	defaultDataDir  = ".strait"
	DefaultIssuer   = "http://localhost:8080"
)

// Setting looks up an environment variable; "" is unset.
func (p *Process) Setting(name, otherwise string) string {
	value, _ := p.Env(name)
	return cmp.Or(value, otherwise)
}

// Connect makes the client that the commands call the admin API with.
func (p *Process) Connect() (*client.Client, error) {
	token, err := p.adminToken()
	if err != nil {
		return nil, err
	}
	return client.New(p.Setting("STRAIT_ADMIN_URL", DefaultAdminURL), token)
}

// Anonymous is a client without a token, for /readyz.
func (p *Process) Anonymous() (*client.Client, error) {
	return client.New(p.Setting("STRAIT_ADMIN_URL", DefaultAdminURL), "")
}

// adminToken finds the administrator's token: STRAIT_ADMIN_TOKEN, else the file
// of STRAIT_ADMIN_TOKEN_FILE, else the one that serve generated.
func (p *Process) adminToken() (exchange.Secret, error) {
	if token, err := p.secret("STRAIT_ADMIN_TOKEN"); token != "" || err != nil {
		return token, err
	}
	path := filepath.Join(p.Setting("STRAIT_DATA_DIR", defaultDataDir), "admin-token")
	token, err := ReadSecret(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("no admin token: set STRAIT_ADMIN_TOKEN or STRAIT_ADMIN_TOKEN_FILE, or STRAIT_DATA_DIR to the server's data folder (%s is not there)", path)
	}
	return token, err
}

// secret looks up a secret's variable, else the file that its …_FILE names; ""
// is unset.
func (p *Process) secret(name string) (exchange.Secret, error) {
	if value := p.Setting(name, ""); value != "" {
		return exchange.Secret(value), nil
	}
	if path := p.Setting(name+"_FILE", ""); path != "" {
		return ReadSecret(path)
	}
	return "", nil
}

// ReadSecret reads a secret's file, without the newline that editors leave.
func ReadSecret(path string) (exchange.Secret, error) {
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

// ReadToken reads a token from a file, or from standard input for "-".
func (p *Process) ReadToken(path string) (exchange.Secret, error) {
	if path != "-" {
		return ReadSecret(path)
	}
	text, err := io.ReadAll(p.In)
	if err != nil {
		return "", fmt.Errorf("standard input: %w", err)
	}
	return trimSecret("standard input", text)
}

// Database is a database's URL, which migrate cannot do without.
func (p *Process) Database(name string) (exchange.Secret, error) {
	value, err := p.secret(name)
	if err == nil && value == "" {
		err = fmt.Errorf("%s or %s_FILE is needed (the embedded database migrates itself)", name, name)
	}
	return value, err
}

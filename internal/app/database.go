package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/keyring"
	"github.com/strait-sts/strait/internal/pgserver"
	"github.com/strait-sts/strait/internal/postgres"
	"github.com/strait-sts/strait/internal/telemetry"
)

// openDatabase opens the database that the configuration names, or our own,
// and refuses one that is behind or whose role may change records.
func (a *App) openDatabase(ctx context.Context) error {
	app, owner := a.cfg.DatabaseURL, a.cfg.DatabaseOwnerURL
	migrate := a.cfg.AutoMigrate
	if app == "" {
		if err := a.startPostgres(ctx); err != nil {
			return err
		}
		app, owner = exchange.Secret(a.postgres.AppURL()), exchange.Secret(a.postgres.OwnerURL())
		migrate = true
		if err := a.ensureAdminToken(); err != nil {
			return err
		}
	}
	if migrate {
		role, err := roleOf(app)
		if err != nil {
			return err
		}
		if err := postgres.Migrate(ctx, owner.Reveal(), role); err != nil {
			return err
		}
	}
	var err error
	if a.db, err = postgres.Open(ctx, app.Reveal(), postgres.Options{Logger: a.log}); err != nil {
		return err
	}
	pending, err := postgres.Pending(ctx, app.Reveal())
	if err != nil {
		return err
	}
	if pending {
		return errors.New("the schema is behind this program: run strait migrate up, or set STRAIT_MIGRATE=auto")
	}
	return a.db.CheckPrivileges(ctx)
}

func (a *App) startPostgres(ctx context.Context) (err error) {
	a.postgres, err = pgserver.Start(ctx, pgserver.Config{DataDir: a.cfg.DataDir, BinDir: a.cfg.PostgresBin, Logger: a.log})
	return err
}

// roleOf is the role that a database URL names.
func roleOf(database exchange.Secret) (string, error) {
	u, err := url.Parse(database.Reveal())
	if err != nil || u.User.Username() == "" {
		return "", errors.New("STRAIT_DATABASE_URL names no role: write postgres://role:password@host/database")
	}
	return u.User.Username(), nil
}

// ensureAdminToken reads the admin token of the data folder, or makes one there
// for its owner alone.
func (a *App) ensureAdminToken() error {
	if a.cfg.AdminToken != "" {
		return nil
	}
	path := filepath.Join(a.cfg.DataDir, "admin-token")
	text, err := os.ReadFile(path) //nolint:gosec // G304: in the data folder
	if errors.Is(err, fs.ErrNotExist) {
		token := rand.Text() + rand.Text()
		if err := os.WriteFile(path, []byte(token+"\n"), 0o600); err != nil {
			return fmt.Errorf("write the admin token: %w", err)
		}
		text = []byte(token)
	} else if err != nil {
		return fmt.Errorf("read the admin token: %w", err)
	}
	a.cfg.AdminToken = exchange.Secret(strings.TrimSpace(string(text)))
	if a.cfg.AdminToken == "" {
		return fmt.Errorf("%s is empty: remove it, and the next start makes another", path)
	}
	return nil
}

// openKeys opens the key-encryption key and the ring of signing keys.
func (a *App) openKeys(ctx context.Context) error {
	sealed, err := a.db.Sealed(ctx)
	if err != nil {
		return err
	}
	kek, err := keyring.OpenKEK(a.cfg.KeysDir, keyring.KEKsInUse(sealed))
	if err != nil {
		return err
	}
	a.ring, err = keyring.Open(ctx, a.db, kek, keyring.Options{Clock: a.clock, Logger: a.log})
	return err
}

func (a *App) poolStats() telemetry.PoolStats {
	s := a.db.Stats()
	return telemetry.PoolStats{Acquired: s.InUse, Idle: s.Idle, Max: s.Max, Waited: s.Waits}
}

package cli

import (
	"context"
	"errors"
	"net/url"
	"runtime/debug"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/strait-sts/strait/internal/app"
	"github.com/strait-sts/strait/internal/cli/console"
	"github.com/strait-sts/strait/internal/config"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/postgres"
)

func newServe(p *console.Process) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Long: `Runs the server. Without STRAIT_DATABASE_URL it runs its own private PostgreSQL in the data folder.

When it is ready it prints one line, "ready public=<addr> admin=<addr>"; SIGTERM or Ctrl-C ends it gently.
Every flag is a setting of docs/configuration.md; a flag wins over its environment variable.`,
		Example: `  strait serve
  strait serve --public-addr :9080 --data-dir /var/lib/strait
  STRAIT_DATABASE_URL_FILE=/run/secrets/db STRAIT_ADMIN_TOKEN_FILE=/run/secrets/admin strait serve`,
		Args: console.Args(0, 0),
	}
	for _, s := range config.Settings() {
		meaning := s.Meaning + " (" + s.Env + ")"
		if s.Secret {
			meaning = "file with: " + meaning
		}
		cmd.Flags().String(s.Flag(), s.Default, meaning)
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		flags := map[string]string{}
		cmd.Flags().Visit(func(f *pflag.Flag) { flags[f.Name] = f.Value.String() })
		cfg, err := config.Load(p.Env, p.EnvNames, flags)
		if err != nil {
			return err
		}
		if cfg.GCPercent > 0 {
			debug.SetGCPercent(cfg.GCPercent) // here alone: it is the whole process's
		}
		return app.Run(cmd.Context(), cfg, p.Out, app.Options{Version: release(), Log: p.Err, Clock: p.Clock})
	}
	return cmd
}

func newMigrate(p *console.Process) *cobra.Command {
	return console.Group(&cobra.Command{
		Use:   "migrate",
		Short: "Apply or show the migrations of an external database",
		Long: `Works on the database of STRAIT_DATABASE_OWNER_URL, with the owner's role; STRAIT_DATABASE_URL names the
application's role, which is granted what it needs and no more. The embedded database migrates itself.`,
		Example: `  strait migrate status
  strait migrate up`,
	}, newMigrateUp(p), newMigrateStatus(p))
}

func newMigrateUp(p *console.Process) *cobra.Command {
	return &cobra.Command{
		Use:     "up",
		Short:   "Apply what is pending",
		Example: `  STRAIT_DATABASE_OWNER_URL_FILE=/run/secrets/owner STRAIT_DATABASE_URL_FILE=/run/secrets/db strait migrate up`,
		Args:    console.Args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			owner, err := p.Database("STRAIT_DATABASE_OWNER_URL")
			if err != nil {
				return err
			}
			application, err := p.Database("STRAIT_DATABASE_URL")
			if err != nil {
				return err
			}
			role, err := roleOf(application)
			if err != nil {
				return err
			}
			if err := postgres.Migrate(cmd.Context(), owner.Reveal(), role); err != nil {
				return err
			}
			return showMigrations(cmd.Context(), p, owner)
		},
	}
}

func newMigrateStatus(p *console.Process) *cobra.Command {
	return &cobra.Command{
		Use:     "status",
		Short:   "Show which migrations are applied; exit 1 where one is pending",
		Example: `  strait migrate status`,
		Args:    console.Args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			owner, err := p.Database("STRAIT_DATABASE_OWNER_URL")
			if err != nil {
				return err
			}
			return showMigrations(cmd.Context(), p, owner)
		},
	}
}

// roleOf is the role that a database URL names.
func roleOf(database exchange.Secret) (string, error) {
	u, err := url.Parse(database.Reveal())
	if err != nil || u.User.Username() == "" {
		return "", errors.New("STRAIT_DATABASE_URL names no role; want postgres://role:password@host/database")
	}
	return u.User.Username(), nil
}

func showMigrations(ctx context.Context, p *console.Process, owner exchange.Secret) error {
	migrations, err := postgres.Status(ctx, owner.Reveal())
	if err != nil {
		return err
	}
	pending := false
	rows := make([][]string, len(migrations))
	for i, m := range migrations {
		state := "applied"
		if !m.Applied {
			state, pending = "pending", true
		}
		rows[i] = []string{m.Name, state}
	}
	if err := console.Table(p.Out, []string{"MIGRATION", "STATE"}, rows); err != nil {
		return err
	}
	if pending {
		return &console.Silent{}
	}
	return nil
}

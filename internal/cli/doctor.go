package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/strait-sts/strait/internal/cli/console"
	"github.com/strait-sts/strait/internal/config"
	"github.com/strait-sts/strait/internal/pgserver"
)

// examination is one thing that doctor looks at: a line of good news, or an
// error with the mend.
type examination struct {
	what string
	look func(context.Context) (string, error)
}

func newDoctor(p *console.Process) *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Look for what is wrong here, and say how to mend it",
		Long: `Looks at the settings, the folders, the PostgreSQL programs and the admin API from where it runs, and
prints a line for each. Exit code 1 where something is wrong.`,
		Example: `  strait doctor`,
		Args:    console.Args(0, 0),
		RunE:    func(cmd *cobra.Command, _ []string) error { return doctor(cmd.Context(), p) },
	}
}

func doctor(ctx context.Context, p *console.Process) error {
	cfg, settings := config.Load(p.Env, p.EnvNames, nil)
	examinations := []examination{
		{"settings", func(context.Context) (string, error) { return "valid", settings }},
		{"keys", func(context.Context) (string, error) { return private(cfg.KeysDir) }},
		{"postgresql", func(context.Context) (string, error) { return postgresql(cfg) }}, //nolint:contextcheck // it looks at files
		{"server", func(ctx context.Context) (string, error) { return lookServer(ctx, p) }},
		{"token", func(ctx context.Context) (string, error) { return lookToken(ctx, p) }},
	}
	ill := false
	for _, e := range examinations {
		news, err := e.look(ctx)
		if err != nil {
			ill = true
			p.Printf("WRONG  %-10s  %s\n", e.what, strings.ReplaceAll(err.Error(), "\n", "\n                   "))
			continue
		}
		p.Printf("ok     %-10s  %s\n", e.what, news)
	}
	if ill {
		return &console.Silent{}
	}
	return nil
}

// private: nobody but the owner may enter the folder of the key-encryption
// keys.
func private(dir string) (string, error) {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return dir + " is not there yet; the first start makes it", nil
	case err != nil:
		return "", err
	case !info.IsDir():
		return "", fmt.Errorf("%s is no folder; STRAIT_KEYS_DIR names another", dir)
	case info.Mode().Perm()&0o022 != 0:
		return "", fmt.Errorf("others may write to %s; chmod go-w %s", dir, dir)
	}
	return dir, nil
}

func postgresql(cfg config.Config) (string, error) {
	if cfg.DatabaseURL != "" {
		return "STRAIT_DATABASE_URL is set; the embedded one is not used", nil
	}
	programs, err := pgserver.Find(cfg.PostgresBin)
	return fmt.Sprintf("PostgreSQL %d in %s", programs.Major, programs.Dir), err
}

func lookServer(ctx context.Context, p *console.Process) (string, error) {
	c, err := p.Anonymous()
	if err != nil {
		return "", err
	}
	return "ready at " + p.Setting("STRAIT_ADMIN_URL", console.DefaultAdminURL), c.Ready(ctx)
}

func lookToken(ctx context.Context, p *console.Process) (string, error) {
	c, err := p.Connect()
	if err != nil {
		return "", err
	}
	me, err := c.Whoami(ctx)
	return fmt.Sprintf("admits %s as %s", me.Name, me.Role), err
}

package cli

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/strait-sts/strait/internal/cli/console"
	"github.com/strait-sts/strait/internal/cli/judge"
	"github.com/strait-sts/strait/internal/cli/objects"
	"github.com/strait-sts/strait/internal/cli/records"
	"github.com/strait-sts/strait/internal/config"
)

// The exit codes of every command.
const (
	exitDone   = 0
	exitFailed = 1 // it failed, or there is a difference, or the answer was a refusal
	exitUsage  = 2 // the command line is wrong
)

// Process is what a command has of the process that it runs in.
type Process = console.Process

// Main is strait as the operating system starts it: it runs the command line of
// this process until it ends, or until an interrupt or SIGTERM asks it to.
func Main() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return Run(ctx, Process{
		Args: os.Args[1:], Env: config.OS(), EnvNames: config.Names(),
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Clock: time.Now,
	})
}

// Run executes one command line and gives its exit code. The end of ctx stops
// serve and abandons a call.
func Run(ctx context.Context, p Process) int {
	root := newRoot(&p) //nolint:contextcheck // cobra hands the context to each command
	root.SetArgs(p.Args)
	root.SetIn(p.In)
	root.SetOut(p.Out)
	root.SetErr(p.Err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	var s *console.Silent
	if errors.As(err, &s) {
		return exitFailed
	}
	p.Note("strait: %s\n", err)
	var u *console.UsageError
	if errors.As(err, &u) {
		return exitUsage
	}
	return exitFailed
}

// newRoot builds the tree of commands.
func newRoot(p *console.Process) *cobra.Command {
	root := &cobra.Command{
		Use:   "strait",
		Short: "An OAuth 2.0 token exchange server (RFC 8693)",
		Long: `Strait trades the token that a gateway or a service holds for a narrower one for the next hop.

strait serve runs the server. The other commands call its admin API at STRAIT_ADMIN_URL with the token
of STRAIT_ADMIN_TOKEN, STRAIT_ADMIN_TOKEN_FILE or $STRAIT_DATA_DIR/admin-token.

Exit codes: 0 done, 1 failed (or: there is a difference, or the exchange was refused), 2 wrong usage.`,
		Example: `  strait serve
  strait apply -f examples/quickstart
  strait audit list --decision denied`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return console.WrongUsage(err) })
	root.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return console.Usage("there is no command %q; strait --help lists them", args[0])
		}
		return cmd.Help()
	}
	root.Args = cobra.ArbitraryArgs
	root.AddCommand(
		newServe(p), newMigrate(p),
		objects.Apply(p), objects.Diff(p), objects.Get(p), objects.Delete(p),
		judge.Exchange(p), judge.Explain(p), judge.Test(p), judge.Lint(p), judge.Reach(p), records.Audit(p), records.Revoke(p), objects.Keys(p),
		newDoctor(p), newHealthcheck(p), newVersion(p),
	)
	return root
}

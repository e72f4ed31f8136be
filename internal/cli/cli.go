package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/strait-sts/strait/internal/config"
)

// The exit codes of every command.
const (
	exitDone   = 0
	exitFailed = 1 // it failed, or there is a difference, or the answer was a refusal
	exitUsage  = 2 // the command line is wrong
)

// Process is what a command has of the process that it runs in.
type Process struct {
	Args     []string // without the program's name
	Env      config.Environment
	EnvNames []string
	In       io.Reader
	Out, Err io.Writer
	Clock    func() time.Time
}

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
	var s *silent
	if errors.As(err, &s) {
		return exitFailed
	}
	p.note("strait: %s\n", err)
	var u *usageError
	if errors.As(err, &u) {
		return exitUsage
	}
	return exitFailed
}

// printf writes to standard output, note to standard error. Who closed the pipe
// does not want to hear more, so errors of theirs are none of ours.
func (p *Process) printf(format string, args ...any) { _, _ = fmt.Fprintf(p.Out, format, args...) }
func (p *Process) note(format string, args ...any)   { _, _ = fmt.Fprintf(p.Err, format, args...) }

// silent ends a command with exit code 1 when everything has been said.
type silent struct{}

func (*silent) Error() string { return "failed" }

// usageError is a wrong command line.
type usageError struct{ err error }

func (u *usageError) Error() string { return u.err.Error() }
func (u *usageError) Unwrap() error { return u.err }

func usage(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}

// newRoot builds the tree of commands.
func newRoot(p *Process) *cobra.Command {
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
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	root.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usage("there is no command %q; strait --help lists them", args[0])
		}
		return cmd.Help()
	}
	root.Args = cobra.ArbitraryArgs
	root.AddCommand(
		newServe(p), newMigrate(p),
		newApply(p), newDiff(p), newGet(p), newDelete(p),
		newExchange(p), newExplain(p), newTest(p), newLint(p), newReach(p), newAudit(p), newRevoke(p), newKeys(p),
		newDoctor(p), newHealthcheck(p), newVersion(p),
	)
	return root
}

// group makes a command that only has commands below it.
func group(cmd *cobra.Command, below ...*cobra.Command) *cobra.Command {
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usage("there is no command %q; %s --help lists them", cmd.CommandPath()+" "+args[0], cmd.CommandPath())
		}
		return cmd.Help()
	}
	cmd.AddCommand(below...)
	return cmd
}

// args checks the number of arguments, as a matter of usage.
func args(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, given []string) error {
		if len(given) < least || len(given) > most {
			return usage("want: %s (%s --help says more)", cmd.UseLine(), cmd.CommandPath())
		}
		return nil
	}
}

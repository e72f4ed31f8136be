package console

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/strait-sts/strait/internal/config"
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

// Printf writes to standard output. Who closed the pipe does not want to hear
// more, so errors of theirs are none of ours.
func (p *Process) Printf(format string, args ...any) { _, _ = fmt.Fprintf(p.Out, format, args...) }

// Note writes to standard error.
func (p *Process) Note(format string, args ...any) { _, _ = fmt.Fprintf(p.Err, format, args...) }

// Silent is an error that ends a command with exit code 1 when everything has been said.
type Silent struct{}

func (*Silent) Error() string { return "failed" }

// UsageError is a wrong command line: exit code 2.
type UsageError struct{ err error }

func (u *UsageError) Error() string { return u.err.Error() }

func (u *UsageError) Unwrap() error { return u.err }

// WrongUsage makes an error one of usage: exit code 2.
func WrongUsage(err error) error { return &UsageError{err} }

// Usage is a wrong command line, in words.
func Usage(format string, args ...any) error {
	return &UsageError{fmt.Errorf(format, args...)}
}

// Group makes a command that only has commands below it.
func Group(cmd *cobra.Command, below ...*cobra.Command) *cobra.Command {
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return noCommand(cmd, args[0])
		}
		return cmd.Help()
	}
	cmd.AddCommand(below...)
	return cmd
}

func noCommand(cmd *cobra.Command, word string) error {
	return Usage("there is no command %q; %s --help lists them", cmd.CommandPath()+" "+word, cmd.CommandPath())
}

// Args checks the number of arguments, as a matter of usage. One too many for a
// command that has commands below it was meant to be one of those.
func Args(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, given []string) error {
		if len(given) > most && cmd.HasSubCommands() {
			return noCommand(cmd, given[most])
		}
		if len(given) < least || len(given) > most {
			return Usage("want: %s (%s --help says more)", cmd.UseLine(), cmd.CommandPath())
		}
		return nil
	}
}

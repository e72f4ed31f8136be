package cli

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/strait-sts/strait/internal/cli/console"
)

func newHealthcheck(p *console.Process) *cobra.Command {
	return &cobra.Command{
		Use:   "healthcheck",
		Short: "Exit 0 if the server is ready: the probe of containers",
		Long:  "Asks GET /readyz at STRAIT_ADMIN_URL. It needs no token and prints nothing where all is well.",
		Example: `  strait healthcheck && echo ready
  HEALTHCHECK CMD ["/strait", "healthcheck"]`,
		Args: console.Args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := p.Anonymous()
			if err != nil {
				return err
			}
			return c.Ready(cmd.Context())
		},
	}
}

func newVersion(p *console.Process) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: `  strait version`,
		Args:    console.Args(0, 0),
		RunE: func(*cobra.Command, []string) error {
			p.Printf("%s\n", versionLine())
			return nil
		},
	}
}

// version is the release, set by the linker (-X); empty where it was built
// without the Makefile.
var version string

// release is the version in a word.
func release() string { return cmp.Or(version, "devel") }

// versionLine names the release, the commit it was built from and the platform.
func versionLine() string {
	commit := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				commit = " commit " + s.Value[:12]
			}
		}
	}
	return fmt.Sprintf("strait %s%s %s %s/%s", release(), commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

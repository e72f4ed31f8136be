package objects

import (
	"encoding/json"
	"time"

	"github.com/spf13/cobra"

	"github.com/strait-sts/strait/internal/cli/console"
)

// Keys is strait keys.
func Keys(p *console.Process) *cobra.Command {
	return console.Group(&cobra.Command{
		Use:     "keys",
		Short:   "Look at the signing keys",
		Example: `  strait keys list`,
	}, newKeysList(p))
}

func newKeysList(p *console.Process) *cobra.Command {
	var output console.Format
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the signing keys; never their private side",
		Example: `  strait keys list -o yaml`,
		Args:    console.Args(0, 0),
	}
	console.OutputFlag(cmd, &output, console.FormatTable)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := p.Connect()
		if err != nil {
			return err
		}
		keys, err := c.Keys(cmd.Context())
		if err != nil {
			return err
		}
		if output != console.FormatTable {
			text, err := json.Marshal(keys)
			if err != nil {
				return err
			}
			return console.PrintOne(p.Out, output, text)
		}
		rows := make([][]string, len(keys))
		for i, k := range keys {
			rows[i] = []string{k.ID, k.Algorithm, k.State, k.Created.UTC().Format(time.RFC3339)}
		}
		return console.Table(p.Out, []string{"KID", "ALGORITHM", "STATE", "CREATED"}, rows)
	}
	return cmd
}

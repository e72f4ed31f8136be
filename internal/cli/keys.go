package cli

import (
	"encoding/json"
	"time"

	"github.com/spf13/cobra"
)

func newKeys(p *Process) *cobra.Command {
	return group(&cobra.Command{
		Use:     "keys",
		Short:   "Look at the signing keys",
		Example: `  strait keys list`,
	}, newKeysList(p))
}

func newKeysList(p *Process) *cobra.Command {
	var output format
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the signing keys; never their private side",
		Example: `  strait keys list -o yaml`,
		Args:    args(0, 0),
	}
	outputFlag(cmd, &output, formatTable)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := p.connect()
		if err != nil {
			return err
		}
		keys, err := c.Keys(cmd.Context())
		if err != nil {
			return err
		}
		if output != formatTable {
			text, err := json.Marshal(keys)
			if err != nil {
				return err
			}
			return printOne(p.Out, output, text)
		}
		rows := make([][]string, len(keys))
		for i, k := range keys {
			rows[i] = []string{k.ID, k.Algorithm, k.State, k.Created.UTC().Format(time.RFC3339)}
		}
		return table(p.Out, []string{"KID", "ALGORITHM", "STATE", "CREATED"}, rows)
	}
	return cmd
}

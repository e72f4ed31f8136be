package records

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/strait-sts/strait/internal/cli/console"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/lineage"
)

// lineWidth is how wide a tree is drawn where nothing is said.
const lineWidth = 120

func newAuditLineage(p *console.Process) *cobra.Command {
	var output console.Format
	style := lineage.Style{}
	cmd := &cobra.Command{
		Use:   "lineage ID",
		Short: "Draw the tree that an exchange is in: from its root down to all that was made of it",
		Long: `Draws the tree that an exchange is in: from its root, whose subject token was another issuer's, down to all that was made of
the root's token, denied attempts (✗) among them. Any exchange of the tree finds all of it and is marked (▶). Ids are cut to
an end that no other of the tree has.`,
		Example: `  strait audit lineage 0198c1d2-7a10-7c3e-9f00-2b1f6f1d3a55
  strait audit lineage 0198c1d2-7a10-7c3e-9f00-2b1f6f1d3a55 -o json`,
		Args: console.Args(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if style.Width < 1 {
				return console.Usage("--width: want at least 1")
			}
			c, err := p.Connect()
			if err != nil {
				return err
			}
			answer, err := c.Lineage(cmd.Context(), exchange.ID(args[0]))
			if err != nil {
				return err
			}
			if output != console.FormatTable {
				return console.PrintOne(p.Out, output, answer)
			}
			var tree lineage.Tree
			if err := json.Unmarshal(answer, &tree); err != nil {
				return fmt.Errorf("the server's answer cannot be read: %w", err)
			}
			if tree.Root == nil {
				return errors.New("the server's answer is no lineage: it has no root")
			}
			return lineage.Draw(p.Out, &tree, style)
		},
	}
	console.OutputFlag(cmd, &output, console.FormatTable)
	cmd.Flags().IntVar(&style.Width, "width", lineWidth, "characters a line")
	cmd.Flags().BoolVar(&style.FullIDs, "full-ids", false, "show each id whole")
	return cmd
}

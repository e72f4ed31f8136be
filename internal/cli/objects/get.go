package objects

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/cli/console"
)

// Get is strait get.
func Get(p *console.Process) *cobra.Command {
	var output console.Format
	cmd := &cobra.Command{
		Use:   "get KIND [NAME]",
		Short: "Show one object, or all of a kind",
		Long:  "Shows one object (as YAML), or all objects of a kind (as a table).\n\n" + console.KindHelp,
		Example: `  strait get exchange-policies
  strait get client edge-gateway -o json
  strait get TrustedIssuer okta-prod > okta-prod.yaml`,
		Args: console.Args(1, 2),
	}
	console.OutputFlag(cmd, &output, "")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		kind, err := console.KindNamed(args[0])
		if err != nil {
			return err
		}
		c, err := p.Connect()
		if err != nil {
			return err
		}
		if len(args) == 1 {
			objects, err := c.List(cmd.Context(), kind.Plural())
			if err != nil {
				return err
			}
			if output == "" || output == console.FormatTable {
				return objectTable(p, kind, objects)
			}
			return console.PrintMany(p.Out, output, objects)
		}
		object, _, err := c.Get(cmd.Context(), kind.Plural(), args[1])
		if err != nil {
			return err
		}
		if output == console.FormatTable {
			return objectTable(p, kind, []json.RawMessage{object})
		}
		return console.PrintOne(p.Out, output, object)
	}
	return cmd
}

// summary is what a table shows of an object of any kind.
type summary struct {
	Metadata   catalog.Metadata `json:"metadata"`
	Governance struct {
		Owner    string `json:"owner"`
		ReviewBy string `json:"reviewBy"`
	} `json:"governance"`
	Spec struct {
		Issuer     string   `json:"issuer"`
		Algorithms []string `json:"algorithms"`
		Audience   string   `json:"audience"`
		Scopes     any      `json:"scopes"`
		ClientID   string   `json:"clientId"`
		Grants     []string `json:"grants"`
		Flow       string   `json:"flow"`
		Clients    []string `json:"clients"`
		Targets    []string `json:"targets"`
		Mode       string   `json:"mode"`
		Issue      struct {
			Lifetime string `json:"lifetime"`
		} `json:"issue"`
	} `json:"spec"`
	Status struct {
		Revision int64 `json:"revision"`
		Health   struct {
			State string `json:"state"`
			Keys  []struct {
				KeyID    string    `json:"kid"`
				LastSeen time.Time `json:"lastSeen"`
			} `json:"keys"`
			Fetched     time.Time `json:"fetched"`
			NextRefresh time.Time `json:"nextRefresh"`
		} `json:"health"`
	} `json:"status"`
}

// objectTable prints a line an object; the middle columns are the kind's own.
func objectTable(p *console.Process, kind catalog.Kind, objects []json.RawMessage) error {
	header, cells := columns(kind)
	header = append(append([]string{"NAME"}, header...), "MODE", "OWNER", "REVIEW BY", "REVISION")
	rows := make([][]string, len(objects))
	for i, raw := range objects {
		var o summary
		if err := json.Unmarshal(raw, &o); err != nil {
			return fmt.Errorf("object %d of the answer cannot be read: %w", i, err)
		}
		rows[i] = append([]string{o.Metadata.Name}, cells(o)...)
		rows[i] = append(rows[i], o.Spec.Mode, o.Governance.Owner, o.Governance.ReviewBy, strconv.FormatInt(o.Status.Revision, 10))
	}
	return console.Table(p.Out, header, rows)
}

func columns(kind catalog.Kind) (header []string, cells func(summary) []string) {
	list := func(items []string) string { return strings.Join(items, ",") }
	switch kind { //nolint:exhaustive // the others have no columns of their own
	case catalog.KindTrustedIssuer:
		return []string{"ISSUER", "ALGORITHMS", "STATE", "KEYS", "REFRESH"}, func(o summary) []string {
			return append([]string{o.Spec.Issuer, list(o.Spec.Algorithms)}, o.health()...)
		}
	case catalog.KindTarget:
		return []string{"AUDIENCE"}, func(o summary) []string { return []string{o.Spec.Audience} }
	case catalog.KindClient:
		return []string{"CLIENT ID", "GRANTS"}, func(o summary) []string { return []string{o.Spec.ClientID, list(o.Spec.Grants)} }
	case catalog.KindExchangePolicy:
		return []string{"FLOW", "CLIENTS", "TARGETS", "LIFETIME"}, func(o summary) []string {
			return []string{o.Spec.Flow, list(o.Spec.Clients), list(o.Spec.Targets), o.Spec.Issue.Lifetime}
		}
	}
	return nil, func(summary) []string { return nil }
}

// health is the columns that say how a trusted issuer is: its state, how many
// keys it has now, when they are fetched next.
func (o summary) health() []string {
	h := o.Status.Health
	keys, refresh := 0, ""
	for _, key := range h.Keys {
		if !key.LastSeen.Before(h.Fetched) { // older ones are gone
			keys++
		}
	}
	if !h.NextRefresh.IsZero() {
		refresh = h.NextRefresh.UTC().Format(time.RFC3339)
	}
	return []string{h.State, strconv.Itoa(keys), refresh}
}

// Delete is strait delete.
func Delete(p *console.Process) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "delete KIND NAME",
		Short: "Remove an object",
		Long:  "Removes an object, whatever its revision. What other objects name cannot be removed.\n\n" + console.KindHelp,
		Example: `  strait delete exchange-policy staff-orders
  strait delete client edge-gateway --reason "gateway retired, SEC-41"`,
		Args: console.Args(2, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			kind, err := console.KindNamed(args[0])
			if err != nil {
				return err
			}
			c, err := p.Connect()
			if err != nil {
				return err
			}
			if err := c.Delete(cmd.Context(), kind.Plural(), args[1], "*", reason); err != nil {
				return err
			}
			p.Printf("%s/%s deleted\n", kind, args[1])
			return nil
		},
	}
	console.ReasonFlag(cmd, &reason)
	return cmd
}

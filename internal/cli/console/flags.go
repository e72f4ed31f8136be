package console

import (
	"github.com/spf13/cobra"

	"github.com/strait-sts/strait/internal/catalog"
)

// FilesFlag adds -f, which may repeat.
func FilesFlag(cmd *cobra.Command, paths *[]string) {
	cmd.Flags().StringArrayVarP(paths, "filename", "f", nil, "file or folder of manifests (YAML or JSON); may repeat")
}

// KindHelp says in help what KIND is.
const KindHelp = `KIND is a kind's plural, singular or name: trusted-issuers, trusted-issuer, TrustedIssuer; likewise
targets, clients, exchange-policies, guardrails.`

// KindNamed is the kind that an argument means.
func KindNamed(word string) (catalog.Kind, error) {
	kind, ok := catalog.KindNamed(word)
	if !ok || kind.Plural() == "" {
		return "", Usage("there is no kind %q; known: trusted-issuers, targets, clients, exchange-policies, guardrails", word)
	}
	return kind, nil
}

// ReasonFlag adds --reason, which the change record keeps.
func ReasonFlag(cmd *cobra.Command, reason *string) {
	cmd.Flags().StringVar(reason, "reason", "", "why; kept in the change record")
}

package policycmd

import (
	"net/http"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/held"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/nodeclient"
)

// dataReply is the body of GET /v1/biometric-data, which -o json passes on.
type dataReply struct {
	Jurisdiction  string       `json:"jurisdiction"`
	Vocabulary    string       `json:"vocabulary"`
	BiometricData []held.Entry `json:"biometric_data"`
}

func policyData(a *cli.App) *cobra.Command {
	var nf nodeclient.Flags
	c := &cobra.Command{
		Use:   "data",
		Short: "Show the list of biometric data that the country holds",
		Long: `Shows what the running node says its country holds: each type of biometric data, whether as
samples or as templates, its source, the law and article by which it is held, and for how
long. It is the section biometric_data of tamga.yaml; peers have it from the node's metadata,
and "tamga peer show" has theirs.`,
		Example: `  tamga policy data --dir kgz
  tamga policy data --dir kgz -o json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var out dataReply
			cl, err := nf.Client()
			if err == nil {
				err = cl.Call(c.Context(), http.MethodGet, "/v1/biometric-data", "", nil, &out)
			}
			if err != nil {
				return err
			}
			rows := [][2]string{{"country", out.Jurisdiction}}
			for _, e := range out.BiometricData {
				rows = append(rows, [2]string{"holds", e.Words()})
			}
			if len(out.BiometricData) == 0 {
				a.Say("hint: the section biometric_data of tamga.yaml says what the country holds")
			}
			return a.Emit(out, rows)
		},
	}
	nf.Add(c.Flags())
	return c
}

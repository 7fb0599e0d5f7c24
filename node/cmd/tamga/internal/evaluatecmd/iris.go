package evaluatecmd

import (
	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/matcher/evaluate/modality"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/datafolder"
	"github.com/tamga-id/tamga/node/evaluation"
)

func evaluateIrisCommand(a *cli.App) *cobra.Command {
	var f evaluationFlags
	c := &cobra.Command{
		Use:   "iris",
		Short: "Iris codes: codes2048.bin and codes2048.tsv",
		Long: `DIR holds codes2048.bin, 256 octets of code and 256 of mask a row (128 angles by 8 bands by
2 bits, angle-major, most significant bit first; mask 1 where the code may be used), and
codes2048.tsv with the columns row, eye, sample. All pairs of an eye are mated, all others not.`,
		Example: `  tamga evaluate iris --data irises/ -o json`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o, err := newEvaluation(a, f)
			if err != nil {
				return err
			}
			irises, folder, err := evaluation.ReadIrises(f.data)
			if err != nil {
				return datafolder.Unreadable(err)
			}
			datafolder.Tell(a, folder)
			r, err := modality.Iris(c.Context(), irises.Eyes, irises.Samples, o)
			return evaluated(a, f, r, nil, err)
		},
	}
	f.add(c, "folder of iris codes (required)")
	return c
}

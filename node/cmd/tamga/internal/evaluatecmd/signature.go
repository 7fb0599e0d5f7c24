package evaluatecmd

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/matcher/evaluate"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/datafolder"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/evaluation"
)

func evaluateSignatureCommand(a *cli.App) *cobra.Command {
	var f evaluationFlags
	references := 5
	c := &cobra.Command{
		Use:   "signature",
		Short: "Handwritten signatures: UnSm.TXT in the text format of SVC2004",
		Long: `DIR holds text files of SVC2004 named for writer and number, for instance U7S21.TXT: 1 to 20 are
genuine, 21 to 40 skilled forgeries. Each writer's first five are references. eer is of his
other signatures against the forgeries at one threshold for all; eer_per_writer at a threshold
for each, as in the competition; eer_random, and random, against other writers' signatures.`,
		Example: `  tamga evaluate signature --data svc2004/ -o json`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o, err := newEvaluation(a, f)
			if err != nil {
				return err
			}
			samples, folder, err := evaluation.ReadSignatures(f.data)
			if err != nil {
				return datafolder.Unreadable(err)
			}
			datafolder.Tell(a, folder)
			r, err := evaluate.Signature(c.Context(), samples, references, o)
			return evaluatedSignatures(a, f, r, err)
		},
	}
	f.add(c, "folder of signatures (required)")
	c.Flags().IntVar(&references, "references", references, "signatures that each writer enrols, 3 to 10")
	return c
}

// evaluatedSignatures gives out a report with the figures that only signatures
// have: in JSON beside the others.
func evaluatedSignatures(a *cli.App, f evaluationFlags, r evaluate.SignatureReport, err error) error {
	if errors.Is(err, evaluate.ErrSignatures) {
		return fault.Usage("--references takes 3 to 10")
	}
	figures := []evaluation.Figure{
		{Name: "EER, skilled, a threshold for each writer", Rate: r.EERPerWriter},
		{Name: "EER, random forgeries", Rate: r.EERRandom},
	}
	if err != nil || a.Format == "table" || a.Format == "html" {
		return evaluated(a, f, r.Report, figures, err)
	}
	if f.plots != "" {
		if err := plot(a, f, r.Report); err != nil {
			return err
		}
	}
	return a.Emit(r, nil)
}

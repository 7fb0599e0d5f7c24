package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/matcher/evaluate"
	"github.com/tamga-id/tamga/node/evaluation"
)

func (a *app) evaluateSignatureCommand() *cobra.Command {
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
			o, err := a.evaluation(f)
			if err != nil {
				return err
			}
			samples, folder, err := evaluation.ReadSignatures(f.data)
			if err != nil {
				return unreadable(err)
			}
			a.tell(folder)
			r, err := evaluate.Signature(c.Context(), samples, references, o)
			return a.evaluatedSignatures(f, r, err)
		},
	}
	f.add(c, "folder of signatures (required)")
	c.Flags().IntVar(&references, "references", references, "signatures that each writer enrols, 3 to 10")
	return c
}

// evaluatedSignatures gives out a report with the figures that only signatures
// have: in JSON beside the others.
func (a *app) evaluatedSignatures(f evaluationFlags, r evaluate.SignatureReport, err error) error {
	if errors.Is(err, evaluate.ErrSignatures) {
		return usage("--references takes 3 to 10")
	}
	figures := []evaluation.Figure{
		{Name: "EER, skilled, a threshold for each writer", Rate: r.EERPerWriter},
		{Name: "EER, random forgeries", Rate: r.EERRandom},
	}
	if err != nil || a.format == "table" || a.format == "html" {
		return a.evaluated(f, r.Report, figures, err)
	}
	if f.plots != "" {
		if err := a.plot(f, r.Report); err != nil {
			return err
		}
	}
	return a.emit(r, nil)
}

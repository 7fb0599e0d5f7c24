// Package evaluatecmd is `tamga evaluate`: error rates of the matcher, by data that somebody has.
package evaluatecmd

import (
	"github.com/spf13/cobra"

	"github.com/tamga-id/tamga/matcher/evaluate/modality"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/datafolder"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/fault"
	"github.com/tamga-id/tamga/node/evaluation"
)

// Command is `tamga evaluate`.
func Command(a *cli.App) *cobra.Command {
	c := &cobra.Command{
		Use:   "evaluate",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
		Short: "Measure the matcher's error rates on your own data",
		Long: `Compares all mated and non-mated pairs of a data set and reports ISO/IEC 19795-1 error
rates as fractions: EER, FNMR at FMR 1e-2 to 1e-6, failures to acquire, rank-k and FNIR at
FPIR for 1:N, each with its confidence interval. Nothing leaves the machine and no score is
printed per person.

A rate that the number of comparisons cannot show is null, with the reason in
not_measurable; one that it can show but not claim is marked indicative in support.

A file groups.tsv in the data folder, or --groups, adds differentials by group: its first
column is subject (for fingers SET_FINGER), each other column an attribute such as sex.
A table that names nobody of the data is an error.

-o html writes one page for a laboratory, with curves, without scripts; --plots DIR writes
the curves as SVG and PNG.`,
		Example: `  tamga evaluate finger --data templates/ -o json
  tamga evaluate face --data faces/ -o html > report.html
  tamga evaluate finger --data templates/ --plots pictures/`,
		// Cobra runs the innermost of these only, so this one replaces the root's.
		PersistentPreRunE: func(*cobra.Command, []string) error {
			switch a.Format {
			case "table", "json", "ndjson", "html":
				return nil
			}
			return fault.Usage("-o takes table, json, ndjson or html")
		},
	}
	c.AddCommand(evaluateFingerCommand(a), evaluateFaceCommand(a), evaluateIrisCommand(a), evaluateSignatureCommand(a), evaluateCompareCommand(a))
	return c
}

func evaluateFingerCommand(a *cli.App) *cobra.Command {
	var f evaluationFlags
	var against string
	c := &cobra.Command{
		Use:   "finger",
		Short: "Fingerprint templates: *.iso files named SET_FINGER_IMPRESSION.iso",
		Long: `DIR holds ISO/IEC 19794-2 records named SET_FINGER_IMPRESSION.iso, for instance
fvc2002_DB1_B_101_1.iso. In each set all impression pairs of a finger are mated and all
pairs of different fingers non-mated. eer and fnmr_at_fmr are means over the sets that have
the figure, mean_leaves_out names the others; pooled holds the same under one threshold over all.

With --against, probes come from --data and references from the other folder, which holds
the same impressions from another extractor. An impression is not compared with itself.`,
		Example: `  tamga evaluate finger --data templates/ -o json
  tamga evaluate finger --data secugen/ --against fingerjetfx/ -o json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o, err := newEvaluation(a, f)
			if err != nil {
				return err
			}
			templates, folder, err := evaluation.ReadFingers(f.data)
			if err != nil {
				return datafolder.Unreadable(err)
			}
			datafolder.Tell(a, folder)
			if against == "" {
				r, err := modality.Finger(c.Context(), templates, o)
				return evaluated(a, f, r, nil, err)
			}
			references, folder, err := evaluation.ReadFingers(against)
			if err != nil {
				return datafolder.Unreadable(err)
			}
			datafolder.Tell(a, folder)
			f.against = against
			r, err := modality.FingerAgainst(c.Context(), templates, references, o)
			if err == nil && r.Mated+r.NonMated == 0 {
				return fault.Unfit("--against takes templates of the same images from another extractor, under the same names SET_FINGER_IMPRESSION.iso",
					"evaluating: %s", nothingInCommon(templates, references))
			}
			return evaluated(a, f, r, nil, err)
		},
	}
	f.add(c, "folder of templates (required)")
	c.Flags().StringVar(&against, "against", "", "folder of reference templates of the same impressions, from another extractor")
	return c
}

// nothingInCommon says why no impression was compared with another.
func nothingInCommon(probes, references []modality.FingerTemplate) string {
	names := map[string]bool{}
	for _, t := range probes {
		names[t.Name] = true
	}
	for _, t := range references {
		if names[t.Name] {
			return "the two folders share too few impressions: no set has two of them"
		}
	}
	return "the two folders have no impressions in common"
}

func evaluateFaceCommand(a *cli.App) *cobra.Command {
	var f evaluationFlags
	c := &cobra.Command{
		Use:   "face",
		Short: "Face embeddings: embeddingsN.f32 and embeddingsN.tsv",
		Long: `DIR holds embeddingsN.f32, float32 little-endian, N dimensions a row, and embeddingsN.tsv
with the columns row, subject, sample. All pairs of a subject are mated, all others not.`,
		Example: `  tamga evaluate face --data faces/ -o json`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o, err := newEvaluation(a, f)
			if err != nil {
				return err
			}
			faces, folder, err := evaluation.ReadFaces(f.data)
			if err != nil {
				return datafolder.Unreadable(err)
			}
			datafolder.Tell(a, folder)
			r, err := modality.Face(c.Context(), faces.Subjects, faces.Dims, faces.Vectors, o)
			return evaluated(a, f, r, nil, err)
		},
	}
	f.add(c, "folder of embeddings (required)")
	return c
}

package modality

import (
	"context"
	"fmt"

	"github.com/tamga-id/tamga/matcher/evaluate"
	"github.com/tamga-id/tamga/matcher/iris"
)

// Iris compares every iris code with every other. Sample i is of the eye
// eyes[i]; the two eyes of a person are two subjects. A sample whose mask
// leaves too little is a failure, and a comparison with too few common bits
// counts as the lowest score: who could not be told was not accepted.
//
// Errors are [ErrShape], [evaluate.ErrSize], [evaluate.ErrGroups] and the context's. Nothing is
// changed or kept.
func Iris(ctx context.Context, eyes []string, samples []iris.Sample, o evaluate.Options) (evaluate.Report, error) {
	if len(eyes) != len(samples) {
		return evaluate.Report{}, fmt.Errorf("comparing %d irises: %w", len(samples), ErrShape)
	}
	plan := evaluate.Plan{
		Modality: "iris",
		Protocol: "all pairs of an eye's codes are mated, all pairs of two eyes' non-mated",
		Captures: make([]evaluate.Capture, len(eyes)),
	}
	templates := make([]*iris.Template, len(samples))
	defer func() {
		for _, t := range templates {
			t.Wipe()
		}
	}()
	for i, eye := range eyes {
		plan.Captures[i] = evaluate.Capture{Subject: eye}
		var err error
		if templates[i], err = iris.Prepare(samples[i]); err != nil {
			plan.Captures[i].Failed = "too few unmasked bits"
		}
	}
	plan.Compare = func(i, from int, scores []float64) {
		for k := range scores {
			r, err := iris.Compare(templates[i], templates[from+k])
			if err != nil {
				r.Score = -1 // below what any comparison yields
			}
			scores[k] = r.Score
		}
	}
	return evaluate.Pairs(ctx, plan, o)
}

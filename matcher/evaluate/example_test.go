package evaluate_test

import (
	"fmt"

	"github.com/tamga-id/tamga/matcher/evaluate"
)

func ExampleEvaluate() {
	report := evaluate.Evaluate(evaluate.Scores{
		Mated:    []float64{3, 5, 6, 7},
		NonMated: []float64{0, 1, 2, 4},
	})
	fmt.Printf("EER %.2f over %d mated and %d non-mated comparisons\n", report.EER, report.Mated, report.NonMated)
	// Output: EER 0.25 over 4 mated and 4 non-mated comparisons
}

package face

import (
	"errors"
	"fmt"
	"math"
)

// Metric is the measure by which the vectors of a model are compared. It belongs to the model and
// not to a vector, so the embedding container does not carry it.
type Metric string

// Cosine is the only metric that this package computes: the inner product of unit vectors.
const Cosine Metric = "cosine"

// ErrMetric says that scores of a metric cannot be had from the direction of vectors alone, or
// that a score is outside the metric's range.
var ErrMetric = errors.New("converting face score: metric is not cosine or L2 of unit vectors, or score out of range")

// CosineOf converts a score or threshold of another metric into the cosine of the same two
// vectors, for models whose makers state another. The metric "l2" is the Euclidean distance of
// unit vectors, 0 to 2: its square is 2 - 2 cosine, so both order pairs alike, in reverse. L2 of
// vectors whose length means something is refused: templates keep the direction only.
func CosineOf(metric string, score float64) (float64, error) {
	switch {
	case metric == string(Cosine) && score >= -1 && score <= 1:
		return score, nil
	case metric == "l2" && score >= 0 && score <= 2:
		return 1 - score*score/2, nil
	}
	return math.Inf(-1), fmt.Errorf("%w: metric %.16q", ErrMetric, metric)
}

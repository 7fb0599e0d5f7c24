package modality

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/tamga-id/tamga/matcher/evaluate"
)

// ErrShape is returned by [Face] when the numbers of subjects, dimensions and
// values do not fit together, or are beyond what fits in memory.
var ErrShape = errors.New("embedding matrix has the wrong shape")

// Face compares every embedding with every other by cosine. Row i of vectors,
// dims values long, belongs to subjects[i]; rows need not be normalised, and
// nothing is changed or kept. A row that is zero or not finite is a failure:
// its comparisons score -1.
//
// Memory is a copy of the vectors and what [evaluate.Pairs] needs. Errors are
// [ErrShape], [evaluate.ErrSize], [evaluate.ErrGroups] and the context's.
func Face(ctx context.Context, subjects []string, dims int, vectors []float32, o evaluate.Options) (evaluate.Report, error) {
	n := len(subjects)
	if n > evaluate.MaxCaptures {
		return evaluate.Report{}, fmt.Errorf("comparing %d faces: %w", n, evaluate.ErrSize)
	}
	if dims < 1 || len(vectors)/dims != n || len(vectors)%dims != 0 {
		return evaluate.Report{}, fmt.Errorf("comparing %d faces: %w", n, ErrShape)
	}
	unit := slices.Clone(vectors)
	defer clear(unit)
	row := func(i int) []float32 { return unit[i*dims : i*dims+dims] }
	plan := evaluate.Plan{
		Modality: "face",
		Protocol: "all pairs of a subject's embeddings are mated, all pairs of two subjects' non-mated",
		Captures: make([]evaluate.Capture, n),
	}
	for i, s := range subjects {
		plan.Captures[i] = evaluate.Capture{Subject: s}
		if !normalise(row(i)) {
			plan.Captures[i].Failed = "embedding is zero or not finite"
		}
	}
	plan.Compare = func(i, from int, scores []float64) {
		for k := 0; k < len(scores); k += 4 {
			last := min(k+4, len(scores)) - 1
			at := func(k int) []float32 { return row(from + min(k, last)) }
			four := dots(at(k), at(k+1), at(k+2), at(k+3), row(i))
			for j := k; j <= last; j++ {
				scores[j] = float64(four[j-k])
				if plan.Captures[i].Failed != "" || plan.Captures[from+j].Failed != "" {
					scores[j] = -1
				}
			}
		}
	}
	return evaluate.Pairs(ctx, plan, o)
}

// normalise scales v to length 1 and reports whether that can be done.
func normalise(v []float32) bool {
	var sum float64
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	if !(sum > 0) || math.IsInf(sum, 0) {
		clear(v)
		return false
	}
	scale := 1 / math.Sqrt(sum)
	for i, x := range v {
		v[i] = float32(float64(x) * scale)
	}
	return true
}

// dots multiplies four vectors with one, which it then reads only once.
func dots(a, b, c, d, v []float32) (sums [4]float32) {
	a, b, c, d = a[:len(v)], b[:len(v)], c[:len(v)], d[:len(v)]
	var s0, s1, s2, s3 float32
	for i, x := range v {
		s0 += a[i] * x
		s1 += b[i] * x
		s2 += c[i] * x
		s3 += d[i] * x
	}
	return [4]float32{s0, s1, s2, s3}
}

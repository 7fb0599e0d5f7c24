package calibratecmd

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/tamga-id/tamga/matcher/calibration"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/cli"
	"github.com/tamga-id/tamga/node/cmd/tamga/internal/datafolder"
	"github.com/tamga-id/tamga/node/evaluation"
)

// Faces that no camera captures: the mean of some dozens that lie close together is like many more (H. Nguyen et al.,
// "Master Face Attacks on Face Recognition Systems", IEEE TBIOM 4(3), 2022, look for images of such; who sends vectors
// needs none).
const (
	madeHalves = 100 // of the subjects, of which such faces are made; they are tried on the others
	madeStarts = 40  // tried for each half
	madeRounds = 3   // of moving to the mean of what is near
	madeLeast  = 10  // faces in a mean
	madeMore   = 80  // ... and how many more there may be
)

// madeFaces are the scores of such faces, the likeliest of each half at each of some rates, against those they were not
// made of.
func madeFaces(ctx context.Context, a *cli.App, faces evaluation.Faces, captured calibration.Scores) (calibration.Scores, error) {
	sorted := slices.Clone(captured.NonMated)
	slices.Sort(sorted)
	var limits []float32
	for _, oneIn := range []int{100, 1000, 10_000} {
		if at := len(sorted) - len(sorted)/oneIn - 1; at >= 0 {
			limits = append(limits, float32(sorted[at]))
		}
	}
	rows := make([][]float32, len(faces.Subjects))
	for i := range rows {
		rows[i] = unitLength(slices.Clone(faces.Vectors[i*faces.Dims : (i+1)*faces.Dims]))
	}
	counting := datafolder.Counting(a)
	out := calibration.Scores{Name: "vectors made to be like many faces", Sources: captured.Sources, Mated: captured.Mated}
	for half := range madeHalves {
		if err := ctx.Err(); err != nil {
			return out, fmt.Errorf("comparing: %w", err)
		}
		r := rand.New(rand.NewPCG(uint64(half), 2)) //nolint:gosec // which half it is need not be secret
		known := map[string]bool{}
		var learnt, others [][]float32
		for i, s := range faces.Subjects {
			if _, ok := known[s]; !ok {
				known[s] = r.IntN(2) == 0
			}
			if known[s] {
				learnt = append(learnt, rows[i])
			} else {
				others = append(others, rows[i])
			}
		}
		if len(learnt) == 0 {
			continue
		}
		for _, w := range likeliest(r, learnt, limits) {
			for _, o := range others {
				out.NonMated = append(out.NonMated, float64(dot(w, o)))
			}
		}
		if counting != nil {
			counting(half+1, madeHalves)
		}
	}
	return out, nil
}

// likeliest is, for each limit, the made face that most of those it is learnt from reach it with.
func likeliest(r *rand.Rand, learnt [][]float32, limits []float32) [][]float32 {
	best, most := make([][]float32, len(limits)), make([]int, len(limits))
	type near struct {
		row   []float32
		score float32
	}
	found := make([]near, len(learnt))
	for range madeStarts {
		w := learnt[r.IntN(len(learnt))]
		for range madeRounds {
			for i, o := range learnt {
				found[i] = near{o, dot(w, o)}
			}
			slices.SortFunc(found, func(a, b near) int {
				switch {
				case a.score > b.score:
					return -1
				case a.score < b.score:
					return 1
				}
				return 0
			})
			mean := make([]float32, len(w))
			for _, n := range found[:min(len(found), madeLeast+r.IntN(madeMore))] {
				for k, v := range n.row {
					mean[k] += v
				}
			}
			w = unitLength(mean)
		}
		for k, limit := range limits {
			reached := 0
			for _, o := range learnt {
				if dot(w, o) >= limit {
					reached++
				}
			}
			if best[k] == nil || reached > most[k] {
				best[k], most[k] = w, reached
			}
		}
	}
	return best
}

func dot(a, b []float32) (sum float32) {
	for k, v := range a {
		sum += v * b[k]
	}
	return sum
}

func unitLength(v []float32) []float32 {
	length := float32(math.Sqrt(float64(dot(v, v))))
	for k := range v {
		v[k] /= length
	}
	return v
}

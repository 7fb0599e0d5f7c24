package fusion

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/tamga-id/tamga/matcher/calibration"
)

// step is the resolution of sums of ratios, in nats. Every non-mated ratio is rounded up to it, so that the rate
// computed is never below the true one.
const step = 0.1

// distribution is how likely each sum of non-mated ratios is at most: share[i] at the ratio (from+i)*step.
type distribution struct {
	from  int
	share []float64
}

// limit returns the least sum of evidence that non-mated sources reach together with a probability of at most
// 1/fmrOneIn, from the bounded distributions of the calibrations, convolved.
func limit(sources []Source, fmrOneIn uint32) (float64, error) {
	if fmrOneIn == 0 {
		return 0, calibration.ErrUnsupported
	}
	sum := distribution{share: []float64{1}}
	for _, s := range sources {
		masses, err := charged(s)
		if err != nil {
			return 0, err
		}
		sum = sum.plus(masses)
	}
	const slack = 1e-12 // of rounding, far below any rate that a calibration can support alone
	budget, tail := (1-1e-9)/float64(fmrOneIn)-slack, 0.0
	at := len(sum.share)
	for at > 0 && tail+sum.share[at-1] <= budget {
		at--
		tail += sum.share[at]
	}
	if at == len(sum.share) {
		return 0, fmt.Errorf("%w: 1 in %d from %d sources", calibration.ErrUnsupported, fmrOneIn, len(sources))
	}
	// Above the cell before, whose sums reach up to its own ratio.
	return float64(sum.from+at-1)*step + step/2, nil
}

// charged is the distribution of a source's best ratio over all its comparisons, divided by their number, whatever
// their dependence: by the union bound at most the sum of their shares lies at or above any ratio.
func charged(s Source) ([]calibration.Mass, error) {
	var out []calibration.Mass
	for _, m := range s.measures() {
		masses := m.Calibration.NonMated()
		if len(masses) == 0 {
			return nil, calibration.ErrUnsupported
		}
		for _, one := range masses {
			out = append(out, calibration.Mass{LLR: one.LLR, Share: float64(len(m.Scores)) * one.Share})
		}
	}
	slices.SortStableFunc(out, func(a, b calibration.Mass) int { return cmp.Compare(a.LLR, b.LLR) })
	shift := math.Log(float64(s.chances()))
	above, taken := 0.0, 0.0 // of all, and what the union bound has given out of it
	for i := len(out) - 1; i >= 0; i-- {
		above += out[i].Share
		reach := min(1, above)
		out[i] = calibration.Mass{LLR: out[i].LLR - shift, Share: reach - taken}
		taken = reach
	}
	return out, nil
}

// plus is the distribution of the sum with one more source.
func (d distribution) plus(masses []calibration.Mass) distribution {
	cells := make([]int, len(masses))
	for i, m := range masses {
		cells[i] = int(math.Ceil(m.LLR / step))
	}
	first, last := slices.Min(cells), slices.Max(cells)
	out := distribution{from: d.from + first, share: make([]float64, len(d.share)+last-first)}
	for i, m := range masses {
		if m.Share <= 0 {
			continue
		}
		shifted := out.share[cells[i]-first:]
		for j, p := range d.share {
			shifted[j] += m.Share * p
		}
	}
	return out
}

package evaluate

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/tamga-id/tamga/matcher/internal/errorrate"
)

// replicates of a bootstrap: enough that the 2.5 % tails rest on 25 each.
const replicates = 1000

// newDraws returns the source of a bootstrap's randomness, always the same:
// two reports of one input are equal.
func newDraws() *rand.Rand { return rand.New(rand.NewPCG(19795, 1)) }

// draw sets how often each subject occurs in one replicate.
func draw(r *rand.Rand, drawn []float64) {
	clear(drawn)
	for range drawn {
		drawn[r.IntN(len(drawn))]++
	}
}

// intervals are those of figures.
type intervals struct {
	eer  Interval
	fnmr [len(bounds)]Interval
}

// bootstrap returns, for each sample and for the means over those whose report
// has the figure, the 95 % intervals under redrawing of subjects within each
// sample. Replicates that leave a sample without one kind of comparison are
// passed over, but for samples that have only one to begin with. The only error
// is the context's.
func bootstrap(ctx context.Context, samples []*errorrate.Sample, reports []Report) (each []intervals, mean intervals, err error) {
	r := newDraws()
	all := make([][]errorrate.Figures, len(samples))
	rates := boundRates()
	drawn := make([][]float64, len(samples))
	for i, s := range samples {
		drawn[i] = make([]float64, s.Subjects)
	}
	means := make([]errorrate.Figures, 0, replicates)
	shares := sharesOf(reports)
	for range replicates {
		if err := ctx.Err(); err != nil {
			return nil, mean, err
		}
		sum := errorrate.Figures{FNMR: make([]float64, len(bounds))}
		usable := true
		for i, s := range samples {
			draw(r, drawn[i])
			f, ok := s.Replicate(drawn[i], rates)
			if !ok {
				usable = usable && !reports[i].EER.Measured()
				continue
			}
			all[i] = append(all[i], f)
			sum.EER += f.EER * shares.EER
			for b, rate := range f.FNMR {
				if reports[i].FNMRAtFMR[bounds[b].name].Measured() {
					sum.FNMR[b] += rate * shares.FNMR[b]
				}
			}
		}
		if usable {
			means = append(means, sum)
		}
	}
	for _, fs := range all {
		each = append(each, intervalsOf(fs))
	}
	return each, intervalsOf(means), nil
}

// sharesOf is what one report's figure counts for in the mean of those that have it.
func sharesOf(reports []Report) errorrate.Figures {
	share := func(rate func(Report) Rate) float64 {
		n := 0
		for _, r := range reports {
			if rate(r).Measured() {
				n++
			}
		}
		return 1 / float64(max(1, n))
	}
	f := errorrate.Figures{EER: share(eerOf), FNMR: make([]float64, len(bounds))}
	for b := range bounds {
		f.FNMR[b] = share(fnmrOf(bounds[b].name))
	}
	return f
}

func eerOf(r Report) Rate { return r.EER }

func fnmrOf(bound string) func(Report) Rate {
	return func(r Report) Rate { return r.FNMRAtFMR[bound] }
}

func intervalsOf(fs []errorrate.Figures) (in intervals) {
	values := make([]float64, len(fs))
	for i, f := range fs {
		values[i] = f.EER
	}
	in.eer = interval(values)
	for b := range bounds {
		for i, f := range fs {
			values[i] = f.FNMR[b]
		}
		in.fnmr[b] = interval(values)
	}
	return in
}

// interval is the central 95 % of the values, which it sorts.
func interval(values []float64) Interval {
	if len(values) == 0 {
		return Interval{0, 1}
	}
	slices.Sort(values)
	at := func(q float64) Rate { return Rate(values[int(math.Round(q*float64(len(values)-1)))]) }
	return Interval{at(0.025), at(0.975)}
}

// setIntervals adds to r the intervals of a bootstrap. A bootstrap of no error
// sees no error either; the rule of three on comparisons bounds it instead.
func (r *Report) setIntervals(in intervals) {
	if r.EER.Measured() {
		r.EERCI95 = atLeast(in.eer, float64(r.EER), min(r.Mated, r.NonMated))
	}
	for b := range bounds {
		name := bounds[b].name
		if rate := r.FNMRAtFMR[name]; rate.Measured() {
			r.FNMRCI95[name] = atLeast(in.fnmr[b], float64(rate), r.Mated)
		}
	}
	for i, p := range r.OperatingPoints {
		r.OperatingPoints[i].FNMRCI95 = r.FNMRCI95[p.Allowed]
	}
}

// atLeast widens an interval to hold the estimate, and where that is 0 of n,
// what n comparisons cannot rule out.
func atLeast(in Interval, estimate float64, n int) Interval {
	in[0], in[1] = min(in[0], Rate(estimate)), max(in[1], Rate(estimate))
	if estimate == 0 && n > 0 {
		in[1] = max(in[1], Rate(min(1, 3/float64(n))))
	}
	return in
}

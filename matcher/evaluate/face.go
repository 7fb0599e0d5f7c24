package evaluate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
)

// ErrShape is returned by [Face] when the numbers of subjects, dimensions and
// values do not fit together, or are beyond what fits in memory.
var ErrShape = errors.New("embedding matrix has the wrong shape")

const (
	// cosineBins divide the cosines from -1 to 1: 2^18 bins are 7.6e-6 wide,
	// which moves an equal error rate by far less than 1e-4, and keep a
	// worker's non-mated histogram at 1 MiB whatever the number of faces.
	cosineBins = 1 << 18
	// maxFaces keeps the count of one bin within 32 bits.
	maxFaces = 1 << 16
	// probesPerRow is how many faces one unit of work compares with all
	// later ones; a multiple of the four that dot4 takes at a time.
	probesPerRow = 16
)

// Face compares every embedding with every other by cosine. Row i of vectors,
// dims values long, belongs to subjects[i]; rows need not be normalised, and
// nothing is changed or kept. A row that is zero or not finite is a failure:
// its comparisons score -1.
//
// Memory is a copy of the vectors, 8 bytes for each mated pair, and about
// 10 MB for the non-mated pairs whatever their number. Scores are rounded to
// 7.6e-6. The interval of the equal error rate is a bootstrap over subjects of
// the mated comparisons, with the FMR curve held fixed: non-mated pairs are so
// many more that their part in the uncertainty is left out.
//
// Errors are [ErrShape] and the context's.
func Face(ctx context.Context, subjects []string, dims int, vectors []float32, o Options) (Report, error) {
	n := len(subjects)
	if n > maxFaces || dims < 1 || len(vectors)/dims != n || len(vectors)%dims != 0 {
		return Report{}, fmt.Errorf("comparing %d faces: %w", n, ErrShape)
	}
	f := newFaces(subjects, dims, vectors)
	defer clear(f.unit)
	var rows []row
	for i := 0; i < n; i += probesPerRow {
		last, cost := min(i+probesPerRow, n), 0
		for k := i; k < last; k++ {
			cost += n - 1 - k
		}
		rows = append(rows, row{cost: cost, work: func(worker int) { f.compareRow(&f.tallies[worker], i, last) }})
	}
	speed, err := o.measure(cost(rows), func() error { return runRows(ctx, rows, o.Progress) })
	if err != nil {
		return Report{}, fmt.Errorf("comparing faces: %w", err)
	}
	r := f.report()
	r.ComparisonsPerSecondPerCore = speed
	return r, nil
}

// faces is the embeddings and what comparing them yields.
type faces struct {
	dims    int
	unit    []float32 // rows of length 1, immutable while comparing
	owner   []int32   // subject of each row
	people  int
	failed  []bool
	tallies [workers]tally // each owned by one worker until runRows returns
}

// tally is what one worker saw.
type tally struct {
	nonMated []uint32 // by bin
	mated    []mating
}

// mating is one mated comparison.
type mating struct {
	bin     uint32
	subject int32
}

func newFaces(subjects []string, dims int, vectors []float32) *faces {
	f := &faces{dims: dims, unit: slices.Clone(vectors), owner: make([]int32, len(subjects)), failed: make([]bool, len(subjects))}
	numbers := map[string]int32{}
	for i, s := range subjects {
		number, ok := numbers[s]
		if !ok {
			number = int32(len(numbers))
			numbers[s] = number
		}
		f.owner[i] = number
		f.failed[i] = !normalise(f.unit[i*dims : (i+1)*dims])
	}
	f.people = len(numbers)
	for i := range f.tallies {
		f.tallies[i].nonMated = make([]uint32, cosineBins)
	}
	return f
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

// compareRow compares faces first to last-1 with all that come after each.
func (f *faces) compareRow(t *tally, first, last int) {
	n := len(f.owner)
	for i := first; i < last; i += 4 {
		end := min(i+4, last)
		for j := i + 1; j < n; j++ {
			scores := f.dot4(i, end, j)
			for k := i; k < min(end, j); k++ {
				t.add(f, k, j, scores[k-i])
			}
		}
	}
}

// dot4 multiplies up to four rows from i on with row j.
func (f *faces) dot4(i, end, j int) [4]float32 {
	d := f.dims
	at := func(k int) []float32 {
		k = min(k, end-1)
		return f.unit[k*d : k*d+d]
	}
	return dots(at(i), at(i+1), at(i+2), at(i+3), f.unit[j*d:j*d+d])
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

func (t *tally) add(f *faces, i, j int, cosine float32) {
	bin := uint32(0)
	if !f.failed[i] && !f.failed[j] {
		bin = uint32(min(cosineBins-1, max(0, (cosine+1)*(cosineBins-1)/2+0.5)))
	}
	if f.owner[i] == f.owner[j] {
		t.mated = append(t.mated, mating{bin, f.owner[i]})
		return
	}
	t.nonMated[bin]++
}

// binScore is the cosine in the middle of a bin.
func binScore(bin uint32) float64 { return float64(bin)*2/(cosineBins-1) - 1 }

func (f *faces) report() Report {
	nonMated := f.tallies[0].nonMated
	mated := f.tallies[0].mated
	for _, t := range f.tallies[1:] {
		for bin, count := range t.nonMated {
			nonMated[bin] += count
		}
		mated = append(mated, t.mated...)
	}
	slices.SortFunc(mated, func(a, b mating) int {
		return cmp.Or(cmp.Compare(a.bin, b.bin), cmp.Compare(a.subject, b.subject))
	})
	c := faceCurve(nonMated, mated)
	r := c.report()
	r.Modality, r.Protocol, r.Sets = "face", "all pairs of a subject are mated, all others non-mated", []Report{}
	if c.complete() {
		r.EERCI95 = f.bootstrap(c, nonMated, mated)
	}
	for _, failed := range f.failed {
		if failed {
			r.Failures++
		}
	}
	return r
}

// faceCurve merges the bins with the mated comparisons, which are in order.
func faceCurve(nonMated []uint32, mated []mating) curve {
	var steps []step
	at := 0
	for bin, count := range nonMated {
		s := step{score: binScore(uint32(bin)), nonMated: float64(count)}
		for ; at < len(mated) && mated[at].bin == uint32(bin); at++ {
			s.mated++
		}
		if s.mated > 0 || s.nonMated > 0 {
			steps = append(steps, s)
		}
	}
	return newCurve(steps)
}

// bootstrap redraws the subjects of the mated comparisons. Each replicate
// walks up from the lowest score only as far as the crossing.
func (f *faces) bootstrap(c curve, nonMated []uint32, mated []mating) Interval {
	fmr := make([]float32, cosineBins+1) // at thresholds just above bin-1
	above := 0.0
	for bin := cosineBins - 1; bin >= 0; bin-- {
		above += float64(nonMated[bin])
		fmr[bin] = float32(above / c.nonMated)
	}
	each := make([]float64, f.people) // mated comparisons of each subject
	for _, m := range mated {
		each[m.subject]++
	}
	r, drawn := newDraws(), make([]float64, f.people)
	rates := make([]float64, 0, replicates)
	for range replicates {
		draw(r, drawn)
		total := 0.0
		for i, times := range drawn {
			total += times * each[i]
		}
		if total > 0 {
			rates = append(rates, crossing(mated, drawn, total, fmr))
		}
	}
	return interval(rates)
}

// crossing returns the rate at which the FNMR of the weighted mated
// comparisons reaches the FMR.
func crossing(mated []mating, drawn []float64, total float64, fmr []float32) float64 {
	below := 0.0
	for _, m := range mated {
		// Just under this score the FNMR is that of the scores before it.
		if fnmr, rate := below/total, float64(fmr[m.bin]); fnmr >= rate {
			return fnmr
		}
		below += drawn[m.subject]
		if fnmr, rate := below/total, float64(fmr[m.bin+1]); fnmr >= rate {
			return max(rate, (fnmr+rate)/2)
		}
	}
	return 1
}

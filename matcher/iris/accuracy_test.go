package iris_test

import (
	"slices"
	"testing"

	"github.com/tamga-id/tamga/matcher/iris"
)

// TestAccuracy holds error rates over the benchmark's 378 codes against limits
// with room above what was measured (see the log); matcher/evaluate gives the
// full report. All mated pairs, and every fifth non-mated one, are compared.
func TestAccuracy(t *testing.T) {
	all := captures(t)
	var mated, others, plainMated, plainOthers []float64
	k := 0
	for i, a := range all {
		for _, b := range all[:i] {
			if k++; a.eye != b.eye && k%5 != 0 {
				continue
			}
			r, err := iris.Compare(a.template, b.template)
			if err != nil {
				t.Fatal(err)
			}
			d, _, err := iris.Distance(a.template, b.template)
			if err != nil {
				t.Fatal(err)
			}
			if a.eye == b.eye {
				mated, plainMated = append(mated, r.Score), append(plainMated, 1-d)
			} else {
				others, plainOthers = append(others, r.Score), append(plainOthers, 1-d)
			}
		}
	}
	eer, fnmr := rates(mated, others)
	plainEER, plainFNMR := rates(plainMated, plainOthers)
	t.Logf("%d mated, %d non-mated: EER %.2f %%, FNMR at FMR 1e-3 %.2f %% (plain distance %.2f, %.2f)",
		len(mated), len(others), 100*eer, 100*fnmr, 100*plainEER, 100*plainFNMR)
	if eer > 0.028 || fnmr > 0.052 {
		t.Errorf("EER %.4f, FNMR %.4f at FMR 1e-3, want at most 0.028 and 0.052", eer, fnmr)
	}
	if eer > plainEER || fnmr > plainFNMR {
		t.Error("elasticity makes it worse than the plain distance")
	}
}

// rates gives an upper bound of the equal error rate, and the FNMR at an FMR
// of one in a thousand.
func rates(mated, others []float64) (eer, fnmr float64) {
	slices.Sort(mated)
	slices.Sort(others)
	eer = 1
	for i, threshold := range mated {
		at, _ := slices.BinarySearch(others, threshold)
		eer = min(eer, max(float64(len(others)-at)/float64(len(others)), float64(i)/float64(len(mated))))
	}
	threshold := others[len(others)-1-len(others)/1000]
	below, _ := slices.BinarySearchFunc(mated, threshold, func(m, th float64) int {
		if m > th {
			return 1
		}
		return -1
	})
	return eer, float64(below) / float64(len(mated))
}

// The three benchmarks run over different pairs of the synthetic codes: their
// time does not depend on whose they are.
func BenchmarkUnmasked(b *testing.B) { bench(b, func(x, y *iris.Template) { iris.Unmasked(x, y) }) }

func BenchmarkDistance(b *testing.B) {
	bench(b, func(x, y *iris.Template) {
		if _, _, err := iris.Distance(x, y); err != nil {
			b.Fatal(err)
		}
	})
}

func BenchmarkCompare(b *testing.B) {
	bench(b, func(x, y *iris.Template) {
		if _, err := iris.Compare(x, y); err != nil {
			b.Fatal(err)
		}
	})
}

func bench(b *testing.B, f func(x, y *iris.Template)) {
	templates := make([]*iris.Template, 64)
	for i := range templates {
		templates[i] = prepare(b, invented(uint64(i)))
	}
	b.ReportAllocs()
	k := 0
	for b.Loop() {
		f(templates[0], templates[1+k%63])
		k++
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "comparisons/s")
}

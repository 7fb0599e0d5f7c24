package signature_test

import (
	"slices"
	"testing"

	"github.com/tamga-id/tamga/matcher/signature"
)

// TestAccuracy holds error rates against limits with room above what was
// measured (see the log). References are the first five genuine signatures, as
// in the protocol, and then each other five, so that no choice is favoured.
func TestAccuracy(t *testing.T) {
	all := load(t)
	var meanOwn, meanCommon float64
	for first := 1; first <= genuine; first += 5 {
		own, common, random := protocol(t, all, first)
		t.Logf("references %d to %d: skilled EER %.2f %% per writer, %.2f %% at one threshold; random %.2f %%",
			first, first+4, 100*own, 100*common, 100*random)
		if first == 1 && (own > 0.027 || common > 0.08 || random > 0.005) {
			t.Errorf("EER %.4f per writer, %.4f common, %.4f random: want at most 0.027, 0.08, 0.005", own, common, random)
		}
		meanOwn, meanCommon = meanOwn+own/4, meanCommon+common/4
	}
	t.Logf("mean over the four choices: %.2f %% and %.2f %%", 100*meanOwn, 100*meanCommon)
	if meanOwn > 0.04 || meanCommon > 0.095 {
		t.Errorf("mean EER %.4f per writer and %.4f common, want at most 0.04 and 0.095", meanOwn, meanCommon)
	}
}

// protocol returns equal error rates with five references from first on.
func protocol(t *testing.T, all *benchmark, first int) (own, common, random float64) {
	t.Helper()
	var mated, skilled, others []float64
	for u := 1; u <= writers; u++ {
		r, err := signature.NewReference(all[u][first : first+5]...)
		if err != nil {
			t.Fatal(err)
		}
		compare := func(p *signature.Template) float64 {
			s, err := signature.Compare(p, r)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		var m, f []float64
		for k := 1; k <= each; k++ {
			switch {
			case k > genuine:
				f = append(f, compare(all[u][k]))
			case k < first || k >= first+5:
				m = append(m, compare(all[u][k]))
			}
		}
		for v := 1; v <= writers; v++ {
			if v != u && first == 1 {
				others = append(others, compare(all[v][6]))
			}
		}
		own += equalErrorRate(m, f) / writers
		mated, skilled = append(mated, m...), append(skilled, f...)
	}
	if first == 1 {
		random = equalErrorRate(mated, others)
	}
	return own, equalErrorRate(mated, skilled), random
}

// equalErrorRate interpolates between the operating points on either side of
// where FMR and FNMR are equal.
func equalErrorRate(mated, others []float64) float64 {
	mated, others = slices.Sorted(slices.Values(mated)), slices.Sorted(slices.Values(others))
	thresholds := slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(mated), others...))))
	fmr, fnmr := 1.0, 0.0
	for _, th := range thresholds {
		above := func(s []float64) float64 {
			n := 0
			for _, v := range s {
				if v > th {
					n++
				}
			}
			return float64(n) / float64(len(s))
		}
		nextFMR, nextFNMR := above(others), 1-above(mated)
		if nextFNMR >= nextFMR {
			before, after := fmr-fnmr, nextFNMR-nextFMR
			return fnmr + (nextFNMR-fnmr)*before/(before+after)
		}
		fmr, fnmr = nextFMR, nextFNMR
	}
	return fnmr
}

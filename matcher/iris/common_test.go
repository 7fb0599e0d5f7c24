package iris_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/tamga-id/tamga/matcher/iris"
)

// TestCommon: what many captures of one eye have in common, however they are turned, is that eye.
func TestCommon(t *testing.T) {
	eye := invented(1)
	var turned []iris.Sample
	for i := range 9 {
		turned = append(turned, noisy(rotated(eye, i-4), uint64(i), 0.25))
	}
	for _, shown := range []int{700, iris.Bits} {
		common := iris.Common(turned, shown)
		r, err := iris.Compare(prepare(t, common), prepare(t, eye))
		if err != nil || r.Score < 0.85 {
			t.Errorf("%d bits: score %v, %v", shown, r.Score, err)
		}
	}
	if got := iris.Common(nil, 700); got != (iris.Sample{}) {
		t.Error("nothing has something in common")
	}
}

// TestCommonCodesKeepTheRates: a code made of what half of the eyes have in common, shown to the others, matches no
// more often than twice what the thresholds say.
func TestCommonCodesKeepTheRates(t *testing.T) {
	all := captures(t)
	rates := []uint32{100, 1000}
	var thresholds []float64
	for _, oneIn := range rates {
		s, err := iris.Threshold(iris.ProfileTest, oneIn)
		if err != nil {
			t.Fatal(err)
		}
		thresholds = append(thresholds, s)
	}
	r := rand.New(rand.NewPCG(11, 5))
	for _, shown := range []int{900, 1500, iris.Bits} {
		t.Run(fmt.Sprint(shown), func(t *testing.T) {
			tried, matched := 0, make([]int, len(rates))
			for range 12 {
				learnt := map[string]bool{}
				var from []iris.Sample
				for _, i := range r.Perm(len(all)) {
					c := all[i]
					if _, known := learnt[c.eye]; !known {
						learnt[c.eye] = r.IntN(2) == 0
					}
					if learnt[c.eye] {
						from = append(from, c.sample)
					}
				}
				wolf := prepare(t, iris.Common(from, shown))
				for _, c := range all {
					if learnt[c.eye] {
						continue
					}
					got, err := iris.Compare(wolf, c.template)
					if err != nil {
						t.Fatal(err)
					}
					tried++
					for k, threshold := range thresholds {
						if got.Score >= threshold {
							matched[k]++
						}
					}
				}
			}
			for k, oneIn := range rates {
				t.Logf("1 in %d: %d of %d, %.1f times the rate", oneIn, matched[k], tried, float64(matched[k])*float64(oneIn)/float64(tried))
				if matched[k]*int(oneIn) > 2*tried {
					t.Errorf("1 in %d: %d of %d", oneIn, matched[k], tried)
				}
			}
		})
	}
}

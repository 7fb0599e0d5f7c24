package fusion_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/tamga-id/tamga/matcher/calibration"
	"github.com/tamga-id/tamga/matcher/fusion"
)

// normal is a comparator whose non-mated scores are N(0,1) and mated scores N(apart,1).
func normal(t testing.TB, seed uint64, apart float64, nonMated int) *calibration.Calibration {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 2))
	draw := func(mean float64, n int) []float64 {
		out := make([]float64, n)
		for i := range out {
			out[i] = r.NormFloat64() + mean
		}
		return out
	}
	c, err := calibration.Fit(calibration.Input{Modality: "finger", Comparator: "normal", Data: "normal distributions",
		Groups: []calibration.Scores{{Name: "all", Sources: 100, Mated: draw(apart, 5000), NonMated: draw(0, nonMated)}}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func decide(t testing.TB, oneIn uint32, sources ...fusion.Source) fusion.Verdict {
	t.Helper()
	v, err := fusion.Decide(sources, oneIn)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestOneSourceIsItsThreshold(t *testing.T) {
	c := normal(t, 1, 3, 20_000)
	for _, oneIn := range []uint32{10, 100, 1000} {
		claim, err := c.Threshold(oneIn)
		if err != nil {
			t.Fatal(err)
		}
		at := fusion.Source{Calibration: c, Scores: []float64{claim.Score}}
		below := fusion.Source{Calibration: c, Scores: []float64{math.Nextafter(claim.Score, -9)}}
		if got := decide(t, oneIn, at); got != fusion.Matched {
			t.Errorf("1 in %d at the threshold: %v", oneIn, got)
		}
		if got := decide(t, oneIn, below); got != fusion.NotMatched {
			t.Errorf("1 in %d below the threshold: %v", oneIn, got)
		}
	}
}

// The false match rate must hold for any mix of sources and impressions, also when the impressions of a source are
// the same comparison over again, or independent.
func TestFalseMatchRateOfNonMated(t *testing.T) {
	a, b := normal(t, 1, 2, 20_000), normal(t, 2, 3, 20_000)
	r := rand.New(rand.NewPCG(3, 3))
	const trials = 20_000
	for _, row := range []struct {
		name        string
		impressions []int
		dependent   bool
	}{
		{"two-sources", []int{1, 1}, false},
		{"four-sources", []int{1, 1, 1, 1}, false},
		{"impressions", []int{3, 2}, false},
		{"same-impressions", []int{3, 2}, true},
		{"one-source-three-impressions", []int{3}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			for _, oneIn := range []uint32{20, 200} {
				matched := 0
				for range trials {
					sources := make([]fusion.Source, len(row.impressions))
					for i, n := range row.impressions {
						sources[i].Calibration = a
						if i%2 == 1 {
							sources[i].Calibration = b
						}
						first := r.NormFloat64()
						for range n {
							s := first
							if !row.dependent {
								s = r.NormFloat64()
							}
							sources[i].Scores = append(sources[i].Scores, s)
						}
					}
					if decide(t, oneIn, sources...) == fusion.Matched {
						matched++
					}
				}
				most := float64(trials) / float64(oneIn)
				if float64(matched) > most+3*math.Sqrt(most) {
					t.Errorf("1 in %d: %d false matches of %d", oneIn, matched, trials)
				}
				if matched == 0 && oneIn == 20 {
					t.Errorf("1 in %d: no false match in %d: the rule is idle", oneIn, trials)
				}
			}
		})
	}
}

// Two mediocre sources find more genuine people than either alone, and support a rate that neither does.
func TestSourcesAddUp(t *testing.T) {
	c := normal(t, 1, 3, 20_000)
	if _, err := fusion.Decide([]fusion.Source{{Calibration: c, Scores: []float64{9}}}, 1_000_000); !errors.Is(err, calibration.ErrUnsupported) {
		t.Fatalf("1 in a million from 20,000 comparisons: %v", err)
	}
	r := rand.New(rand.NewPCG(4, 4))
	one, two := 0, 0
	for range 4000 {
		x := fusion.Source{Calibration: c, Scores: []float64{3 + r.NormFloat64()}}
		y := fusion.Source{Calibration: c, Scores: []float64{3 + r.NormFloat64()}}
		if decide(t, 1000, x) == fusion.Matched {
			one++
		}
		if decide(t, 1000, x, y) == fusion.Matched {
			two++
		}
	}
	if two <= one+800 {
		t.Errorf("of 4000 genuine people one source finds %d, two find %d", one, two)
	}
	both := []fusion.Source{{Calibration: c, Scores: []float64{6}}, {Calibration: c, Scores: []float64{6}}}
	if got := decide(t, 1_000_000, both...); got != fusion.Matched {
		t.Errorf("two strong sources at 1 in a million: %v", got)
	}
	if _, err := fusion.Decide(both, math.MaxUint32); !errors.Is(err, calibration.ErrUnsupported) {
		t.Errorf("1 in four billion from two: %v", err)
	}
}

func TestMissingIsNotZero(t *testing.T) {
	c := normal(t, 1, 3, 20_000)
	claim, err := c.Threshold(1000)
	if err != nil {
		t.Fatal(err)
	}
	strong, missing := fusion.Source{Calibration: c, Scores: []float64{claim.Score}}, fusion.Source{Calibration: c}
	if got := decide(t, 1000, missing, strong, missing); got != fusion.Matched {
		t.Errorf("missing sources changed the verdict: %v", got)
	}
	against := fusion.Source{Calibration: c, Scores: []float64{-2}}
	if got := decide(t, 1000, strong, against); got == fusion.Matched {
		t.Error("a source that speaks against the person was ignored")
	}
	if got := decide(t, 1000, missing); got != fusion.Undecided {
		t.Errorf("nothing compared: %v", got)
	}
	if got := decide(t, 1000); got != fusion.Undecided {
		t.Errorf("nothing given: %v", got)
	}
}

// At a rate so lax that a weak sum would pass, what speaks against the person on the whole is still no match.
func TestEvidenceMustSpeakForThePerson(t *testing.T) {
	c := normal(t, 1, 4, 20_000)
	against := fusion.Source{Calibration: c, Scores: []float64{1.5}}
	if got := decide(t, 2, against, against); got == fusion.Matched {
		t.Error("two sources that speak against the person matched")
	}
}

func TestScoresThatAreNotNumbersNeverMatch(t *testing.T) {
	c := normal(t, 1, 3, 20_000)
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		bad := fusion.Source{Calibration: c, Scores: []float64{v}}
		if got := decide(t, 10, bad); got == fusion.Matched {
			t.Errorf("%v matched", v)
		}
		if got := decide(t, 10, bad, bad); got == fusion.Matched {
			t.Errorf("%v twice matched", v)
		}
	}
	if _, err := fusion.Decide([]fusion.Source{{Scores: []float64{9}}, {Scores: []float64{9}}}, 10); !errors.Is(err, calibration.ErrUnsupported) {
		t.Errorf("without calibration: %v", err)
	}
	if _, err := fusion.Decide([]fusion.Source{{Calibration: c, Scores: []float64{9}}, {Calibration: c, Scores: []float64{9}}}, 0); !errors.Is(err, calibration.ErrUnsupported) {
		t.Errorf("rate 0: %v", err)
	}
}

// More evidence never turns a match into none, a stricter rate never a non-match into a match, and order does not
// matter.
func TestDecideIsMonotone(t *testing.T) {
	cs := []*calibration.Calibration{normal(t, 1, 2, 5000), normal(t, 2, 4, 20_000)}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 4).Draw(t, "sources")
		sources := make([]fusion.Source, n)
		for i := range sources {
			sources[i].Calibration = cs[rapid.IntRange(0, 1).Draw(t, "calibration")]
			sources[i].Scores = rapid.SliceOfN(rapid.Float64Range(-3, 8), 0, 3).Draw(t, "scores")
		}
		oneIn := rapid.Uint32Range(2, 1500).Draw(t, "one-in")
		v, err := fusion.Decide(sources, oneIn)
		if err != nil {
			return
		}
		backwards := make([]fusion.Source, n)
		for i := range sources {
			backwards[n-1-i] = sources[i]
		}
		if w, err := fusion.Decide(backwards, oneIn); err != nil || w != v {
			t.Fatalf("order matters: %v, %v, %v", v, w, err)
		}
		if strict, err := fusion.Decide(sources, oneIn*2); err == nil && strict == fusion.Matched && v != fusion.Matched {
			t.Fatal("a stricter rate matches more")
		}
		better := make([]fusion.Source, n)
		for i, s := range sources {
			better[i].Calibration = s.Calibration
			for _, x := range s.Scores {
				better[i].Scores = append(better[i].Scores, x+0.5)
			}
		}
		if w, err := fusion.Decide(better, oneIn); err != nil || v == fusion.Matched && w != fusion.Matched {
			t.Fatalf("better scores match less: %v, %v", w, err)
		}
	})
}

// An impostor who may try as many fingers as he likes, and stop when it suits him, still passes at most once in the
// number asked for.
func TestSequenceHoldsUnderOptionalStopping(t *testing.T) {
	c := normal(t, 1, 2, 20_000)
	r := rand.New(rand.NewPCG(5, 5))
	const trials, oneIn = 40_000, 50
	matched, used := 0, 0
	for range trials {
		q := fusion.NewSequence(oneIn, 1_000_000_000)
		for range 20 {
			if q.Add(fusion.Source{Calibration: c, Scores: []float64{r.NormFloat64()}}) != fusion.Undecided {
				break
			}
		}
		if q.Close() == fusion.Matched {
			matched++
		}
	}
	if most := float64(trials) / oneIn; float64(matched) > most+3*math.Sqrt(most) {
		t.Errorf("%d of %d impostors with 20 tries pass, want at most 1 in %d", matched, trials, oneIn)
	}
	genuine := 0
	for range 2000 {
		q := fusion.NewSequence(oneIn, 1000)
		for range 20 {
			if q.Add(fusion.Source{Calibration: c, Scores: []float64{2 + r.NormFloat64()}}) != fusion.Undecided {
				break
			}
		}
		if q.Close() == fusion.Matched {
			genuine++
			used += q.Used()
		}
	}
	if genuine < 1900 || used > 4*genuine {
		t.Errorf("%d of 2000 genuine people pass, after %.1f sources each", genuine, float64(used)/float64(genuine))
	}
}

func TestSequenceStopsAndStays(t *testing.T) {
	c := normal(t, 1, 4, 20_000)
	q := fusion.NewSequence(100, 100)
	if q.Close() != fusion.Undecided {
		t.Error("nothing was compared")
	}
	q = fusion.NewSequence(100, 100)
	if q.Add(fusion.Source{Calibration: c}) != fusion.Undecided || q.Used() != 0 {
		t.Error("a missing source counted")
	}
	if q.Add(fusion.Source{Calibration: c, Scores: []float64{-3}}) != fusion.NotMatched {
		t.Error("strong evidence against did not end it")
	}
	if q.Add(fusion.Source{Calibration: c, Scores: []float64{9}}) != fusion.NotMatched {
		t.Error("a verdict was taken back")
	}
	var zero fusion.Sequence
	if zero.Add(fusion.Source{Calibration: c, Scores: []float64{9}}) == fusion.Matched {
		t.Error("the zero Sequence accepts")
	}
}

func TestAffordable(t *testing.T) {
	c := normal(t, 1, 3, 20_000)
	for _, oneIn := range []uint32{0, 1, 100, 1000, 1_000_000} {
		n := fusion.Affordable(c, oneIn)
		if n < 1 {
			t.Fatalf("Affordable(%d) = %d", oneIn, n)
		}
		if n == 1 {
			continue
		}
		if _, err := fusion.Decide([]fusion.Source{{Calibration: c, Scores: make([]float64, n)}}, oneIn); oneIn > 0 && err != nil {
			t.Errorf("%d comparisons at 1 in %d: %v", n, oneIn, err)
		}
	}
}

func ExampleDecide() {
	// In a node the calibrations are those of the matchers' packages.
	var c *calibration.Calibration
	verdict, err := fusion.Decide([]fusion.Source{{Calibration: c, Scores: []float64{0.9}}}, 1000)
	fmt.Println(verdict == fusion.Matched, err)
	// Output: false false match rate beyond calibration
}

// TestSeveralMeasuresAreOneSource: two comparators of one face match others no more often than the rate says, even where
// they err together, and find the person where either does.
func TestSeveralMeasuresAreOneSource(t *testing.T) {
	a, b := normal(t, 1, 2, 20_000), normal(t, 2, 3, 20_000)
	r := rand.New(rand.NewPCG(5, 5))
	const trials, oneIn = 20_000, 50
	face := func(x, y float64) fusion.Source {
		return fusion.Source{Calibration: a, Scores: []float64{x}, Also: []fusion.Source{{Calibration: b, Scores: []float64{y}}}}
	}
	alone, same, beside := 0, 0, 0
	for range trials {
		x, y := r.NormFloat64(), r.NormFloat64()
		for into, sources := range map[*int][]fusion.Source{
			&alone:  {face(x, y)},
			&same:   {face(x, x)},
			&beside: {face(x, x), {Calibration: b, Scores: []float64{y}}},
		} {
			if decide(t, oneIn, sources...) == fusion.Matched {
				*into++
			}
		}
	}
	most := float64(trials) / oneIn
	for name, n := range map[string]int{"alone": alone, "same": same, "beside": beside} {
		if float64(n) > most+3*math.Sqrt(most) || n == 0 {
			t.Errorf("%s: %d false matches of %d at 1 in %d", name, n, trials, oneIn)
		}
	}
	if decide(t, oneIn, face(-9, 9)) != fusion.Matched || decide(t, oneIn, face(9, -9)) != fusion.Matched {
		t.Error("a sure measure is lost beside another")
	}
	claim, err := b.Threshold(oneIn)
	if err != nil {
		t.Fatal(err)
	}
	if decide(t, oneIn, face(-9, claim.Score)) == fusion.Matched {
		t.Error("the second measure was not charged as a second chance")
	}
	missing := fusion.Source{Also: []fusion.Source{{Calibration: b, Scores: []float64{9}}}}
	if decide(t, oneIn, missing) != fusion.Matched {
		t.Error("a source is missing because its first measure is")
	}
}

package calibration_test

import (
	"bytes"
	stdcmp "cmp"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tamga-id/tamga/matcher/calibration"
)

// normal draws n scores around mean with deviation 1.
func normal(seed uint64, mean float64, n int) []float64 {
	r := rand.New(rand.NewPCG(seed, 1))
	out := make([]float64, n)
	for i := range out {
		out[i] = r.NormFloat64() + mean
	}
	return out
}

func input(nonMated int) calibration.Input {
	return calibration.Input{
		Modality: "finger", Comparator: "normal-1", Data: "two normal distributions, two apart",
		Groups: []calibration.Scores{{Name: "all", Sources: 1000, Mated: normal(1, 2, 20_000), NonMated: normal(2, 0, nonMated)}},
	}
}

func fit(t testing.TB, in calibration.Input) *calibration.Calibration {
	t.Helper()
	c, err := calibration.Fit(in)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The ratio of two normal densities two apart is exp(2 s - 2).
func TestRatioOfKnownDistributions(t *testing.T) {
	c := fit(t, input(200_000))
	for s := -1.5; s <= 3.0; s += 0.25 {
		if got, want := c.LLR(s), 2*s-2; math.Abs(got-want) > 0.5 {
			t.Errorf("LLR(%.2f) = %.2f, want about %.2f", s, got, want)
		}
	}
}

func TestRatioNeverFalls(t *testing.T) {
	c := fit(t, input(10_000))
	last := math.Inf(-1)
	for s := -12.0; s < 12; s += 0.01 {
		got := c.LLR(s)
		if got < last || got == last && s > -1 && s < 3 {
			t.Fatalf("LLR(%.2f) = %v, not above %v", s, got, last)
		}
		last = got
	}
	least, greatest := c.Bounds()
	if c.LLR(-1e300) != least || c.LLR(1e300) != greatest {
		t.Error("ratios beyond the bounds")
	}
	if !math.IsInf(c.LLR(math.NaN()), -1) || !math.IsInf(c.LLR(math.Inf(1)), -1) {
		t.Error("no number is evidence")
	}
}

// A ratio of R must come to a non-mated comparison with a probability of at most 1/R: on scores that the fit has not
// seen the mean ratio may exceed one by no more than chance.
func TestMeanRatioOfNonMated(t *testing.T) {
	c := fit(t, input(50_000))
	sum := 0.0
	fresh := normal(3, 0, 400_000)
	for _, s := range fresh {
		sum += math.Exp(c.LLR(s))
	}
	if mean := sum / float64(len(fresh)); mean > 1.05 || mean < 0.5 {
		t.Errorf("mean ratio of non-mated comparisons %.3f, want at most about 1", mean)
	}
}

func TestThresholdHoldsOnFreshScores(t *testing.T) {
	c := fit(t, input(50_000))
	fresh := normal(4, 0, 2_000_000)
	slices.Sort(fresh)
	for _, oneIn := range []uint32{2, 10, 15, 100, 1000, 10_000, c.Strictest()} {
		claim, err := c.Threshold(oneIn)
		if err != nil {
			t.Fatal(err)
		}
		if claim.OneIn < oneIn {
			t.Errorf("Threshold(%d) vouches for 1 in %d only", oneIn, claim.OneIn)
		}
		at, _ := slices.BinarySearch(fresh, claim.Score)
		got, most := float64(len(fresh)-at), float64(len(fresh))/float64(oneIn)
		if got > most+3*math.Sqrt(most) {
			t.Errorf("1 in %d: %v false matches of %d", oneIn, got, len(fresh))
		}
	}
}

func TestClaimsEndWhereComparisonsDo(t *testing.T) {
	c := fit(t, input(50_000))
	if got := c.Strictest(); got > 50_000/2 || got < 50_000/4 {
		t.Errorf("strictest rate 1 in %d from 50,000 comparisons, want about a third of them", got)
	}
	for _, oneIn := range []uint32{0, c.Strictest() + 1, math.MaxUint32} {
		if _, err := c.Threshold(oneIn); !errors.Is(err, calibration.ErrUnsupported) {
			t.Errorf("Threshold(%d): %v, want ErrUnsupported", oneIn, err)
		}
	}
	loose, err := c.Threshold(100)
	if err != nil || loose.FalseMatches < 30 {
		t.Errorf("1 in 100 rests on %d false matches, %v; want a measurement", loose.FalseMatches, err)
	}
	strict, err := c.Threshold(c.Strictest())
	if err != nil || strict.FalseMatches >= 30 {
		t.Errorf("1 in %d rests on %d false matches, %v; want a bound", c.Strictest(), strict.FalseMatches, err)
	}
}

// With two groups the worse one sets every threshold and every ratio.
func TestWorseGroupRules(t *testing.T) {
	in := input(30_000)
	in.Groups = append(in.Groups, calibration.Scores{Name: "worse", Sources: 10, Mated: normal(5, 2, 5000), NonMated: normal(6, 0.7, 30_000)})
	worse := in
	worse.Groups = in.Groups[1:]
	both, alone := fit(t, in), fit(t, worse)
	for _, oneIn := range []uint32{10, 100, 1000} {
		a, _ := both.Threshold(oneIn)
		b, _ := alone.Threshold(oneIn)
		if a.Score != b.Score {
			t.Errorf("1 in %d: score %v with the better group added, want %v", oneIn, a.Score, b.Score)
		}
	}
	for s := 0.0; s < 4; s += 0.5 {
		if both.LLR(s) > alone.LLR(s)+1e-9 {
			t.Errorf("LLR(%v) = %v, above the worse group's %v", s, both.LLR(s), alone.LLR(s))
		}
	}
}

// With several groups no ratio is above that of any of them, also where one group's map has not begun to rise, or
// rises no more, and another's does.
func TestNoRatioAboveAnyGroups(t *testing.T) {
	a := calibration.Scores{Name: "a", Sources: 100, Mated: normal(1, 3, 5000), NonMated: normal(2, 0, 20_000)}
	b := calibration.Scores{Name: "b", Sources: 100, Mated: normal(3, 5, 5000), NonMated: normal(4, 2, 2000)}
	c := calibration.Scores{Name: "c", Sources: 100, Mated: normal(5, 3, 300), NonMated: normal(6, 0, 300)}
	of := func(groups ...calibration.Scores) *calibration.Calibration {
		in := input(1)
		in.Groups = groups
		return fit(t, in)
	}
	for _, groups := range [][]calibration.Scores{{a, b}, {a, c}, {b, c}, {a, b, c}} {
		all := of(groups...)
		for _, g := range groups {
			alone := of(g)
			for s := -5.0; s < 9; s += 0.003 {
				if got, most := all.LLR(s), alone.LLR(s); got > most+1e-6 {
					t.Fatalf("%d groups: LLR(%.3f) = %.3f, above the %.3f of group %s", len(groups), s, got, most, g.Name)
				}
			}
		}
	}
}

// NonMated must dominate: no tail of fresh non-mated ratios may be heavier.
func TestNonMatedBoundsTheTail(t *testing.T) {
	c := fit(t, input(50_000))
	fresh := normal(7, 0, 500_000)
	masses := c.NonMated()
	total := 0.0
	for _, m := range masses {
		total += m.Share
	}
	if math.Abs(total-1) > 1e-9 || !slices.IsSortedFunc(masses, func(a, b calibration.Mass) int { return stdcmp.Compare(a.LLR, b.LLR) }) {
		t.Fatalf("shares sum to %v, or are not in order", total)
	}
	for ratio := -2.0; ratio < 8; ratio += 0.3 {
		bound, seen := 0.0, 0
		for _, m := range masses {
			if m.LLR >= ratio {
				bound += m.Share
			}
		}
		for _, s := range fresh {
			if c.LLR(s) >= ratio {
				seen++
			}
		}
		if got := float64(seen) / float64(len(fresh)); got > bound+3*math.Sqrt(bound/float64(len(fresh))) {
			t.Errorf("ratio %.1f: share %v of non-mated comparisons, bound %v", ratio, got, bound)
		}
	}
}

func TestScoresThatAreNotNumbers(t *testing.T) {
	in := input(1000)
	in.Groups[0].Mated[0], in.Groups[0].NonMated[0] = math.NaN(), math.Inf(1)
	in.Groups[0].NonMated[1] = math.Inf(-1)
	c := fit(t, in)
	if least, greatest := c.Bounds(); math.IsNaN(least) || math.IsInf(greatest, 0) {
		t.Errorf("bounds %v, %v", least, greatest)
	}
	in.Groups[0].NonMated = in.Groups[0].NonMated[:50]
	if _, err := calibration.Fit(in); !errors.Is(err, calibration.ErrTooFew) {
		t.Errorf("Fit of 50: %v", err)
	}
}

func TestAllScoresAlike(t *testing.T) {
	same := slices.Repeat([]float64{0.5}, 500)
	c, err := calibration.Fit(calibration.Input{Modality: "face", Comparator: "x", Data: "x",
		Groups: []calibration.Scores{{Name: "x", Sources: 5, Mated: same, NonMated: same}}})
	if err != nil {
		t.Fatal(err)
	}
	if got := c.LLR(0.5); math.Abs(got) > 0.1 {
		t.Errorf("a comparator that tells nothing apart gives LLR %v", got)
	}
	if claim, err := c.Threshold(100); err != nil || claim.Score <= 0.5 {
		t.Errorf("threshold %v, %v: must be above what every impostor reaches", claim.Score, err)
	}
}

func TestNilDecidesNothing(t *testing.T) {
	var c *calibration.Calibration
	if _, err := c.Threshold(10); !errors.Is(err, calibration.ErrUnsupported) {
		t.Error(err)
	}
	if !math.IsInf(c.LLR(1), -1) || c.NonMated() != nil || c.Strictest() != 0 {
		t.Error("nil calibration says something")
	}
	if _, err := c.Encode(); err == nil {
		t.Error("nil calibration encodes")
	}
}

func encoded(t testing.TB) []byte {
	b, err := fit(t, input(5000)).Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFileRoundTrip(t *testing.T) {
	b := encoded(t)
	c, err := calibration.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	again, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(b), string(again)); d != "" {
		t.Error(d)
	}
	if c.Modality() != "finger" || c.Comparator() != "normal-1" || c.Groups()[0].NonMated != 5000 || c.Data() == "" {
		t.Error("the file lost what it is about")
	}
}

// TestMustParse: a package that ships another comparator's file must not start deciding with it.
func TestMustParse(t *testing.T) {
	b := encoded(t)
	if c := calibration.MustParse(b, "normal-1"); c.Comparator() != "normal-1" {
		t.Errorf("comparator %q", c.Comparator())
	}
	for name, do := range map[string]func(){
		"foreign": func() { calibration.MustParse(b, "normal-2") },
		"damaged": func() { calibration.MustParse(b[1:], "normal-1") },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			do()
		}()
	}
}

func TestParseRefuses(t *testing.T) {
	good := string(encoded(t))
	for name, row := range map[string]struct{ old, new, want string }{
		"version":      {"tamga-calibration/1", "tamga-calibration/9", "format"},
		"unknown":      {`"modality"`, `"extra": 1, "modality"`, "unknown field"},
		"no-name":      {`"comparator": "normal-1"`, `"comparator": ""`, "comparator"},
		"one-source":   {`"sources": 1000`, `"sources": 1`, "groups"},
		"over-claim":   {`"non_mated": 5000`, `"non_mated": 500`, "operating_points"},
		"not-rising":   {`"one_in": 10,`, `"one_in": 1000000000,`, "operating_points"},
		"trailing":     {"}\n", "}\n{}", ""},
		"llr-constant": {`"llr": [`, `"llr": [{"score": -1000, "llr": 99},`, "llr"},
		"llr-huge":     {`"llr": [`, `"llr": [{"score": -1000, "llr": -1e300},`, "out of range"},
		"twice":        {`"modality"`, `"Modality": "face", "modality"`, "occurs twice"},
		"twice-inside": {`"one_in": 10,`, `"one_in": 9, "one_in": 10,`, "occurs twice"},
	} {
		t.Run(name, func(t *testing.T) {
			bad := strings.Replace(good, row.old, row.new, 1)
			if name == "trailing" {
				bad = good + "{}"
			}
			if bad == good {
				t.Fatal("the fault was not planted")
			}
			c, err := calibration.Parse([]byte(bad))
			if err == nil || c != nil {
				t.Fatalf("accepted: %v", c)
			}
			if !strings.Contains(err.Error(), row.want) {
				t.Errorf("error %q does not name %q", err, row.want)
			}
		})
	}
	if _, err := calibration.Parse(bytes.Repeat([]byte(" "), 1<<20)); err == nil {
		t.Error("a megabyte was read")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(encoded(f))
	f.Add([]byte(`{"format":"tamga-calibration/1"}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := calibration.Parse(b)
		if err != nil {
			if c != nil {
				t.Fatal("error with a calibration")
			}
			return
		}
		if v := c.LLR(0.3); math.IsNaN(v) {
			t.Fatal("LLR is not a number")
		}
		if claim, err := c.Threshold(c.Strictest()); err != nil || math.IsNaN(claim.LLR) {
			t.Fatalf("strictest rate: %v", err)
		}
		again, err := c.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := calibration.Parse(again); err != nil {
			t.Fatalf("its own form is refused: %v", err)
		}
	})
}

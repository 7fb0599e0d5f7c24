package errorrate

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestBins(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := float64(rapid.Float32().Draw(t, "x"))
		y := float64(rapid.Float32().Draw(t, "y"))
		if x < y && binOf(x) > binOf(y) {
			t.Fatalf("%v < %v, in bins %d and %d", x, y, binOf(x), binOf(y))
		}
		low := binScore(binOf(x))
		if low > x || x-low > math.Abs(low)*0.0006+1e-37 {
			t.Fatalf("%v is in a bin from %v", x, low)
		}
	})
}

// TestHighest finds the n-th highest as sorting does.
func TestHighest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scores := rapid.SliceOfN(rapid.Map(rapid.IntRange(0, 9), func(i int) float64 { return float64(i) }), 1, 50).Draw(t, "scores")
		n := rapid.IntRange(1, len(scores)).Draw(t, "n")
		outcomes := make([]Outcome, len(scores))
		for i, s := range scores {
			outcomes[i].Score = s
		}
		got := highest(outcomes, n)
		slices.Sort(scores)
		if want := scores[len(scores)-n]; got != want {
			t.Fatalf("%d-th highest %v, want %v", n, got, want)
		}
	})
}

// TestTallyBounded: however many comparisons, no more than twice the number to
// keep is held, and none is lost.
func TestTallyBounded(t *testing.T) {
	tally := NewTally(100)
	for i := range 100_000 {
		tally.Add(Outcome{Score: float64(i * 7919 % 10_007), A: 1, B: 2})
		if len(tally.tail) > 200 {
			t.Fatalf("%d held after %d", len(tally.tail), i)
		}
	}
	sum := uint64(len(tally.tail))
	for _, n := range tally.bins {
		sum += n
	}
	if sum != 100_000 {
		t.Errorf("%d of 100000 are left", sum)
	}
}

func TestIncomplete(t *testing.T) {
	for name, c := range map[string]Curve{"zero": {}, "none": Of(nil, nil), "mated": Of([]float64{1}, nil), "non-mated": Of(nil, []float64{1})} {
		if c.Complete() || c.EER() != 0 || c.DET(10) != nil {
			t.Errorf("%s: complete %v, EER %v", name, c.Complete(), c.EER())
		}
	}
}

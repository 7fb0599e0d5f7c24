package errorrate

import (
	"cmp"
	"math"
)

const (
	// TailSize is how many of the highest non-mated scores are kept with
	// their subjects. All figures at an FMR of up to TailSize in the number
	// of non-mated comparisons are exact; 10^8 comparisons are exact to 1e-2.
	TailSize = 1 << 20
	// binBits cut a single-precision score to sign, exponent and 11 bits of
	// fraction: bins are 0.05 % of their score wide.
	binBits = 20
)

// NoSubject stands for the second subject of a comparison that is non-mated
// although one subject's name is on both sides: a forgery.
const NoSubject = -1

// Outcome is one comparison with the subjects it was between, numbered within
// its set. It is mated when both are the same.
type Outcome struct {
	Score float64
	A, B  int32
}

// Mated reports whether both sides are one subject.
func (o Outcome) Mated() bool { return o.A == o.B }

// descending is by score, and then by what makes the order always the same.
func descending(x, y Outcome) int {
	switch {
	case x.Score > y.Score:
		return -1
	case x.Score < y.Score:
		return 1
	case x.A != y.A:
		return cmp.Compare(x.A, y.A)
	}
	return cmp.Compare(x.B, y.B)
}

// Tally gathers comparisons: every mated one, the highest non-mated ones, and
// of the others only how many fell into which bin of scores. What it keeps of
// a number of comparisons does not depend on the order they came in.
type Tally struct {
	mated []Outcome
	tail  []Outcome // non-mated with a score above floor
	bins  []uint64  // non-mated at or below floor; nil while there are none
	floor float64   // -Inf while bins is nil
	keep  int
}

// NewTally returns an empty tally that keeps at least the keep highest
// non-mated outcomes.
func NewTally(keep int) *Tally { return &Tally{floor: math.Inf(-1), keep: keep} }

// Add counts one comparison in.
func (t *Tally) Add(o Outcome) {
	switch {
	case o.Mated():
		t.mated = append(t.mated, o)
	case o.Score <= t.floor:
		t.bins[binOf(o.Score)]++
	default:
		if len(t.tail) >= 2*t.keep {
			t.cut()
			t.Add(o)
			return
		}
		t.tail = append(t.tail, o)
	}
}

// cut leaves in the tail what is above the keep-th highest score. Ties with
// that go to the bins together, so that a threshold never splits them.
func (t *Tally) cut() {
	if len(t.tail) < t.keep {
		return
	}
	t.raise(highest(t.tail, t.keep))
}

// highest returns the n-th highest score (C. A. R. Hoare's FIND, CACM 4(7),
// 1961), for which outcomes are put into another order.
func highest(outcomes []Outcome, n int) float64 {
	for n--; len(outcomes) > 1; {
		pivot := outcomes[len(outcomes)/2].Score
		i, k := 0, len(outcomes)-1
		for i <= k {
			for outcomes[i].Score > pivot {
				i++
			}
			for outcomes[k].Score < pivot {
				k--
			}
			if i <= k {
				outcomes[i], outcomes[k] = outcomes[k], outcomes[i]
				i, k = i+1, k-1
			}
		}
		switch {
		case n <= k:
			outcomes = outcomes[:k+1]
		case n >= i:
			outcomes, n = outcomes[i:], n-i
		default:
			return pivot
		}
	}
	return outcomes[0].Score
}

// raise moves what is at or below floor from the tail to the bins.
func (t *Tally) raise(floor float64) {
	if floor <= t.floor {
		return
	}
	t.floor = floor
	if t.bins == nil {
		t.bins = make([]uint64, 1<<binBits)
	}
	kept := t.tail[:0]
	for _, o := range t.tail {
		if o.Score > floor {
			kept = append(kept, o)
		} else {
			t.bins[binOf(o.Score)]++
		}
	}
	t.tail = kept
}

// Merge adds what other gathered, its subjects numbered from offset on.
func (t *Tally) Merge(other *Tally, offset int32) {
	t.raise(other.floor)
	for _, o := range other.mated {
		t.mated = append(t.mated, o.shifted(offset))
	}
	for _, o := range other.tail {
		t.Add(o.shifted(offset))
	}
	for i, n := range other.bins {
		if n > 0 {
			t.bins[i] += n
		}
	}
}

func (o Outcome) shifted(offset int32) Outcome {
	o.A += offset
	if o.B != NoSubject {
		o.B += offset
	}
	return o
}

// binOf numbers bins by ascending score.
func binOf(score float64) uint32 {
	bits := math.Float32bits(float32(score) + 0) // + 0 makes -0 a 0
	if bits>>31 == 1 {
		bits = ^bits
	} else {
		bits |= 1 << 31
	}
	return bits >> (32 - binBits)
}

// binScore is the lowest score of a bin, as a threshold that takes all of it.
func binScore(bin uint32) float64 {
	bits := bin << (32 - binBits)
	if bits>>31 == 1 {
		bits &^= 1 << 31
	} else {
		// The lowest of negative scores has the largest magnitude.
		bits = ^bits
	}
	return Number(float64(math.Float32frombits(bits)))
}

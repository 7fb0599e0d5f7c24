package evaluate

import (
	"cmp"
	"math"
)

const (
	// tailSize is how many of the highest non-mated scores are kept with
	// their subjects. All figures at an FMR of up to tailSize in the number
	// of non-mated comparisons are exact; 10^8 comparisons are exact to 1e-2.
	tailSize = 1 << 20
	// binBits cut a single-precision score to sign, exponent and 11 bits of
	// fraction: bins are 0.05 % of their score wide.
	binBits = 20
)

// noSubject stands for the second subject of a comparison that is non-mated
// although one subject's name is on both sides: a forgery.
const noSubject = -1

// outcome is one comparison with the subjects it was between, numbered within
// its set. It is mated when both are the same.
type outcome struct {
	score float64
	a, b  int32
}

func (o outcome) mated() bool { return o.a == o.b }

// descending is by score, and then by what makes the order always the same.
func descending(x, y outcome) int {
	switch {
	case x.score > y.score:
		return -1
	case x.score < y.score:
		return 1
	case x.a != y.a:
		return cmp.Compare(x.a, y.a)
	}
	return cmp.Compare(x.b, y.b)
}

// tally gathers comparisons: every mated one, the highest non-mated ones, and
// of the others only how many fell into which bin of scores. What it keeps of
// a number of comparisons does not depend on the order they came in.
type tally struct {
	mated []outcome
	tail  []outcome // non-mated with a score above floor
	bins  []uint64  // non-mated at or below floor; nil while there are none
	floor float64   // -Inf while bins is nil
	keep  int
}

func newTally(keep int) *tally { return &tally{floor: math.Inf(-1), keep: keep} }

func (t *tally) add(o outcome) {
	switch {
	case o.mated():
		t.mated = append(t.mated, o)
	case o.score <= t.floor:
		t.bins[binOf(o.score)]++
	default:
		if len(t.tail) >= 2*t.keep {
			t.cut()
			t.add(o)
			return
		}
		t.tail = append(t.tail, o)
	}
}

// cut leaves in the tail what is above the keep-th highest score. Ties with
// that go to the bins together, so that a threshold never splits them.
func (t *tally) cut() {
	if len(t.tail) < t.keep {
		return
	}
	t.raise(highest(t.tail, t.keep))
}

// highest returns the n-th highest score (C. A. R. Hoare's FIND, CACM 4(7),
// 1961), for which outcomes are put into another order.
func highest(outcomes []outcome, n int) float64 {
	for n--; len(outcomes) > 1; {
		pivot := outcomes[len(outcomes)/2].score
		i, k := 0, len(outcomes)-1
		for i <= k {
			for outcomes[i].score > pivot {
				i++
			}
			for outcomes[k].score < pivot {
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
	return outcomes[0].score
}

// raise moves what is at or below floor from the tail to the bins.
func (t *tally) raise(floor float64) {
	if floor <= t.floor {
		return
	}
	t.floor = floor
	if t.bins == nil {
		t.bins = make([]uint64, 1<<binBits)
	}
	kept := t.tail[:0]
	for _, o := range t.tail {
		if o.score > floor {
			kept = append(kept, o)
		} else {
			t.bins[binOf(o.score)]++
		}
	}
	t.tail = kept
}

// merge adds what other gathered, its subjects numbered from offset on.
func (t *tally) merge(other *tally, offset int32) {
	t.raise(other.floor)
	for _, o := range other.mated {
		t.mated = append(t.mated, o.shifted(offset))
	}
	for _, o := range other.tail {
		t.add(o.shifted(offset))
	}
	for i, n := range other.bins {
		if n > 0 {
			t.bins[i] += n
		}
	}
}

func (o outcome) shifted(offset int32) outcome {
	o.a += offset
	if o.b != noSubject {
		o.b += offset
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
	return number(float64(math.Float32frombits(bits)))
}

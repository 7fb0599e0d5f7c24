package iris

import (
	"fmt"
	"math"
	"math/bits"
	"sync"

	"github.com/tamga-id/tamga/matcher/internal/scan"
)

// Result is what a comparison found.
type Result struct {
	// Score is 1 less the normalised distance, 0 to 1, higher more alike:
	// about 0.5 and a little more for two irises, towards 1 for one.
	Score float64
	// Bits is how many bits were compared at the best rotation.
	Bits int
}

// typicalBits is the number of bits to which distances are normalised: what
// two irises with usual eyelids leave (Daugman 2007, section V).
const typicalBits = 911

// normalised is Daugman's HD_norm = 0.5 - (0.5 - HD_raw) sqrt(n / 911), for a
// distance of cost bits, in halves, over n.
func normalised(halves, n int) float64 {
	raw := float64(halves) / float64(2*n)
	// The conversion keeps the product from being fused into the difference,
	// which would round differently on some processors.
	return 0.5 - float64((0.5-raw)*math.Sqrt(float64(n)/typicalBits))
}

// Compare gives the score of two templates, the best over rotations of up to
// MaxRotation steps either way, sectors turning by themselves, and shifts by a
// band. It does not depend on the order of its arguments, allocates nothing
// and may be called from any number of goroutines. The error is
// [ErrUndecidable], and then the result is zero, which no threshold accepts.
func Compare(probe, reference *Template) (Result, error) {
	a, b := probe.contents(), reference.contents()
	if a == nil || b == nil {
		return Result{}, fmt.Errorf("comparing irises: %w", ErrUndecidable)
	}
	// Sectors are those of the second, so the two are put into an order.
	if a.after(b) {
		a, b = b, a
	}
	best := Result{Score: -1}
	for shift := range bandShifts {
		best = elastic(a, b, shift, best)
	}
	if best.Bits == 0 {
		return Result{}, fmt.Errorf("comparing irises: %w", ErrUndecidable)
	}
	best.Score = min(1, max(0, best.Score))
	return best, nil
}

// Distance gives the fractional Hamming distance over the bits that both masks
// admit, the least over rotations, without normalisation or elasticity, and
// the number of bits compared there. The error is [ErrUndecidable], and then
// the distance is 1.
func Distance(probe, reference *Template) (float64, int, error) {
	a, b := probe.contents(), reference.contents()
	if a == nil || b == nil {
		return 1, 0, fmt.Errorf("comparing irises: %w", ErrUndecidable)
	}
	best, common := 1.0, 0
	to := b.upright()
	for r := range rotations {
		differ, n := masked(&a.turns[1][r], to)
		if n < MinBits {
			continue
		}
		if d := float64(differ) / float64(n); d < best || common == 0 {
			best, common = d, n
		}
	}
	if common == 0 {
		return 1, 0, fmt.Errorf("comparing irises: %w", ErrUndecidable)
	}
	return best, common, nil
}

// masked counts the bits that differ among those that both admit, and those.
func masked(a, b *turned) (differ, n int) {
	for i := range a.code {
		m := a.mask[i] & b.mask[i]
		n += bits.OnesCount64(m)
		differ += bits.OnesCount64((a.code[i] ^ b.code[i]) & m)
	}
	return differ, n
}

// Unmasked gives the least number of differing bits over rotations when masks
// are ignored: the measure with which galleries are screened (package search
// does it for many at once, with the same loops). A template that holds nothing
// differs in all bits.
func Unmasked(probe, reference *Template) int {
	a, b := probe.contents(), reference.contents()
	if a == nil || b == nil {
		return Bits
	}
	out := outs.Get().(*[1]uint16)
	defer outs.Put(out)
	scan.Best().Iris(out[:], b.row[:], &a.probe)
	least := int(out[0])
	out[0] = 0
	return least
}

// outs has results of scan's loops, which would otherwise be allocated for
// each comparison: the compiler cannot see that they do not keep them.
var outs = sync.Pool{New: func() any { return new([1]uint16) }}

package iris

import "math/bits"

// An iris whose pupil or outer edge was found a little beside the truth comes
// out turned by different amounts in different directions, and shifted by a
// band when a radius was wrong. Each sector of sixteen angles may therefore
// choose its own rotation, one step from its neighbour's at most. Every step
// costs as much as turnCost further differing bits: without a price any two
// irises would look alike. The figures lie on a plateau: prices of 2 to 8 bits
// and 0.01 to 0.03 all gave equal error rates within 0.3 % of one another.
const (
	sectors     = 8
	sectorWords = words / sectors
	turnCost    = 4    // differing bits that one step between sectors costs
	bandShifts  = 3    // inwards, none, outwards
	bandCost    = 0.02 // distance that a shift costs
)

// path is the cheapest way to a rotation in the sectors so far: the cost in
// half bits above chance (2 differing - compared), and the bits compared.
type path struct{ cost, n, halves int32 }

// elastic returns the better of best and the best path under one band shift.
// The circle is cut open where the code begins: closing it would cost a run
// for each rotation and changed no error rate.
func elastic(a, b *prepared, shift int, best Result) Result {
	var at, next [rotations]path
	to := b.upright()
	for s := range sectors {
		for r := range rotations {
			differ, n := sector(&a.turns[shift][r], to, s)
			next[r] = extend(&at, r, s == 0, 2*differ, n)
		}
		at = next
	}
	price := bandCost
	if shift == 1 {
		price = 0
	}
	for _, p := range at {
		if p.n < MinBits {
			continue
		}
		score := 1 - normalised(int(p.halves), int(p.n)) - price
		if score > best.Score {
			best = Result{score, int(p.n)}
		}
	}
	return best
}

// extend adds a sector at rotation r to the cheapest path that may lead there:
// among equals the one that does not turn, then the one from below.
func extend(at *[rotations]path, r int, first bool, halves, n int32) path {
	if first {
		return path{halves - n, n, halves}
	}
	from, turn := at[r], int32(0)
	for _, k := range [2]int{r - 1, r + 1} {
		if k >= 0 && k < rotations && at[k].cost+2*turnCost < from.cost+turn {
			from, turn = at[k], 2*turnCost
		}
	}
	return path{from.cost + turn + halves - n, from.n + n, from.halves + turn + halves}
}

// sector counts as masked does, within one sector.
func sector(a, b *turned, s int) (differ, n int32) {
	for i := s * sectorWords; i < (s+1)*sectorWords; i++ {
		m := a.mask[i] & b.mask[i]
		n += int32(bits.OnesCount64(m))
		differ += int32(bits.OnesCount64((a.code[i] ^ b.code[i]) & m))
	}
	return differ, n
}

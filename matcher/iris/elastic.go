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

// path is the cheapest way to a rotation in the sectors so far: in the upper
// half its cost in half bits above chance (2 differing - compared, and the
// turns), in the lower the bits compared. One number, so that the choice between
// paths needs no branch.
type path int64

func newPath(cost, n int32) path { return path(cost)<<32 | path(n) }

func (p path) cost() int32 { return int32(p >> 32) }
func (p path) bits() int32 { return int32(p) }

// closed stands beside the outermost rotations: no path comes from there.
const closed = path(1) << 60

// elastic returns the better of best and the best path under one band shift.
// The circle is cut open where the code begins: closing it would cost a run
// for each rotation and changed no error rate.
func elastic(a, b *prepared, shift int, best Result) Result {
	// at[r+1] is the path to rotation r.
	var at [rotations + 2]path
	at[0], at[rotations+1] = closed, closed
	to := b.upright()
	for r := range rotations {
		differ, n := sector(&a.turns[shift][r], to, 0)
		at[r+1] = newPath(2*differ-n, n)
	}
	for s := 1; s < sectors; s++ {
		below := closed
		for r := range rotations {
			differ, n := sector(&a.turns[shift][r], to, s)
			from := cheapest(at[r+1], below, at[r+2])
			below, at[r+1] = at[r+1], from+newPath(2*differ-n, n)
		}
	}
	price := bandCost
	if shift == 1 {
		price = 0
	}
	for _, p := range at[1 : rotations+1] {
		n := p.bits()
		if n < MinBits {
			continue
		}
		score := 1 - normalised(int(p.cost()+n), int(n)) - price
		if score > best.Score {
			best = Result{score, int(n)}
		}
	}
	return best
}

// cheapest chooses where a path to a rotation comes from: among equals from
// the same rotation, then from the one below.
func cheapest(same, below, above path) path {
	const turn = path(2*turnCost) << 32
	if below += turn; below.cost() < same.cost() {
		same = below
	}
	if above += turn; above.cost() < same.cost() {
		same = above
	}
	return same
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

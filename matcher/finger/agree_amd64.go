package finger

import "golang.org/x/sys/cpu"

// useAVX2: eight pairs at once, by the arithmetic of IEEE 754 in the order of
// portable Go, so that every bit is as there.
var useAVX2 = cpu.X86.HasAVX2

// agreeing is what the assembly needs of the tables and limits of agreement.
type agreeing struct {
	distances, turns, cosines *float32
	_                         uint64
	whole                     [3][8]int32   // 255, 256, and one more than mostTurned
	real                      [7][8]float32 // see below
	unsigned                  [8]uint32     // all bits but the sign
}

var agreed = func() *agreeing {
	c := &agreeing{distances: &distanceAgreement[0], turns: &turnAgreement[0], cosines: &cosineAgreement[0]}
	for i, v := range [...]int32{255, 256, mostTurned + 1} {
		for k := range c.whole[i] {
			c.whole[i][k] = v
		}
	}
	for i, v := range [...]float32{stretchFloor, stretchRate, distanceSteps, distanceReach * distanceSteps,
		1, cosineSteps / cosineReach, cosineSteps} {
		for k := range c.real[i] {
			c.real[i][k] = v
		}
	}
	for k := range c.unsigned {
		c.unsigned[k] = 1<<31 - 1
	}
	return c
}()

// agreeAVX2 fills the first n rows of out, a row for each pair, with what
// agreement says of it and each of the others; columns from n on are without meaning.
//
//go:noescape
func agreeAVX2(p *lanes, n int, c *agreeing, out *[mostPairs * mostPairs]float32)

// supportAVX2 sets sums to the first n rows of r, times the votes.
//
//go:noescape
func supportAVX2(r *[mostPairs * mostPairs]float32, votes *[mostPairs]float32, n int, sums *[mostPairs]float32)

// relaxAVX2 is relax, for at least two pairs.
func (s *scratch) relaxAVX2() {
	n := len(s.pairs)
	l := &s.lanes
	for k := range s.pairs {
		p := &s.pairs[k]
		l.ax[k], l.ay[k], l.bx[k], l.by[k] = p.ax, p.ay, p.bx, p.by
		l.cos[k], l.sin[k], l.turn[k] = p.cos, p.sin, int32(p.turn)
		l.votes[k] = p.vote
	}
	agreeAVX2(l, n, agreed, &s.agreements)
	share := (1 - ownWeight) / float32(n-1)
	for range rounds {
		supportAVX2(&s.agreements, &l.votes, n, &l.sums)
		for k := range n {
			l.votes[k] = float32(ownWeight*l.votes[k]) + float32(share*l.sums[k])
		}
	}
	for k := range s.pairs {
		s.pairs[k].vote = l.votes[k]
	}
}

package finger

import "github.com/tamga-id/tamga/matcher/internal/mcc"

// Choice of pairs from local similarities.
const (
	mostPairs = 32  // pairs kept for relaxation
	buckets   = 256 // resolution at which similarities are ordered
)

// The vote on how far one finger is turned against the other.
const (
	turnBin   = 8 // 256ths of a turn in a bin
	turnBins  = 256 / turnBin
	turnFloor = 0.35 // similarities up to this have no vote
	turnEdge  = 6    // bins from which on a turn is another one: a sixth of a turn, less than mcc.MaxTurn, so that pairs about it are whole
)

// pair says that minutia a of the one template may be minutia b of the other.
type pair struct {
	a, b           uint8
	turn           uint8   // by which b's direction must turn to be a's, in 256ths
	local          float32 // similarity of the two cylinders
	vote           float32 // the same after relaxation
	ax, ay, bx, by float32 // where the two lie
	cos, sin       float32 // of turn
}

// candidate is a pair not yet chosen.
type candidate struct {
	a, b  uint8
	value float32
}

// assign chooses pairs one to one, most similar first, until there are enough
// or the smaller template is used up: the greedy stand-in for the Hungarian
// method, which differs from it little on sparse similarities and costs a sort.
// Only pairs turned by no more than mcc.MaxTurn about centre are looked at.
func (s *scratch) assign(a, b *prepared, centre uint8) {
	s.gather(a, b, centre)
	s.sortCandidates()
	s.pairs = s.pairs[:0]
	var takenA, takenB [MaxMinutiae + 1]bool
	limit := min(len(a.points), len(b.points), mostPairs)
	for _, k := range s.order {
		c := &s.candidates[k]
		if takenA[c.a] || takenB[c.b] {
			continue
		}
		takenA[c.a], takenB[c.b] = true, true
		s.pairs = append(s.pairs, newPair(a, b, c))
		if len(s.pairs) == limit {
			break
		}
	}
}

func newPair(a, b *prepared, c *candidate) pair {
	p, q := &a.points[c.a], &b.points[c.b]
	t := p.angle - q.angle
	d := directions[t]
	return pair{c.a, c.b, t, c.value, c.value, p.x, p.y, q.x, q.y, d.x, d.y}
}

// gather fills s.candidates with the most similar of each row that the finder has
// counted. For each row, the best of them and the best of all others vote on the
// turn.
func (s *scratch) gather(a, b *prepared, centre uint8) {
	s.candidates = s.candidates[:0]
	s.turns = [turnBins]float32{}
	bs := b.cylinders
	for i := range a.cylinders {
		ca := &a.cylinders[i]
		best := s.finder.Find(i, ca.Angle, b.angles, centre)
		for _, k := range best[:mcc.Kept] {
			if k == 0 {
				break
			}
			s.candidates = append(s.candidates, candidate{ca.Index, bs[k.Index()].Index, k.Similarity()})
		}
		for _, k := range [2]mcc.Key{best[0], best[mcc.Kept]} {
			if w := k.Similarity() - turnFloor; w > 0 {
				s.turns[(ca.Angle-centre-b.angles[k.Index()])/turnBin] += w * w
			}
		}
	}
}

// elsewhere returns the turn for which most votes were cast beyond those that
// gather looked at, and whether they are more than those for any turn that it did.
func (s *scratch) elsewhere() (centre uint8, more bool) {
	at := func(k int) float32 { return s.turns[k&(turnBins-1)] }
	var inside, outside float32
	for k := range turnBins {
		votes := at(k-2) + at(k-1) + at(k) + at(k+1) + at(k+2)
		if k < turnEdge-1 || k > turnBins-turnEdge {
			inside = max(inside, votes)
		} else if votes > outside {
			outside, centre = votes, uint8(k*turnBin+turnBin/2)
		}
	}
	return centre, outside > inside
}

// sortCandidates fills s.order with the candidates by descending value to the
// resolution of the buckets, ties in the order they were found: a counting
// sort, linear and stable.
func (s *scratch) sortCandidates() {
	var starts [buckets]int32
	for i := range s.candidates {
		starts[s.candidates[i].bucket()]++
	}
	next := int32(0)
	for i := buckets - 1; i >= 0; i-- {
		starts[i], next = next, next+starts[i]
	}
	if cap(s.order) < len(s.candidates) {
		s.order = make([]int32, len(s.candidates), 2*len(s.candidates))
	}
	s.order = s.order[:len(s.candidates)]
	for i := range s.candidates {
		at := &starts[s.candidates[i].bucket()]
		s.order[*at] = int32(i)
		*at++
	}
}

// bucket spreads the similarities from mcc.Chance to 1 over the buckets.
func (c *candidate) bucket() uint8 {
	const spread = (buckets - 1) / (1 - mcc.Chance)
	return uint8((c.value - mcc.Chance) * spread)
}

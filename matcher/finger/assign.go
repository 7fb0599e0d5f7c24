package finger

import "github.com/tamga-id/tamga/matcher/internal/mcc"

// Choice of pairs from local similarities.
const (
	maxTurn  = 64   // delta_theta: pairs turned further than this are not tried, in 256ths
	buckets  = 1024 // resolution at which similarities are ordered
	minLocal = 0.3  // similarities below this are chance
)

// pair says that minutia a of the one template may be minutia b of the other.
type pair struct {
	a, b  uint8
	local float32 // similarity of the two cylinders
	vote  float32 // the same after relaxation
}

// candidate is a pair not yet chosen.
type candidate struct {
	a, b   uint8
	bucket uint16
	value  float32
}

// assign chooses pairs one to one, most similar first, until the smaller
// template is used up: the greedy stand-in for the Hungarian method, which
// differs from it little on sparse similarities and costs a sort.
func (s *scratch) assign(a, b *prepared) {
	s.candidates = s.candidates[:0]
	for i := range a.cylinders {
		ca := &a.cylinders[i]
		for j := range b.cylinders {
			cb := &b.cylinders[j]
			if ca.Angle-cb.Angle+maxTurn > 2*maxTurn {
				continue
			}
			if v := mcc.Similarity(ca, cb); v >= minLocal {
				s.candidates = append(s.candidates, candidate{ca.Index, cb.Index, uint16(v * (buckets - 1)), v})
			}
		}
	}
	s.sortCandidates()
	s.pairs = s.pairs[:0]
	s.freeAll()
	limit := min(len(a.points), len(b.points))
	for _, k := range s.order {
		c := &s.candidates[k]
		if s.takenA[c.a] || s.takenB[c.b] {
			continue
		}
		s.takenA[c.a], s.takenB[c.b] = true, true
		s.pairs = append(s.pairs, pair{a: c.a, b: c.b, local: c.value})
		if len(s.pairs) == limit {
			break
		}
	}
}

// sortCandidates fills s.order with the candidates by descending bucket, ties
// in the order they were found: a counting sort, linear and stable.
func (s *scratch) sortCandidates() {
	clear(s.starts[:])
	for i := range s.candidates {
		s.starts[s.candidates[i].bucket]++
	}
	next := int32(0)
	for i := buckets - 1; i >= 0; i-- {
		s.starts[i], next = next, next+s.starts[i]
	}
	if cap(s.order) < len(s.candidates) {
		s.order = make([]int32, len(s.candidates), 2*len(s.candidates))
	}
	s.order = s.order[:len(s.candidates)]
	for i := range s.candidates {
		at := &s.starts[s.candidates[i].bucket]
		s.order[*at] = int32(i)
		*at++
	}
}

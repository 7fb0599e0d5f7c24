package finger

import (
	"cmp"
	"slices"
)

// pairTurn is how many 256ths of a turn the directions of two aligned minutiae
// may differ by for them to be the same.
const pairTurn = 24

// turnWeight falls from 1 for minutiae that point the same way to 0 for those
// turned by pairTurn against each other.
var turnWeight = func() (table [pairTurn]float32) {
	for i := range table {
		table[i] = 1 - float32(i*i)/(pairTurn*pairTurn)
	}
	return table
}()

// match is a pair of minutiae that an alignment brings together.
type match struct {
	a, b   uint8
	weight float32 // 1 when they coincide, towards 0 at the limits
}

// taken, in the place of a weight, marks a minutia that has been matched.
const taken = -1

// pairUp matches the minutiae of a with the moved ones of b, whose directions
// have to be turned by turned, one to one and best first. It leaves the matches
// in s.matches and returns the sum of their weights.
func (s *scratch) pairUp(a, b *prepared, turned uint8, reach float32) float32 {
	s.meet(a, b, turned, reach)
	s.matches = s.matches[:0]
	// Those that are each other's best would be chosen in any order; only the
	// few others need sorting.
	for _, c := range s.candidates {
		if s.bestA[c.a].b == c.b && s.bestB[c.b].a == c.a {
			s.accept(c)
		}
	}
	left := s.candidates[:0]
	for _, c := range s.candidates {
		if s.bestA[c.a].value != taken && s.bestB[c.b].value != taken {
			left = append(left, c)
		}
	}
	if len(left) > 1 {
		slices.SortStableFunc(left, func(x, y candidate) int { return cmp.Compare(y.value, x.value) })
	}
	for _, c := range left {
		s.accept(c)
	}
	var total float32
	for i := range s.matches {
		total += s.matches[i].weight
	}
	return total
}

// accept makes a match of a candidate whose minutiae are both free.
func (s *scratch) accept(c candidate) {
	x, y := &s.bestA[c.a], &s.bestB[c.b]
	if x.value == taken || y.value == taken {
		return
	}
	x.value, y.value = taken, taken
	s.matches = append(s.matches, match{c.a, c.b, c.value})
}

// meet fills s.candidates with the minutiae of a and moved ones of b that lie
// within reach of each other and point nearly the same way, and s.bestA and
// s.bestB with the best of them for each.
func (s *scratch) meet(a, b *prepared, turned uint8, reach float32) {
	s.candidates = s.candidates[:0]
	clear(s.bestA[:len(a.points)])
	clear(s.bestB[:len(b.points)])
	if useAVX2 {
		s.meetAVX2(a, b, turned, reach)
		return
	}
	s.meetGeneric(a, b, turned, reach)
}

func (s *scratch) meetGeneric(a, b *prepared, turned uint8, reach float32) {
	squared, scale := reach*reach, 1/(reach*reach)
	// Wider than need be, lest rounding hides what is just within reach.
	window := 2 * reach
	points, from := a.points, 0
	for j := range s.moved {
		q := s.moved[j]
		angle := b.points[j].angle + turned
		// The points of a run downwards and, unless the turn is large, so do
		// those of b: the first in the window is near that of the last time.
		for from > 0 && points[from-1].y < q.y+window {
			from--
		}
		for from < len(points) && points[from].y >= q.y+window {
			from++
		}
		i := from
		for ; i < len(points) && points[i].y > q.y-window; i++ {
			p := &points[i]
			dx, dy := p.x-q.x, p.y-q.y
			distance := float32(dx*dx) + float32(dy*dy)
			if !(distance < squared) {
				continue
			}
			if t := turn(p.angle, angle); t < pairTurn {
				s.propound(uint8(i), uint8(j), (1-float32(distance*scale))*turnWeight[t])
			}
		}
		s.met += i - from
	}
}

// propound adds a candidate.
func (s *scratch) propound(i, j uint8, value float32) {
	c := candidate{i, j, value}
	s.candidates = append(s.candidates, c)
	if value > s.bestA[i].value {
		s.bestA[i] = c
	}
	if value > s.bestB[j].value {
		s.bestB[j] = c
	}
}

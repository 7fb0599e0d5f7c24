package finger

import (
	"sync"

	"github.com/tamga-id/tamga/matcher/internal/mcc"
)

// scratch is the working memory of one comparison. It holds traces of both
// templates, so it is wiped before it goes back to the pool. All of it is
// bounded by the number of minutiae.
type scratch struct {
	// Of the local stage.
	finder     mcc.Finder
	turns      [turnBins]float32
	candidates []candidate
	order      []int32

	// Of relaxation.
	pairs  []pair
	links  []link
	ranked []int
	lanes  lanes
	laidBy struct { // pairs and ranked of one turn, while another is looked at
		pairs  []pair
		ranked []int
	}
	// agreements of the pairs with each other, a row for each.
	agreements [mostPairs * mostPairs]float32

	// Of alignment.
	tried        []motion
	moved        []vec
	matches      []match
	bestA, bestB [MaxMinutiae]candidate
	residuals    []residual
	close        closeBy
	met          int // looks at pairs of minutiae, by eight in assembly, for tests

	// Of the final weighing.
	inA, inB          [MaxMinutiae]bool
	hull              []vec
	clipped, clipping []vec
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// mostKept bounds the candidates for which memory is kept, and wiped, for later
// comparisons: one template with all its minutiae in one place would otherwise
// tax every comparison after it.
const mostKept = 1 << 11

// release wipes s and gives it back to the pool.
func (s *scratch) release() {
	s.wipe()
	if cap(s.candidates) <= mostKept {
		scratches.Put(s)
	}
}

// wipe overwrites everything but keeps the memory.
func (s *scratch) wipe() {
	s.finder.Wipe()
	clear(s.turns[:])
	clear(s.candidates[:cap(s.candidates)])
	clear(s.order[:cap(s.order)])
	clear(s.pairs[:cap(s.pairs)])
	clear(s.laidBy.pairs[:cap(s.laidBy.pairs)])
	clear(s.laidBy.ranked[:cap(s.laidBy.ranked)])
	clear(s.links[:cap(s.links)])
	clear(s.ranked[:cap(s.ranked)])
	s.lanes = lanes{}
	clear(s.agreements[:])
	clear(s.tried[:cap(s.tried)])
	clear(s.moved[:cap(s.moved)])
	clear(s.matches[:cap(s.matches)])
	clear(s.bestA[:])
	clear(s.bestB[:])
	clear(s.residuals[:cap(s.residuals)])
	clear(s.inA[:])
	clear(s.inB[:])
	s.close = closeBy{}
	s.met = 0
	clear(s.hull[:cap(s.hull)])
	clear(s.clipped[:cap(s.clipped)])
	clear(s.clipping[:cap(s.clipping)])
}
